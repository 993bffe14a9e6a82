package postgres_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/dbtest"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/internal/backing"
)

// aWhile is the age that these tests allow, unless they are about it: their
// machine may be busy.
const aWhile = time.Minute

// changes are what was told of replicas.
type changes struct {
	mu   sync.Mutex
	list []string
}

func (c *changes) note(server string, reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := "used again"
	if reason != nil {
		text = reason.Error()
	}
	c.list = append(c.list, server+": "+text)
}

func (c *changes) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

// replicated is a database with standbys, and a table that they have.
func replicated(t *testing.T, primary *backing.PostgresProcess, standbys ...string) (*db.DB, *changes) {
	t.Helper()
	told := &changes{}
	d := open(t, postgres.Config{URL: primary.URL(), Replicas: standbys, ReplicaChanged: told.note})
	statements(t, d, `CREATE TABLE t (n BIGINT)`, `INSERT INTO t VALUES (1)`)
	for i := range standbys {
		holds(t, "it is used", func() bool { return used(d.Stats().Replicas[i]) })
	}
	holds(t, "the table is there", func() bool { return where(t, d, aWhile) != primaryPort(t, d) })
	return d, told
}

func used(r db.Replica) bool { return r.Err == nil && r.Age >= 0 }

// holds waits for what becomes true.
func holds(t *testing.T, what string, so func() bool) {
	t.Helper()
	for began := time.Now(); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 3*time.Minute {
			t.Fatalf("not so: %s", what)
		}
	}
}

// where is the port of the server that answers a query that may be so old.
func where(t *testing.T, d *db.DB, most time.Duration) int {
	t.Helper()
	port, err := db.One[int](db.Stale(t.Context(), most), d, `SELECT CAST(current_setting('port') AS BIGINT) FROM t LIMIT 1`)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func primaryPort(t *testing.T, d *db.DB) int {
	t.Helper()
	return where(t, d, 0)
}

// TestAStandbyAnswersWhatMayBeOld, and nothing else.
func TestAStandbyAnswersWhatMayBeOld(t *testing.T) {
	t.Parallel()
	primary := backing.PostgresServer(t)
	standby := primary.Standby()
	d, told := replicated(t, primary, standby.URL())
	here := primaryPort(t, d)
	stale := db.Stale(t.Context(), aWhile)
	const port = `SELECT CAST(current_setting('port') AS BIGINT) FROM t LIMIT 1`
	for name, c := range map[string]struct {
		ask     func() (int, error)
		standby bool
	}{
		"One":               {func() (int, error) { return db.One[int](stale, d, port) }, true},
		"All":               {func() (int, error) { all, err := db.All[int](stale, d, port); return append(all, 0)[0], err }, true},
		"Query":             {func() (int, error) { return first(d.Query(stale, port)) }, true},
		"with an argument":  {func() (int, error) { return db.One[int](stale, d, port+` OFFSET $1`, 0) }, true},
		"with a plain ctx":  {func() (int, error) { return db.One[int](t.Context(), d, port) }, false},
		"within a second":   {func() (int, error) { return db.One[int](db.Stale(t.Context(), 999*time.Millisecond), d, port) }, false},
		"asked for the new": {func() (int, error) { return db.One[int](db.Stale(stale, 0), d, port) }, false},
		"in a transaction": {func() (int, error) {
			return db.InTx(stale, d, func(tx *db.Tx) (int, error) { return db.One[int](stale, tx, port) })
		}, false},
		"in a reading one": {func() (int, error) {
			return db.InTx(stale, d, func(tx *db.Tx) (int, error) { return db.One[int](stale, tx, port) }, db.ReadOnly)
		}, false},
		"one that writes": {func() (int, error) {
			return db.One[int](stale, d, `UPDATE t SET n = n RETURNING CAST(current_setting('port') AS BIGINT)`)
		}, false},
		"a locking query": {func() (int, error) { return db.One[int](stale, d, port+` FOR UPDATE`) }, false},
		"a sequence's value": {func() (int, error) {
			statements(t, d, `CREATE SEQUENCE s`)
			return db.One[int](stale, d, `SELECT CAST(current_setting('port') AS BIGINT) WHERE nextval('s') > 0`)
		}, false},
	} {
		got, err := c.ask()
		if err != nil || (got != here) != c.standby {
			t.Errorf("%s: answered by %d, %v; the primary is %d", name, got, err, here)
		}
	}
	if rows, err := d.Query(stale, `UPDATE t SET n = 2 RETURNING n`); !errors.Is(err, db.ErrWrites) {
		t.Errorf("a query that writes: %v, %v", rows, err)
	}
	if n, err := db.Exec(stale, d, `UPDATE t SET n = n`); n != 1 || err != nil {
		t.Errorf("a statement: %d, %v", n, err)
	}
	if _, err := db.One[int](stale, d, `SELECT nothing`); err == nil || strings.Contains(err.Error(), "replica") {
		t.Errorf("a mistake is answered with %v", err)
	}
	if s := d.Stats(); len(s.Replicas) != 1 || s.Replicas[0].Answers < 4 || s.Replicas[0].Server != standby.Addr()+"/postgres" {
		t.Errorf("%+v", s)
	}
	if list := told.take(); len(list) > 0 {
		t.Errorf("told of %q", list)
	}
}

func first(rows db.Rows, err error) (n int, _ error) {
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&n); err != nil {
			return 0, err
		}
	}
	return n, rows.Err()
}

// TestAStandbyThatFails: whoever asks notices nothing but the primary's answer,
// and operators are told once.
func TestAStandbyThatFails(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*backing.PostgresProcess){
		"killed": (*backing.PostgresProcess).Kill, "shut down": (*backing.PostgresProcess).Shut, "silent": (*backing.PostgresProcess).Stop,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			primary := backing.PostgresServer(t)
			standby := primary.Standby()
			d, told := replicated(t, primary, standby.URL())
			here := primaryPort(t, d)
			end(standby)
			var longest time.Duration
			holds(t, "it is known", func() bool {
				began := time.Now()
				if got := where(t, d, aWhile); got != here {
					t.Errorf("answered by %d", got)
				}
				longest = max(longest, time.Since(began))
				return d.Stats().Replicas[0].Err != nil
			})
			t.Logf("a query took %v at most while the standby was %s", longest, name)
			if longest > 30*time.Second {
				t.Errorf("a query waited %v for a standby that is gone", longest)
			}
			for range 20 {
				where(t, d, aWhile)
			}
			if s := d.Stats(); s.Missed < 20 || s.Replicas[0].Age != -1 {
				t.Errorf("%+v", s)
			}
			again := standby.Addr() + "/postgres: used again"
			var list []string
			holds(t, "that is told", func() bool {
				list = append(list, told.take()...)
				return len(list) > 0 && list[len(list)-1] != again
			})
			standby.Start()
			holds(t, "it is used again", func() bool { return where(t, d, aWhile) != here })
			holds(t, "that is told", func() bool {
				list = append(list, told.take()...)
				return list[len(list)-1] == again
			})
			// Each change is told once. On a busy machine there may be more of them.
			for i, text := range list {
				if !strings.HasPrefix(text, standby.Addr()) || (text == again) != (i%2 == 1) {
					t.Errorf("told of %q", list)
				}
			}
		})
	}
}

// TestAStandbyThatIsBehind is used as far as its age allows.
func TestAStandbyThatIsBehind(t *testing.T) {
	t.Parallel()
	primary := backing.PostgresServer(t)
	standby := primary.Standby()
	d, told := replicated(t, primary, standby.URL())
	here := primaryPort(t, d)
	const bound = 8 * time.Second // a busy machine is not always within less
	holds(t, "it is young enough", func() bool { return where(t, d, bound) != here })
	administer := func(statement string) {
		t.Helper()
		if err := backing.Administer(t.Context(), standby.URL(), statement); err != nil {
			t.Fatal(err)
		}
	}
	told.take()
	administer(`SELECT pg_wal_replay_pause()`)
	// The pause takes hold before the next record, so that one more is in.
	statements(t, d, `INSERT INTO t VALUES (2)`, `INSERT INTO t VALUES (3)`, `INSERT INTO t VALUES (4)`)
	holds(t, "it is too old", func() bool { return where(t, d, bound) == here })
	if age := d.Stats().Replicas[0].Age; age < bound {
		t.Errorf("the primary was asked at an age of %v", age)
	}
	stale, err := db.One[int](db.Stale(t.Context(), aWhile), d, `SELECT COUNT(*) FROM t`)
	if err != nil || stale == 4 {
		t.Errorf("for whom the age does not matter there are %d rows, %v", stale, err)
	}
	if n, err := db.One[int](db.Stale(t.Context(), bound), d, `SELECT COUNT(*) FROM t`); n != 4 || err != nil {
		t.Errorf("whoever asked for %v gets %d rows, %v", bound, n, err)
	}
	if s := d.Stats(); s.Replicas[0].Err == nil || s.Missed == 0 {
		t.Errorf("%+v", s)
	}
	var list []string
	holds(t, "that is told", func() bool {
		list = append(list, told.take()...)
		return len(list) > 0 && strings.Contains(list[len(list)-1], "behind, and at most 8s were asked for")
	})
	if len(list)%2 != 1 { // one change, and on a busy machine there and back again
		t.Errorf("told of %q", list)
	}
	administer(`SELECT pg_wal_replay_resume()`)
	holds(t, "it is young again", func() bool { return where(t, d, bound) != here })
	holds(t, "that is told", func() bool { return slices.Equal(told.take(), []string{standby.Addr() + "/postgres: used again"}) })
}

// TestAStandbyThatBreaksOff a query in favour of what it has to replay, at
// first and in the midst of rows.
func TestAStandbyThatBreaksOff(t *testing.T) {
	t.Parallel()
	primary := backing.PostgresServer(t)
	standby := primary.Standby("max_standby_streaming_delay=100ms", "hot_standby_feedback=off")
	d, _ := replicated(t, primary, standby.URL())
	here := primaryPort(t, d)
	statements(t, d, `INSERT INTO t SELECT generate_series(2, 200000)`)
	holds(t, "all is there", func() bool {
		n, err := db.One[int](db.Stale(t.Context(), aWhile), d, `SELECT COUNT(*) FROM t`)
		return err == nil && n == 200_000
	})
	vacate := func() {
		// An exclusive lock that is replayed ends whoever stands in its way.
		if err := backing.Administer(context.Background(), primary.URL(), `ALTER TABLE t ADD COLUMN IF NOT EXISTS m BIGINT; ALTER TABLE t DROP COLUMN m`); err != nil {
			t.Error(err)
		}
	}

	before := d.Stats().Replicas[0].Failures
	var ended sync.WaitGroup
	ended.Go(func() {
		time.Sleep(200 * time.Millisecond) // the query has begun by then, or is not broken off
		vacate()
	})
	port, err := db.One[int](db.Stale(t.Context(), aWhile), d, `SELECT CAST(current_setting('port') AS BIGINT) FROM t, pg_sleep(1) LIMIT 1`)
	ended.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if failed := d.Stats().Replicas[0].Failures > before; failed != (port == here) {
		t.Errorf("answered by %d where the primary is %d, and the standby broke off: %t", port, here, failed)
	} else if !failed {
		t.Log("the query was not broken off")
	}

	// More rows than fit between the server and us: it is in the midst of them.
	holds(t, "it is used", func() bool { return where(t, d, aWhile) != here })
	rows, err := d.Query(db.Stale(t.Context(), aWhile), `SELECT n, repeat('x', 500) FROM t`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() {
		t.Fatal("there are no rows")
	}
	vacate()
	lsn, err := db.One[string](t.Context(), d, `SELECT CAST(pg_current_wal_lsn() AS TEXT)`)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, "the lock is replayed", func() bool {
		n, err := db.One[int](db.Stale(t.Context(), aWhile), d, `
			SELECT CASE WHEN pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= CAST(CAST($1 AS TEXT) AS PG_LSN) THEN 1 ELSE 0 END`, lsn)
		return n == 1 && err == nil
	})
	seen := 1
	for rows.Next() {
		seen++
	}
	if err := rows.Err(); !errors.Is(err, db.ErrReplica) {
		t.Errorf("after %d rows: %v", seen, err)
	}
	unavailable(t, rows.Err(), standby.Addr())
}

// TestMoreStandbysThanOne take turns, and stand in for each other.
func TestMoreStandbysThanOne(t *testing.T) {
	t.Parallel()
	primary := backing.PostgresServer(t)
	one, two := primary.Standby(), primary.Standby()
	d, _ := replicated(t, primary, one.URL(), two.URL())
	here := primaryPort(t, d)
	asked := func() (by map[int]int) {
		by = map[int]int{}
		for range 20 {
			by[where(t, d, aWhile)]++
		}
		return by
	}
	holds(t, "both are used", func() bool { by := asked(); return len(by) == 2 && by[here] == 0 })
	one.Kill()
	if by := asked(); by[here] != 0 || len(by) != 1 {
		t.Errorf("with one of two, answers came from %v; the primary is %d", by, here)
	}
	two.Kill()
	if by := asked(); by[here] != 20 {
		t.Errorf("with none of two, answers came from %v; the primary is %d", by, here)
	}
}

// TestWhatIsNoStandby is never asked.
func TestWhatIsNoStandby(t *testing.T) {
	t.Parallel()
	primary, stranger := backing.PostgresServer(t), backing.PostgresServer(t)
	other := stranger.Standby()
	promoted := primary.Standby()
	if err := backing.Administer(t.Context(), promoted.URL(), `SELECT pg_promote()`); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ url, says string }{
		"the primary itself":  {primary.URL(), "is no standby"},
		"one that is primary": {promoted.URL(), "is no standby"},
		"another's standby":   {other.URL(), "a copy of another database"},
		"nobody":              {"postgres://ashlar@127.0.0.1:1/postgres?sslmode=disable", "cannot connect to 127.0.0.1:1/postgres"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, postgres.Config{URL: primary.URL(), Replicas: []string{c.url}})
			holds(t, "it is known", func() bool { return d.Stats().Replicas[0].Err != nil })
			if err := d.Stats().Replicas[0].Err; !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %s", err, c.says)
			}
			n, err := db.One[int](db.Stale(t.Context(), aWhile), d, `SELECT 7`)
			if s := d.Stats(); n != 7 || err != nil || s.Replicas[0].Answers != 0 || s.Missed != 1 {
				t.Errorf("%d, %v, %+v", n, err, s)
			}
		})
	}
}

// TestAFailoverLeavesStandbysOut that have not followed it.
func TestAFailoverLeavesStandbysOut(t *testing.T) {
	t.Parallel()
	old := backing.PostgresServer(t)
	next, left := old.Standby(), old.Standby()
	address := strings.Replace(old.URL(), old.Addr(), old.Addr()+","+next.Addr(), 1)
	told := &changes{}
	d := open(t, postgres.Config{URL: address, Replicas: []string{left.URL()}, ReplicaChanged: told.note})
	statements(t, d, `CREATE TABLE t (n BIGINT)`, `INSERT INTO t VALUES (1)`)
	holds(t, "it is used", func() bool { return used(d.Stats().Replicas[0]) })
	old.Kill()
	if err := backing.Administer(t.Context(), next.URL(), `SELECT pg_promote()`); err != nil {
		t.Fatal(err)
	}
	holds(t, "it is left out", func() bool {
		r := d.Stats().Replicas[0]
		return r.Err != nil && strings.Contains(r.Err.Error(), "timeline")
	})
	if n, err := db.One[int](db.Stale(t.Context(), aWhile), d, `SELECT n FROM t`); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestReplicasAreChecked(t *testing.T) {
	t.Parallel()
	const primary = "postgres://u:secret@127.0.0.1/shop"
	for url, says := range map[string]string{
		"postgres://u:secret@127.0.0.1/other":               `the database is "other", and must have the name that it has on the server it is a copy of, "shop"`,
		"http://127.0.0.1/shop":                             "it must begin with postgres://",
		"postgres://u:secret@10.0.0.1/shop?sslmode=disable": "does not make sure that 10.0.0.1 is the server",
	} {
		err := postgres.Config{URL: primary, Replicas: []string{"postgres://127.0.0.2/shop", url}}.Check()
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "replica 2") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if err := (postgres.Config{URL: primary, Replicas: []string{primary, primary}}).Check(); err == nil || !strings.Contains(err.Error(), "named twice") {
		t.Error(err)
	}
}

// TestConformanceWithAStandby: what is not stale notices nothing of it.
func TestConformanceWithAStandby(t *testing.T) {
	t.Parallel()
	primary := backing.PostgresServer(t)
	standby := primary.Standby()
	dbtest.Run(t, func(t *testing.T) *db.DB {
		t.Helper()
		name := backing.DatabaseName()
		if err := backing.CreateDatabase(t.Context(), primary.URL(), name, "template1"); err != nil {
			t.Fatal(err)
		}
		return open(t, postgres.Config{
			URL: backing.Within(primary.URL(), name), Replicas: []string{backing.Within(standby.URL(), name)}, MaxConns: 4,
		})
	})
}
