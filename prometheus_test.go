package ashlar_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/backing"
)

// program finds a program by the environment variable or in PATH. The test is
// skipped without it, unless ASHLAR_TEST_STRICT says that nothing may be.
func program(t *testing.T, name, variable string) string {
	t.Helper()
	path, err := exec.LookPath(cmp.Or(os.Getenv(variable), name))
	if err != nil {
		if os.Getenv("ASHLAR_TEST_STRICT") == "1" {
			t.Fatalf("%s is missing: %v", name, err)
		}
		t.Skipf("%s is missing; install it (Debian: prometheus) or name it in %s: %v", name, variable, err)
	}
	return path
}

// TestPromtoolFindsNothing: Prometheus's own linter has no remark on any
// metric's name, type, unit or help.
func TestPromtoolFindsNothing(t *testing.T) {
	t.Parallel()
	promtool := program(t, "promtool", "ASHLAR_TEST_PROMTOOL")
	app := measured(t)
	exercise(t, app)
	lint := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	lint.Stdin = strings.NewReader(scrape(t, app, textFormat))
	if out, err := lint.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// TestPrometheusAnswersAPercentile: a real server scrapes a real app and
// answers what is asked of it as a dashboard asks, from classic buckets and
// from native ones.
func TestPrometheusAnswersAPercentile(t *testing.T) {
	t.Parallel()
	binary := program(t, "prometheus", "ASHLAR_TEST_PROMETHEUS")
	app := start(t)
	defer app.stop(t)
	target := strings.TrimPrefix(app.admin, "http://")
	classic := startPrometheus(t, binary, target)
	native := startPrometheus(t, binary, target, "--enable-feature=native-histograms")
	const calls = 40
	for i := range calls {
		for _, path := range []string{"/hello/ann", "/hello/panic", "/nowhere/" + strconv.Itoa(i)} {
			fetch(t, app.public+path)
		}
	}

	const greeted = `{op="greetings.public",status="2xx"}`
	for _, c := range []struct {
		server prometheusServer
		query  string
		right  func(float64) bool
	}{
		{classic, `up{job="app"}`, func(v float64) bool { return v == 1 }},
		{classic, `http_server_requests_total{method="GET",op="greetings.public",status="2xx"}`, func(v float64) bool { return v == calls }},
		{classic, `histogram_quantile(0.99, sum by (le) (http_server_request_duration_seconds_bucket` + greeted + `))`, func(v float64) bool { return v > 0 && v < 5 }},
		{classic, `sum(http_server_requests_total{status="5xx"}) / sum(http_server_requests_total)`, func(v float64) bool { return v > 0.3 && v < 0.4 }},
		{classic, `sum(http_server_requests_total{op="unmatched"})`, func(v float64) bool { return v == calls }},
		{classic, `histogram_quantile(0.99, go_sched_latencies_seconds_bucket)`, func(v float64) bool { return v > 0 && v <= 1 }},
		{classic, `process_resident_memory_bytes`, func(v float64) bool { return v > 1<<20 }},
		{classic, `count(ashlar_build_info)`, func(v float64) bool { return v == 1 }},
		{native, `histogram_count(http_server_request_duration_seconds` + greeted + `)`, func(v float64) bool { return v == calls }},
		{native, `histogram_quantile(0.99, http_server_request_duration_seconds` + greeted + `)`, func(v float64) bool { return v > 0 && v < 5 }},
	} {
		c.server.awaits(t, c.query, c.right)
	}
}

type prometheusServer struct{ url string }

// startPrometheus runs a server that scrapes target every other second, which
// is what an answer may take on a busy machine, and ends with the test.
func startPrometheus(t *testing.T, binary, target string, flags ...string) prometheusServer {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global:\n  scrape_interval: 2s\n  scrape_timeout: 2s\nscrape_configs:\n  - job_name: app\n    static_configs:\n      - targets: [%q]\n", target)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	const tries = 5 // somebody else may be quicker at a port that was free
	for range tries {
		addr := "127.0.0.1:" + backing.Port(t)
		arguments := append([]string{"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + addr}, flags...)
		server := exec.Command(binary, arguments...)
		server.Stdout, server.Stderr = &out, &out
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- server.Wait() }()
		if ready(addr, done) {
			t.Cleanup(func() {
				_ = server.Process.Signal(syscall.SIGTERM)
				<-done
			})
			return prometheusServer{"http://" + addr}
		}
		_ = server.Process.Kill()
	}
	t.Fatalf("Prometheus does not start:\n%s", &out)
	return prometheusServer{}
}

// ready waits until the server answers; it does not when it ended.
func ready(addr string, done <-chan error) bool {
	for deadline := time.Now().Add(lost); time.Now().Before(deadline); {
		select {
		case <-done:
			return false
		case <-time.After(20 * time.Millisecond):
		}
		if r, err := http.Get("http://" + addr + "/-/ready"); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return true
			}
		}
	}
	return false
}

// awaits asks until the answer is one number that will do.
func (s prometheusServer) awaits(t *testing.T, query string, right func(float64) bool) {
	t.Helper()
	var body []byte
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		r, err := http.Get(s.url + "/api/v1/query?query=" + url.QueryEscape(query))
		if err != nil {
			t.Fatal(err)
		}
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
		if v, ok := number(body); ok && right(v) {
			return
		}
	}
	t.Fatalf("%s stays %s", query, body)
}

// number is the value in an answer that holds one.
func number(answer []byte) (float64, bool) {
	var a struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if json.Unmarshal(answer, &a) != nil || len(a.Data.Result) != 1 {
		return 0, false
	}
	text, _ := a.Data.Result[0].Value[1].(string)
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil
}
