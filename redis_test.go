package ashlar_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/job"
	"github.com/ashlar-go/ashlar/op"
)

// patient is for tests that are not about time: the machine may be busy.
const patient = "timeout=10s"

// twoInstances are two apps on one database, with the background work that
// follows the other one.
func twoInstances(t *testing.T, env ...string) [2]*ashlartest.App {
	t.Helper()
	env = append([]string{"DATABASE_URL", "sqlite:" + t.TempDir() + "/app.db", "ASHLAR_SIGNING_KEYS", auth.GenerateKey().Secret().Reveal()}, env...)
	var both [2]*ashlartest.App
	for i := range both {
		app := ashlartest.Open(t, env...)
		app.Grant("clerk", "greetings:read")
		app.Mount(ashlar.SignIn(app.App))
		app.Mount(greetings())
		app.Mount(ashlar.Module{Name: "limited", Operations: []op.Operation{
			op.Query("open", "GET /open/{name}", greet, op.Public()),
			op.Query("all", "GET /all/{name}", greet, op.Allow("greetings:read"), op.Limit(2, time.Hour, op.PerOperation())),
		}})
		app.Migrate()
		both[i] = app
	}
	for _, app := range both {
		follow := func(ctx context.Context) error { return ashlar.FollowRevocations(ctx, app.App) }
		background(t, append(ashlar.BusTasks(app.App), ashlar.Task{Name: "follow", Run: follow}))
	}
	return both
}

func background(t *testing.T, tasks []ashlar.Task) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for _, task := range tasks {
		all.Go(func() {
			if err := task.Run(ctx); err != nil && ctx.Err() == nil {
				t.Errorf("%s: %v", task.Name, err)
			}
		})
	}
	t.Cleanup(func() { cancel(); all.Wait() })
}

// P6.2: a burst of more than a limit, spread over two instances with one
// Redis: exactly as many pass as the limit grants, the rest gets a problem.
// P14.12: once Redis is gone, what was spent stays spent.
func TestTwoInstancesShareLimits(t *testing.T) {
	t.Parallel()
	server := backing.RedisServer(t)
	apps := twoInstances(t, "REDIS_URL", server.URL()+"?"+patient, "ASHLAR_LIMIT_ADDRESS", "20/1h")
	const beyond = 5
	for name, c := range map[string]struct {
		there int
		call  func(app *ashlartest.App) *httptest.ResponseRecorder
	}{
		"an operation's": {2, func(app *ashlartest.App) *httptest.ResponseRecorder {
			return app.AsRole("ann", "one", "clerk").Do("GET", "/all/a", "")
		}},
		"an address's": {20, func(app *ashlartest.App) *httptest.ResponseRecorder {
			return from(app, "192.0.2.9:1", "GET", "/open/a", "")
		}},
	} {
		var mu sync.Mutex
		var all sync.WaitGroup
		codes := map[int]int{}
		for i := range c.there + beyond {
			all.Go(func() {
				w := c.call(apps[i%2])
				mu.Lock()
				defer mu.Unlock()
				codes[w.Code]++
				if w.Code == http.StatusTooManyRequests && (!strings.Contains(w.Body.String(), `"code":"rate_limited"`) || w.Header().Get("Retry-After") == "") {
					t.Errorf("%s: refused with %v %s", name, w.Header(), w.Body)
				}
			})
		}
		all.Wait()
		if codes[200] != c.there || codes[429] != beyond {
			t.Errorf("%s limit: %v, want %d times 200 and %d times 429", name, codes, c.there, beyond)
		}
	}
	for _, app := range apps {
		if w := from(app, "192.0.2.9:1", "GET", "/open/a", ""); w.Code != 429 {
			t.Errorf("who has spent the limit is answered %d", w.Code)
		}
		if s := app.Redis.Stats(); s.Failures != 0 || s.Commands == 0 {
			t.Errorf("got %+v", s)
		}
	}
	server.Kill()
	for i, app := range apps {
		eventually(t, "Redis is away", func() bool { return app.Redis.Err() != nil })
		for range 10 {
			if w := from(app, "192.0.2.9:1", "GET", "/open/a", ""); w.Code != 429 {
				t.Fatalf("instance %d, without Redis, lets pass who has spent the limit: %d", i, w.Code)
			}
			if w := from(app, "192.0.2.10:1", "GET", "/open/a", ""); w.Code != 200 {
				t.Fatalf("instance %d, without Redis, answers %d %s", i, w.Code, w.Body)
			}
		}
	}
}

// P6.11, P11.10: with Redis, what ends on one instance ends on the other at
// once, without it at its next look. Losing Redis costs no more than that.
func TestRevocationsTravelByRedis(t *testing.T) {
	t.Parallel()
	server := backing.RedisServer(t)
	for when, c := range map[string]struct {
		env  []string
		most time.Duration // of the fastest
	}{
		"with Redis":                {[]string{"REDIS_URL", server.URL() + "?" + patient}, 150 * time.Millisecond},
		"without Redis":             {nil, time.Second},
		"with a Redis that is away": {[]string{"REDIS_URL", "redis://127.0.0.1:1"}, time.Second},
	} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			apps := twoInstances(t, c.env...)
			account, err := apps[0].Accounts.Create(t.Context(), auth.NewAccount{Email: "ann@b.test", Password: "square-and-true", Role: "clerk"})
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(when, "with Redis") {
				for _, app := range apps {
					eventually(t, "it listens", func() bool { return app.Redis.Stats().Heard == 1 })
				}
			}
			status := func(token string) int {
				return ashlartest.Call[greeting](apps[1].Anonymous().With("Authorization", "Bearer "+token), "greetings.private", name{"ann"}).Status()
			}
			var took []time.Duration
			for range 9 {
				g, err := apps[0].Accounts.OpenSession(t.Context(), account)
				if err != nil {
					t.Fatal(err)
				}
				if got := status(g.AccessToken); got != 200 {
					t.Fatalf("before the sign-out %d", got)
				}
				ashlartest.Call[struct{}](apps[0].Anonymous().With("Authorization", "Bearer "+g.AccessToken), "auth.logout", map[string]string{"refresh_token": g.RefreshToken}).OK()
				began := time.Now()
				for status(g.AccessToken) != 401 {
					if time.Since(began) > lost {
						t.Fatal("the sign-out does not reach the other instance")
					}
					time.Sleep(time.Millisecond)
				}
				took = append(took, time.Since(began))
			}
			fastest(t, took, c.most)
		})
	}
}

// P5.9, P14.2: Redis may be away at the start and whenever it likes; probes,
// metrics and the log say so, and requests notice nothing.
func TestRedisMayBeAway(t *testing.T) {
	t.Parallel()
	server := backing.RedisServer(t)
	server.Kill()
	app := limited(t, "REDIS_URL", server.URL())
	background(t, ashlar.BusTasks(app.App))
	admin, err := ashlar.AdminOf(app.App)
	if err != nil {
		t.Fatal(err)
	}
	ashlar.StartedOf(app.App)
	ask := func(path string) (int, string) {
		w := httptest.NewRecorder()
		admin.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	holds := func(when, word, up string) {
		t.Helper()
		eventually(t, when, func() bool {
			code, body := ask("/readyz")
			return code == 200 && strings.Contains(body, `"redis":"`+word+`"`)
		})
		if code, body := ask("/livez"); code != 200 {
			t.Errorf("%s: live answers %d %s", when, code, body)
		}
		eventually(t, when+", in the metrics", func() bool {
			_, body := ask("/metrics")
			return strings.Contains(body, "\nashlar_redis_up "+up+"\n")
		})
		if w := from(app, "192.0.2.1:1", "GET", "/open/a", ""); w.Code != 200 {
			t.Errorf("%s: a request is answered %d %s", when, w.Code, w.Body)
		}
	}
	holds("away at the start", "degraded", "0")
	server.Start()
	holds("there", "ok", "1")
	server.Stop()
	holds("stopped", "degraded", "0")
	server.Start()
	holds("there again", "ok", "1")
	for _, line := range []string{"redis is away", "redis is back"} {
		eventually(t, line, func() bool { return strings.Count(app.Log(), line) >= 2 })
	}
	// On a busy machine there may be more: Redis is away when it does not answer in time.
	awaits(t, app, "ashlar_redis_episodes_total", func(v float64) bool { return v >= 2 })
	if _, body := ask("/metrics"); !strings.Contains(body, "\nashlar_limit_local_total ") {
		t.Error("the metrics do not tell of limits that were held here")
	}
}

// P12.11: mistakes that no waiting cures are found at the start, with the
// name of the variable and without the password.
func TestRedisSettings(t *testing.T) {
	t.Parallel()
	server := backing.RedisServer(t, "--requirepass", "open-sesame")
	keys := auth.GenerateKey().Secret().Reveal()
	for name, c := range map[string]struct {
		env  map[string]string
		want string // in the error; none if empty
	}{
		"a form that is none":             {map[string]string{"REDIS_URL": "open-sesame"}, "REDIS_URL: must begin with"},
		"plain text, in production":       {map[string]string{"REDIS_URL": "redis://:open-sesame@10.0.0.1", "ASHLAR_ENV": "production"}, "REDIS_URL: would send password and data unencrypted"},
		"plain text that was allowed":     {map[string]string{"REDIS_URL": "redis://:open-sesame@10.255.255.1?timeout=1ms", "ASHLAR_ENV": "production", "ASHLAR_REDIS_PLAINTEXT": "on"}, ""},
		"plain text, in development":      {map[string]string{"REDIS_URL": "redis://:open-sesame@10.255.255.1"}, ""},
		"plain text to the loopback":      {map[string]string{"REDIS_URL": "redis://:open-sesame@" + server.Addr(), "ASHLAR_ENV": "production"}, ""},
		"a password that is not accepted": {map[string]string{"REDIS_URL": "redis://:closed-sesame@" + server.Addr()}, "REDIS_URL: redis: the server refuses user or password"},
		"no password":                     {map[string]string{"REDIS_URL": server.URL()}, "REDIS_URL: redis: the server refuses user or password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.env["DATABASE_URL"], c.env["ASHLAR_DATA_DIR"], c.env["ASHLAR_SIGNING_KEYS"] = "sqlite::memory:", t.TempDir(), keys
			cfg, err := config.Load[ashlar.Config](config.Map(c.env))
			if err == nil {
				var app *ashlar.App
				if app, err = ashlar.Open(t.Context(), cfg); err == nil {
					err = app.Close()
				}
			}
			switch {
			case err == nil && c.want != "" || err != nil && c.want == "":
				t.Errorf("got %v, want %q", err, c.want)
			case err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "sesame")):
				t.Errorf("got %v, want …%s…", err, c.want)
			}
		})
	}
}

// While an app serves, it listens to what others say of revocations, jobs, events
// and rooms.
func TestServingListensToRedis(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t, "REDIS_URL", backing.RedisServer(t).URL()+"?"+patient, "ASHLAR_ADDR", "127.0.0.1:0", "ASHLAR_ADMIN_ADDR", "127.0.0.1:0")
	ran := make(chan string, 1)
	app.Mount(ashlar.Module{Name: "later", Jobs: []job.Handler{job.On(greetLater, func(_ context.Context, in name) error {
		ran <- in.Name
		return nil
	})}})
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- app.Run(ctx) }()
	eventually(t, "four channels are heard", func() bool { return app.Redis.Stats().Heard == 4 })
	_, err := db.InTx(ctx, app.DB, func(tx *db.Tx) (struct{}, error) { return struct{}{}, greetLater.Add(ctx, tx, name{"ann"}) })
	if err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-ran:
		if got != "ann" {
			t.Errorf("the job greets %q", got)
		}
	case <-time.After(lost):
		t.Fatal("the job does not run")
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// What a request costs Redis: one command for the limit that everybody has, one
// for all that its operation declares, and one for those that count by its
// input; nothing once it is known to be refused.
func TestLimitsCostRoundTrips(t *testing.T) {
	t.Parallel()
	app := limited(t, "REDIS_URL", backing.RedisServer(t).URL()+"?"+patient)
	ann := app.AsRole("ann", "one", "clerk")
	for _, c := range []struct {
		target   string
		status   int
		commands uint64
	}{
		{"/open/a", 200, 1},
		{"/mine/a", 200, 2},
		{"/named/a", 200, 2},
		{"/many/a", 200, 3}, // two by who calls, one by the input
		{"/mine/a", 200, 2},
		{"/mine/a", 429, 2},
		{"/mine/a", 429, 1},
		{"/mine/a", 429, 1},
	} {
		before := app.Redis.Stats().Commands
		if got := ann.Do("GET", c.target, ""); got.Code != c.status {
			t.Errorf("%s answers %d, want %d", c.target, got.Code, c.status)
		}
		if got := app.Redis.Stats().Commands - before; got != c.commands {
			t.Errorf("%s, answered %d, costs %d commands, want %d", c.target, c.status, got, c.commands)
		}
	}
}

// P15.12: what is published on one instance reaches those who listen on
// another one as soon as Redis passes it on, once and in order.
func TestEventsTravelByRedis(t *testing.T) {
	t.Parallel()
	env := []string{
		"REDIS_URL", backing.RedisServer(t).URL() + "?" + patient, "DATABASE_URL", "sqlite:" + t.TempDir() + "/app.db",
		"ASHLAR_ADDR", "127.0.0.1:0", "ASHLAR_ADMIN_ADDR", "127.0.0.1:0",
	}
	ctx, stop := context.WithCancel(t.Context())
	var apps [2]*ashlartest.App
	served := make(chan error, len(apps))
	for i := range apps {
		app := ashlartest.Open(t, env...)
		app.Mount(greetings())
		app.Migrate()
		go func() { served <- app.Run(ctx) }()
		eventually(t, "it listens", func() bool { return app.Redis.Stats().Heard > 0 })
		apps[i] = app
	}
	parcels := make(chan consignment, 100)
	listening := event.Listen(ctx, apps[1].Events, shipped, nil)
	go func() {
		for p, err := range listening {
			if err == nil {
				parcels <- p
			}
		}
	}()
	awaits(t, apps[1], "ashlar_events_subscribers", func(v float64) bool { return v == 2 })
	eventually(t, "all is heard", func() bool {
		return apps[0].Redis.Stats().Heard >= 2 && apps[1].Redis.Stats().Heard >= 2
	})
	var took []time.Duration
	for i := range 9 {
		began, want := time.Now(), strconv.Itoa(i)
		_, err := db.InTx(ctx, apps[0].DB, func(tx *db.Tx) (struct{}, error) {
			return struct{}{}, shipped.Publish(ctx, tx, consignment{want})
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := <-parcels; got.ID != want {
			t.Fatalf("got %q, want %q", got.ID, want)
		}
		took = append(took, time.Since(began))
	}
	fastest(t, took, event.DefaultPoll/2)
	stop()
	for range apps {
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}
