package trace_test

import (
	"testing"

	"github.com/ashlar-go/ashlar/trace"
)

// share is the part of many traces that is sampled.
func share(tr *trace.Tracer, parent, trusted, flag bool) float64 {
	const n = 20_000
	sampled := 0
	for range n {
		if tr.Sample(trace.New().WithSampled(flag), parent, trusted) {
			sampled++
		}
	}
	return float64(sampled) / n
}

func TestSamplers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, arg             string
		root, yes, no, forged float64 // without a parent, a trusted one who did, who did not, a stranger who says so
	}{
		{"", "", 0.01, 1, 0, 0.01},
		{"always_on", "", 1, 1, 1, 1},
		{"always_off", "", 0, 0, 0, 0},
		{"traceidratio", "0.25", 0.25, 0.25, 0.25, 0.25},
		{"parentbased_always_on", "", 1, 1, 0, 1},
		{"parentbased_always_off", "", 0, 1, 0, 0},
		{"parentbased_traceidratio", "0.25", 0.25, 1, 0, 0.25},
		{"parentbased_traceidratio", "", 1, 1, 0, 1},
		{"parentbased_traceidratio", "1", 1, 1, 0, 1},
		{"traceidratio", "0", 0, 0, 0, 0},
	} {
		s, err := trace.ParseSampler(tc.name, tc.arg)
		if err != nil {
			t.Fatal(err)
		}
		tr, _ := tracer(t, trace.Options{Sampler: s})
		for what, got := range map[string][2]float64{
			"no parent":              {share(tr, false, false, true), tc.root},
			"a parent who did":       {share(tr, true, true, true), tc.yes},
			"a parent who did not":   {share(tr, true, true, false), tc.no},
			"a stranger who did":     {share(tr, true, false, true), tc.forged},
			"a stranger who did not": {share(tr, true, false, false), tc.forged},
		} {
			if got[0] < got[1]-0.02 || got[0] > got[1]+0.02 || got[1] == 0 && got[0] != 0 || got[1] == 1 && got[0] != 1 {
				t.Errorf("%s %s, %s: a share of %v is sampled, not %v", tc.name, tc.arg, what, got[0], got[1])
			}
		}
	}
	for _, bad := range [][2]string{{"jaeger_remote", ""}, {"traceidratio", "2"}, {"traceidratio", "-1"}, {"traceidratio", "NaN"}, {"traceidratio", "x"}} {
		if _, err := trace.ParseSampler(bad[0], bad[1]); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
	// Two instances agree about a trace, and a stranger's choice of id does not
	// choose for us.
	a, _ := tracer(t, trace.Options{Sampler: trace.Ratio(0.5)})
	b, _ := tracer(t, trace.Options{Sampler: trace.Ratio(0.5)})
	chosen, n := trace.Context{TraceID: [16]byte{15: 1}, SpanID: [8]byte{1}}, 0
	for range 1000 {
		if c := trace.New(); a.Sample(c, false, false) != b.Sample(c, false, false) {
			t.Fatal("two instances disagree")
		}
		if a.Sample(chosen, true, false) {
			n++
		}
	}
	if n < 400 || n > 600 {
		t.Errorf("a stranger's id is sampled %d times of 1000 at a share of one half", n)
	}
	var none *trace.Tracer
	if c := trace.New().WithSampled(true); none.Sample(c, true, false) || none.Sample(c, false, true) || !none.Sample(c, true, true) {
		t.Error("without a tracer a stranger's flag is passed on, or a friend's is not")
	}
}
