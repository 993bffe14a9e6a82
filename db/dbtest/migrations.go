package dbtest

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/ashlar-go/ashlar/db"
)

// files is a directory of migrations, each an Up and a Down part.
func files(pairs ...string) fstest.MapFS {
	dir := fstest.MapFS{}
	for pair := range slices.Chunk(pairs, 2) {
		name := fmt.Sprintf("migrations/%03d_step.sql", len(dir)+1)
		dir[name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + pair[0] + ";\n-- +goose Down\n" + pair[1] + ";\n")}
	}
	return dir
}

func shop() db.Migrations {
	return db.Migrations{Name: "shop", FS: files(
		`CREATE TABLE orders (id BIGINT PRIMARY KEY, total BIGINT NOT NULL)`, `DROP TABLE orders`,
		`ALTER TABLE orders ADD COLUMN state TEXT NOT NULL DEFAULT 'new'`, `ALTER TABLE orders DROP COLUMN state`,
	)}
}

func mail() db.Migrations {
	only, err := fs.Sub(files(`CREATE TABLE letters (id BIGINT PRIMARY KEY)`, `DROP TABLE letters`), "migrations")
	if err != nil {
		panic(err)
	}
	return db.Migrations{Name: "mail", FS: only}
}

func names(list []db.Applied) (out []string) {
	for _, a := range list {
		out = append(out, fmt.Sprintf("%s %d", a.Module, a.Version))
	}
	return out
}

func pending(t *testing.T, d *db.DB, list ...db.Migrations) (out []string) {
	t.Helper()
	states, err := db.Status(t.Context(), d, list...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if s.Pending() {
			out = append(out, fmt.Sprintf("%s %d", s.Module, s.Version))
		}
	}
	return out
}

func migrations(t *testing.T, d *db.DB) {
	all := []db.Migrations{shop(), mail()}
	if got := pending(t, d, all...); !reflect.DeepEqual(got, []string{"shop 1", "shop 2", "mail 1"}) {
		t.Errorf("pending at first: %v", got)
	}
	applied, err := db.Up(t.Context(), d, all...)
	if err != nil || !reflect.DeepEqual(names(applied), []string{"shop 1", "shop 2", "mail 1"}) {
		t.Fatalf("up: %v, %v", names(applied), err)
	}
	exec(t, d, `INSERT INTO orders (id, total) VALUES (1, 5)`, `INSERT INTO letters (id) VALUES (1)`)
	if got := pending(t, d, all...); got != nil {
		t.Errorf("pending after: %v", got)
	}
	if again, err := db.Up(t.Context(), d, all...); err != nil || len(again) != 0 {
		t.Errorf("up again: %v, %v", again, err)
	}
	undone, err := db.Down(t.Context(), d, 2, all...)
	if err != nil || !reflect.DeepEqual(names(undone), []string{"mail 1", "shop 2"}) {
		t.Errorf("down by two: %v, %v", names(undone), err)
	}
	if n := count(t, d, "orders"); n != 1 {
		t.Errorf("%d orders", n)
	}
	if _, err := db.All[string](t.Context(), d, `SELECT state FROM orders`); err == nil {
		t.Error("the column is still there")
	}
	undone, err = db.Down(t.Context(), d, 9, all...)
	if err != nil || len(undone) != 1 {
		t.Errorf("down to the ground: %v, %v", undone, err)
	}
	if applied, err := db.Up(t.Context(), d, all...); err != nil || len(applied) != 3 {
		t.Errorf("up from the ground: %v, %v", applied, err)
	}
}

func brokenMigration(t *testing.T, d *db.DB) {
	broken := db.Migrations{Name: "shop", FS: files(
		`CREATE TABLE orders (id BIGINT PRIMARY KEY)`, `DROP TABLE orders`,
		`CREATE TABLE items (id BIGINT PRIMARY KEY);
INSERT INTO nowhere VALUES (1)`, `DROP TABLE items`,
	)}
	_, err := db.Up(t.Context(), d, broken)
	if err == nil || !strings.Contains(err.Error(), "shop") || !strings.Contains(err.Error(), "002_step.sql") {
		t.Errorf("the error must name the module and the file: %v", err)
	}
	if _, err := db.All[int](t.Context(), d, `SELECT id FROM items`); err == nil {
		t.Error("half of a migration was applied")
	}
	if applied, err := db.Up(t.Context(), d, shop()); err != nil || len(applied) == 0 {
		t.Errorf("after the repair: %v, %v", applied, err)
	}
}

func concurrentMigrations(t *testing.T, d *db.DB) {
	var group sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for range 4 {
		group.Go(func() {
			applied, err := db.Up(t.Context(), d, shop(), mail())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			total += len(applied)
			mu.Unlock()
		})
	}
	group.Wait()
	if total != 3 {
		t.Errorf("%d migrations were applied, want each of the 3 once", total)
	}
}

func migrationLists(t *testing.T, d *db.DB) {
	for name, list := range map[string][]db.Migrations{
		"no name":          {{FS: shop().FS}},
		"a hostile name":   {{Name: `x"; DROP TABLE y`, FS: shop().FS}},
		"no files":         {{Name: "shop"}},
		"twice":            {shop(), shop()},
		"nothing inside":   {{Name: "shop", FS: fstest.MapFS{}}},
		"two places":       {{Name: "shop", FS: fstest.MapFS{"a/1_x.sql": {}, "b/1_x.sql": {}}}},
		"no dialect":       {{Name: "shop", FS: fstest.MapFS{"1_x.mysql.sql": {}}}},
		"no version":       {{Name: "shop", FS: fstest.MapFS{"x.sql": {}}}},
		"one number twice": {{Name: "shop", FS: fstest.MapFS{"1_x.sql": {}, "001_y.sql": {}}}},
		"for all and one":  {{Name: "shop", FS: fstest.MapFS{"1_x.sql": {}, "1_x.sqlite.sql": {}}}},
		"two for one":      {{Name: "shop", FS: fstest.MapFS{"1_x.postgres.sql": {}, "01_x.postgres.sql": {}}}},
		"two names":        {{Name: "shop", FS: fstest.MapFS{"1_x.postgres.sql": {}, "1_y.sqlite.sql": {}}}},
	} {
		if _, err := db.Up(t.Context(), d, list...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// dialects has a step for all, one that differs, and one for each alone.
func dialects(t *testing.T, d *db.DB) {
	step := func(sql string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("-- +goose Up\n" + sql + ";\n-- +goose Down\nDROP TABLE IF EXISTS gone;\n")}
	}
	list := db.Migrations{Name: "both", FS: fstest.MapFS{
		"migrations/001_words.sql":          step(`CREATE TABLE words (word TEXT NOT NULL)`),
		"migrations/002_fill.sqlite.sql":    step(`INSERT INTO words VALUES ('sqlite')`),
		"migrations/002_fill.postgres.sql":  step(`INSERT INTO words VALUES ('postgres')`),
		"migrations/003_alone.sqlite.sql":   step(`INSERT INTO words VALUES ('sqlite alone')`),
		"migrations/004_alone.postgres.sql": step(`INSERT INTO words VALUES ('postgres alone')`),
	}}
	third := map[db.Dialect]string{db.SQLite: "both 3", db.Postgres: "both 4"}[d.Dialect()]
	want := []string{"both 1", "both 2", third}
	if got := pending(t, d, list); !reflect.DeepEqual(got, want) {
		t.Errorf("pending %v, want %v", got, want)
	}
	applied, err := db.Up(t.Context(), d, list)
	if err != nil || !reflect.DeepEqual(names(applied), want) {
		t.Fatalf("up: %v, %v, want %v", names(applied), err, want)
	}
	words, err := db.All[string](t.Context(), d, `SELECT word FROM words ORDER BY word`)
	if speaks := string(d.Dialect()); err != nil || !reflect.DeepEqual(words, []string{speaks, speaks + " alone"}) {
		t.Errorf("%q, %v", words, err)
	}
	if again, err := db.Up(t.Context(), d, list); err != nil || len(again) != 0 {
		t.Errorf("up again: %v, %v", names(again), err)
	}
	undone, err := db.Down(t.Context(), d, 2, list)
	if err != nil || !reflect.DeepEqual(names(undone), []string{third, "both 2"}) {
		t.Errorf("down by two: %v, %v", names(undone), err)
	}

	other := map[db.Dialect]string{db.SQLite: "postgres", db.Postgres: "sqlite"}[d.Dialect()]
	foreign := db.Migrations{Name: "foreign", FS: fstest.MapFS{"1_x." + other + ".sql": step(`NO SQL AT ALL`)}}
	if applied, err := db.Up(t.Context(), d, foreign, mail()); err != nil || !reflect.DeepEqual(names(applied), []string{"mail 1"}) {
		t.Errorf("a module of another dialect alone: %v, %v", names(applied), err)
	}
}

// olderProgram knows one migration less than the database has.
func olderProgram(t *testing.T, d *db.DB) {
	newer := shop()
	older := db.Migrations{Name: "shop", FS: fstest.MapFS{"migrations/001_step.sql": newer.FS.(fstest.MapFS)["migrations/001_step.sql"]}} //nolint:forcetypeassert // shop made it
	if _, err := db.Up(t.Context(), d, older, mail()); err != nil {
		t.Fatal(err)
	}
	if applied, err := db.Up(t.Context(), d, newer, mail()); err != nil || !reflect.DeepEqual(names(applied), []string{"shop 2"}) {
		t.Fatalf("the newer program: %v, %v", names(applied), err)
	}
	if applied, err := db.Up(t.Context(), d, older, mail()); err != nil || len(applied) != 0 {
		t.Errorf("the older program starts: %v, %v", names(applied), err)
	}
	if got := pending(t, d, older, mail()); got != nil {
		t.Errorf("the older program sees as pending: %v", got)
	}
	exec(t, d, `INSERT INTO orders (id, total) VALUES (1, 5)`) // it does not know of the new column
	if total, err := db.One[int](t.Context(), d, `SELECT total FROM orders WHERE id = 1`); total != 5 || err != nil {
		t.Errorf("%d, %v", total, err)
	}
	if undone, err := db.Down(t.Context(), d, 1, mail(), older); !errors.Is(err, db.ErrNewer) || !strings.Contains(err.Error(), "shop") || len(undone) != 0 {
		t.Errorf("the older program goes back: %v, %v", names(undone), err)
	}
	if undone, err := db.Down(t.Context(), d, 1, mail(), newer); err != nil || !reflect.DeepEqual(names(undone), []string{"shop 2"}) {
		t.Errorf("the newer program goes back: %v, %v", names(undone), err)
	}
}
