package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/fault"
)

// unavailable holds that a caller learns of a 503 and nothing else, and the
// log learns what says names.
func unavailable(t *testing.T, err error, says ...string) {
	t.Helper()
	told(t, err, fault.ErrUnavailable)
	for _, s := range says {
		if err == nil || !strings.Contains(err.Error(), s) {
			t.Errorf("%v must say %q", err, s)
		}
	}
}

func told(t *testing.T, err error, want fault.Coded) {
	t.Helper()
	body, encodeErr := fault.ProblemOf(err, "").MarshalJSON()
	bare, bareErr := fault.ProblemOf(want, "").MarshalJSON()
	if err == nil || errors.Join(encodeErr, bareErr) != nil || !bytes.Equal(body, bare) {
		t.Errorf("%v is told as %s, want %s", err, body, bare)
	}
}

func TestABusyFileIsUnavailable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.db")
	d := open(t, sqlite.Config{Path: path, Wait: 10 * time.Millisecond})
	run(t, d, table)
	release := hold(t, open(t, sqlite.Config{Path: path}))
	err := put(t.Context(), d, 1)
	unavailable(t, err, path, "another process")
	if !errors.Is(err, db.ErrBusy) {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	told(t, put(ctx, open(t, sqlite.Config{Path: path, Wait: time.Hour}), 1), fault.ErrTimeout)
	if err := release(); err != nil {
		t.Error(err)
	}
}

func TestAFullDiskIsUnavailable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.db")
	d := open(t, sqlite.Config{Path: path})
	run(t, d, table, `PRAGMA max_page_count = 2`)
	const big = `INSERT INTO t (id, v) VALUES (1, printf('%.*c', 100000, 'x'))`
	_, err := db.Exec(t.Context(), d, big)
	unavailable(t, err, path, "full", "INSERT")
	if errors.Is(err, db.ErrBusy) {
		t.Errorf("full is not busy: %v", err)
	}
	run(t, d, `PRAGMA max_page_count = 1000`, big)
}

func TestAFailingDiskIsUnavailable(t *testing.T) {
	t.Parallel()
	d, breakDisk, err := sqlite.OpenFragile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	run(t, d, table)
	breakDisk(true)
	unavailable(t, put(t.Context(), d, 1), ":memory:", "the disk failed", "COMMIT")
	breakDisk(false)
	if err := put(t.Context(), d, 1); err != nil {
		t.Errorf("after the repair: %v", err)
	}
}

func TestAFileThatBecomesReadOnlyIsUnavailable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "t.db")
	d := open(t, sqlite.Config{Path: path})
	run(t, d, table, `PRAGMA query_only = ON`)
	unavailable(t, put(t.Context(), d, 1), path, "not writable", "readonly")
}

func TestAFileThatIsGoneIsUnavailable(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "t.db")
	d := open(t, sqlite.Config{Path: path})
	run(t, d, table)
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	_, err := db.All[int](t.Context(), d, `SELECT id FROM t`) // the first reader opens the file
	unavailable(t, err, path, "cannot be opened")
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	if _, err := db.All[int](t.Context(), d, `SELECT id FROM t`); err != nil {
		t.Errorf("after the return: %v", err)
	}
}

func TestAMistakeIsInternal(t *testing.T) {
	t.Parallel()
	d := memory(t, sqlite.Config{})
	run(t, d, `INSERT INTO t (id) VALUES (1)`)
	for _, s := range []string{`INSERT INTO t (id) VALUES (1)`, `INSERT INTO missing VALUES (1)`, `SELEC 1`, `BEGIN`} {
		_, err := db.Exec(t.Context(), d, s)
		told(t, err, fault.ErrInternal)
		if errors.Is(err, fault.ErrUnavailable) {
			t.Errorf("%s: %v", s, err)
		}
	}
	_, err := db.One[int](t.Context(), d, `SELECT id FROM t WHERE id = 2`)
	told(t, err, fault.ErrInternal)
}
