package ashlar_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/job"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/outbound"
	"github.com/ashlar-go/ashlar/trace"
	"github.com/ashlar-go/ashlar/webhook"
)

const (
	textFormat  = "text/plain;version=0.0.4"
	openMetrics = "application/openmetrics-text;version=1.0.0"
)

// scrape returns what a Prometheus server reads.
func scrape(t testing.TB, app *ashlartest.App, accept string) string {
	t.Helper()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	app.Metrics().Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// value returns the value of a series as the text format writes it, and
// whether it is there.
func value(t testing.TB, app *ashlartest.App, series string) (float64, bool) {
	t.Helper()
	for line := range strings.Lines(scrape(t, app, textFormat)) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v, true
		}
	}
	return 0, false
}

// shows expects values of series.
func shows(t *testing.T, app *ashlartest.App, want map[string]float64) {
	t.Helper()
	for series, v := range want {
		if got, ok := value(t, app, series); !ok || got != v {
			t.Errorf("%s is %v (there: %t), want %v", series, got, ok, v)
		}
	}
}

// awaits waits for what another goroutine counts.
func awaits(t *testing.T, app *ashlartest.App, series string, enough func(float64) bool) {
	t.Helper()
	deadline := time.Now().Add(lost)
	for {
		v, ok := value(t, app, series)
		if ok && enough(v) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s stays %v (there: %t)", series, v, ok)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// nowhere is where traces end in these tests.
type nowhere struct{}

func (nowhere) Export(context.Context, []*trace.Record) error { return nil }
func (nowhere) Close(context.Context) error                   { return nil }

// count is a queue of the app below.
const count job.Queue[name] = "visits.count"

// measured is an app of which every metric that an app can have shows: with
// sign-in, limits, shedding and idempotent commands.
func measured(t *testing.T, more ...op.Operation) *ashlartest.App {
	t.Helper()
	app := ashlartest.Open(t, "ASHLAR_SHED", "auto", "ASHLAR_ADDR", "127.0.0.1:0", "ASHLAR_ADMIN_ADDR", "127.0.0.1:0",
		"ASHLAR_TRACE_PEERS", "192.0.2.1/32")
	app.Trace(trace.Options{Exporter: nowhere{}, Sampler: trace.Ratio(0).ParentBased()}, nil)
	app.Dependency(outbound.NewPolicy(outbound.PolicyConfig{Name: "bank"}))
	app.Webhooks(webhook.Config{})
	app.Mount(ashlar.Module{
		Name: "visits",
		Operations: append([]op.Operation{
			op.Command("visits.note", "POST /visits", func(ctx context.Context, in name) (greeting, error) {
				return db.InTx(ctx, app.DB, func(tx *db.Tx) (greeting, error) {
					_, err := db.Exec(ctx, tx, `INSERT INTO visits (name) VALUES ($1)`, in.Name)
					return greeting{"Hello " + in.Name}, err
				})
			}, op.Allow("greetings:read"), op.Idempotent(time.Hour)),
			op.Query("visits.rare", "GET /rare/{name}", greet, op.Allow("greetings:read"), op.Limit(1, time.Hour)),
			op.Query("visits.kept", "GET /kept/{name}", greet, op.Allow("greetings:read"), op.Cache(0, op.Keep(time.Hour))),
		}, more...),
		Jobs:       []job.Handler{job.On(count, func(context.Context, name) error { return nil })},
		Consumers:  []event.Consumer{event.On(shipped, "visits.count", func(context.Context, *db.Tx, event.Of[consignment]) error { return nil })},
		Migrations: fstest.MapFS{"1_visits.sql": {Data: []byte("-- +goose Up\nCREATE TABLE visits (name TEXT);\n-- +goose Down\nDROP TABLE visits;\n")}},
	})
	app.Handle("/plain/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("plain")) }))
	app.Handle(`/od"d\\/`, http.NotFoundHandler())
	furnish(t, app)
	return app
}

// TestRequestsAreCounted: under their operation, method and class of status,
// with their time and their sizes; what reaches no operation in one place.
func TestRequestsAreCounted(t *testing.T) {
	t.Parallel()
	app := measured(t)
	clerk := app.AsRole("usr_1", "t1", "clerk")
	shows(t, app, map[string]float64{ // from the start, so that the first failure is a rise
		`http_server_requests_total{method="GET",op="greetings.public",status="5xx"}`: 0,
	})
	for range 3 {
		ashlartest.Call[greeting](clerk, "greetings.public", name{"ann"}).OK()
	}
	clerk.Do("HEAD", "/hello/ann", "")
	clerk.Do("GET", "/hello/panic", "")
	clerk.Do("GET", "/private/ann?unknown=1", "")
	clerk.Do("BREW", "/plain/pot", "")
	clerk.Do("DELETE", "/hello/ann", "")
	clerk.Do("GET", "/nowhere", "")
	clerk.With("Content-Type", "application/json").Do("POST", "/visits", `{"name":"ann"}`)

	shows(t, app, map[string]float64{
		`http_server_requests_total{method="GET",op="greetings.public",status="2xx"}`:               3,
		`http_server_requests_total{method="HEAD",op="greetings.public",status="2xx"}`:              1,
		`http_server_requests_total{method="GET",op="greetings.public",status="5xx"}`:               1,
		`http_server_requests_total{method="GET",op="greetings.private",status="4xx"}`:              1,
		`http_server_requests_total{method="_OTHER",op="/plain/",status="2xx"}`:                     1,
		`http_server_requests_total{method="DELETE",op="unmatched",status="4xx"}`:                   1,
		`http_server_requests_total{method="GET",op="unmatched",status="4xx"}`:                      1,
		`http_server_requests_total{method="POST",op="visits.note",status="4xx"}`:                   1,
		`http_server_request_duration_seconds_count{op="greetings.public",status="2xx"}`:            4,
		`http_server_request_duration_seconds_bucket{op="greetings.public",status="2xx",le="+Inf"}`: 4,
		`http_server_request_body_size_bytes_sum{op="visits.note"}`:                                 14,
		`http_server_response_body_size_bytes_sum{op="/plain/"}`:                                    5,
		`http_server_active_requests{op="greetings.public"}`:                                        0,
		`ashlar_faults_total{code="internal",op="greetings.public"}`:                                1,
		`ashlar_faults_total{code="method_not_allowed",op="unmatched"}`:                             1,
		`ashlar_faults_total{code="idempotency_key_missing",op="visits.note"}`:                      1,
	})
}

// TestRequestsInFlight is P13.5: twenty that hang show as twenty, and none is
// left when they are through.
func TestRequestsInFlight(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	app := measured(t, op.Query("slow", "GET /slow", func(context.Context, struct{}) (greeting, error) {
		begun <- struct{}{}
		<-release
		return greeting{}, nil
	}, op.Public()))
	var running sync.WaitGroup
	for range 20 {
		running.Go(func() { app.Anonymous().Do("GET", "/slow", "") })
		<-begun
	}
	shows(t, app, map[string]float64{`http_server_active_requests{op="slow"}`: 20, `ashlar_shed_inside`: 20})
	close(release)
	running.Wait()
	shows(t, app, map[string]float64{`http_server_active_requests{op="slow"}`: 0, `ashlar_shed_inside`: 0})
}

// TestHostileCallersMakeNoSeries is P13.4: ids, paths, methods, names and
// headers that callers invent add no series, and none of them shows.
func TestHostileCallersMakeNoSeries(t *testing.T) {
	t.Parallel()
	app := measured(t)
	attack := func(i int) {
		n := strconv.Itoa(i)
		marked := app.AsRole("canary-"+n, "canary-"+n, "clerk").With("User-Agent", "canary-"+n).With("X-Request-Id", "canary-"+n).
			With("Idempotency-Key", "canary-"+n).With("Content-Type", "application/json")
		marked.Do("GET", "/hello/canary-"+n, "")
		marked.Do("GET", "/canary-"+n, "")
		marked.Do("GET", "/plain/canary-"+n, "")
		marked.Do("GET", "/problems/canary-"+n, "")
		marked.Do("CANARY"+n, "/plain/", "")
		marked.Do("CANARY"+n, "/hello/ann", "")
		marked.Do("POST", "/visits", `{"name":"canary-`+n+`"}`)
		marked.Do("POST", "/visits", `{"canary-`+n+`":1}`)
		ashlartest.Call[greeting](marked, "visits.rare", name{"ann"})
		ashlartest.Call[greeting](marked, "visits.rare", name{"ann"})
		app.Anonymous().With("Authorization", "Bearer canary-"+n).Do("GET", "/private/ann", "")
		app.Anonymous().With("Authorization", "Bearer ak_canary-"+n).Do("GET", "/private/ann", "")
	}
	attack(0)
	series := func() int { return strings.Count(scrape(t, app, textFormat), "\n") }
	before := series()
	for i := range 1000 {
		attack(i + 1)
	}
	if after := series(); after != before {
		t.Errorf("%d lines after a thousand of each attack, %d after one", after, before)
	}
	if text := strings.ToLower(scrape(t, app, openMetrics)); strings.Contains(text, "canary") {
		i := strings.Index(text, "canary")
		t.Errorf("what a caller sent shows: …%s", text[max(0, i-100):i+20])
	}
}

// TestDecisionsAreCounted: what limits, sign-in, idempotency, revocation and
// the database decide.
func TestDecisionsAreCounted(t *testing.T) {
	t.Parallel()
	app := measured(t)
	clerk := app.AsRole("usr_1", "t1", "clerk")
	for range 3 {
		ashlartest.Call[greeting](clerk, "visits.rare", name{"ann"})
		ashlartest.Call[greeting](clerk.Key("k-00000001"), "visits.note", name{"ann"}).OK()
	}
	grant := ashlartest.Call[auth.Grant](app.Anonymous(), "auth.login", auth.Credentials{Email: "ann@b.test", Password: "square-and-true"}).OK()
	for range 11 { // ten are tried, and then the throttle refuses
		ashlartest.Call[auth.Grant](app.Anonymous(), "auth.login", auth.Credentials{Email: "ann@b.test", Password: "square-and-false"})
	}
	app.Bearer(grant.AccessToken).With("Content-Type", "application/json").Do("POST", "/v1/auth/logout", `{"refresh_token":"`+grant.RefreshToken+`"}`)

	shows(t, app, map[string]float64{
		`ashlar_limit_refused_total{limit="visits.rare"}`:                        2,
		`ashlar_limit_refused_total{limit="sign_in of an account"}`:              1,
		`ashlar_limit_refused_total{limit="principal"}`:                          0,
		`ashlar_idempotency_replays_total{op="visits.note"}`:                     2,
		`ashlar_security_events_total{kind="sign_in",outcome="succeeded"}`:       1,
		`ashlar_security_events_total{kind="sign_in",outcome="failed"}`:          10,
		`ashlar_security_events_total{kind="sign_in",outcome="refused"}`:         1,
		`ashlar_security_events_total{kind="session_ended",outcome="succeeded"}`: 1,
		`ashlar_revocations`:                        1,
		`ashlar_shed_active`:                        0,
		`ashlar_shed_refused_total{priority="low"}`: 0,
		`db_client_connections{state="used"}`:       0,
	})
	for _, series := range []string{
		`ashlar_shed_admitted_total{priority="normal"}`, `db_client_transactions_total{outcome="committed"}`, `db_client_commits_total`,
		`db_client_operation_duration_seconds_count{operation="query"}`,
		`db_client_operation_duration_seconds_count{operation="statement"}`,
		`db_client_operation_duration_seconds_count{operation="transaction"}`,
	} {
		if v, ok := value(t, app, series); !ok || v <= 0 {
			t.Errorf("%s is %v (there: %t)", series, v, ok)
		}
	}
}

// TestARolledBackEventIsNotCounted: what left no line in the audit log is
// in no metric.
func TestARolledBackEventIsNotCounted(t *testing.T) {
	t.Parallel()
	app := measured(t)
	again := auth.NewEvent(t.Context(), "counted", auth.Succeeded)
	if err := app.Record(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if err := app.Record(t.Context(), again); err == nil {
		t.Fatal("one id is recorded twice")
	}
	shows(t, app, map[string]float64{`ashlar_security_events_total{kind="counted",outcome="succeeded"}`: 1})
}

// TestSlowBucketsLeadToTraces: a request whose trace is kept is the exemplar
// of its bucket, be it sampled or kept because it failed; one whose trace is
// nowhere to be found is none.
func TestSlowBucketsLeadToTraces(t *testing.T) {
	t.Parallel()
	app := measured(t)
	const sampled, failed, forgotten = "4bf92f3577b34da6a3ce929d0e0e4736", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "cccccccccccccccccccccccccccccccc"
	ask := func(path, id, flags string) {
		app.Anonymous().With("Traceparent", "00-"+id+"-00f067aa0ba902b7-"+flags).Do("GET", path, "")
	}
	ask("/hello/ann", sampled, "01")
	ask("/hello/panic", failed, "00")
	ask("/hello/ann", forgotten, "00")
	text := scrape(t, app, openMetrics)
	for class, id := range map[string]string{"2xx": sampled, "5xx": failed} {
		exemplar := regexp.MustCompile(`(?m)^http_server_request_duration_seconds_bucket\{op="greetings.public",status="` + class + `",le="[^"]+"\} \d # \{trace_id="` + id + `"\}`)
		if !exemplar.MatchString(text) {
			t.Errorf("%s: trace %s is no exemplar", class, id)
		}
	}
	if strings.Contains(text, forgotten) {
		t.Error("an exemplar names a trace that was not kept")
	}
}

// TestMetricsOfUsersOwn: an app counts its own beside ours.
func TestMetricsOfUsersOwn(t *testing.T) {
	t.Parallel()
	app := measured(t)
	captured, err := app.Metrics().Counter("payments_captured_total", "Payments captured.", "currency")
	if err != nil {
		t.Fatal(err)
	}
	captured.With("EUR").Inc()
	shows(t, app, map[string]float64{`payments_captured_total{currency="EUR"}`: 1})
	if _, err := app.Metrics().Counter("http_server_requests_total", "Mine.", "op"); err == nil {
		t.Error("an app can take a name of ours")
	}
}

// TestMetricsOfTwoHandlers: deriving the handler twice counts in one place.
func TestMetricsOfTwoHandlers(t *testing.T) {
	t.Parallel()
	app := measured(t)
	second, err := app.App.Handler()
	if err != nil {
		t.Fatal(err)
	}
	second.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/hello/ann", nil))
	app.Anonymous().Do("GET", "/hello/ann", "")
	shows(t, app, map[string]float64{`http_server_requests_total{method="GET",op="greetings.public",status="2xx"}`: 2})
}

// exercise has every metric of an app show: it runs until its tasks do.
func exercise(t *testing.T, app *ashlartest.App) {
	t.Helper()
	clerk := app.AsRole("usr_1", "t1", "clerk")
	ashlartest.Call[greeting](clerk.Key("k-00000001"), "visits.note", name{"ann"}).OK()
	ashlartest.Call[auth.Grant](app.Anonymous(), "auth.login", auth.Credentials{Email: "ann@b.test", Password: "square-and-false"})
	app.Anonymous().With("Authorization", "Bearer ak_none").Do("GET", "/private/ann", "")
	if few, err := app.Metrics().Counter("few_total", "Few."); err == nil {
		few.With("one too many").Inc() // so that ashlar_metric_refused_total shows
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	awaits(t, app, `ashlar_task_failures_total{task="greetings.fail"}`, func(v float64) bool { return v >= 2 })
	awaits(t, app, `ashlar_task_restarts_total{task="greetings.fail"}`, func(v float64) bool { return v >= 1 })
	stop()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestMetricsAreAsAgreed holds the list of names, types, units and labels:
// dashboards and alerts are built on it.
func TestMetricsAreAsAgreed(t *testing.T) {
	t.Parallel()
	app := measured(t)
	exercise(t, app)
	list := describe(scrape(t, app, openMetrics))
	delete(list, "few")
	maps.DeleteFunc(list, func(name, _ string) bool { return strings.HasPrefix(name, "ashlar_notify_") })
	if runtime.GOOS == "linux" { // elsewhere a process has fewer of its own
		ashlartest.Golden(t, "testdata/metrics.golden", strings.Join(slices.Sorted(maps.Values(list)), "\n")+"\n")
	}

	explained(t, list)
}

// TestMetricsOfPostgreSQL are as agreed too: of its notifications and replicas.
func TestMetricsOfPostgreSQL(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t, "DATABASE_URL", backing.PostgresSchema(t), "DATABASE_REPLICA_URL", "postgres://ashlar@127.0.0.1:1/postgres?sslmode=disable")
	list := describe(scrape(t, app, openMetrics))
	maps.DeleteFunc(list, func(name, _ string) bool {
		return !strings.HasPrefix(name, "ashlar_notify_") && !strings.HasPrefix(name, "ashlar_replica_")
	})
	ashlartest.Golden(t, "testdata/metrics_postgres.golden", strings.Join(slices.Sorted(maps.Values(list)), "\n")+"\n")
	explained(t, list)
}

// explained holds that the guide explains each metric of ours.
func explained(t *testing.T, list map[string]string) {
	t.Helper()
	page, err := os.ReadFile("docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range list {
		if ours := strings.HasPrefix(name, "ashlar_") || strings.HasPrefix(name, "http_") || strings.HasPrefix(name, "db_"); ours && !strings.Contains(string(page), "`"+name) {
			t.Errorf("docs/observability.md does not explain %s", name)
		}
	}
}

// describe lists the metrics of a scrape in OpenMetrics: name, type, unit and
// labels.
func describe(text string) map[string]string {
	types, units, labels := map[string]string{}, map[string]string{}, map[string]map[string]bool{}
	sample := regexp.MustCompile(`^([a-z0-9_]+)(?:\{([^}]*)\})? `)
	label := regexp.MustCompile(`([a-z_]+)="`)
	family := ""
	for line := range strings.Lines(text) {
		switch f := strings.Fields(line); {
		case strings.HasPrefix(line, "# TYPE "):
			family = f[2]
			types[family] = f[3]
			labels[family] = map[string]bool{}
		case strings.HasPrefix(line, "# UNIT "):
			units[f[2]] = f[3]
		case !strings.HasPrefix(line, "#"):
			if m := sample.FindStringSubmatch(line); m != nil {
				for _, l := range label.FindAllStringSubmatch(m[2], -1) {
					if l[1] != "le" && l[1] != "quantile" {
						labels[family][l[1]] = true
					}
				}
			}
		}
	}
	list := map[string]string{}
	for name, kind := range types {
		list[name] = strings.TrimRight(fmt.Sprintf("%s %s %s {%s}", name, kind, orDash(units[name]), strings.Join(slices.Sorted(maps.Keys(labels[name])), ",")), " ")
	}
	return list
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
