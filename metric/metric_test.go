package metric_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/metric"
)

// scrape returns what a Prometheus server reads.
func scrape(t testing.TB, r *metric.Registry, accept string) string {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	req.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, req)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// has expects whole lines of a scrape.
func has(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
}

func TestEveryKindIsShown(t *testing.T) {
	t.Parallel()
	r := metric.New()
	paid := must[*metric.Family[metric.Counter]](t)(r.Counter("payments_total", "Payments.", "currency", "state"))
	open := must[*metric.Family[metric.Gauge]](t)(r.Gauge("connections", "Open connections."))
	took := must[*metric.Family[metric.Histogram]](t)(r.Histogram("payment_seconds", "Time taken.", []float64{0.1, 1}, "op"))
	if err := r.GaugeFunc("pool_size", "Pool.", func() float64 { return 7 }); err != nil {
		t.Fatal(err)
	}

	paid.With("EUR", "captured").Inc()
	paid.With("EUR", "captured").Add(2)
	paid.With("EUR", "captured").Add(-5)
	paid.With("GBP", "refunded").Inc()
	open.With().Set(4)
	open.With().Inc()
	open.With().Dec()
	open.With().Add(-1)
	took.With("get").Observe(0.05)
	took.With("get").ObserveDuration(2 * time.Second)

	has(t, scrape(t, r, "text/plain"),
		`payments_total{currency="EUR",state="captured"} 3`,
		`payments_total{currency="GBP",state="refunded"} 1`,
		`connections 3`, `pool_size 7`,
		`payment_seconds_bucket{op="get",le="0.1"} 1`, `payment_seconds_bucket{op="get",le="1"} 1`,
		`payment_seconds_bucket{op="get",le="+Inf"} 2`, `payment_seconds_sum{op="get"} 2.05`)
	if open := scrape(t, r, "application/openmetrics-text; version=1.0.0"); !strings.HasSuffix(open, "# EOF\n") {
		t.Errorf("OpenMetrics is not spoken: …%s", open[max(0, len(open)-40):])
	}
}

func TestEveryProcessHas(t *testing.T) {
	t.Parallel()
	text := scrape(t, metric.New(), "text/plain")
	has(t, text, fmt.Sprintf("go_sched_gomaxprocs_threads %d", runtime.GOMAXPROCS(0)))
	for _, want := range []string{"\ngo_gc_gomemlimit_bytes ", "\ngo_goroutines ", "\nashlar_build_info{", `go="` + runtime.Version() + `"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in the scrape", want)
		}
	}
}

// TestTheRuntimeTellsOfWaits: a goroutine's wait for a processor and the
// collector's pauses are there, in buckets fine enough for a percentile.
func TestTheRuntimeTellsOfWaits(t *testing.T) {
	t.Parallel()
	runtime.GC()
	text := scrape(t, metric.New(), "text/plain")
	for _, name := range []string{"go_sched_latencies_seconds", "go_sched_pauses_total_gc_seconds"} {
		if n := strings.Count(text, "\n"+name+"_bucket{"); n < 15 {
			t.Errorf("%s has %d buckets", name, n)
		}
		if strings.Contains(text, "\n"+name+"_count 0\n") {
			t.Errorf("%s counts nothing", name)
		}
	}
}

func TestFuncsAreReadWhenAskedFor(t *testing.T) {
	t.Parallel()
	r := metric.New()
	value := 1.
	for _, state := range []string{"idle", "used"} {
		label := metric.Label{Name: "state", Value: state}
		if err := r.GaugeFunc("connections", "Connections.", func() float64 { return value }, label); err != nil {
			t.Fatal(err)
		}
		if err := r.CounterFunc("waits_total", "Waits.", func() float64 { return 2 * value }, label); err != nil {
			t.Fatal(err)
		}
		if err := r.CounterFunc("waits_total", "Waits.", func() float64 { return 0 }, label); err == nil {
			t.Error("the same labels can be declared twice")
		}
	}
	has(t, scrape(t, r, "text/plain"), `connections{state="idle"} 1`, `connections{state="used"} 1`, `waits_total{state="idle"} 2`)
	value = 5
	has(t, scrape(t, r, "text/plain"), `connections{state="idle"} 5`, `waits_total{state="used"} 10`)
	if err := r.CounterFunc("waits", "Waits.", func() float64 { return 0 }); err == nil {
		t.Error("a counter need not end in _total")
	}
}

func TestDeclaredValuesDoNotCountAgainstTheBound(t *testing.T) {
	t.Parallel()
	r := metric.New()
	c := must[*metric.Family[metric.Counter]](t)(r.Counter("calls_total", "Calls.", "op"))
	for i := range metric.MaxChildren + 10 {
		c.Declare(fmt.Sprint("op-", i)).Inc()
	}
	c.Declare("op-1").Inc()
	c.With("op-1").Inc()
	c.Declare("two", "values").Inc()
	text := scrape(t, r, "text/plain")
	has(t, text, `calls_total{op="op-1"} 3`, `calls_total{op="op-1009"} 1`, `calls_total{op="other"} 1`)
	if n := strings.Count(text, "\ncalls_total{"); n != metric.MaxChildren+11 {
		t.Errorf("%d children, want %d and other", n, metric.MaxChildren+10)
	}
}

const openMetrics = "application/openmetrics-text; version=1.0.0"

// TestExemplars: the way from a slow bucket to a trace, and nothing that a
// caller sends can break it.
func TestExemplars(t *testing.T) {
	t.Parallel()
	r := metric.New()
	h := must[*metric.Family[metric.Histogram]](t)(r.Histogram("took_seconds", "Time.", []float64{1, 10}, "op")).With("get")
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	h.ObserveTraced(2, id)
	for _, bad := range []string{"", strings.Repeat("a", 500), "bad\xff", "line\n"} {
		h.ObserveTraced(0.5, bad)
	}
	text := scrape(t, r, openMetrics)
	if !strings.Contains(text, `took_seconds_bucket{op="get",le="10.0"} 5 # {trace_id="`+id+`"} 2.0`) {
		t.Errorf("no exemplar:\n%s", text)
	}
	if n := strings.Count(text, "trace_id"); n != 1 {
		t.Errorf("%d exemplars", n)
	}
	if strings.Contains(scrape(t, r, "text/plain"), id) {
		t.Error("the text format has exemplars, which it cannot")
	}
}

// TestUnits: OpenMetrics names the unit that a name ends in.
func TestUnits(t *testing.T) {
	t.Parallel()
	r := metric.New()
	must[*metric.Family[metric.Histogram]](t)(r.Histogram("took_seconds", "Time.", []float64{1}))
	must[*metric.Family[metric.Counter]](t)(r.Counter("read_bytes_total", "Read."))
	must[*metric.Family[metric.Gauge]](t)(r.Gauge("load_ratio", "Load."))
	must[*metric.Family[metric.Gauge]](t)(r.Gauge("people", "People."))
	text := scrape(t, r, openMetrics)
	has(t, text, "# UNIT took_seconds seconds", "# UNIT read_bytes bytes", "# UNIT load_ratio ratio")
	if strings.Contains(text, "# UNIT people") {
		t.Error("people have a unit")
	}
}

// TestNativeHistograms are there for who asks for the protobuf form.
func TestNativeHistograms(t *testing.T) {
	t.Parallel()
	size := func(name string) int {
		r := metric.New()
		h := must[*metric.Family[metric.Histogram]](t)(r.Histogram(name, "Help.", []float64{1000})).With()
		before := len(scrape(t, r, protobuf))
		for i := range 50 {
			h.Observe(float64(i + 1))
		}
		return len(scrape(t, r, protobuf)) - before
	}
	if seconds, bytes := size("a_seconds"), size("a_bytes"); seconds < bytes+50 {
		t.Errorf("fifty values added %d bytes to a histogram of seconds and %d to another: no native buckets", seconds, bytes)
	}
}

const protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

func TestUnknownValuesAreBounded(t *testing.T) {
	t.Parallel()
	r := metric.New()
	seen := must[*metric.Family[metric.Counter]](t)(r.Counter("seen_total", "Seen.", "who", "what"))
	for i := range metric.MaxChildren + 50 {
		seen.With(fmt.Sprint("user-", i), "x").Inc()
	}
	seen.With("user-0", "x").Inc() // known ones go on
	seen.With("too few").Inc()
	seen.With("too", "many", "values").Inc()

	text := scrape(t, r, "text/plain")
	has(t, text, `seen_total{what="x",who="user-0"} 2`, `seen_total{what="other",who="other"} 52`,
		`ashlar_metric_refused_total{family="seen_total"} 52`)
	if n := strings.Count(text, "\nseen_total{"); n != metric.MaxChildren+1 {
		t.Errorf("%d children, want %d and other", n, metric.MaxChildren)
	}
}

func TestAFamilyWithoutLabelsHasOneChild(t *testing.T) {
	t.Parallel()
	r := metric.New()
	jobs := must[*metric.Family[metric.Counter]](t)(r.Counter("jobs_total", "Jobs."))
	has(t, scrape(t, r, "text/plain"), "jobs_total 0") // there before it counts
	jobs.With("stray").Inc()
	jobs.With().Inc()
	has(t, scrape(t, r, "text/plain"), "jobs_total 2", `ashlar_metric_refused_total{family="jobs_total"} 1`)
}

func TestHostileLabelValues(t *testing.T) {
	t.Parallel()
	r := metric.New()
	c := must[*metric.Family[metric.Counter]](t)(r.Counter("a_total", "A.", "x", "y"))
	c.With("bad\xff", "line\n\"").Inc()
	c.With("a", "bc").Inc()
	c.With("ab", "c").Inc()
	has(t, scrape(t, r, "text/plain;escaping=allow-utf-8"),
		"a_total{x=\"bad\ufffd\",y=\"line\\n\\\"\"} 1", `a_total{x="a",y="bc"} 1`, `a_total{x="ab",y="c"} 1`)
}

func TestDeclarationMistakes(t *testing.T) {
	t.Parallel()
	r := metric.New()
	if _, err := r.Gauge("taken", "Taken."); err != nil {
		t.Fatal(err)
	}
	counter := func(name, help string, labels ...string) error {
		_, err := r.Counter(name, help, labels...)
		return err
	}
	gauge := func(name string) error { _, err := r.Gauge(name, "Help."); return err }
	histogram := func(buckets ...float64) error { _, err := r.Histogram("h_seconds", "Help.", buckets); return err }
	for want, err := range map[string]error{
		`metric taken: the name is taken`:                                   gauge("taken"),
		`metric go_goroutines: the name is taken`:                           r.GaugeFunc("go_goroutines", "Number of goroutines that currently exist.", nil),
		`metric "Upper_total": a name is lower-case words, joined by _`:     counter("Upper_total", "Help."),
		`metric "": a name is lower-case words, joined by _`:                counter("", "Help."),
		`metric "a__b_total": a name is lower-case words, joined by _`:      counter("a__b_total", "Help."),
		`metric a_total: has no help`:                                       counter("a_total", " "),
		`metric payments: a counter's name ends in _total`:                  counter("payments", "Help."),
		`metric payments_total: only a counter's name ends in _total`:       gauge("payments_total"),
		`metric wait_ms: times are in seconds`:                              gauge("wait_ms"),
		`metric waited_minutes_total: times are in seconds`:                 counter("waited_minutes_total", "Help."),
		`metric heap_mb: sizes are in bytes`:                                gauge("heap_mb"),
		`metric load_percent: shares are a ratio from 0 to 1`:               gauge("load_percent"),
		`metric thing_count: Prometheus keeps the ending _count for itself`: gauge("thing_count"),
		`metric a_total: "le" is no usable label, or there twice`:           counter("a_total", "Help.", "le"),
		`metric b_total: "x" is no usable label, or there twice`:            counter("b_total", "Help.", "x", "x"),
		`metric c_total: "__name" is no usable label, or there twice`:       counter("c_total", "Help.", "__name"),
		`metric h_seconds: has no buckets`:                                  histogram(),
		`metric h_seconds: buckets must be finite and ascend`:               histogram(1, 1),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := histogram(1, math.Inf(1)); err == nil {
		t.Error("an infinite bucket is accepted")
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	r := metric.New()
	c := must[*metric.Family[metric.Counter]](t)(r.Counter("hits_total", "Hits.", "n"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 500 {
				c.With(fmt.Sprint(i % 20)).Inc()
			}
			scrape(t, r, "text/plain")
		})
	}
	wg.Wait()
	has(t, scrape(t, r, "text/plain"), `hits_total{n="0"} 200`, `hits_total{n="19"} 200`)
}

func TestNoAllocationPerEvent(t *testing.T) {
	r := metric.New()
	c := must[*metric.Family[metric.Counter]](t)(r.Counter("c_total", "C.", "op", "status"))
	h := must[*metric.Family[metric.Histogram]](t)(r.Histogram("h_seconds", "H.", metric.Latency(), "op"))
	counted, timed := c.With("payments.get", "200"), h.With("payments.get")
	if n := testing.AllocsPerRun(100, func() {
		counted.Inc()
		timed.ObserveDuration(time.Millisecond)
		c.With("payments.get", "200").Inc()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkResolvedChildren(b *testing.B) {
	r := metric.New()
	c := must[*metric.Family[metric.Counter]](b)(r.Counter("c_total", "C.", "op")).With("payments.get")
	h := must[*metric.Family[metric.Histogram]](b)(r.Histogram("h_seconds", "H.", metric.Latency(), "op")).With("payments.get")
	b.ReportAllocs()
	for b.Loop() {
		c.Inc()
		h.ObserveDuration(3 * time.Millisecond)
	}
}

func BenchmarkWith(b *testing.B) {
	r := metric.New()
	c := must[*metric.Family[metric.Counter]](b)(r.Counter("c_total", "C.", "op", "status"))
	b.ReportAllocs()
	for b.Loop() {
		c.With("payments.get", "200").Inc()
	}
}
