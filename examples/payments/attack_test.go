package main

import (
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
)

// TestAttacks tries every operation as every role with everything that must
// fail. An operation that is added is attacked without a line here, unless it
// names an object.
func TestAttacks(t *testing.T) {
	t.Parallel()
	a := ashlartest.Attack{
		Confined: []string{merchant.RoleMerchant},
		Tenants:  [2]string{demoShop, demoRival},
		Objects: map[string]ashlartest.Object{
			"payments.get":     {Make: onAPayment()},
			"payments.capture": {Make: onAPayment()},
			"payments.void":    {Make: onAPayment()},
			"payments.refund":  {Make: onAPayment(captured)},
			"payments.refunds": {Make: onAPayment(captured)},
		},
		Shared: map[string]string{
			"payments.authorize": "merchant_id is for staff: a merchant who gives one is refused before it is looked up",
		},
	}
	a.Run(t, open(t).App)
}

// onAPayment makes a payment of the owner's and names it.
func onAPayment(changes ...func(*payment.Authorize)) func(*ashlartest.Client) any {
	return func(owner *ashlartest.Client) any {
		return payment.ByID{ID: pay(owner, "payments.authorize", order(changes...)).OK().ID}
	}
}
