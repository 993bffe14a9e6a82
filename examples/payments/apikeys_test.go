package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/examples/payments/internal/ledger"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/op"
)

// newAPIKey asks for an API key.
func newAPIKey(c *ashlartest.Client, permissions ...access.Permission) ashlartest.Result[auth.IssuedAPIKey] {
	return ashlartest.Call[auth.IssuedAPIKey](c, "api_keys.create", auth.NewAPIKey{Name: "till", Permissions: permissions})
}

func apiKeyOf(c *ashlartest.Client, permissions ...access.Permission) auth.IssuedAPIKey {
	return newAPIKey(c, permissions...).OK()
}

// person makes an account and returns it, and a client of whoever has it.
func (s service) person(t *testing.T, role, tenant string) (auth.Account, *ashlartest.Client) {
	t.Helper()
	a, err := s.Accounts.Create(t.Context(), auth.NewAccount{Email: id.New("") + "@b.test", Password: "square-and-true", Role: role, Tenant: tenant})
	if err != nil {
		t.Fatal(err)
	}
	return a, s.AsRole(a.ID, a.Tenant, a.Role)
}

// P11.20: a key of just the permissions that an operation needs may call it,
// and one of all the others may not.
func TestEveryOperationTakesAPIKeys(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, admin := s.person(t, merchant.RoleAdmin, "")
	var all []access.Permission
	for _, o := range s.Operations() {
		all = append(all, o.Spec().Permissions...)
	}
	for _, o := range s.Operations() {
		spec := o.Spec()
		if spec.Access != op.ByPermission {
			continue
		}
		with := apiKeyOf(admin, spec.Permissions...)
		others := slices.DeleteFunc(slices.Clone(all), func(p access.Permission) bool { return slices.Contains(spec.Permissions, p) })
		slices.Sort(others)
		without := apiKeyOf(admin, slices.Compact(others)...)
		path := strings.Replace(spec.Path, "{id}", "unknown", 1)
		// The request is refused for something else, or answered.
		if w := s.Bearer(with.Key).Do(spec.Method, path, ""); w.Code == http.StatusUnauthorized || w.Code == http.StatusForbidden {
			t.Errorf("%s answers %d to a key of its permissions: %s", spec.Name, w.Code, w.Body)
		}
		if w := s.Bearer(without.Key).Do(spec.Method, path, ""); w.Code != http.StatusForbidden {
			t.Errorf("%s answers %d to a key of all other permissions: %s", spec.Name, w.Code, w.Body)
		}
	}
}

// P10.2, P10.7: a key acts for its owner's merchant and nobody else's, and goes
// with its owner.
func TestAMerchantsAPIKey(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, shop := s.person(t, merchant.RoleMerchant, demoShop)
	_, rival := s.person(t, merchant.RoleMerchant, demoRival)
	till := s.Bearer(apiKeyOf(shop, payment.Read, payment.Write).Key)

	p := pay(till, "payments.authorize", order(captured)).OK()
	if p.MerchantID != demoShop {
		t.Errorf("the payment is of %s", p.MerchantID)
	}
	again := till.Key("the-same")
	if one, two := pay(again, "payments.authorize", order()).OK(), pay(again, "payments.authorize", order()); two.OK().ID != one.ID || !two.Replayed() {
		t.Error("a retry with a key made another payment")
	}
	pay(s.Bearer(apiKeyOf(rival, payment.Read).Key), "payments.get", payment.ByID{ID: p.ID}).Fails(payment.ErrNotFound)
	refund(till, "payments.refund", payment.ByID{ID: p.ID}).Denied()
	newAPIKey(shop, ledger.Read).Fails(fault.ErrDenied)
	newAPIKey(till, payment.WriteRefunds).Fails(fault.ErrDenied) // its owner may, the key may not
}
