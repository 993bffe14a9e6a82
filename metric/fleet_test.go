package metric_test

import (
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/metric"
)

// process is a registry as one process of a fleet has it.
func process(t *testing.T, currency string, n float64) *metric.Registry {
	t.Helper()
	r := metric.New()
	c, err := r.Counter("payments_total", "Payments.", "currency")
	if err != nil {
		t.Fatal(err)
	}
	g, err := r.Gauge("queue_items", "Waiting.")
	if err != nil {
		t.Fatal(err)
	}
	h, err := r.Histogram("wait_seconds", "Waits.", []float64{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	c.With(currency).Add(n)
	c.With("all").Add(n)
	g.With().Set(n)
	h.With().Observe(n)
	return r
}

func snapshot(t *testing.T, r *metric.Registry) []byte {
	t.Helper()
	b, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAFleetCountsAsOne(t *testing.T) {
	t.Parallel()
	var fleet metric.Fleet
	if err := fleet.End(snapshot(t, process(t, "EUR", 10))); err != nil {
		t.Fatal(err)
	}
	if err := fleet.End(snapshot(t, process(t, "GBP", 1.5))); err != nil {
		t.Fatal(err)
	}
	one, two, leaving := process(t, "EUR", 1), process(t, "USD", 2), process(t, "USD", 0.5)
	h := fleet.Handler(metric.New(), func(context.Context) []metric.Part {
		return []metric.Part{{"1", snapshot(t, one)}, {"2", snapshot(t, two)}, {"2", snapshot(t, leaving)}}
	})
	show := func() string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		body, err := io.ReadAll(w.Body)
		if err != nil || w.Code != 200 {
			t.Fatal(w.Code, string(body), err)
		}
		return string(body)
	}
	text := show()
	for _, want := range []string{
		`payments_total{currency="EUR"} 11`, `payments_total{currency="GBP"} 1.5`, `payments_total{currency="USD"} 2.5`, `payments_total{currency="all"} 15`,
		`queue_items{worker="1"} 1`, `queue_items{worker="2"} 2`,
		`wait_seconds_bucket{le="1"} 2`, `wait_seconds_bucket{le="2"} 4`, `wait_seconds_bucket{le="+Inf"} 5`, `wait_seconds_sum 15`, `wait_seconds_count 5`,
		`go_goroutines{worker="parent"}`, `go_gc_duration_seconds_count{worker="1"}`, `# HELP payments_total Payments.`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	if again := show(); !strings.Contains(again, `payments_total{currency="all"} 15`) {
		t.Error("to be asked changes the counters")
	}
	if err := fleet.End([]byte("no snapshot")); err == nil {
		t.Error("nonsense was taken for a snapshot")
	}
}
