package main

import (
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
)

var call = ashlartest.Call[Payment] // every operation here answers with the payment

func TestSecondCaptureIsRefused(t *testing.T) {
	t.Parallel()
	shop := open(t).As("shop-1", Read, Write)

	p := call(shop, "payments.authorize", order()).OK()
	capture := ByID{ID: p.ID}
	call(shop.Key("k1"), "payments.capture", capture).OK()
	call(shop.Key("k1"), "payments.capture", capture).OK() // the same request again
	call(shop.Key("k2"), "payments.capture", capture).Fails(ErrState)
}

func TestPaymentsOfOthersAreNotThere(t *testing.T) {
	t.Parallel()
	app := open(t)

	p := call(app.As("shop-1", Write), "payments.authorize", order()).OK()
	call(app.As("shop-2", Read), "payments.get", ByID{p.ID}).Fails(ErrNotFound)
	call(app.As("shop-2", Write), "payments.capture", ByID{p.ID}).Fails(ErrNotFound)
	call(app.As("shop-1", Write), "payments.get", ByID{p.ID}).Denied()
}

func TestAuthorizeRejects(t *testing.T) {
	t.Parallel()
	shop := open(t).As("shop-1", Write)

	for field, spoil := range map[string]func(*Authorize){
		"/amount":     func(in *Authorize) { in.Amount = 0 },
		"/currency":   func(in *Authorize) { in.Currency = "XXX" },
		"/card_token": func(in *Authorize) { in.CardToken = "4111" },
		"/reference":  func(in *Authorize) { in.Reference = "two words" },
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			call(shop, "payments.authorize", order(spoil)).Invalid(field)
		})
	}
}

// order returns a valid request, spoiled as asked.
func order(spoil ...func(*Authorize)) Authorize {
	in := Authorize{Amount: 50_00, Currency: "EUR", CardToken: "tok_12345678", Reference: "order-1"}
	for _, f := range spoil {
		f(&in)
	}
	return in
}

// open is the real application on a database of its own.
func open(t *testing.T) *ashlartest.App {
	app := ashlartest.Open(t)
	app.Mount(Service{app.DB}.Module())
	return app
}
