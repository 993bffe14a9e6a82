package ashlar_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/outbound"
	"github.com/ashlar-go/ashlar/outbound/outboundtest"
)

// TestDependenciesAreSeen: calls, tries, refusals and the breaker, under the
// dependency's name; and a line in the log when the breaker moves.
func TestDependenciesAreSeen(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	bank := outbound.NewPolicy(outbound.PolicyConfig{Name: "bank", Retry: outbound.Retry{Wait: 1}, Breaker: outbound.Breaker{Minimum: 4}})
	app.Dependency(bank)
	furnish(t, app)

	fail := func(context.Context) (int, error) { return 0, errors.New("no line") }
	fine := func(context.Context) (int, error) { return 1, nil }
	if _, err := outbound.Call(t.Context(), bank, fine); err != nil {
		t.Fatal(err)
	}
	for range 3 { // three tries, one that opens, one that is refused
		_, err := outbound.Call(t.Context(), bank, fail)
		if status := fault.ProblemOf(err, "").Status; status != 502 && status != 503 {
			t.Errorf("%v is %d", err, status)
		}
	}
	shows(t, app, map[string]float64{
		`ashlar_dependency_calls_total{dependency="bank",outcome="succeeded"}`:        1,
		`ashlar_dependency_calls_total{dependency="bank",outcome="failed"}`:           1,
		`ashlar_dependency_calls_total{dependency="bank",outcome="refused"}`:          2,
		`ashlar_dependency_calls_total{dependency="bank",outcome="busy"}`:             0,
		`ashlar_dependency_tries_total{dependency="bank"}`:                            4,
		`ashlar_dependency_calls_active{dependency="bank"}`:                           0,
		`ashlar_dependency_breaker{dependency="bank",state="open"}`:                   1,
		`ashlar_dependency_breaker{dependency="bank",state="closed"}`:                 0,
		`ashlar_dependency_breaker_opened_total{dependency="bank"}`:                   1,
		`ashlar_dependency_call_duration_seconds_count{dependency="bank"}`:            2,
		`ashlar_dependency_retries_unpaid_total{dependency="bank"}`:                   0,
		`ashlar_dependency_calls_waiting{dependency="bank"}`:                          0,
		`ashlar_dependency_calls_total{dependency="bank",outcome="cancelled"}`:        0,
		`ashlar_dependency_breaker{dependency="bank",state="half_open"}`:              0,
		`ashlar_dependency_call_duration_seconds_bucket{dependency="bank",le="+Inf"}`: 2,
	})
	if log := app.Log(); !strings.Contains(log, `"msg":"circuit breaker moved","dependency":"bank","state":"open"`) {
		t.Errorf("the log has no line: %s", log)
	}
}

func TestADependencyHasANameOfItsOwn(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	app.Dependency(outbound.NewPolicy(outbound.PolicyConfig{}))
	app.Dependency(outbound.NewPolicy(outbound.PolicyConfig{Name: "bank"}))
	app.Dependency(outbound.NewPolicy(outbound.PolicyConfig{Name: "bank"}))
	_, err := app.App.Handler()
	if err == nil || !strings.Contains(err.Error(), "no name") || strings.Count(err.Error(), "ashlar_dependency_tries_total") != 1 {
		t.Errorf("got %v", err)
	}
}

// TestAnOutboundClientIsShown under its name; one without a name is not.
func TestAnOutboundClientIsShown(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	bank := app.Outbound(outbound.Config{Name: "bank", Retry: outbound.Retry{Wait: 1}})
	anyone := app.Outbound(outbound.Config{})
	app.Migrate()
	app.Upstream("https://bank.example", outboundtest.Reset, outboundtest.Status(502), outboundtest.Status(200))
	for _, client := range []*outbound.Client{bank, anyone} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://bank.example/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%d, %v", res.StatusCode, err)
		}
	}
	shows(t, app, map[string]float64{
		`ashlar_dependency_calls_total{dependency="bank",outcome="succeeded"}`: 1,
		`ashlar_dependency_tries_total{dependency="bank"}`:                     3,
	})
}
