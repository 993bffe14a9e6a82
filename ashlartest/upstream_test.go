package ashlartest_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/outbound"
	"github.com/ashlar-go/ashlar/outbound/outboundtest"
	"github.com/ashlar-go/ashlar/webhook"
)

type rate struct {
	Rate float64 `json:"rate"`
}

var rateOf = ashlartest.Call[rate]

// exchanging is an app that asks somebody else for a rate.
func exchanging(t *testing.T) *ashlartest.App {
	t.Helper()
	app := ashlartest.Open(t)
	rates := app.Outbound(outbound.Config{Name: "rates", Retry: outbound.Retry{Wait: 1}})
	app.Mount(ashlar.Module{Name: "rates", Operations: []op.Operation{
		op.Query("rates.get", "GET /rate", func(ctx context.Context, _ struct{}) (rate, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://rates.example/eur", http.NoBody)
			if err != nil {
				return rate{}, err
			}
			return outbound.JSON[rate](rates, req)
		}, op.Public(), op.Fails(outbound.ErrSlow, outbound.ErrUnreachable, outbound.ErrStatus, outbound.ErrGarbled, outbound.ErrOpen)),
	}})
	return app
}

// TestOutboundCallsAreScripted: what the other side does reaches the caller as
// the operation declares it, without a socket and in the test's own time.
func TestOutboundCallsAreScripted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := exchanging(t)
		good := outboundtest.JSON(`{"rate":1.25}`)
		rates := app.Upstream("https://rates.example", outboundtest.Reset, outboundtest.Status(503), good)
		ann := app.Anonymous()
		r := rateOf(ann, "rates.get", nil)
		if got := r.OK(); got.Rate != 1.25 || len(rates.Calls()) != 3 {
			t.Errorf("%+v after %d calls", got, len(rates.Calls()))
		}
		if parent := rates.Calls()[2].Header.Get("Traceparent"); !strings.Contains(parent, r.Trace().ID) {
			t.Errorf("the call carries the trace %q, and not %s", parent, r.Trace().ID)
		}
		for _, c := range []struct {
			answer outboundtest.Answer
			fails  fault.Coded
			took   time.Duration
		}{
			{outboundtest.Garbage, outbound.ErrUnreachable, 0},
			{outboundtest.JSON(`{"rate":"much"}`), outbound.ErrGarbled, 0},
			{outboundtest.Status(404), outbound.ErrStatus, 0},
			{outboundtest.After(time.Hour, good), outbound.ErrSlow, 10 * time.Second},
		} {
			time.Sleep(time.Minute) // what failed before is forgotten
			rates.Script(c.answer)
			began := time.Now()
			rateOf(ann, "rates.get", nil).Fails(c.fails)
			if took := time.Since(began).Round(time.Millisecond); took != c.took {
				t.Errorf("%s came after %s, want %s", c.fails.Code(), took, c.took)
			}
		}
	})
}

// TestNobodyElseIsCalled: a call to what the test does not play fails, and the
// log says what to do.
func TestNobodyElseIsCalled(t *testing.T) {
	t.Parallel()
	app := exchanging(t)
	rateOf(app.Anonymous(), "rates.get", nil).Fails(outbound.ErrUnreachable)
	if !strings.Contains(app.Log(), "the test does not play rates.example:443: have app.Upstream say what it answers") {
		t.Errorf("the log does not say so:\n%s", app.Log())
	}
}

// TestWebhooksInABubble are tried for days, in no time.
func TestWebhooksInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := ashlartest.Open(t)
		hooks := app.Webhooks(webhook.Config{})
		app.Migrate()
		shop := app.Upstream("https://shop.example", outboundtest.Reset, outboundtest.Garbage, outboundtest.Hang, outboundtest.Status(500), outboundtest.Status(204))
		e, secret, err := hooks.Create(t.Context(), "shop-1", webhook.NewEndpoint{URL: shop.URL + "/hooks", Types: []string{"*"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.InTx(t.Context(), app.DB, func(tx *db.Tx) (int, error) {
			return 0, hooks.Enqueue(t.Context(), tx, webhook.Message{ID: "m1", Type: "greeting.made", Account: "shop-1", Payload: []byte(`{}`)})
		}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		attempts := 0
		for time.Since(began) < 24*time.Hour {
			attempts += app.SendWebhooks()
			time.Sleep(time.Minute)
		}
		calls := shop.Calls()
		if attempts != 5 || len(calls) != 5 {
			t.Fatalf("%d attempts, %d calls", attempts, len(calls))
		}
		// 5 s, 5 min, 30 min and 2 h, each varied by up to a quarter, and seen at the next minute.
		if last := calls[4].At.Sub(began); last < 110*time.Minute || last > 4*time.Hour {
			t.Errorf("the last attempt was made after %s", last)
		}
		then := webhook.Verifier{Secrets: []webhook.Secret{secret}, Now: func() time.Time { return calls[4].At }}
		if err := then.Verify(calls[4].Header, []byte(calls[4].Body)); err != nil {
			t.Error(err)
		}
		list, err := hooks.Deliveries(t.Context(), "shop-1", e.ID, "", 1)
		if err != nil || list[0].State != webhook.Delivered {
			t.Errorf("%+v, %v", list, err)
		}
	})
}
