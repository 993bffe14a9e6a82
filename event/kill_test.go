package event_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
)

// TestKilledProcessesLoseNoEvent has two processes publish to the same few keys
// and consume what comes, and kills them again and again. Each change that was
// acknowledged has its event, each event tells of a change, those of a key are in
// the order of the changes, and each has had its effect once.
func TestKilledProcessesLoseNoEvent(t *testing.T) {
	t.Parallel()
	eachFile(t, func(t *testing.T, url string) {
		b := on(t, openURL(t, url), event.Config{Lease: time.Second})
		b.effects()
		b.exec(`CREATE TABLE changes (key TEXT PRIMARY KEY, version BIGINT NOT NULL)`)
		for key := range victimKeys {
			b.exec(`INSERT INTO changes VALUES ($1, 0)`, fmt.Sprint("k", key))
		}
		if err := b.Drain(t.Context(), noting("effects", nil)); err != nil {
			t.Fatal(err)
		}

		const rounds, perRound = 4, 150
		acknowledged := map[string]bool{}
		for range rounds {
			var mu sync.Mutex
			var count atomic.Int64
			var victims sync.WaitGroup
			for range 2 {
				victims.Go(func() {
					changes := victim(t, url, &count, perRound)
					mu.Lock()
					defer mu.Unlock()
					for _, c := range changes {
						acknowledged[c] = true
					}
				})
			}
			victims.Wait()
		}

		stop := b.start(noting("effects", nil))
		waitFor(t, func() bool {
			if err := b.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			s := b.Stats()
			return s.Backlog == 0 && s.Head > 0 && b.consumer("effects").Position == s.Head
		})
		stop()
		published := b.all()

		there, versions := map[string]bool{}, map[string]int{}
		for i, r := range published {
			there[fmt.Sprintf("%s/%s", r.Key, r.Payload)] = true
			if versions[r.Key]++; r.Position != int64(i+1) || string(r.Payload) != fmt.Sprint(versions[r.Key]) {
				t.Fatalf("event %d of key %s is at %d and tells of version %s", versions[r.Key], r.Key, r.Position, r.Payload)
			}
		}
		for _, c := range all[struct {
			Key     string
			Version int
		}](t, b.db, `SELECT key, version FROM changes`) {
			if versions[c.Key] != c.Version {
				t.Errorf("%d events of %d changes of %s", versions[c.Key], c.Version, c.Key)
			}
		}
		for c := range acknowledged {
			if !there[c] {
				t.Errorf("the event of change %s, which was acknowledged, is lost", c)
			}
		}
		effects := all[string](t, b.db, `SELECT event FROM effects ORDER BY n`)
		done, last := map[string]bool{}, map[string]int64{}
		byID := map[string]event.Record{}
		for _, r := range published {
			byID[r.ID] = r
		}
		for _, id := range effects {
			r := byID[id]
			if done[id] || r.Position <= last[r.Key] {
				t.Fatalf("%s had its effect twice, or out of order", id)
			}
			done[id], last[r.Key] = true, r.Position
		}
		if len(effects) != len(published) {
			t.Errorf("%d effects of %d events", len(effects), len(published))
		}
		t.Logf("%d changes, %d acknowledged, in %d rounds of two killed processes", len(published), len(acknowledged), rounds)
	})
}

const victimKeys = 3

// victim runs a process until enough was acknowledged by it and others, kills
// it, and returns the changes that it acknowledged.
func victim(t *testing.T, url string, count *atomic.Int64, enough int64) (changes []string) {
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$", "-test.count=1")
	child.Env = append(os.Environ(), "ASHLAR_TEST_VICTIM="+url)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Error(err)
		return nil
	}
	if err := child.Start(); err != nil {
		t.Error(err)
		return nil
	}
	killed := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		change, ok := strings.CutPrefix(lines.Text(), "ack ")
		if !ok {
			continue
		}
		changes = append(changes, change)
		if count.Add(1) >= enough && !killed {
			killed = true
			if err := child.Process.Kill(); err != nil { // SIGKILL
				t.Error(err)
			}
		}
	}
	if err := child.Wait(); err == nil || !killed {
		t.Errorf("the child ended by itself: nothing was tested: %v", err)
	}
	return changes
}

// TestVictim is the process that is killed.
func TestVictim(t *testing.T) {
	t.Parallel()
	url := os.Getenv("ASHLAR_TEST_VICTIM")
	if url == "" {
		return // nobody asked for a victim
	}
	b := on(t, openURL(t, url), event.Config{Lease: time.Second})
	b.start(noting("effects", nil))
	var publishing sync.WaitGroup
	for range 8 {
		publishing.Go(func() {
			for {
				what, err := change(b, fmt.Sprint("k", rand.IntN(victimKeys)))
				if err != nil {
					t.Error(err)
					return
				}
				// One write per line: the pipe keeps it after the kill.
				if _, err := fmt.Fprintf(os.Stdout, "ack %s\n", what); err != nil {
					return
				}
			}
		})
	}
	publishing.Wait()
}

// change changes a row, publishes the version it has then, and returns both.
func change(b *bench, key string) (what string, err error) {
	ctx := context.Background()
	version, err := db.InTx(ctx, b.db, func(tx *db.Tx) (int, error) {
		version, err := db.One[int](ctx, tx, `UPDATE changes SET version = version + 1 WHERE key = $1 RETURNING version`, key)
		if err != nil {
			return 0, err
		}
		return version, counted.Publish(ctx, tx, version, event.WithKey(key))
	}, db.ReadCommitted)
	return fmt.Sprintf("%s/%d", key, version), err
}

// all returns the whole log.
func (b *bench) all() (list []event.Record) {
	b.t.Helper()
	for q, more := (event.Query{Limit: event.MaxLimit}), true; more; {
		p := b.read(q)
		list = append(list, p.Records...)
		q.After, more = p.Next, p.More
	}
	return list
}

// all returns what a query finds.
func all[T any](t *testing.T, q db.Querier, sql string, args ...any) []T {
	t.Helper()
	list, err := db.All[T](t.Context(), q, sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// waitFor waits until something holds.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(3 * time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("it does not come about")
		}
	}
}
