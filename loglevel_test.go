package ashlar_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/db"
)

// admin asks an app's private listener, from its own machine unless change
// says otherwise.
func admin(t *testing.T, app *ashlar.App, method, path, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	h, err := ashlar.AdminOf(app)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.RemoteAddr, r.Host = "127.0.0.1:40000", "127.0.0.1:9090"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

type levelAnswer struct {
	Level, Usual string
	Until        *time.Time
}

func levelOf(t *testing.T, w *httptest.ResponseRecorder) (got levelAnswer) {
	t.Helper()
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return got
}

// TestTheLogsLevelChangesWhileItRuns holds P13.12: the level is changed on the
// admin listener, for a while.
func TestTheLogsLevelChangesWhileItRuns(t *testing.T) {
	t.Parallel()
	app, lines := logged(t, "ASHLAR_LOG_LEVEL", "warn") // the kit brings a log of its own

	app.Log.Info("said at first")
	if got := levelOf(t, admin(t, app, "GET", "/log/level", "")); got != (levelAnswer{"warn", "warn", nil}) {
		t.Errorf("at first: %+v", got)
	}
	before := time.Now()
	got := levelOf(t, admin(t, app, "PUT", "/log/level", `{"level":"debug","for":"10m"}`))
	if got.Level != "debug" || got.Usual != "warn" || got.Until == nil ||
		got.Until.Before(before.Add(10*time.Minute).Truncate(time.Millisecond)) || got.Until.After(time.Now().Add(10*time.Minute)) {
		t.Errorf("after PUT: %+v", got)
	}
	app.Log.Debug("said meanwhile")
	if got := levelOf(t, admin(t, app, "GET", "/log/level", "")); got.Level != "debug" {
		t.Errorf("GET after PUT: %+v", got)
	}
	if got := levelOf(t, admin(t, app, "DELETE", "/log/level", "")); got != (levelAnswer{"warn", "warn", nil}) {
		t.Errorf("after DELETE: %+v", got)
	}
	app.Log.Info("said at last")

	events, err := db.All[auth.SecurityEvent](t.Context(), app.DB, `
		SELECT id, at, kind, outcome, subject, actor, credential, address, agent, detail FROM ashlar_security_events ORDER BY id`)
	if err != nil || len(events) != 2 || events[0].Detail != "debug for 10m0s" || events[1].Detail != "reset" ||
		events[0].Kind != "log_level_changed" || events[0].Address != "127.0.0.1" {
		t.Errorf("security events %+v, %v", events, err)
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	if s := lines(); strings.Contains(s, "said at") || !strings.Contains(s, `"DEBUG","msg":"said meanwhile"`) ||
		!strings.Contains(s, `"msg":"log level changed"`) || !strings.Contains(s, `"to":"debug for 10m0s"`) {
		t.Errorf("logged:\n%s", s)
	}
}

func TestTheLogsLevelIsAskedForStrictly(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	app.Migrate()
	for body, status := range map[string]int{
		`{"level":"debug","for":"10m"`:                                http.StatusBadRequest,
		`{"level":"debug","level":"info","for":"1m"}`:                 http.StatusBadRequest,
		`{"level":"debug","for":"10m"} {}`:                            http.StatusBadRequest,
		`{"level":"debug"}`:                                           http.StatusUnprocessableEntity, // not for ever
		`{"for":"10m"}`:                                               http.StatusUnprocessableEntity,
		`{"level":"DEBUG","for":"10m"}`:                               http.StatusUnprocessableEntity,
		`{"level":"trace","for":"10m"}`:                               http.StatusUnprocessableEntity,
		`{"level":"debug","for":"10"}`:                                http.StatusUnprocessableEntity,
		`{"level":"debug","for":"0s"}`:                                http.StatusUnprocessableEntity,
		`{"level":"debug","for":"25h"}`:                               http.StatusUnprocessableEntity,
		`{"level":"debug","for":"-10m"}`:                              http.StatusUnprocessableEntity,
		`{"level":"debug","for":"10m","forever":true}`:                http.StatusUnprocessableEntity,
		`{"level":"debug","for":"` + strings.Repeat("1", 2000) + `"}`: http.StatusRequestEntityTooLarge,
	} {
		if w := admin(t, app.App, "PUT", "/log/level", body); w.Code != status {
			t.Errorf("%.60s: %d, want %d: %s", body, w.Code, status, w.Body)
		}
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"from elsewhere":            {func(r *http.Request) { r.RemoteAddr = "10.0.0.7:40000" }, http.StatusForbidden},
		"from who knows where":      {func(r *http.Request) { r.RemoteAddr = "@" }, http.StatusForbidden},
		"forwarded from here":       {func(r *http.Request) { r.RemoteAddr = "10.0.0.7:1"; r.Header.Set("X-Forwarded-For", "127.0.0.1") }, http.StatusForbidden},
		"by a name that leads here": {func(r *http.Request) { r.Host = "evil.example:9090" }, http.StatusForbidden},
		"as another media type":     {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, http.StatusUnsupportedMediaType},
		"by IPv6":                   {func(r *http.Request) { r.RemoteAddr, r.Host = "[::1]:40000", "[::1]:9090" }, http.StatusOK},
		"by a forwarded port":       {func(r *http.Request) { r.Host = "localhost:19090" }, http.StatusOK},
	} {
		if w := admin(t, app.App, "PUT", "/log/level", `{"level":"error","for":"1m"}`, c.change); w.Code != c.status {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, c.status, w.Body)
		}
	}
	if w := admin(t, app.App, "POST", "/log/level", `{}`); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
	if w := answered(app.Handler(), newRequest(t, "/log/level")); w.Code != http.StatusNotFound {
		t.Errorf("the public listener answers %d", w.Code)
	}
}

// answered is what a handler answers.
func answered(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func newRequest(t *testing.T, target string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
	r.RemoteAddr, r.Host = "192.0.2.1:40000", "localhost"
	return r
}

// TestNoChangeWithoutATrace: an audit log that cannot be written holds the
// level where it is.
func TestNoChangeWithoutATrace(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t) // not migrated: it has no audit log
	if w := admin(t, app.App, "PUT", "/log/level", `{"level":"error","for":"1m"}`); w.Code != http.StatusInternalServerError {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got := levelOf(t, admin(t, app.App, "GET", "/log/level", "")); got.Level != "info" {
		t.Errorf("level %+v", got)
	}
}

func TestALogFileThatCannotBeIsRefusedAtStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	settings := config.Map(map[string]string{"DATABASE_URL": "sqlite::memory:", "ASHLAR_DATA_DIR": t.TempDir(), "ASHLAR_LOG_FILE": dir})
	cfg, err := config.Load[ashlar.Config](settings)
	if err != nil {
		t.Fatal(err)
	}
	if app, err := ashlar.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "ASHLAR_LOG_FILE") {
		t.Errorf("%v, %v", app, err)
	}
	for name, value := range map[string]string{
		"ASHLAR_LOG_FILE_SIZE": "1", "ASHLAR_LOG_FILE_AGE": "0s", "ASHLAR_LOG_FILE_COUNT": "0", "ASHLAR_LOG_FILE_GZIP": "maybe",
	} {
		if _, err := config.Load[ashlar.Config](config.Map(map[string]string{name: value})); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}
