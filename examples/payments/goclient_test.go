package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/examples/payments/client"
	"github.com/ashlar-go/ashlar/goclient"
)

// TestTheGoClientIsCurrent: with -update it is written anew.
func TestTheGoClientIsCurrent(t *testing.T) {
	t.Parallel()
	source, err := goclient.Source(goclient.Info{Package: "client"}, open(t).Operations())
	if err != nil {
		t.Fatal(err)
	}
	ashlartest.Golden(t, "client/payments.go", string(source))
}

func goOrder(reference string) client.PaymentsAuthorizeInput {
	return client.PaymentsAuthorizeInput{
		Amount: 100_00, Currency: client.CurrencyEUR, Reference: reference,
		Card: client.Card{Number: "4242424242424242", ExpMonth: 12, ExpYear: 2040, CVC: "123"},
	}
}

// fails arranges what the stage does next.
func (s *stage) fails(arrange func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arrange()
}

func (s *stage) count(path string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.seen {
		if r.Path == path {
			n++
		}
	}
	return n
}

// TestTheGoClient uses the client against the service as a process, behind a
// proxy that loses answers and cuts connections.
func TestTheGoClient(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c := client.New(s.proxy.URL)
	_, err := c.AuthLogin(ctx, client.AuthLoginInput{Email: "merchant@demo.test", Password: demoPassword})
	must(err)

	var etag string
	p, err := c.PaymentsAuthorize(ctx, goOrder("go-1"), client.WithHeader(func(h http.Header) { etag = h.Get("ETag") }))
	must(err)
	p, err = c.PaymentsCapture(ctx, client.PaymentsCaptureInput{ID: p.ID, Amount: 60_00}, client.WithMatch(etag))
	if err != nil || p.Status != client.PaymentStatusCaptured || p.CapturedAmount != 60_00 {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, err := c.PaymentsCapture(ctx, client.PaymentsCaptureInput{ID: p.ID}, client.WithMatch(etag)); !client.HasCode(err, client.CodeStale) {
		t.Errorf("a stale capture: %v", err)
	}
	declined := goOrder("go-2")
	declined.Card.Number = "4000000000009995"
	if _, err := c.PaymentsAuthorize(ctx, declined); !client.HasCode(err, client.CodeCardDeclined) {
		t.Errorf("a declined card: %v", err)
	}
	if _, err := c.PaymentsAuthorize(ctx, client.PaymentsAuthorizeInput{}); !client.HasCode(err, client.CodeInvalid) {
		t.Errorf("an empty order: %v", err)
	}

	// An answer that is lost: the same key, one payment.
	s.fails(func() { s.lose = "/v1/payments" })
	before := s.count("/v1/payments")
	_, err = c.PaymentsAuthorize(ctx, goOrder("go-lost"))
	must(err)
	if n := s.count("/v1/payments") - before; n < 2 {
		t.Errorf("%d attempts, so nothing was lost", n)
	}
	made, read := 0, 0
	for p, err := range c.PaymentsListAll(ctx, client.PaymentsListInput{Limit: 9}) {
		must(err)
		if p.Reference == "go-lost" {
			made++
		}
		if read++; read == 40 {
			break
		}
	}
	if made != 1 || read != 40 {
		t.Errorf("%d payments of one order, of %d read", made, read)
	}

	// A refusal that passes, and one token for many calls.
	s.fails(func() {
		s.refuse.path, s.refuse.status, s.refuse.times = "/v1/auth/me", http.StatusServiceUnavailable, 1
	})
	me, err := c.AuthMe(ctx)
	if err != nil || me.Email != "merchant@demo.test" {
		t.Errorf("%+v, %v", me, err)
	}
	spent := c.Tokens()
	spent.Expires = time.Time{}
	c = client.New(s.proxy.URL, client.WithTokens(spent))
	before = s.count("/v1/auth/refresh")
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			if _, err := c.AuthMe(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if n := s.count("/v1/auth/refresh") - before; n != 1 {
		t.Errorf("%d refreshes", n)
	}

	// A stream goes on over cuts and a restart.
	events, err := c.EventsList(ctx, client.EventsListInput{Limit: 100})
	must(err)
	after := ""
	for len(events.Data) > 0 {
		after = events.Data[len(events.Data)-1].ID
		if !events.HasMore {
			break
		}
		events, err = c.EventsList(ctx, client.EventsListInput{After: after, Limit: 100})
		must(err)
	}
	n := 0
	_, err = c.PaymentsAuthorize(ctx, goOrder("go-stream-0"))
	must(err)
	for e, err := range c.EventsStream(ctx, client.EventsStreamInput{After: after}) {
		must(err)
		switch n++; n {
		case 2:
			s.cut()
		case 4:
			s.service.kill()
			again := start(t, s.dir, s.env...)
			s.fails(func() { s.service = again })
		}
		if e.Data.Reference != fmt.Sprintf("go-stream-%d", n-1) {
			t.Errorf("event %d is of %s", n, e.Data.Reference)
		}
		if n == 7 {
			break
		}
		_, err = c.PaymentsAuthorize(ctx, goOrder(fmt.Sprintf("go-stream-%d", n)))
		must(err)
	}
	if n != 7 {
		t.Errorf("%d events, %v", n, ctx.Err())
	}
}
