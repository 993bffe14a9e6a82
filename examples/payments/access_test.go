package main

import (
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
)

// TestForeignPaymentsAreNotThere tries every operation on a payment of another
// merchant: it answers as it does for one that never was.
func TestForeignPaymentsAreNotThere(t *testing.T) {
	t.Parallel()
	s := open(t)
	foreign := pay(s.shop, "payments.authorize", order(captured)).OK()

	for _, id := range []string{foreign.ID, "pay_unknown"} {
		by := payment.ByID{ID: id}
		pay(s.rival, "payments.get", by).Fails(payment.ErrNotFound)
		pay(s.rival, "payments.capture", by).Fails(payment.ErrNotFound)
		pay(s.rival.With("If-Match", `"9"`), "payments.capture", by).Fails(payment.ErrNotFound)
		pay(s.rival, "payments.void", by).Fails(payment.ErrNotFound)
		refund(s.rival, "payments.refund", by).Fails(payment.ErrNotFound)
		refunds(s.rival, "payments.refunds", by).Fails(payment.ErrNotFound)
	}
	if list := payments(s.rival, "payments.list", nil).OK(); len(list.Data) != 0 {
		t.Errorf("the rival lists %+v", list.Data)
	}
	if feed := events(s.rival, "events.list", nil).OK(); len(feed.Data) != 0 {
		t.Errorf("the rival sees the events %+v", feed.Data)
	}
	for _, staff := range []string{merchant.RoleAdmin, merchant.RoleSupport, merchant.RoleAuditor} {
		pay(s.AsRole("usr_1", "", staff), "payments.get", payment.ByID{ID: foreign.ID}).OK()
	}
	// A merchant's user without a merchant sees nothing, rather than everything.
	nobody := s.AsRole("usr_lost", "", merchant.RoleMerchant)
	pay(nobody, "payments.get", payment.ByID{ID: foreign.ID}).Fails(payment.ErrNotFound)
	if list := payments(nobody, "payments.list", nil).OK(); len(list.Data) != 0 {
		t.Errorf("a user without a merchant lists %+v", list.Data)
	}
}

// TestTheAccessMatrix holds who may call what to the table that was agreed on
// (P10.15).
func TestTheAccessMatrix(t *testing.T) {
	t.Parallel()
	ashlartest.Golden(t, "testdata/access.txt", open(t).AccessMatrix())
}
