//go:build !race

// The race detector makes sync.Pool forget, so allocations are only exact
// without it.

package ashlar

import (
	"net/http"
	"testing"
)

// TestMetricsAllocateNothing: what metrics cost a request is time alone, for
// successes, failures and methods that a caller made up.
func TestMetricsAllocateNothing(t *testing.T) {
	for _, c := range []struct {
		method string
		status int
	}{{http.MethodGet, 200}, {http.MethodPost, 201}, {http.MethodGet, 404}, {http.MethodGet, 500}, {"BREW", 405}} {
		count := func(counted bool) float64 {
			return testing.AllocsPerRun(500, observed(t, counted, c.method, c.status))
		}
		if on, off := count(true), count(false); on != off {
			t.Errorf("%s %d: %v allocations with metrics, %v without", c.method, c.status, on, off)
		}
	}
}
