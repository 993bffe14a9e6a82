package health_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/health"
)

func probe(t testing.TB, h http.Handler, path string) (int, health.Report) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	var r health.Report
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		t.Fatalf("%s answers %q: %v", path, w.Body, err)
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("%s may be cached: %q", path, got)
	}
	return w.Code, r
}

func passing(context.Context) error { return nil }

func TestLifeOfAProcess(t *testing.T) {
	t.Parallel()
	var checks health.Checks
	checks.Add("database", passing)
	h := checks.Handler()
	step := func(when string, live, startup, ready int, word health.Word) {
		t.Helper()
		for path, want := range map[string]int{"/livez": live, "/startupz": startup, "/readyz": ready} {
			if got, _ := probe(t, h, path); got != want {
				t.Errorf("%s: %s answers %d, want %d", when, path, got, want)
			}
		}
		if _, r := probe(t, h, "/readyz"); r.Status != word {
			t.Errorf("%s: ready says %q, want %q", when, r.Status, word)
		}
	}
	step("while starting", 200, 503, 503, health.Starting)
	checks.Started()
	step("started", 200, 200, 200, health.OK)
	checks.Draining()
	step("draining", 200, 200, 503, health.Draining)
}

func TestAFailingCheckIsNamedAndNothingMore(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	checks := health.Checks{Cache: -1, Log: slog.New(slog.NewJSONHandler(&log, nil))}
	var down atomic.Bool
	down.Store(true)
	checks.Add("database", func(context.Context) error {
		if down.Load() {
			return errors.New("dial tcp 10.0.0.7: password rejected")
		}
		return nil
	})
	checks.Add("cache", passing)
	checks.Started()
	h := checks.Handler()

	for range 3 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		if want := `{"status":"failing","checks":{"cache":"ok","database":"failing"}}`; w.Code != 503 || w.Body.String() != want {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if code, _ := probe(t, h, "/livez"); code != 200 {
		t.Errorf("a dependency takes /livez down: %d", code)
	}
	down.Store(false)
	if code, r := probe(t, h, "/readyz"); code != 200 || r.Checks["database"] != health.OK {
		t.Errorf("after recovery: %d %v", code, r)
	}
	if got := log.String(); strings.Count(got, "password rejected") != 1 || strings.Count(got, "passes again") != 1 {
		t.Errorf("the log does not tell each change once:\n%s", got)
	}
}

func TestAPanickingCheckFails(t *testing.T) {
	t.Parallel()
	var checks health.Checks
	checks.Add("odd", func(context.Context) error { panic("boom") })
	checks.Started()
	if r := checks.Ready(t.Context()); r.Checks["odd"] != health.Failing {
		t.Errorf("report %v", r)
	}
}

func TestResultsAreCachedAndShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var checks health.Checks
		var runs atomic.Int64
		checks.Add("database", func(context.Context) error {
			runs.Add(1)
			time.Sleep(100 * time.Millisecond)
			return nil
		})
		checks.Started()
		var probes sync.WaitGroup
		for range 50 {
			probes.Go(func() { checks.Ready(t.Context()) })
		}
		probes.Wait()
		if n := runs.Load(); n != 1 {
			t.Errorf("50 probes ran the check %d times", n)
		}
		time.Sleep(time.Second)
		checks.Ready(t.Context())
		if n := runs.Load(); n != 2 {
			t.Errorf("a second later it has run %d times", n)
		}
	})
}

func TestAHangingCheckTimesOutAndIsNotStacked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		checks := health.Checks{Timeout: time.Second, Cache: -1}
		var runs atomic.Int64
		free := make(chan struct{})
		checks.Add("hangs", func(context.Context) error { // deaf to its context
			runs.Add(1)
			<-free
			return nil
		})
		checks.Add("database", passing)
		checks.Started()
		start := time.Now()
		r := checks.Ready(t.Context())
		if took := time.Since(start); took != time.Second {
			t.Errorf("the probe took %v", took)
		}
		if r.Checks["hangs"] != health.TimedOut || r.Checks["database"] != health.OK || r.Status != health.Failing {
			t.Errorf("report %v", r)
		}
		checks.Ready(t.Context())
		if n := runs.Load(); n != 1 {
			t.Errorf("a hanging check was started %d times", n)
		}
		close(free)
		synctest.Wait()
		checks.Ready(t.Context()) // takes the late result
		if r := checks.Ready(t.Context()); r.Status != health.OK || runs.Load() != 2 {
			t.Errorf("after it came back: %v, %d runs", r, runs.Load())
		}
	})
}

func TestAGoneProberDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	var checks health.Checks
	checks.Add("database", func(ctx context.Context) error { return ctx.Err() })
	checks.Started()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if r := checks.Ready(gone); r.Status != health.OK {
		t.Errorf("report %v", r)
	}
}

func TestAddReplacesAndTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	var checks health.Checks
	checks.Add("database", func(context.Context) error { return errors.New("down") })
	checks.Started()
	if r := checks.Ready(t.Context()); r.Status != health.Failing {
		t.Fatalf("report %v", r)
	}
	checks.Add("database", passing)
	if r := checks.Ready(t.Context()); r.Status != health.OK || len(r.Checks) != 1 {
		t.Errorf("report %v", r)
	}
}

func TestOtherMethodsAndPaths(t *testing.T) {
	t.Parallel()
	h := new(health.Checks).Handler()
	for request, want := range map[string]int{"POST /readyz": 405, "GET /": 404, "HEAD /livez": 200} {
		method, path, _ := strings.Cut(request, " ")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != want {
			t.Errorf("%s answers %d, want %d", request, w.Code, want)
		}
	}
}

func BenchmarkReady(b *testing.B) {
	var checks health.Checks
	checks.Add("database", passing)
	checks.Started()
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		checks.Ready(ctx)
	}
}

// What the process can do without shows, and costs it no request.
func TestAWatchedCheckDegrades(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	checks := health.Checks{Cache: -1, Log: slog.New(slog.NewJSONHandler(&log, nil))}
	var down atomic.Bool
	checks.Add("database", passing)
	checks.Watch("redis", func(context.Context) error {
		if down.Load() {
			return errors.New("redis is away")
		}
		return nil
	})
	checks.Started()
	h := checks.Handler()
	for _, c := range []struct {
		down bool
		want string
	}{
		{false, `{"status":"ok","checks":{"database":"ok","redis":"ok"}}`},
		{true, `{"status":"ok","checks":{"database":"ok","redis":"degraded"}}`},
		{false, `{"status":"ok","checks":{"database":"ok","redis":"ok"}}`},
	} {
		down.Store(c.down)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		if w.Code != 200 || w.Body.String() != c.want {
			t.Errorf("%d %s, want %s", w.Code, w.Body, c.want)
		}
	}
	if log.Len() != 0 {
		t.Errorf("logged %s", log.String())
	}
}
