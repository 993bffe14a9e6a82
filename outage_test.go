package ashlar_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/op"
)

// notebook mounts an operation for each way to use a database: a query, a
// transaction, and one whose answer is stored with an idempotency key.
func notebook(app *ashlartest.App, limit time.Duration) {
	add := func(ctx context.Context, _ struct{}) (greeting, error) {
		return db.InTx(ctx, app.DB, func(tx *db.Tx) (greeting, error) {
			_, err := db.Exec(ctx, tx, `INSERT INTO notes (text) VALUES ($1)`, strings.Repeat("x", 100_000))
			return greeting{}, err
		})
	}
	app.Mount(ashlar.Module{
		Name:       "notes",
		Migrations: fstest.MapFS{"1_notes.sql": {Data: []byte("-- +goose Up\nCREATE TABLE notes (text TEXT);\n-- +goose Down\nDROP TABLE notes;\n")}},
		Operations: []op.Operation{
			op.Query("notes.count", "GET /notes", func(ctx context.Context, _ struct{}) (greeting, error) {
				_, err := db.One[int](ctx, app.DB, `SELECT count(*) FROM notes`)
				return greeting{}, err
			}, op.Public(), op.Timeout(limit)),
			op.Command("notes.add", "POST /notes", add, op.Public(), op.Timeout(limit)),
			op.Command("notes.once", "POST /notes/once", add, op.Allow(notesWrite), op.Timeout(limit), op.Idempotent(time.Hour)),
		},
	})
	app.Migrate()
}

const notesWrite access.Permission = "notes:write"

// request is one that a notebook answers.
type request struct{ method, path string }

var (
	counts = request{http.MethodGet, "/notes"}
	adds   = request{http.MethodPost, "/notes"}
	once   = request{http.MethodPost, "/notes/once"}
)

// refused holds that all of a crowd's requests are told to come again, about
// when their time is over at the latest, and learn nothing of the inside.
func refused(t *testing.T, what string, app *ashlartest.App, limit time.Duration, inside string, requests ...request) {
	t.Helper()
	const crowd = 8
	client := app.As("shop-1", notesWrite)
	began := time.Now()
	var asking sync.WaitGroup
	for i := range crowd {
		for _, r := range requests {
			asking.Go(func() {
				w := client.Key(fmt.Sprintf("%s-%d", strings.ReplaceAll(what, " ", "-"), i)).Do(r.method, r.path, "")
				if body := w.Body.String(); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(body, `"code":"unavailable"`) || strings.Contains(body, inside) {
					t.Errorf("%s: %s %s: got %d, Retry-After %q: %s", what, r.method, r.path, w.Code, w.Header().Get("Retry-After"), body)
				}
			})
		}
	}
	asking.Wait()
	if took := time.Since(began); took > limit+30*time.Second { // machines are busy
		t.Errorf("%s: it took %s to say so, where %s is the limit", what, took, limit)
	}
	if !strings.Contains(app.Log(), inside) {
		t.Errorf("%s: the log does not name %s", what, inside)
	}
}

// worksAtOnce holds that the first request of each kind works.
func worksAtOnce(t *testing.T, what string, app *ashlartest.App) {
	t.Helper()
	client := app.As("shop-1", notesWrite).Key(strings.ReplaceAll(what, " ", "-"))
	for _, r := range []request{counts, adds, once} {
		if w := client.Do(r.method, r.path, ""); w.Code != http.StatusOK {
			t.Errorf("%s: %s %s: got %d %s", what, r.method, r.path, w.Code, w.Body)
		}
	}
}

// TestADatabaseThatIsAwayOrSilent: neither makes a request hang, or fail in a way
// that a caller could not tell from a defect.
func TestADatabaseThatIsAwayOrSilent(t *testing.T) {
	t.Parallel()
	const limit = 2 * time.Second
	server := backing.PostgresServer(t)
	app := ashlartest.Open(t, "DATABASE_URL", server.URL())
	notebook(app, limit)
	worksAtOnce(t, "before", app)

	server.Stop()
	refused(t, "silent", app, limit, server.Addr(), counts, adds, once)
	server.Start()
	worksAtOnce(t, "after it was silent", app)

	server.Kill()
	refused(t, "away", app, limit, server.Addr(), counts, adds, once)
	server.Start()
	worksAtOnce(t, "after it was away", app)
}

// TestADatabaseThatIsBusy: all connections are in use, and nobody waits for one
// longer than his own time.
func TestADatabaseThatIsBusy(t *testing.T) {
	t.Parallel()
	const limit = time.Second
	app := ashlartest.Open(t, "DATABASE_URL", backing.Postgres(t), "ASHLAR_DATABASE_CONNECTIONS", "1")
	notebook(app, limit)
	rows, err := app.DB.Query(t.Context(), `SELECT 1`)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, "busy", app, limit, "all 1 connections", counts, adds, once)
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	worksAtOnce(t, "after it was busy", app)
}

// TestAFileThatCannotBeWritten: a full disk, and a file that became read-only.
// What only reads goes on.
func TestAFileThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	const limit = time.Minute
	// PostgreSQL's disk is its own: this one is about SQLite, whatever the others are.
	app := ashlartest.Open(t, "DATABASE_URL", "sqlite:"+filepath.Join(t.TempDir(), "app.db"))
	notebook(app, limit)
	set := func(pragma string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), app.DB, pragma); err != nil {
			t.Fatal(err)
		}
	}
	reads := func(what string) {
		t.Helper()
		if w := app.Anonymous().Do(counts.method, counts.path, ""); w.Code != http.StatusOK {
			t.Errorf("%s: a query gets %d %s", what, w.Code, w.Body)
		}
	}
	pages, err := db.One[int](t.Context(), app.DB, `PRAGMA page_count`)
	if err != nil {
		t.Fatal(err)
	}
	set(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages))
	refused(t, "full", app, limit, "full", adds, once)
	reads("full")
	set(`PRAGMA max_page_count = 1000000`)
	worksAtOnce(t, "after it was full", app)

	set(`PRAGMA query_only = ON`)
	refused(t, "read-only", app, limit, "not writable", adds, once)
	reads("read-only")
}
