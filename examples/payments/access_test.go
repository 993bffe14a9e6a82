package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/op"
)

// TestRoles tries every operation as every role. An operation that is missing
// here fails, so that who may call it is decided and not forgotten.
func TestRoles(t *testing.T) {
	t.Parallel()
	s := open(t)
	everyone := []string{merchant.RoleAdmin, merchant.RoleMerchant, merchant.RoleSupport, merchant.RoleAuditor}
	may := map[string][]string{
		"payments.authorize": {merchant.RoleAdmin, merchant.RoleMerchant},
		"payments.capture":   {merchant.RoleAdmin, merchant.RoleMerchant},
		"payments.void":      {merchant.RoleAdmin, merchant.RoleMerchant},
		"payments.refund":    {merchant.RoleAdmin, merchant.RoleMerchant, merchant.RoleSupport},
		"payments.get":       everyone,
		"payments.list":      everyone,
		"payments.refunds":   everyone,
		"events.list":        {merchant.RoleAdmin, merchant.RoleMerchant, merchant.RoleSupport},
		"ledger.balances":    {merchant.RoleAdmin, merchant.RoleAuditor},
		"ledger.entries":     {merchant.RoleAdmin, merchant.RoleAuditor},
		"merchants.create":   {merchant.RoleAdmin},
		"merchants.list":     {merchant.RoleAdmin},
		"merchants.get":      {merchant.RoleAdmin},
		"users.create":       {merchant.RoleAdmin},
		"users.list":         {merchant.RoleAdmin},
		"auth.me":            everyone,
		"auth.login":         nil, // public
		"auth.refresh":       nil, // public
		"auth.keys":          nil, // public

		"auth.logout":              everyone,
		"auth.password":            everyone,
		"auth.sessions.list":       everyone,
		"auth.sessions.end":        everyone,
		"auth.sessions.end_others": everyone,
		"auth.totp.enrol":          everyone,
		"auth.totp.confirm":        everyone,
		"auth.totp.remove":         everyone,
		"api_keys.create":          everyone,
		"api_keys.list":            everyone,
		"api_keys.end":             everyone,
	}
	for _, o := range s.Operations() {
		spec := o.Spec()
		allowed, decided := may[spec.Name]
		if !decided {
			t.Errorf("%s: say in this test who may call it", spec.Name)
		}
		if spec.Access == op.ByEveryone {
			continue
		}
		path := strings.Replace(spec.Path, "{id}", "unknown", 1)
		if w := s.Anonymous().Do(spec.Method, path, ""); w.Code != http.StatusUnauthorized {
			t.Errorf("%s answers %d to nobody, want 401", spec.Name, w.Code)
		}
		for _, role := range everyone {
			// The request is refused for something else if the role may make it.
			got := s.AsRole("usr_1", "", role).Do(spec.Method, path, "").Code
			if may := slices.Contains(allowed, role); (got != http.StatusForbidden) != may {
				t.Errorf("%s answers %d to %s, who may call it: %v", spec.Name, got, role, may)
			}
		}
	}
}

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
