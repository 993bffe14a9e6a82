package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
)

// The streams of events, which are the same in two dresses.
var streams = []string{"events.stream", "events.ws"}

func listen(c *ashlartest.Client, operation, after string) *ashlartest.Listener[payment.Event] {
	return ashlartest.Listen[payment.Event](c, operation, payment.Follow{After: after})
}

// TestEventsArrive at everybody who may see them, as the list of events has
// them, and at nobody else.
func TestEventsArrive(t *testing.T) {
	t.Parallel()
	s := open(t)
	before := pay(s.shop, "payments.authorize", order()).OK()
	for _, operation := range streams {
		shop, rival, support := listen(s.shop, operation, ""), listen(s.rival, operation, ""), listen(s.support, operation, "")
		foreign := pay(s.rival, "payments.authorize", order()).OK()
		p := pay(s.shop, "payments.authorize", order()).OK()
		pay(s.shop, "payments.capture", payment.ByID{ID: p.ID}).OK()

		for _, want := range []event.Topic[payment.Payment]{payment.WasAuthorized, payment.WasCaptured} {
			e := shop.Next()
			if shop.ID() != e.ID || shop.Type() != string(want) || e.Type != payment.EventType(want) || e.PaymentID != p.ID || e.MerchantID != demoShop {
				t.Errorf("%s: %s %s %+v, want %s of %s", operation, shop.ID(), shop.Type(), e, want, p.ID)
			}
			listed := events(s.shop, "events.list", nil).OK().Data
			if !slices.ContainsFunc(listed, func(l payment.Event) bool { return fmt.Sprint(l) == fmt.Sprint(e) }) {
				t.Errorf("%s: sent %+v, and the list has %+v", operation, e, listed)
			}
		}
		for _, want := range []string{foreign.ID, p.ID, p.ID} {
			if e := support.Next(); e.PaymentID != want {
				t.Errorf("%s: support got %+v, want one of %s", operation, e, want)
			}
		}
		if e := rival.Next(); e.PaymentID != foreign.ID {
			t.Errorf("%s: the rival got %+v", operation, e)
		}
		rival.Silent(20 * time.Millisecond)
		shop.Silent(20 * time.Millisecond)

		// Whoever comes back says what it saw last, in the URL or in the header.
		first := events(s.shop, "events.list", nil).OK().Data[0]
		if e := listen(s.shop, operation, first.ID).Next(); first.PaymentID != before.ID || e.PaymentID == before.ID {
			t.Errorf("%s: after %+v came %+v", operation, first, e)
		}
		again := listen(s.shop.With("Last-Event-ID", shop.ID()), operation, first.ID)
		again.Silent(20 * time.Millisecond)
	}
}

// TestStreamsAreRefused to who may not listen, and where a gap would be.
func TestStreamsAreRefused(t *testing.T) {
	t.Parallel()
	s := open(t)
	nobody := s.AsRole("usr_lost", "", merchant.RoleMerchant)
	for _, operation := range streams {
		listen(s.auditor, operation, "").Denied()
		listen(s.shop, operation, "pay_1").Invalid("/after")
		listen(s.shop.With("Last-Event-ID", "1"), operation, "").Invalid("/after")
		listen(s.shop, operation, "evt_00000000000000000000000000").Fails(event.ErrReset)
		lost := listen(nobody, operation, "")
		pay(s.shop, "payments.authorize", order()).OK()
		lost.Silent(20 * time.Millisecond)
	}
	if w := s.Anonymous().Do(http.MethodGet, "/v1/events/stream", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("nobody is answered %d", w.Code)
	}
}

// TestStreamsForgetWithTheLog: what is no longer kept is no gap, but a reset
// that says so.
func TestStreamsForgetWithTheLog(t *testing.T) {
	t.Parallel()
	s := open(t)
	for range 3 {
		pay(s.shop, "payments.authorize", order()).OK()
	}
	all := events(s.shop, "events.list", nil).OK().Data
	if _, err := s.DB.Exec(t.Context(), `DELETE FROM ashlar_event_log WHERE id = $1`, all[0].ID); err != nil {
		t.Fatal(err)
	}
	for _, operation := range streams {
		listen(s.shop, operation, all[0].ID).Fails(event.ErrReset)
		if e := listen(s.shop, operation, all[1].ID).Next(); e.ID != all[2].ID {
			t.Errorf("%s: after what is kept came %+v", operation, e)
		}
	}
}

// TestStreamsResumeAnywhere: a listener that is cut again and again, and comes
// back to another instance each time, has seen every event once and in order.
func TestStreamsResumeAnywhere(t *testing.T) {
	t.Parallel()
	instances := pair(t)
	const each = 40
	var payers sync.WaitGroup
	for i, s := range instances {
		payers.Go(func() {
			for n := range each {
				pay(s.shop, "payments.authorize", order()).OK()
				if n%3 == i {
					pay(s.rival, "payments.authorize", order()).OK()
				}
			}
		})
	}
	defer payers.Wait()

	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	var seen []string
	last := events(instances[0].shop, "events.list", nil).OK()
	after := ""
	for after == "" { // there is no event to begin behind before the first
		if len(last.Data) > 0 {
			after = last.Data[0].ID
			seen = append(seen, after)
		}
		last = events(instances[0].shop, "events.list", nil).OK()
	}
	for len(seen) < len(instances)*each {
		s := instances[random.IntN(len(instances))]
		l := listen(s.shop.With("Last-Event-ID", after), streams[random.IntN(len(streams))], "")
		for range min(1+random.IntN(9), len(instances)*each-len(seen)) {
			e := l.Next()
			if after = l.ID(); e.MerchantID != demoShop {
				t.Errorf("got %+v", e)
			}
			seen = append(seen, after)
		}
		l.Leave()
	}
	payers.Wait()
	var want []string
	for in := (payment.After{Limit: 100}); ; in.After = want[len(want)-1] {
		page := events(instances[0].shop, "events.list", in).OK()
		for _, e := range page.Data {
			want = append(want, e.ID)
		}
		if !page.HasMore {
			break
		}
	}
	if !slices.Equal(seen, want) {
		t.Errorf("saw %d events, and there are %d:\n%v\n%v", len(seen), len(want), seen, want)
	}
}

// TestEventsOverAWebSocket: the socket has the same events, goes on after the
// one that it names, and ends with the key that opened it.
func TestEventsOverAWebSocket(t *testing.T) {
	t.Parallel()
	s := open(t)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	_, owner := s.person(t, merchant.RoleMerchant, demoShop)
	key := apiKeyOf(owner, payment.ReadEvents)
	first := pay(s.shop, "payments.authorize", order()).OK()
	start := events(s.shop, "events.list", nil).OK().Data[0]

	w := dial(t, server.URL+"/v1/events/ws?after="+start.ID, key.Key)
	pay(s.rival, "payments.authorize", order()).OK()
	pay(s.shop, "payments.capture", payment.ByID{ID: first.ID}).OK()
	got, err := w.next(t)
	if err != nil || got.Event != string(payment.WasCaptured) || got.ID != got.Data.ID || got.Data.PaymentID != first.ID {
		t.Fatalf("got %+v, %v", got, err)
	}
	nothing(owner, "api_keys.end", auth.ByAPIKey{ID: key.ID}).OK()
	began := time.Now()
	got, err = w.next(t)
	if err != nil || got.Event != "end" {
		t.Errorf("after the key is revoked came %+v, %v", got, err)
	}
	_, err = w.next(t)
	if code := websocket.CloseStatus(err); code != 4401 {
		t.Errorf("the socket was closed with %v", err)
	}
	if took := time.Since(began); took > time.Minute { // the promise is five seconds; the machine may be busy
		t.Errorf("it ended after %s", took)
	}
	_, res, err := websocket.Dial(t.Context(), server.URL+"/v1/events/ws", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + key.Key}}})
	if err == nil || res == nil || res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a revoked key opens a socket: %v", err)
	}
}

// TestASocketGoesOnElsewhere: it names what it saw last, and another instance
// sends what follows, whoever published it.
func TestASocketGoesOnElsewhere(t *testing.T) {
	t.Parallel()
	instances := pair(t)
	_, owner := instances[0].person(t, merchant.RoleMerchant, demoShop)
	key := apiKeyOf(owner, payment.ReadEvents).Key
	pay(instances[0].shop, "payments.authorize", order()).OK()
	last := events(instances[0].shop, "events.list", nil).OK().Data[0].ID
	for n := range 6 {
		p := pay(instances[n%2].shop, "payments.authorize", order()).OK()
		here := instances[n/2%2]
		server := httptest.NewServer(here.Handler())
		w := dial(t, server.URL+"/v1/events/ws?after="+last, key)
		got, err := w.next(t)
		if err != nil || got.Data.PaymentID != p.ID {
			t.Fatalf("after %s came %+v, %v, want %s", last, got, err, p.ID)
		}
		last = got.ID
		_ = w.CloseNow()
		server.Close()
	}
}

// socket is the other end.
type socket struct{ *websocket.Conn }

// message is one of a stream's own socket.
type message struct {
	ID, Event string
	Data      payment.Event
}

func dial(t *testing.T, url, key string) socket {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + key}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	return socket{c}
}

func (s socket) next(t *testing.T) (m message, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ashlartest.Patience)
	defer cancel()
	_, text, err := s.Read(ctx)
	if err != nil {
		return m, err
	}
	err = json.Unmarshal(text, &m)
	return m, err
}

// TestASlowReaderIsBounded: who does not read is dropped, comes back where it
// was, and has kept nobody waiting.
func TestASlowReaderIsBounded(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits until the kernel's buffers are full, and then ten seconds")
	}
	s := open(t)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	_, owner := s.person(t, merchant.RoleMerchant, demoShop)
	w := dial(t, server.URL+"/v1/events/ws", apiKeyOf(owner, payment.ReadEvents).Key)
	long := order(func(in *payment.Authorize) { in.Description = strings.Repeat("x", 500) })
	until := time.Now().Add(5 * time.Minute)
	for !strings.Contains(s.Log(), `"msg":"stream ended"`) {
		if time.Now().After(until) {
			t.Fatal("nobody dropped it")
		}
		pay(s.shop, "payments.authorize", long).OK()
	}
	last := message{}
	for {
		m, err := w.next(t)
		if err != nil {
			break
		}
		last = m
	}
	again := listen(s.shop.With("Last-Event-ID", last.ID), "events.stream", "")
	if e := again.Next(); e.ID <= last.ID || last.ID == "" {
		t.Errorf("after %s came %s", last.ID, e.ID)
	}
}

// pair is two instances that run, with one database.
func pair(t *testing.T) [2]service {
	t.Helper()
	database, keys := ashlartest.Database(t), newSigningKey(t)
	var both [2]service
	for i := range both {
		both[i] = open(t, "DATABASE_URL", database, "ASHLAR_ADDR", "127.0.0.1:0", "ASHLAR_ADMIN_ADDR", "127.0.0.1:0",
			"ASHLAR_ENV", "production", "ASHLAR_SIGNING_KEYS", keys, "ASHLAR_DRAIN_DELAY", "1ms")
	}
	for _, s := range both {
		serve(t, s)
	}
	return both
}
