package native_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/db/sqlite/internal/native"
)

func open(t *testing.T) *native.Conn {
	t.Helper()
	c, err := native.Open(filepath.Join(t.TempDir(), "t.db"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestPlaceholdersAreNumbered(t *testing.T) {
	t.Parallel()
	c := open(t)
	for sql, want := range map[string]struct {
		args   int
		places []int
	}{
		`SELECT 1`:                            {0, nil},
		`SELECT $1`:                           {1, []int{0}},
		`SELECT $2, $1, $2`:                   {2, []int{1, 0}},
		`SELECT '$1', "x$2", $3 FROM t -- $4`: {3, []int{2}},
		`SELECT ?, ?`:                         {2, []int{0, 1}},
	} {
		if err := c.Run(`CREATE TABLE IF NOT EXISTS t ("x$2")`); err != nil {
			t.Fatal(err)
		}
		s, err := c.Prepare(sql)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		if s.Args != want.args || s.Params() != len(want.places) {
			t.Errorf("%s: %d arguments, %d parameters", sql, s.Args, s.Params())
		}
		for i, place := range want.places {
			if s.Place(i) != place {
				t.Errorf("%s: parameter %d is argument %d, want %d", sql, i, s.Place(i), place)
			}
		}
		s.Close()
	}
	for _, sql := range []string{`SELECT $0`, `SELECT $a`, `SELECT :a`, `SELECT @a`, `SELECT $1::text`, `SELECT $99999`} {
		if _, err := c.Prepare(sql); err == nil || !strings.Contains(err.Error(), "placeholder") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

func TestOneStatementPerText(t *testing.T) {
	t.Parallel()
	c := open(t)
	for sql, want := range map[string]error{
		`SELECT 1`:                        nil,
		"SELECT 1 ; \n\t":                 nil,
		"SELECT 1; -- more\n/* and */ ; ": nil,
		`SELECT 1; SELECT 2`:              native.ErrManyStatements,
		`SELECT 1; nonsense`:              native.ErrManyStatements,
		``:                                native.ErrNoStatement,
		"-- only this":                    native.ErrNoStatement,
	} {
		s, err := c.Prepare(sql)
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", sql, err, want)
		}
		if err == nil {
			s.Close()
		}
	}
	if _, err := c.Prepare("SELECT 1\x00; DROP TABLE t"); err == nil {
		t.Error("a text behind a zero byte was ignored")
	}
}

func TestDoubleQuotesAreIdentifiers(t *testing.T) {
	t.Parallel()
	if err := open(t).Run(`SELECT "nobody"`); err == nil {
		t.Error(`"nobody" was read as a string`)
	}
}

func TestMemoryIsForgotten(t *testing.T) {
	t.Parallel()
	m, err := native.NewMemory()
	if err != nil {
		t.Fatal(err)
	}
	connect := func() *native.Conn {
		c, err := native.Open(m.Path(), native.MemoryVFS)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a, b := connect(), connect()
	for _, s := range []string{"PRAGMA journal_mode = WAL", "CREATE TABLE t (x)", "BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)"} {
		if err := a.Run(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Run("SELECT * FROM t"); err != nil {
		t.Errorf("a reader beside the writer: %v", err)
	}
	var failure *native.Error
	if err := b.Run("BEGIN IMMEDIATE"); !errors.As(err, &failure) || failure.Primary() != native.Busy {
		t.Errorf("a second writer: %v", err)
	}
	if err := errors.Join(a.Run("COMMIT"), b.Run("BEGIN IMMEDIATE"), b.Run("ROLLBACK"), a.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	c := connect()
	if err := c.Run("SELECT * FROM t"); err != nil {
		t.Errorf("after the last connection closed: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	m.Close()
	d := connect()
	defer d.Close()
	if err := d.Run("SELECT * FROM t"); err == nil {
		t.Error("the database outlived Memory.Close")
	}
}
