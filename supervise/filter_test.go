package supervise_test

import (
	"testing"

	"github.com/ashlar-go/ashlar/supervise"
)

func TestLinesAreFiltered(t *testing.T) {
	t.Parallel()
	const (
		jsonLine = `{"time":"2026-01-02T03:04:05Z","level":"WARN","msg":"request","op":"payments.capture","trace_id":"4bf92f"}` + "\n"
		textLine = "03:04:05.000 WARN request op=payments.capture trace_id=4bf92f\n"
		slogLine = "time=2026-01-02T03:04:05Z level=WARN msg=request op=payments.capture trace_id=4bf92f\n"
		crash    = "panic: boom\n"
	)
	for name, c := range map[string]struct {
		filter supervise.Filter
		want   bool
		crash  bool
	}{
		"all":                     {supervise.Filter{}, true, true},
		"this level":              {supervise.Filter{Level: "warn"}, true, false},
		"a lower level":           {supervise.Filter{Level: "info"}, true, false},
		"a higher level":          {supervise.Filter{Level: "error"}, false, false},
		"its operation":           {supervise.Filter{Operation: "payments.capture"}, true, false},
		"operations of a module":  {supervise.Filter{Operation: "payments"}, true, false},
		"half a name":             {supervise.Filter{Operation: "pay"}, false, false},
		"its trace":               {supervise.Filter{Trace: "4bf92f"}, true, false},
		"another trace":           {supervise.Filter{Trace: "4bf92e"}, false, false},
		"its worker":              {supervise.Filter{Worker: 1}, true, true},
		"another worker":          {supervise.Filter{Worker: 2}, false, false},
		"all that fits but one":   {supervise.Filter{Level: "warn", Operation: "payments", Trace: "x"}, false, false},
		"a level that is unknown": {supervise.Filter{Level: "loud"}, false, false},
	} {
		for _, line := range []string{jsonLine, textLine, slogLine} {
			if got := supervise.Fits(c.filter, line); got != c.want {
				t.Errorf("%s: %v for %s", name, got, line)
			}
		}
		if got := supervise.Fits(c.filter, crash); got != c.crash {
			t.Errorf("%s: %v for a panic", name, got)
		}
	}
	if err := (supervise.Filter{Level: "loud"}).Check(); err == nil {
		t.Error("a level that is unknown is taken")
	}
}
