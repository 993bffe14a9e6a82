package ashlar

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/metric"
	"github.com/ashlar-go/ashlar/serve"
)

// answer is a response that costs nothing.
type answer struct{ header http.Header }

func (a answer) Header() http.Header       { return a.header }
func (answer) Write(b []byte) (int, error) { return len(b), nil }
func (answer) WriteHeader(int)             {}

// observed is a request through the observer to a handler that answers at
// once, counted or not.
func observed(tb testing.TB, counted bool, method string, status int) func() {
	tb.Helper()
	h := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if s := scope.From(w); status >= 400 {
			s.Code = "not_found"
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("Hello"))
	}))
	var o serve.Observer
	if counted {
		m, err := newMeters(metric.New())
		if err != nil {
			tb.Fatal(err)
		}
		o.Done = m.done
		h = m.meter("payments.get", h, http.MethodGet)
	}
	h = serve.Observe(h, o)
	r, w := httptest.NewRequest(method, "/payments/pay_1", nil), answer{http.Header{}}
	r.ContentLength = 100
	return func() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

func BenchmarkMetrics(b *testing.B) {
	for _, c := range []struct {
		name    string
		counted bool
	}{{"off", false}, {"on", true}} {
		b.Run(c.name, func(b *testing.B) {
			get := observed(b, c.counted, http.MethodGet, http.StatusOK)
			b.ReportAllocs()
			for b.Loop() {
				get()
			}
		})
	}
}

// BenchmarkDone is what a request pays for its metrics, without the request.
func BenchmarkDone(b *testing.B) {
	m, err := newMeters(metric.New())
	if err != nil {
		b.Fatal(err)
	}
	s := scope.New(context.Background())
	h := m.meter("payments.get", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), http.MethodGet)
	var w http.ResponseWriter = scoped{answer{}, s}
	x := serve.Exchange{Method: http.MethodGet, Status: http.StatusOK, Bytes: 500, Duration: 1_000_000}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, nil)
		m.done(s, x)
	}
}

type scoped struct {
	answer

	s *scope.Scope
}

func (w scoped) Scope() *scope.Scope { return w.s }

// TestClassesAndMethods holds what the labels of any request can be.
func TestClassesAndMethods(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{0: "aborted", 99: "aborted", 101: "1xx", 204: "2xx", 304: "3xx", 404: "4xx", 499: "4xx", 503: "5xx", 600: "aborted", -1: "aborted"} {
		if got := classNames[classIndex(status)]; got != want {
			t.Errorf("status %d counts as %s, not as %s", status, got, want)
		}
	}
	for i, method := range methodNames {
		if got := methodIndex(method); got != i {
			t.Errorf("%s counts as %s", method, methodNames[got])
		}
	}
	for _, method := range []string{"", "get", "GET ", "BREW", "_OTHER"} {
		if methodIndex(method) != 0 {
			t.Errorf("%q is told apart", method)
		}
	}
}

// TestCodesAreBounded: an operation that answers ever new codes, which should
// be constants, adds a hundred of them and no more.
func TestCodesAreBounded(t *testing.T) {
	t.Parallel()
	r := metric.New()
	m, err := newMeters(r)
	if err != nil {
		t.Fatal(err)
	}
	e := m.endpoint("payments.get")
	var counting sync.WaitGroup
	for range 4 {
		counting.Go(func() {
			for i := range 300 {
				e.fault("code_" + strconv.Itoa(i)).Inc()
			}
		})
	}
	counting.Wait()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	codes, sum := 0, 0.
	for line := range strings.Lines(w.Body.String()) {
		if rest, ok := strings.CutPrefix(line, `ashlar_faults_total{code="`); ok {
			v, err := strconv.ParseFloat(strings.Fields(rest)[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			codes++
			sum += v
		}
	}
	if codes != maxCodes+1 || sum != 1200 {
		t.Errorf("%d codes with %v faults in all, want %d with 1200", codes, sum, maxCodes+1)
	}
}

// BenchmarkScrape is what Prometheus costs an app of sixty operations, all of
// which have answered in every class.
func BenchmarkScrape(b *testing.B) {
	r := metric.New()
	m, err := newMeters(r)
	if err != nil {
		b.Fatal(err)
	}
	for i := range 60 {
		e := m.endpoint("module.operation_"+strconv.Itoa(i), http.MethodGet)
		for class := success; class <= serverFault; class++ {
			for ms := range 200 {
				e.time(class).Observe(float64(ms) / 1000)
			}
		}
	}
	h, request := r.Handler(), httptest.NewRequest("GET", "/metrics", nil)
	size := 0
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request)
		size = w.Body.Len()
	}
	b.ReportMetric(float64(size)/1024, "KiB/scrape")
}
