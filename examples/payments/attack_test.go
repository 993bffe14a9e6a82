package main

import (
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/examples/payments/internal/hook"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/examples/payments/internal/report"
	"github.com/ashlar-go/ashlar/examples/payments/internal/user"
	"github.com/ashlar-go/ashlar/op"
)

// TestAttacks tries every operation as every role with everything that must
// fail. An operation that is added is attacked without a line here, unless it
// names an object.
func TestAttacks(t *testing.T) {
	t.Parallel()
	s := open(t)
	a := ashlartest.Attack{
		Confined: []string{merchant.RoleMerchant},
		Tenants:  [2]string{demoShop, demoRival},
		Objects:  objects(t, s),
		Shared: map[string]string{
			"payments.authorize": "merchant_id is for staff: a merchant who gives one is refused before it is looked up",
			"reports.create":     "merchant_id is for staff: a merchant who gives one is refused before it is looked up",
			"webhooks.create":    "merchant_id is for staff: a merchant who gives one is refused before it is looked up",
		},
	}
	a.Run(t, s.App)
}

// objects are what operations name, each made by its owner.
func objects(t *testing.T, s service) map[string]ashlartest.Object {
	t.Helper()
	return map[string]ashlartest.Object{
		"payments.get":     {Make: onAPayment()},
		"payments.capture": {Make: onAPayment()},
		"payments.void":    {Make: onAPayment()},
		"payments.refund":  {Make: onAPayment(captured)},
		"payments.refunds": {Make: onAPayment(captured)},

		"webhooks.delete":     {Make: onAWebhook},
		"webhooks.enable":     {Make: onAWebhook},
		"webhooks.deliveries": {Make: onAWebhook},
		"webhooks.redeliver":  {Make: func(owner *ashlartest.Client) any { return onAWebhookDelivery(s, owner) }},

		"reports.get":    {Make: func(owner *ashlartest.Client) any { return onAReport(s, owner) }},
		"reports.file":   {Make: func(owner *ashlartest.Client) any { return onAReport(s, owner) }},
		"reports.delete": {Make: func(owner *ashlartest.Client) any { return onAReport(s, owner) }},

		"auth.sessions.end": {Make: func(owner *ashlartest.Client) any { return anotherSession(t, s.App, owner) }, Personal: true},
		"api_keys.end":      {Make: onAnAPIKey, Personal: true},
	}
}

// anotherSession signs the owner in once more and names that session.
func anotherSession(t *testing.T, app *ashlartest.App, owner *ashlartest.Client) any {
	me := ashlartest.Call[user.Me](owner, "auth.me", nil).OK()
	account, err := app.Accounts.ByID(t.Context(), me.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.Accounts.OpenSession(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	for _, s := range ashlartest.Call[op.Page[auth.SignedIn]](owner, "auth.sessions.list", nil).OK().Data {
		if !s.Current {
			return map[string]string{"id": s.ID}
		}
	}
	t.Fatal("the new session is not listed")
	return nil
}

// onAPayment makes a payment of the owner's and names it.
func onAPayment(changes ...func(*payment.Authorize)) func(*ashlartest.Client) any {
	return func(owner *ashlartest.Client) any {
		return payment.ByID{ID: pay(owner, "payments.authorize", order(changes...)).OK().ID}
	}
}

// onAWebhook makes an endpoint of the owner's and names it.
func onAWebhook(owner *ashlartest.Client) any {
	in := hook.Subscription{URL: "https://93.184.215.14/", Events: []hook.Filter{"*"}}
	return hook.ByID{ID: subscribe(owner, "webhooks.create", in).OK().ID}
}

// onAWebhookDelivery makes an endpoint that has something to be sent.
func onAWebhookDelivery(s service, owner *ashlartest.Client) any {
	by := onAWebhook(owner).(hook.ByID)
	pay(owner, "payments.authorize", order()).OK()
	s.Deliver()
	return hook.ByDelivery{ID: by.ID, DeliveryID: deliveries(owner, "webhooks.deliveries", by).OK().Data[0].ID}
}

// onAnAPIKey makes an API key of the owner's and names it.
func onAnAPIKey(owner *ashlartest.Client) any {
	return auth.ByAPIKey{ID: apiKeyOf(owner, payment.Read).ID}
}

// onAReport makes a report of the owner's that is done.
func onAReport(s service, owner *ashlartest.Client) any {
	by := report.ByID{ID: askReport(owner, "reports.create", settlement()).OK().ID}
	s.RunJobs(0)
	return by
}
