package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/examples/payments/internal/hook"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/outbound/outboundtest"
	"github.com/ashlar-go/ashlar/webhook"
)

var (
	subscribe  = ashlartest.Call[hook.Created]
	endpoint   = ashlartest.Call[hook.Endpoint]
	endpoints  = ashlartest.Call[op.Page[hook.Endpoint]]
	deliveries = ashlartest.Call[op.Page[hook.Delivery]]
	delivery   = ashlartest.Call[hook.Delivery]
	nothing    = ashlartest.Call[struct{}]
)

// TestAMerchantIsToldOfPayments, by a running process, at a real receiver: in
// order, signed, once for each event of theirs and for nobody else's.
func TestAMerchantIsToldOfPayments(t *testing.T) {
	t.Parallel()
	s := open(t, "ASHLAR_WEBHOOK_PRIVATE_TARGETS", "allow", "ASHLAR_ADDR", "127.0.0.1:0", "ASHLAR_ADMIN_ADDR", "127.0.0.1:0", "ASHLAR_ENV", "production",
		"ASHLAR_SIGNING_KEYS", newSigningKey(t), "ASHLAR_DRAIN_DELAY", "1ms")
	receiver := outboundtest.New(t, outboundtest.Status(204))
	made := subscribe(s.shop, "webhooks.create", hook.Subscription{URL: receiver.URL + "/hooks", Events: []hook.Filter{"payment.*"}}).OK()
	if !strings.HasPrefix(made.Secret, "whsec_") || made.MerchantID != demoShop || made.Status != webhook.Enabled {
		t.Errorf("%+v", made.Endpoint)
	}
	if list := endpoints(s.shop, "webhooks.list", nil); strings.Contains(list.Body(), "secret") || len(list.OK().Data) != 1 {
		t.Errorf("the list is %s", list.Body())
	}
	serve(t, s)
	pay(s.rival, "payments.authorize", order()).OK()
	p := pay(s.shop, "payments.authorize", order()).OK()
	pay(s.shop, "payments.capture", payment.ByID{ID: p.ID}).OK()
	deadline := time.Now().Add(ashlartest.Patience)
	for len(receiver.Calls()) < 2 {
		if time.Now().After(deadline) {
			t.Fatal("nothing arrives")
		}
		time.Sleep(5 * time.Millisecond)
	}
	secret, err := webhook.ParseSecret(made.Secret)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, call := range receiver.Calls() {
		if err := webhook.Verify(call.Header, []byte(call.Body), secret); err != nil {
			t.Error(err)
		}
		var e payment.Event
		if err := json.Unmarshal([]byte(call.Body), &e); err != nil {
			t.Fatal(err)
		}
		if e.ID != call.Header.Get(webhook.HeaderID) || e.PaymentID != p.ID || e.Data.ID != p.ID || e.MerchantID != demoShop {
			t.Errorf("%+v", e)
		}
		types = append(types, string(e.Type))
	}
	if !slices.Equal(types, []string{"payment.authorized", "payment.captured"}) {
		t.Errorf("told of %v", types)
	}
}

// TestAReceiverIsDownForHours, resets connections, and answers nonsense: it gets
// each event at last, in order. No socket, and no time but the test's.
func TestAReceiverIsDownForHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		receiver := s.Upstream("https://shop.example", outboundtest.Status(503), outboundtest.Reset, outboundtest.Garbage,
			outboundtest.After(time.Minute, outboundtest.Status(204)), outboundtest.Status(204))
		made := subscribe(s.shop, "webhooks.create", hook.Subscription{URL: receiver.URL + "/hooks", Events: []hook.Filter{"payment.*"}}).OK()
		p := pay(s.shop, "payments.authorize", order()).OK()
		pay(s.shop, "payments.capture", payment.ByID{ID: p.ID}).OK()
		s.Deliver()
		attempts := 0
		for range 12 * 60 { // hours of minutes
			attempts += s.SendWebhooks()
			time.Sleep(time.Minute)
		}
		page := deliveries(s.shop, "webhooks.deliveries", hook.ByID{ID: made.ID}).OK()
		if len(page.Data) != 2 || page.Data[0].Status != webhook.Delivered || page.Data[1].Status != webhook.Delivered || attempts != 6 {
			t.Fatalf("after %d attempts: %+v", attempts, page)
		}
		var outcomes []webhook.Outcome
		for _, a := range page.Data[1].Attempts { // of the first event: the list begins with the last
			outcomes = append(outcomes, a.Outcome)
		}
		if want := []webhook.Outcome{webhook.Refused, webhook.NoAnswer, webhook.NoAnswer, webhook.Timeout, webhook.Success}; !slices.Equal(outcomes, want) {
			t.Errorf("the attempts at the first event: %v, want %v", outcomes, want)
		}
		secret, err := webhook.ParseSecret(made.Secret)
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for _, call := range receiver.Calls() {
			then := webhook.Verifier{Secrets: []webhook.Secret{secret}, Now: func() time.Time { return call.At }}
			if err := then.Verify(call.Header, []byte(call.Body)); err != nil {
				t.Error(err)
			}
			ids[call.Header.Get(webhook.HeaderID)] = true
		}
		if len(ids) != 2 {
			t.Errorf("%d events were sent", len(ids))
		}
	})
}

// TestFailedDeliveriesCanBeSentAgain, and what happened can be read.
func TestFailedDeliveriesCanBeSentAgain(t *testing.T) {
	t.Parallel()
	s := open(t, "ASHLAR_WEBHOOK_PRIVATE_TARGETS", "allow")
	made := subscribe(s.shop, "webhooks.create", hook.Subscription{URL: "http://127.0.0.1:9/", Events: []hook.Filter{"payment.authorized"}}).OK()
	p := pay(s.shop, "payments.authorize", order()).OK()
	pay(s.shop, "payments.capture", payment.ByID{ID: p.ID}).OK()
	s.Deliver()
	page := deliveries(s.shop, "webhooks.deliveries", hook.ByID{ID: made.ID}).OK()
	if len(page.Data) != 1 || page.Data[0].EventType != "payment.authorized" || page.Data[0].Status != webhook.Pending {
		t.Fatalf("%+v", page)
	}
	feed := events(s.shop, "events.list", nil).OK()
	if page.Data[0].EventID != feed.Data[0].ID {
		t.Errorf("the event is %s, the delivery of %s", feed.Data[0].ID, page.Data[0].EventID)
	}
	again := hook.ByDelivery{ID: made.ID, DeliveryID: page.Data[0].ID}
	if r := delivery(s.shop, "webhooks.redeliver", again); r.Status() != 202 {
		t.Errorf("%d %s", r.Status(), r.Body())
	}
	delivery(s.shop, "webhooks.redeliver", hook.ByDelivery{ID: made.ID, DeliveryID: "whd_none"}).Fails(webhook.ErrNoDelivery)
	endpoint(s.shop, "webhooks.enable", hook.ByID{ID: made.ID}).OK()
	nothing(s.shop, "webhooks.delete", hook.ByID{ID: made.ID}).OK()
	nothing(s.shop, "webhooks.delete", hook.ByID{ID: made.ID}).Fails(webhook.ErrNotFound)
}

// TestForeignWebhooksAreNotThere for other merchants, and may not be touched by
// roles without the permission; staff with it see all.
func TestForeignWebhooksAreNotThere(t *testing.T) {
	t.Parallel()
	s := open(t, "ASHLAR_WEBHOOK_PRIVATE_TARGETS", "allow")
	in := hook.Subscription{URL: "http://127.0.0.1:9/", Events: []hook.Filter{"*"}}
	made := subscribe(s.shop, "webhooks.create", in).OK()
	pay(s.shop, "payments.authorize", order()).OK()
	s.Deliver()
	sent := deliveries(s.shop, "webhooks.deliveries", hook.ByID{ID: made.ID}).OK().Data[0].ID
	for _, id := range []string{made.ID, "wh_unknown"} {
		by := hook.ByID{ID: id}
		nothing(s.rival, "webhooks.delete", by).Fails(webhook.ErrNotFound)
		endpoint(s.rival, "webhooks.enable", by).Fails(webhook.ErrNotFound)
		deliveries(s.rival, "webhooks.deliveries", by).Fails(webhook.ErrNotFound)
		delivery(s.rival, "webhooks.redeliver", hook.ByDelivery{ID: id, DeliveryID: sent}).Fails(webhook.ErrNotFound)
	}
	if list := endpoints(s.rival, "webhooks.list", nil).OK(); len(list.Data) != 0 {
		t.Errorf("the rival lists %+v", list.Data)
	}
	endpoints(s.support, "webhooks.list", nil).Denied()
	endpoints(s.auditor, "webhooks.list", nil).Denied()
	subscribe(s.admin, "webhooks.create", in).Invalid("/merchant_id")
	in.MerchantID = demoRival
	if e := subscribe(s.admin, "webhooks.create", in).OK(); e.MerchantID != demoRival {
		t.Errorf("%+v", e.Endpoint)
	}
	subscribe(s.shop, "webhooks.create", in).Invalid("/merchant_id")
	if all := endpoints(s.admin, "webhooks.list", nil).OK(); len(all.Data) != 2 {
		t.Errorf("the admin lists %+v", all.Data)
	}
}

// TestWebhooksLeadNowhereInside where nobody allowed it.
func TestWebhooksLeadNowhereInside(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, target := range []string{"http://127.0.0.1:8080/", "https://127.0.0.1/", "https://169.254.169.254/", "https://10.0.0.1/", "ftp://a.test/", "x"} {
		subscribe(s.shop, "webhooks.create", hook.Subscription{URL: target, Events: []hook.Filter{"*"}}).Invalid("/url")
	}
	subscribe(s.shop, "webhooks.create", hook.Subscription{URL: "https://93.184.215.14/", Events: []hook.Filter{"payment.lost"}}).Invalid("/events")
}

// newSigningKey is what production must be given.
func newSigningKey(t *testing.T) string {
	t.Helper()
	return auth.GenerateKey().Secret().Reveal()
}

// serve runs the app until the test ends.
func serve(t *testing.T, s service) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
