package ashlar_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/logs"
	"github.com/ashlar-go/ashlar/op"
)

// logged is an app with the log that Open gives it, and what of it is in its
// file; all is there once the app is closed.
func logged(t *testing.T, env ...string) (app *ashlar.App, lines func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.log")
	settings := map[string]string{
		"DATABASE_URL": "sqlite::memory:", "ASHLAR_DATA_DIR": t.TempDir(), "ASHLAR_SHED": "off", "ASHLAR_LOG_FILE": path,
	}
	for i := 0; i+1 < len(env); i += 2 {
		settings[env[i]] = env[i+1]
	}
	cfg, err := config.Load[ashlar.Config](config.Map(settings))
	if err != nil {
		t.Fatal(err)
	}
	if app, err = ashlar.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Close() }) // again, where the test did
	if err := app.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return app, func() string {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// TestEachLineOfARequestNamesItAndHidesItsSecrets holds P13.1 and P13.8.
func TestEachLineOfARequestNamesItAndHidesItsSecrets(t *testing.T) {
	t.Parallel()
	app, lines := logged(t)
	const canary = "canary-7f3a"
	app.Mount(ashlar.Module{Name: "talk", Operations: []op.Operation{
		op.Query("talk.say", "GET /say", func(ctx context.Context, _ struct{}) (struct{}, error) {
			for _, key := range logs.DefaultRedact() {
				key = strings.TrimPrefix(key, "*")
				app.Log.InfoContext(ctx, "said inside", key, canary, "header", http.Header{"X-" + key: {"shown"}, key: {canary}},
					"map", map[string]any{key: []string{canary}}, slog.Group("group", key, canary))
				app.Log.With(key, canary).WithGroup("open").WarnContext(ctx, "said inside", key, canary)
			}
			panic("at the end")
		}, op.Public()),
	}})
	h, err := app.Handler()
	if err != nil {
		t.Fatal(err)
	}
	r := newRequest(t, "/say")
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
	r.Header.Set("X-Request-Id", "a-request-of-mine")
	r.Header.Set("Authorization", "Bearer "+canary)
	r.Header.Set("Cookie", "session="+canary)
	if w := answered(h, r); w.Code != http.StatusInternalServerError {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := answered(h, newRequest(t, "/say?access_token="+canary)); w.Code != http.StatusUnprocessableEntity { // P11.13
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	text, counts := lines(), map[string]int{}
	if strings.Contains(text, canary) {
		t.Errorf("a secret is in the log:\n%s", text)
	}
	for line := range strings.Lines(text) {
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		msg, _ := got["msg"].(string)
		counts[msg]++
		switch msg {
		case "said inside", "panic", "request":
			if got["status"] == float64(http.StatusUnprocessableEntity) {
				continue // of the other request
			}
			if got["trace_id"] != "0af7651916cd43dd8448eb211c80319c" || got["request_id"] != "a-request-of-mine" {
				t.Errorf("does not name its request: %s", line)
			}
			if strings.Count(line, `"trace_id"`) != 1 {
				t.Errorf("names its trace more than once: %s", line)
			}
		}
	}
	if counts["said inside"] != 2*len(logs.DefaultRedact()) || counts["panic"] != 1 || counts["request"] != 2 {
		t.Errorf("lines: %v", counts)
	}
}

// TestAPanicLosesNoLine: Run writes the log out when it is left by a panic.
func TestAPanicLosesNoLine(t *testing.T) {
	t.Parallel()
	app, lines := logged(t)
	app.Mount(ashlar.Module{Name: "broken", Demo: func(context.Context) (string, error) {
		app.Log.Info("the last words")
		panic("demo")
	}})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_ = app.Run(t.Context())
	}()
	if text := lines(); !strings.Contains(text, "the last words") {
		t.Errorf("the log is %q", text)
	}
}

// elsewhere takes a copy of the log.
type elsewhere struct {
	mu     sync.Mutex
	text   strings.Builder
	closed bool
	fail   error
}

func (e *elsewhere) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		return 0, e.fail
	}
	return e.text.Write(p)
}

func (e *elsewhere) Close() error { e.closed = true; return nil }

func TestACopyOfTheLogIsJSONAndHidesTheSame(t *testing.T) {
	t.Parallel()
	app, lines := logged(t, "ASHLAR_LOG_FORMAT", "text")
	var there elsewhere
	app.CopyLog(&there, nil)
	app.CopyLog(nil, nil) // as where nothing is to be sent
	app.Log.Debug("not said")
	app.Log.With("token", "canary").WithGroup("g").Info("said", "password", "canary")
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	if text := lines(); !strings.Contains(text, "INFO  said token=*** g.password=***") {
		t.Errorf("the log is %q", text)
	}
	if text := there.text.String(); !strings.Contains(text, `"level":"INFO","msg":"said","token":"***","g":{"password":"***"}}`) ||
		strings.Count(text, "\n") != strings.Count(lines(), "\n") || !there.closed {
		t.Errorf("the copy is %q (closed: %t)", text, there.closed)
	}
}

func TestACopyThatFailsIsCounted(t *testing.T) {
	t.Parallel()
	app, lines := logged(t)
	there := elsewhere{fail: errors.New("unreachable")}
	app.CopyLog(&there, nil)
	app.Log.Info("said")
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(lines(), "said") {
		t.Error("the log itself suffers")
	}
	scrape := admin(t, app, "GET", "/metrics", "").Body.String()
	if want := "\nashlar_log_dropped_total 1\n"; !strings.Contains(scrape, want) {
		t.Errorf("no %q in the metrics", want)
	}
}

func TestACopyThatCannotBeIsReported(t *testing.T) {
	t.Parallel()
	app, _ := logged(t)
	wrong := errors.New("OTEL_LOGS_EXPORTER: is wrong")
	app.CopyLog(nil, wrong)
	if _, err := app.Handler(); !errors.Is(err, wrong) {
		t.Errorf("Handler = %v", err)
	}
}
