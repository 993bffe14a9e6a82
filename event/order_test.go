package event_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/event/eventtest"
)

// TestEventsOfAKeyAreInTheOrderOfTheirCommits has many transactions change few
// rows at once, through two processes that both give out positions, while
// somebody reads: positions have no gap, and a key's versions come one by one.
func TestEventsOfAKeyAreInTheOrderOfTheirCommits(t *testing.T) {
	t.Parallel()
	const workers, each, few = 16, 15, 4
	for name, options := range map[string]db.TxOption{"serializable": 0, "read committed": db.ReadCommitted} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachFile(t, func(t *testing.T, url string) {
				bus := eventtest.NewBus()
				list := []*bench{on(t, openURL(t, url), event.Config{Bus: bus}), on(t, openURL(t, url), event.Config{Bus: bus})}
				list[0].exec(`CREATE TABLE changes (key TEXT PRIMARY KEY, version BIGINT NOT NULL)`)
				for key := range few {
					list[0].exec(`INSERT INTO changes VALUES ($1, 0)`, fmt.Sprint("k", key))
				}
				for _, b := range list {
					t.Cleanup(b.start())
				}

				var reading sync.WaitGroup
				for _, b := range list {
					s, err := b.Subscribe(t.Context(), event.Filter{}, event.Oldest())
					if err != nil {
						t.Fatal(err)
					}
					reading.Go(func() {
						defer s.Close()
						ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
						defer cancel()
						versions := map[string]int{}
						for last := int64(0); last < workers*each; {
							records, err := s.Next(ctx)
							if err != nil {
								t.Errorf("after %d events: %v", last, err)
								return
							}
							for _, r := range records {
								if last++; r.Position != last {
									t.Errorf("position %d after %d", r.Position, last-1)
									return
								}
								if versions[r.Key]++; string(r.Payload) != fmt.Sprint(versions[r.Key]) {
									t.Errorf("%s: version %s, want %d", r.Key, r.Payload, versions[r.Key])
									return
								}
							}
						}
					})
				}

				var writing sync.WaitGroup
				for w := range workers {
					writing.Go(func() {
						b := list[w%2]
						for range each {
							key := fmt.Sprint("k", rand.IntN(few))
							_, err := db.InTx(t.Context(), b.db, func(tx *db.Tx) (struct{}, error) {
								version, err := db.One[int](t.Context(), tx, `UPDATE changes SET version = version + 1 WHERE key = $1 RETURNING version`, key)
								if err != nil {
									return struct{}{}, err
								}
								if err := counted.Publish(t.Context(), tx, version, event.WithKey(key)); err != nil {
									return struct{}{}, err
								}
								_, err = db.One[int](t.Context(), tx, `SELECT COUNT(*) FROM ashlar_event_log`) // some take longer than others
								return struct{}{}, err
							}, options)
							if err != nil {
								t.Error(err)
								return
							}
						}
					})
				}
				writing.Wait()
				reading.Wait()
			})
		})
	}
}

// TestATransactionThatTakesLongHoldsNobodyUp: whoever inserted first and has not
// committed is not waited for, and is not left out later.
func TestATransactionThatTakesLongHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bench) {
		if b.db.Dialect() == db.SQLite {
			return // its writer is the transaction's until it ends
		}
		s := b.subscribe(event.Filter{}, event.Now())
		published, commit := make(chan struct{}), make(chan struct{})
		done := make(chan error, 1)
		go func() {
			done <- inTx(t.Context(), b.db, func(tx *db.Tx) error {
				if err := counted.Publish(t.Context(), tx, 1); err != nil {
					return err
				}
				_, err := db.One[int](t.Context(), tx, `SELECT COUNT(*) FROM ashlar_event_outbox`) // it was sent
				close(published)
				<-commit
				return err
			})
		}()
		<-published
		b.count(2)
		if got := payloads(next(t, s, 1)); got != "2" {
			t.Error(got)
		}
		close(commit)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if r := next(t, s, 1); payloads(r) != "1" || r[0].Position != 2 {
			t.Errorf("%s at %d", payloads(r), r[0].Position)
		}
	})
}

// TestAnotherGivesPositionsToWhatADeadProcessCommitted: it committed, and ended
// before it did anything else.
func TestAnotherGivesPositionsToWhatADeadProcessCommitted(t *testing.T) {
	t.Parallel()
	eachFile(t, func(t *testing.T, url string) {
		dead, b := on(t, openURL(t, url), event.Config{}), on(t, openURL(t, url), event.Config{Poll: 50 * time.Millisecond})
		t.Cleanup(b.start())
		s := b.subscribe(event.Filter{}, event.Now())
		dead.count(1)
		dead.Close()
		began := time.Now()
		if got := payloads(next(t, s, 1)); got != "1" {
			t.Error(got)
		}
		t.Logf("read after %v", time.Since(began))
	})
}

// TestAFailedPassIsTriedAgain: nothing is lost while positions cannot be given
// out.
func TestAFailedPassIsTriedAgain(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bench) {
		if b.db.Dialect() == db.SQLite {
			return // an insert gives its own
		}
		b.exec(`ALTER TABLE ashlar_event_log RENAME TO gone`)
		b.count(1)
		if _, err := b.Read(t.Context(), event.Query{}); err == nil {
			t.Error("the log cannot be read")
		}
		t.Cleanup(b.start())
		b.count(2)
		waitFor(t, func() bool { return len(b.logs.String()) > 0 })
		b.exec(`ALTER TABLE gone RENAME TO ashlar_event_log`)
		waitFor(t, func() bool {
			p, err := b.Read(t.Context(), event.Query{})
			return err == nil && payloads(p.Records) == "1 2"
		})
		if err := b.Refresh(t.Context()); err != nil || b.Stats().Backlog != 0 || b.Stats().Placed != 2 {
			t.Errorf("%+v, %v", b.Stats(), err)
		}
	})
}

// TestManyEventsOfOneTransaction are more than one pass moves.
func TestManyEventsOfOneTransaction(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bench) {
		const many = 2500
		b.tx(func(tx *db.Tx) error {
			for n := range many {
				if err := counted.Publish(t.Context(), tx, n+1); err != nil {
					return err
				}
			}
			return nil
		})
		if list := b.all(); payloads(list) != numbers(1, many) {
			t.Errorf("%d events, or not in order", len(list))
		}
	})
}

// TestAPublisherWhoseContextEnds: whatever InTx answered, the event is there
// exactly if the change is.
func TestAPublisherWhoseContextEnds(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bench) {
		b.exec(`CREATE TABLE changes (n BIGINT PRIMARY KEY)`)
		for n := range 30 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(rand.N(2*time.Millisecond), cancel)
			_ = inTx(ctx, b.db, func(tx *db.Tx) error {
				_, err := tx.Exec(ctx, `INSERT INTO changes VALUES ($1)`, n)
				return errors.Join(err, counted.Publish(ctx, tx, n))
			})
			cancel()
		}
		changes := all[int](t, b.db, `SELECT n FROM changes ORDER BY n`)
		b.count(99) // whose pass takes along what nobody was told of
		if events := b.all(); len(changes) != len(events)-1 {
			t.Errorf("%d changes and %d events", len(changes), len(events)-1)
		}
	})
}
