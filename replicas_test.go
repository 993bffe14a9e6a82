package ashlar_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/op"
)

// An operation that may be stale is answered by a replica while there is
// one, by the database when there is none, and nobody but the operator notices.
func TestOperationsThatMayBeStale(t *testing.T) {
	t.Parallel()
	primary := backing.PostgresServer(t)
	standby := primary.Standby()
	app := ashlartest.Open(t, "DATABASE_URL", primary.URL(), "DATABASE_REPLICA_URL", standby.URL(),
		"ASHLAR_ADDR", "127.0.0.1:0", "ASHLAR_ADMIN_ADDR", "127.0.0.1:0")
	type server struct {
		Port int `json:"port"`
	}
	ask := func(ctx context.Context) (server, error) {
		return db.One[server](ctx, app.DB, `SELECT CAST(current_setting('port') AS BIGINT) AS port`)
	}
	kept, err := cache.Of(app.Cache, cache.Rules[server]{Name: "servers", TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	const most = time.Minute
	app.Mount(ashlar.Module{Name: "servers", Operations: []op.Operation{
		op.Query("servers.stale", "GET /stale", func(ctx context.Context, _ struct{}) (server, error) { return ask(ctx) }, op.Public(), op.Stale(most)),
		op.Query("servers.events", "GET /events", func(ctx context.Context, _ struct{}) (server, error) {
			page, err := app.Events.Read(ctx, event.Query{})
			return server{len(page.Records)}, err
		}, op.Public(), op.Stale(most)),
		op.Query("servers.new", "GET /new", func(ctx context.Context, _ struct{}) (server, error) { return ask(ctx) }, op.Public()),
		op.Query("servers.kept", "GET /kept", func(ctx context.Context, _ struct{}) (server, error) { return kept.Get(ctx, "one", ask) }, op.Public(), op.Stale(most)),
	}})
	app.Migrate()
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- app.Run(ctx) }()
	port := func(name string) int {
		t.Helper()
		return ashlartest.Call[server](app.Anonymous(), name, nil).OK().Port
	}
	admin, err := ashlar.AdminOf(app.App)
	if err != nil {
		t.Fatal(err)
	}
	ready := func(word string) func() bool {
		return func() bool {
			w := httptest.NewRecorder()
			admin.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
			return w.Code == http.StatusOK && strings.Contains(w.Body.String(), `"replicas":"`+word+`"`)
		}
	}
	eventually(t, "the replica is used", func() bool { return port("servers.stale") != port("servers.new") })
	if got := port("servers.kept"); got != port("servers.new") {
		t.Error("a value is kept that a replica has answered")
	}
	eventually(t, "it is ready", ready("ok"))
	awaits(t, app, `ashlar_replica_up{replica="`+standby.Addr()+`/postgres"}`, func(v float64) bool { return v == 1 })
	awaits(t, app, `ashlar_replica_queries_total{outcome="answered",replica="`+standby.Addr()+`/postgres"}`, func(v float64) bool { return v > 0 })

	if err := backing.Administer(ctx, standby.URL(), `SELECT pg_wal_replay_pause()`); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		inTx(t, app.DB, func(ctx context.Context, tx *db.Tx) error { return shipped.Publish(ctx, tx, consignment{"a"}) })
		if got := port("servers.events"); got != n+1 {
			t.Errorf("of %d events that are committed, %d are read", n+1, got)
		}
	}

	standby.Kill()
	for range 10 {
		if port("servers.stale") != port("servers.new") {
			t.Error("answered by nobody knows whom")
		}
	}
	eventually(t, "that is said", ready("degraded"))
	eventually(t, "that is logged", func() bool { return strings.Contains(app.Log(), "a replica of the database is not used") })
	awaits(t, app, `ashlar_replica_up{replica="`+standby.Addr()+`/postgres"}`, func(v float64) bool { return v == 0 })
	awaits(t, app, `ashlar_replica_missed_total`, func(v float64) bool { return v > 0 })

	standby.Start()
	eventually(t, "the replica is used again", func() bool { return port("servers.stale") != port("servers.new") })
	eventually(t, "that is said", ready("ok"))
	eventually(t, "that is logged", func() bool { return strings.Contains(app.Log(), "a replica of the database is used again") })
	// Each change is logged once. On a busy machine there may be more of them.
	log := app.Log()
	if gone, back := strings.Count(log, "a replica of the database is not used"), strings.Count(log, "a replica of the database is used again"); gone != back && gone != back+1 {
		t.Errorf("it is logged %d times that it is not used, and %d times that it is", gone, back)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestReplicaSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ primary, replicas, want string }{
		"of SQLite":          {"sqlite::memory:", "postgres://u:sesame@127.0.0.1/shop", "DATABASE_REPLICA_URL: is for standbys of a PostgreSQL"},
		"of the default":     {"", "postgres://u:sesame@127.0.0.1/shop", "DATABASE_REPLICA_URL: is for standbys of a PostgreSQL"},
		"no PostgreSQL":      {"postgres://u:sesame@127.0.0.1/shop", "sqlite:sesame", "DATABASE_REPLICA_URL: replica 1: "},
		"another database":   {"postgres://u:sesame@127.0.0.1/shop", "postgres://u:sesame@127.0.0.2/other", `DATABASE_REPLICA_URL: replica 1: db/postgres: the database is "other"`},
		"the second of two":  {"postgres://u:sesame@127.0.0.1/shop", "postgres://u:sesame@127.0.0.2/shop, http://127.0.0.3/shop", "DATABASE_REPLICA_URL: replica 2: "},
		"two, one of two":    {"postgres://u:sesame@127.0.0.1/shop", "postgres://u:sesame@127.0.0.2,127.0.0.3/shop,postgres://u:sesame@127.0.0.4/shop", ""},
		"one with a comma":   {"postgres://u:sesame@127.0.0.1/shop", "postgres://u:sesame@127.0.0.2/shop,", ""},
		"one without a name": {"postgres://u:sesame@127.0.0.1/shop", "postgres://u:sesame@127.0.0.2", "DATABASE_REPLICA_URL: replica 1: "},
	} {
		env := map[string]string{"DATABASE_REPLICA_URL": c.replicas}
		if c.primary != "" {
			env["DATABASE_URL"] = c.primary
		}
		_, err := config.Load[ashlar.Config](config.Map(env))
		switch {
		case err == nil && c.want != "" || err != nil && c.want == "":
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		case err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "sesame")):
			t.Errorf("%s: got %v, want …%s…", name, err, c.want)
		}
	}
}
