package ashlar_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// health runs the command against an admin listener.
func health(t *testing.T, admin string, args ...string) (out string, code int) {
	t.Helper()
	if !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--timeout") }) {
		args = append(slices.Clip(args), "--timeout=1m") // the machine may be busy
	}
	cmd := app(t, "good", []string{"ASHLAR_ADMIN_ADDR=" + admin}, append([]string{"health"}, args...)...)
	return output(t, cmd)
}

func TestHealthAsksTheAppThatServes(t *testing.T) {
	t.Parallel()
	s := start(t)
	at := strings.TrimPrefix(s.admin, "http://")
	for _, args := range [][]string{nil, {"--live"}} {
		if out, code := health(t, at, args...); code != 0 || !strings.Contains(out, `{"status":"ok"`) || strings.Count(out, "\n") != 1 {
			t.Errorf("health %v of an app that serves: %d %q", args, code, out)
		}
	}
	_, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	for _, everywhere := range []string{":" + port, "0.0.0.0:" + port} {
		if out, code := health(t, everywhere); code != 0 {
			t.Errorf("who listens at %s is asked on loopback: %d %q", everywhere, code, out)
		}
	}
	if out, code := health(t, "127.0.0.1:1", "--admin-addr="+at); code != 0 {
		t.Errorf("the flag wins over the variable: %d %q", code, out)
	}
	// What platforms ask that reach the public port only: deploy/ names it.
	if res, err := http.Get(s.public + "/problems/not-found"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("a page that every app has: %v %v", res, err)
	}
	s.stop(t)
	if out, code := health(t, at); code != 1 || !strings.Contains(out, "refused") || strings.Count(out, "\n") != 1 {
		t.Errorf("health of an app that has stopped: %d %q", code, out)
	}
}

// TestHealthSaysWhatIsWrong: each in one line that says what was asked and
// what the answer was, and each with 1.
func TestHealthSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(503)
		_, _ = w.Write([]byte("{\"status\":\"failing\",\n\"checks\":{\"database\":\"timeout\"}}\n"))
	})
	failing := httptest.NewServer(mux)
	defer failing.Close()
	away := httptest.NewServer(http.RedirectHandler(failing.URL+"/livez", http.StatusFound))
	defer away.Close()
	released := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-released }))
	defer slow.Close()
	defer close(released)
	addr := func(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "http://") }

	if out, code := health(t, addr(failing), "--live"); code != 0 {
		t.Errorf("alive but not ready: %d %q", code, out)
	}
	for _, c := range []struct {
		admin string
		args  []string
		want  string
	}{
		{addr(failing), nil, `/readyz: 503 Service Unavailable: {"status":"failing", "checks":{"database":"timeout"}}`},
		{addr(away), []string{"--live"}, "302 Found"},
		{addr(slow), []string{"--timeout=50ms"}, "deadline exceeded"},
		{"nowhere", nil, "ASHLAR_ADMIN_ADDR: address nowhere: missing port"},
	} {
		if out, code := health(t, c.admin, c.args...); code != 1 || !strings.Contains(out, c.want) || strings.Count(out, "\n") != 1 {
			t.Errorf("health %v at %s: %d %q, want %q", c.args, c.admin, code, out, c.want)
		}
	}
}

// TestHealthNeedsNoSettings: whether the rest is right is for the app that
// serves to say.
func TestHealthNeedsNoSettings(t *testing.T) {
	t.Parallel()
	live := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer live.Close()
	cmd := app(t, "good", []string{
		"ASHLAR_ADMIN_ADDR=" + strings.TrimPrefix(live.URL, "http://"),
		"ASHLAR_ENV=production", "DATABASE_URL=nonsense",
	}, "health", "--timeout=1m")
	began := time.Now()
	if out, code := output(t, cmd); code != 0 {
		t.Errorf("%d %q after %s", code, out, time.Since(began))
	}
}
