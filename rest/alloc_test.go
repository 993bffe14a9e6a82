//go:build !race

// The race detector makes sync.Pool forget, so allocations are only exact
// without it.

package rest_test

import "testing"

// TestAllocationsOfAPost holds what a validated POST costs: the scope and the
// body are the request's own, and a map takes what it takes.
func TestAllocationsOfAPost(t *testing.T) {
	h := typed(t)
	for _, c := range []struct {
		what, body string
		want       float64
	}{
		{"twelve members", bodyWithoutMap + "}", 2},
		{"with a map of five", paymentBody, 4},
	} {
		caller := newCaller(c.body)
		if got := testing.AllocsPerRun(200, func() { caller.call(t, h) }); got != c.want {
			t.Errorf("%s: a POST costs %v allocations, not %v", c.what, got, c.want)
		}
	}
}
