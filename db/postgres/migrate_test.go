package postgres_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/internal/backing"
)

var history = db.Migrations{Name: "shop", FS: fstest.MapFS{
	"001_orders.sql":         {Data: []byte("-- +goose Up\nCREATE TABLE orders (id BIGINT PRIMARY KEY);\n")},
	"002_seed.sql":           {Data: []byte("-- +goose Up\nINSERT INTO orders VALUES (1);\n")},
	"003_index.postgres.sql": {Data: []byte("-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY orders_id ON orders (id);\n")},
}}

// TestManyProcessesMigrateAtOnce starts this test in ten other processes and ten
// goroutines on an empty database: one of them migrates (P14.13).
func TestManyProcessesMigrateAtOnce(t *testing.T) {
	t.Parallel()
	const child, many = "ASHLAR_TEST_MIGRATE_URL", 10
	if url := os.Getenv(child); url != "" {
		applied, err := db.Up(t.Context(), open(t, postgres.Config{URL: url, MaxConns: 1}), history)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stdout.WriteString(strings.Repeat("applied one\n", len(applied))); err != nil {
			t.Fatal(err)
		}
		return
	}
	url := backing.Postgres(t)
	var mu sync.Mutex
	total := 0
	note := func(n int) {
		mu.Lock()
		total += n
		mu.Unlock()
	}
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			own := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestManyProcessesMigrateAtOnce$")
			own.Env = append(os.Environ(), child+"="+url)
			out, err := own.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			note(bytes.Count(out, []byte("applied one")))
		})
		all.Go(func() {
			applied, err := db.Up(t.Context(), open(t, postgres.Config{URL: url, MaxConns: 1}), history)
			if err != nil {
				t.Error(err)
			}
			note(len(applied))
		})
	}
	all.Wait()
	if total != 3 {
		t.Errorf("%d migrations were applied, want each of the three once", total)
	}
	d := open(t, postgres.Config{URL: url})
	if n, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM orders`); n != 1 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
}
