package ashlartest

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/logs"
	"github.com/ashlar-go/ashlar/outbound/outboundtest"
	"github.com/ashlar-go/ashlar/trace"
)

// App is an app under test. Mount modules and grant roles first; the first
// call migrates the database and derives the handlers. It is safe for
// concurrent use from then on.
type App struct {
	*ashlar.App

	t       testing.TB
	log     *capture
	traces  *album // nil where nothing is traced
	handler func() (http.Handler, error)
	hosts   outboundtest.Hosts // that the app calls
	key     ed25519.PrivateKey // signs the app's access tokens
}

// Open returns an app on an empty database: in memory, or in PostgreSQL where
// [Database] says so. It is closed when the test ends. Settings come from their
// defaults and from env, pairs of a variable's name and value; of the process's
// own environment nothing else is read.
//
// In a bubble of testing/synctest the app's time is the test's: it stands still
// until the test sleeps, and then jumps. So tokens, keys, limits, leases and
// schedules are seen to end without waiting:
//
//	synctest.Test(t, func(t *testing.T) {
//		shop := open(t).As("shop-1", Write)
//		p := call(shop, "payments.authorize", order()).OK()
//		time.Sleep(8 * 24 * time.Hour)
//		...
//	})
func Open(t testing.TB, env ...string) *App {
	t.Helper()
	settings := map[string]string{
		"ASHLAR_SHED": "off", // tests that run side by side would shed each other's load
	}
	for i := 0; i+1 < len(env); i += 2 {
		settings[env[i]] = env[i+1]
	}
	if _, chosen := settings["DATABASE_URL"]; !chosen {
		settings["DATABASE_URL"] = "sqlite::memory:"
		if onPostgres() && !inBubble() {
			settings["DATABASE_URL"] = Database(t)
		}
	}
	if _, chosen := settings["ASHLAR_DATABASE_CONNECTIONS"]; !chosen {
		settings["ASHLAR_DATABASE_CONNECTIONS"] = "8" // of a server that all tests share
	}
	if _, chosen := settings["ASHLAR_DATA_DIR"]; !chosen {
		settings["ASHLAR_DATA_DIR"] = t.TempDir()
	}
	key := newKey()
	if _, chosen := settings["ASHLAR_SIGNING_KEYS"]; !chosen {
		settings["ASHLAR_SIGNING_KEYS"] = base64.StdEncoding.EncodeToString(key.Seed())
	}
	cfg, err := config.Load[ashlar.Config](config.Map(settings))
	if err != nil {
		t.Fatal(err)
	}
	app, err := ashlar.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := app.Close(); err != nil {
			t.Errorf("close the app: %v", err)
		}
	})
	a := &App{App: app, t: t, log: &capture{}, traces: &album{}, key: key}
	if h, ok := app.Log.Handler().(*logs.Handler); ok {
		app.Log = slog.New(h.To(a.log, logs.JSON, slog.LevelDebug))
	}
	a.handler = sync.OnceValues(a.derive)
	app.Within = a.within
	return a
}

func (a *App) derive() (http.Handler, error) {
	if a.Tracer() == nil && a.traces != nil {
		a.Trace(trace.Options{Exporter: a.traces, Sampler: trace.Ratio(1), Queue: 1 << 16}, nil)
	}
	h, err := a.App.Handler()
	if err != nil {
		return nil, fmt.Errorf("the app's declarations are mistaken:\n%w", err)
	}
	return h, a.App.Migrate(a.t.Context())
}

// Handler returns the app's public handler, for a test that needs a request
// of its own making.
func (a *App) Handler() http.Handler {
	a.t.Helper()
	h, err := a.handler()
	if err != nil {
		a.t.Fatal(err)
	}
	return h
}

// Migrate brings the database up to date, for a test that uses it before its
// first call.
func (a *App) Migrate() {
	a.t.Helper()
	a.Handler()
}

// Log returns the lines that the app has logged so far.
func (a *App) Log() string { return a.log.String() }

// As returns a client for a principal of an account with just these
// permissions. Its ID is the account's.
func (a *App) As(account string, permissions ...access.Permission) *Client {
	a.Handler()
	return &Client{app: a, who: a.Policy.Holder(account, account, permissions...)}
}

// AsRole returns a client for a principal with the permissions of a role.
func (a *App) AsRole(id, account, role string) *Client {
	a.Handler()
	return &Client{app: a, who: a.Policy.Principal(id, account, role)}
}

// Anonymous returns a client that is not signed in.
func (a *App) Anonymous() *Client { return &Client{app: a} }

// inBubble reports whether a test runs in a bubble of testing/synctest, whose
// clock begins with the year 2000. It stands still while somebody waits for a
// socket, so an app in it has its database in memory.
func inBubble() bool { return time.Now().Year() < 2020 }

// capture keeps what is logged.
type capture struct {
	mu    sync.Mutex
	lines []byte
}

func (c *capture) Write(line []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, line...)
	return len(line), nil
}

func (c *capture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.lines)
}
