package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/fault"
)

const table = `CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT NOT NULL DEFAULT '')`

func memory(t *testing.T, cfg sqlite.Config) *db.DB {
	t.Helper()
	cfg.Path = ":memory:"
	d := open(t, cfg)
	run(t, d, table)
	return d
}

func run(t *testing.T, q db.Querier, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(t.Context(), q, s); err != nil {
			t.Fatal(err)
		}
	}
}

func put(ctx context.Context, q db.Querier, id int) error {
	_, err := db.Exec(ctx, q, `INSERT INTO t (id) VALUES ($1)`, id)
	return err
}

func ids(t *testing.T, d *db.DB) []int {
	t.Helper()
	list, err := db.All[int](t.Context(), d, `SELECT id FROM t ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func inTx(ctx context.Context, d *db.DB, fn func(tx *db.Tx) error) error {
	_, err := db.InTx(ctx, d, func(tx *db.Tx) (struct{}, error) { return struct{}{}, fn(tx) })
	return err
}

// hold takes the writer until release is called, which waits for the end.
func hold(t *testing.T, d *db.DB) (release func() error) {
	t.Helper()
	held, free, end := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		end <- inTx(context.WithoutCancel(t.Context()), d, func(*db.Tx) error {
			close(held)
			<-free
			return nil
		})
	}()
	<-held
	return func() error {
		close(free)
		return <-end
	}
}

// waiters blocks until n callers wait for the writer.
func waiters(d *db.DB, n int) {
	for d.Stats().Waiting != n {
		runtime.Gosched()
	}
}

func TestWaitersShareACommit(t *testing.T) {
	t.Parallel()
	d := memory(t, sqlite.Config{})
	release := hold(t, d)
	before := d.Stats()
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			if err := put(t.Context(), d, i); err != nil {
				t.Error(err)
			}
		})
	}
	waiters(d, 50)
	if err := release(); err != nil {
		t.Error(err)
	}
	group.Wait()
	after := d.Stats()
	if n := after.Transactions - before.Transactions; n != 51 {
		t.Errorf("%d transactions", n)
	}
	if n := after.Commits - before.Commits; n >= 51 {
		t.Errorf("%d commits for 51 transactions: none was shared", n)
	}
	if n := len(ids(t, d)); n != 50 {
		t.Errorf("%d rows", n)
	}
}

func TestGroupOfOneCommitsEach(t *testing.T) {
	t.Parallel()
	d := memory(t, sqlite.Config{Group: 1})
	before := d.Stats()
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if err := put(t.Context(), d, i); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := d.Stats().Commits - before.Commits; n != 20 {
		t.Errorf("%d commits", n)
	}
}

func TestFailedCommitFailsEveryMember(t *testing.T) {
	t.Parallel()
	d, breakDisk, err := sqlite.OpenFragile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	run(t, d, table)

	release := hold(t, d)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			after := false
			err := inTx(t.Context(), d, func(tx *db.Tx) error {
				tx.AfterCommit(func() { after = true })
				return put(t.Context(), tx, i)
			})
			if err == nil || after || !strings.Contains(err.Error(), "disk") {
				t.Errorf("transaction %d on a broken disk: %v, told of a commit: %t", i, err, after)
			}
		})
	}
	waiters(d, 20)
	breakDisk(true)
	_ = release() // it wrote nothing, so there was nothing to sync
	group.Wait()
	breakDisk(false)
	if err := put(t.Context(), d, 100); err != nil {
		t.Fatalf("after the repair: %v", err)
	}
	if got := ids(t, d); len(got) != 1 || got[0] != 100 {
		t.Errorf("rows %v: those that were refused must be gone", got)
	}
}

// TestARefusalWaitsForWhatItRestsOn: a member that refuses because of a row
// that another member of the batch wrote must not say so if that row is lost.
func TestARefusalWaitsForWhatItRestsOn(t *testing.T) {
	t.Parallel()
	d, breakDisk, err := sqlite.OpenFragile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	run(t, d, table)
	refused := errors.New("the row is there already")

	release := hold(t, d)
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			err := inTx(t.Context(), d, func(tx *db.Tx) error {
				rows, err := db.All[int](t.Context(), tx, `SELECT id FROM t WHERE id = 1`)
				if err == nil && len(rows) > 0 {
					return refused
				}
				return errors.Join(err, put(t.Context(), tx, 1))
			})
			if err == nil || errors.Is(err, refused) {
				t.Errorf("on a broken disk: %v", err)
			}
		})
	}
	waiters(d, 10)
	breakDisk(true)
	_ = release() // it wrote nothing, so there was nothing to sync
	group.Wait()
	breakDisk(false)
	if got := ids(t, d); len(got) != 0 {
		t.Errorf("rows %v", got)
	}
}

// TestAStatementThatEndsTheTransaction is the one way for a member to take the
// others with it: by SQL that says so. They must learn it.
func TestAStatementThatEndsTheTransaction(t *testing.T) {
	t.Parallel()
	d := memory(t, sqlite.Config{})
	run(t, d, `INSERT INTO t (id) VALUES (-1)`)
	release := hold(t, d)
	results := make(map[int]error)
	var mu sync.Mutex
	var group sync.WaitGroup
	for i := range 30 {
		group.Go(func() {
			err := inTx(t.Context(), d, func(tx *db.Tx) error {
				if i == 15 {
					if _, err := db.Exec(t.Context(), tx, `INSERT OR ROLLBACK INTO t (id) VALUES (-1)`); !db.IsUnique(err) {
						t.Error(err)
					}
				}
				return put(t.Context(), tx, i)
			})
			mu.Lock()
			defer mu.Unlock()
			results[i] = err
		})
	}
	waiters(d, 30)
	_ = release() // it may be a member, and lost too
	group.Wait()
	there := make(map[int]bool)
	for _, id := range ids(t, d) {
		there[id] = true
	}
	for i, err := range results {
		if (err == nil) != there[i] {
			t.Errorf("transaction %d was told %v, and its row is there: %t", i, err, there[i])
		}
		if i != 15 && err != nil && (db.IsUnique(err) || !errors.Is(err, fault.ErrUnavailable)) {
			t.Errorf("transaction %d broke no constraint and may be tried again, but was told %v", i, err)
		}
	}
	if !db.IsUnique(results[15]) {
		t.Errorf("the one that did it: %v", results[15])
	}
}

func TestContextEndsInTheQueue(t *testing.T) {
	t.Parallel()
	d := memory(t, sqlite.Config{})
	release := hold(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	ends := make(chan error, 2)
	for range 2 {
		go func() {
			ends <- inTx(ctx, d, func(*db.Tx) error {
				t.Error("the function of a cancelled transaction ran")
				return nil
			})
		}()
	}
	waiters(d, 2)
	go func() { ends <- put(t.Context(), d, 1) }()
	waiters(d, 3)
	cancel()
	for range 2 {
		if err := <-ends; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if err := <-ends; err != nil {
		t.Errorf("the one behind them: %v", err)
	}
}

// TestTokenMeetsTheEndOfAContext lets contexts end while the token is on its
// way to their transactions: it must never be lost.
func TestTokenMeetsTheEndOfAContext(t *testing.T) {
	t.Parallel()
	d := memory(t, sqlite.Config{})
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 200 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%20)*10*time.Microsecond)
				err := inTx(ctx, d, func(tx *db.Tx) error { return put(ctx, tx, g*1000+i) })
				cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if err := put(t.Context(), d, -1); err != nil {
		t.Fatal(err)
	}
	if s := d.Stats(); s.InUse != 0 || s.Waiting != 0 || int64(len(ids(t, d))) != s.Transactions-1 {
		t.Errorf("%d rows, %+v", len(ids(t, d)), s)
	}
}

func TestNestedInTxIsTold(t *testing.T) {
	t.Parallel()
	d := memory(t, sqlite.Config{})
	err := inTx(t.Context(), d, func(*db.Tx) error {
		return inTx(t.Context(), d, func(*db.Tx) error { return nil })
	})
	if err == nil || !strings.Contains(err.Error(), "InTx inside") {
		t.Errorf("InTx in InTx: %v", err)
	}
	err = inTx(t.Context(), d, func(tx *db.Tx) error { return put(t.Context(), d, 1) })
	if err == nil || !strings.Contains(err.Error(), "InTx inside") {
		t.Errorf("Exec on the DB in InTx: %v", err)
	}
	if err := put(t.Context(), d, 2); err != nil {
		t.Error(err)
	}
}

func TestWaitIsBounded(t *testing.T) {
	t.Parallel()
	d := memory(t, sqlite.Config{Wait: 20 * time.Millisecond, Readers: 1})
	release := hold(t, d)
	if err := put(t.Context(), d, 1); !errors.Is(err, db.ErrBusy) {
		t.Errorf("behind a slow transaction: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	rows, err := d.Query(t.Context(), `SELECT id FROM t`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.All[int](t.Context(), d, `SELECT id FROM t`); !errors.Is(err, db.ErrBusy) {
		t.Errorf("without a free reader: %v", err)
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	if _, err := db.All[int](t.Context(), d, `SELECT id FROM t`); err != nil {
		t.Error(err)
	}
}

// TestOneProcessorHasTwoReaders: who reads rows may ask something else beside
// it, however small the machine is.
func TestOneProcessorHasTwoReaders(t *testing.T) { //nolint:paralleltest // it changes what the process has
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	d := memory(t, sqlite.Config{Wait: 20 * time.Millisecond})
	rows, err := d.Query(t.Context(), `SELECT id FROM t`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.All[int](t.Context(), d, `SELECT id FROM t`); err != nil {
		t.Errorf("beside open rows: %v", err)
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
}

const endless = `INSERT INTO t (id) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n`

func TestInterruptedWriteLosesItsTransactionOnly(t *testing.T) {
	t.Parallel()
	d := memory(t, sqlite.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	err := inTx(ctx, d, func(tx *db.Tx) error {
		if err := put(t.Context(), tx, -1); err != nil {
			return err
		}
		if _, err := db.Exec(ctx, tx, endless); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the endless statement: %v", err)
		}
		// SQLite has rolled back; this must not become a transaction of its own.
		return put(t.Context(), tx, -2)
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a statement after it: %v", err)
	}
	if got := ids(t, d); len(got) != 0 {
		t.Errorf("%d rows are left", len(got))
	}
	if err := put(t.Context(), d, 1); err != nil {
		t.Error(err)
	}
}

// TestLazyDeadline has a context like the one of a request, which arms its
// timer only when somebody asks for Done.
func TestLazyDeadline(t *testing.T) {
	t.Parallel()
	d := memory(t, sqlite.Config{})
	ctx := lazy{t.Context(), time.Now().Add(30 * time.Millisecond)}
	_, err := db.One[int](ctx, d, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n`)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

type lazy struct {
	context.Context
	deadline time.Time
}

func (l lazy) Deadline() (time.Time, bool) { return l.deadline, true }

func TestStatementsOfTheAdapterAreItsOwn(t *testing.T) {
	t.Parallel()
	d := memory(t, sqlite.Config{})
	for _, s := range []string{"BEGIN", " commit", "-- x\nROLLBACK", "/* x */ SAVEPOINT a", "RELEASE a", "END", "ATTACH 'x' AS y"} {
		if _, err := db.Exec(t.Context(), d, s); err == nil || !strings.Contains(err.Error(), "is not for statements") {
			t.Errorf("%q: %v", s, err)
		}
	}
	if err := put(t.Context(), d, 1); err != nil {
		t.Error(err)
	}
}

func TestCacheOfStatementsIsBounded(t *testing.T) {
	t.Parallel()
	d := memory(t, sqlite.Config{Readers: 1})
	for i := range sqlite.MaxStatements + 50 {
		if got, err := db.One[int](t.Context(), d, fmt.Sprintf(`SELECT %d`, i)); err != nil || got != i {
			t.Fatal(got, err)
		}
	}
	if got, err := db.One[int](t.Context(), d, `SELECT 0`); err != nil || got != 0 {
		t.Error(got, err)
	}
}

func TestSchemaMayChange(t *testing.T) {
	t.Parallel()
	d := memory(t, sqlite.Config{})
	run(t, d, `INSERT INTO t VALUES (1, 'a')`)
	type before struct {
		ID int
		V  string
	}
	type after struct {
		before
		W *string
	}
	const all = `SELECT * FROM t`
	if _, err := db.One[before](t.Context(), d, all); err != nil {
		t.Fatal(err)
	}
	run(t, d, `ALTER TABLE t ADD COLUMN w TEXT`)
	if got, err := db.One[after](t.Context(), d, all); err != nil || got.ID != 1 || got.V != "a" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := db.One[before](t.Context(), d, all); err == nil || !strings.Contains(err.Error(), `"w"`) {
		t.Errorf("the old struct: %v", err)
	}
}

func TestTwoDatabasesMayNest(t *testing.T) {
	t.Parallel()
	a, b := memory(t, sqlite.Config{}), memory(t, sqlite.Config{})
	err := inTx(t.Context(), a, func(tx *db.Tx) error {
		return errors.Join(put(t.Context(), tx, 1), put(t.Context(), b, 2))
	})
	if err != nil || len(ids(t, a)) != 1 || len(ids(t, b)) != 1 {
		t.Error(err, ids(t, a), ids(t, b))
	}
}

func TestCloseWaitsForTransactions(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.db")
	d, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	run(t, d, table)
	release := hold(t, d)
	queued := make(chan error, 1)
	go func() { queued <- put(t.Context(), d, 1) }()
	waiters(d, 1)
	closed := make(chan error, 1)
	go func() { closed <- d.Close() }()
	waiters(d, 2)
	if err := put(t.Context(), d, 2); !errors.Is(err, db.ErrClosed) {
		t.Errorf("a newcomer: %v", err)
	}
	if err := errors.Join(release(), <-queued, <-closed); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(path + "-*"); err != nil || len(left) != 0 {
		t.Errorf("files beside the database after Close: %v", left)
	}
	again := open(t, sqlite.Config{Path: path})
	if got := ids(t, again); len(got) != 1 {
		t.Errorf("rows %v", got)
	}
}

func TestCloseTellsOfOpenRows(t *testing.T) {
	t.Parallel()
	d, err := sqlite.Open(t.Context(), sqlite.Config{Path: ":memory:", Wait: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := d.Query(t.Context(), `SELECT 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if err := d.Close(); err == nil || !strings.Contains(err.Error(), "rows were not closed") {
		t.Error(err)
	}
}
