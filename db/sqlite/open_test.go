package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/db/sqlite/internal/native"
)

func TestOpenTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg  sqlite.Config
		says []string
	}{
		"no path":           {sqlite.Config{}, []string{"Path is empty"}},
		"a negative number": {sqlite.Config{Path: ":memory:", Readers: -1}, []string{"negative"}},
		"no directory":      {sqlite.Config{Path: filepath.Join(dir, "missing", "x.db")}, []string{"x.db", "missing does not exist", "make it"}},
		"a file as parent":  {sqlite.Config{Path: filepath.Join(text, "x.db")}, []string{"x.db", "not a directory"}},
		"a directory":       {sqlite.Config{Path: dir}, []string{dir, "is a directory"}},
		"not a database":    {sqlite.Config{Path: text}, []string{text, "not a SQLite database"}},
	} {
		d, err := sqlite.Open(t.Context(), c.cfg)
		if err == nil {
			_ = d.Close()
		}
		for _, s := range c.says {
			if err == nil || !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %v must say %q", name, err, s)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sqlite.Open(ctx, sqlite.Config{Path: ":memory:"}); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

func TestOpenOfAReadOnlyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.db")
	d, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	run(t, d, table)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	unprivileged(t, path, func() {
		d, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
		if err == nil {
			_ = d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "not writable") {
			t.Error(err)
		}
	})
}

func TestTheFileIsItsOwnersOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.db")
	d := open(t, sqlite.Config{Path: path})
	run(t, d, table)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode(); mode != 0o600 {
			t.Errorf("%s is %v", info.Name(), mode)
		}
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	open(t, sqlite.Config{Path: path})
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("the mode that an operator gave to a file was changed: %v, %v", info.Mode(), err)
	}
}

func TestAnotherProcessHoldsTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.db")
	d := open(t, sqlite.Config{Path: path, Wait: 30 * time.Millisecond})
	run(t, d, table)

	// To SQLite another connection is another process.
	other := open(t, sqlite.Config{Path: path})
	release := hold(t, other)
	err := put(t.Context(), d, 1)
	if !errors.Is(err, db.ErrBusy) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("while another process writes: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if err := put(ctx, open(t, sqlite.Config{Path: path, Wait: time.Hour}), 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a shorter deadline: %v", err)
	}
	if _, err := db.All[int](t.Context(), d, `SELECT id FROM t`); err != nil {
		t.Errorf("reading goes on meanwhile: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if err := put(t.Context(), d, 1); err != nil {
		t.Error(err)
	}
	if n, err := db.One[int](t.Context(), other, `SELECT COUNT(*) FROM t`); n != 1 || err != nil {
		t.Error(n, err)
	}
}

func TestOpenOfAFileHeldForOneProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.db")
	alone, err := native.Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	for _, s := range []string{"PRAGMA locking_mode = EXCLUSIVE", "CREATE TABLE x (y)"} {
		if err := alone.Run(s); err != nil {
			t.Fatal(err)
		}
	}
	_, err = sqlite.Open(t.Context(), sqlite.Config{Path: path, Wait: 10 * time.Millisecond})
	if !errors.Is(err, db.ErrBusy) || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
}

func TestDatabasesInMemoryAreApart(t *testing.T) {
	t.Parallel()
	a, b := memory(t, sqlite.Config{}), memory(t, sqlite.Config{})
	if err := put(t.Context(), a, 1); err != nil {
		t.Fatal(err)
	}
	if len(ids(t, a)) != 1 || len(ids(t, b)) != 0 {
		t.Error(ids(t, a), ids(t, b))
	}
	for _, d := range []*db.DB{a, open(t, sqlite.Config{Path: filepath.Join(t.TempDir(), "x.db")})} {
		if mode, err := db.One[string](t.Context(), d, `PRAGMA journal_mode`); mode != "wal" || err != nil {
			t.Errorf("journal mode %q, %v", mode, err)
		}
	}
}

func TestProcessesThatMigrateAtOnceTakeTurns(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.db")
	m := db.Migrations{Name: "shop", FS: fstest.MapFS{
		"001_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE a (id BIGINT PRIMARY KEY);\n-- +goose Down\nDROP TABLE a;\n")},
		"002_b.sql": {Data: []byte("-- +goose Up\nINSERT INTO a VALUES (1);\n-- +goose Down\nDELETE FROM a;\n")},
	}}
	var group sync.WaitGroup
	total := make(chan int, 4)
	for range 4 {
		d := open(t, sqlite.Config{Path: path})
		group.Go(func() {
			applied, err := db.Up(t.Context(), d, m)
			if err != nil {
				t.Error(err)
			}
			total <- len(applied)
		})
	}
	group.Wait()
	if n := <-total + <-total + <-total + <-total; n != 2 {
		t.Errorf("%d migrations were applied, want each of the 2 once", n)
	}
}

func TestProcessesMayMakeTheFileAtOnce(t *testing.T) {
	t.Parallel()
	for range 20 {
		path := filepath.Join(t.TempDir(), "t.db")
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				d, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
				if err != nil {
					t.Error(err)
					return
				}
				if err := errors.Join(d.Ping(t.Context()), d.Close()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
}

func TestMigrationsMayRebuildATable(t *testing.T) {
	t.Parallel()
	d := memory(t, sqlite.Config{})
	step := func(name, up string) db.Migrations {
		return db.Migrations{Name: name, FS: fstest.MapFS{"001_x.sql": {Data: []byte("-- +goose Up\n" + up + "\n")}}}
	}
	run(t, d, `CREATE TABLE c (id BIGINT PRIMARY KEY, t BIGINT NOT NULL REFERENCES t (id) ON DELETE CASCADE)`,
		`INSERT INTO t VALUES (1, 'a')`, `INSERT INTO c VALUES (1, 1)`)
	if _, err := db.Up(t.Context(), d, step("rebuild", `
		CREATE TABLE t2 (id BIGINT PRIMARY KEY, v TEXT NOT NULL DEFAULT '', w TEXT);
		INSERT INTO t2 (id, v) SELECT id, v FROM t;
		DROP TABLE t;
		ALTER TABLE t2 RENAME TO t;`)); err != nil {
		t.Fatal(err)
	}
	if n, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM c`); n != 1 || err != nil {
		t.Errorf("the rebuild of a table deleted what refers to it: %d, %v", n, err)
	}
	if _, err := db.Exec(t.Context(), d, `INSERT INTO c VALUES (2, 2)`); !db.IsForeignKey(err) {
		t.Errorf("keys are enforced again afterwards: %v", err)
	}
	_, err := db.Up(t.Context(), d, step("orphan", `DELETE FROM t;`))
	if !db.IsForeignKey(err) || !strings.Contains(err.Error(), "row 1 of c") {
		t.Errorf("a migration that leaves orphans: %v", err)
	}
	if n := len(ids(t, d)); n != 1 {
		t.Errorf("%d rows: the migration must be undone", n)
	}
	if _, err := db.Up(t.Context(), d, step("escape", `COMMIT;`)); err == nil {
		t.Error("a migration that commits was accepted")
	}
	if err := put(t.Context(), d, 5); err != nil {
		t.Error(err)
	}
}
