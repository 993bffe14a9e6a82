package main

import (
	"slices"
	"testing"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/examples/payments/internal/hook"
	"github.com/ashlar-go/ashlar/examples/payments/internal/ledger"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/examples/payments/internal/report"
	"github.com/ashlar-go/ashlar/examples/payments/internal/user"
	"github.com/ashlar-go/ashlar/op"
)

var (
	merchants    = ashlartest.Call[op.Page[merchant.Merchant]]
	makeMerchant = ashlartest.Call[merchant.Merchant]
	users        = ashlartest.Call[op.Page[user.User]]
	makeUser     = ashlartest.Call[user.User]
)

func (s service) newMerchant(t testing.TB) string {
	t.Helper()
	return makeMerchant(s.admin, "merchants.create", merchant.Prospect{Name: "Corner Shop", Country: "DE", Currency: "EUR"}).OK().ID
}

func TestMerchants(t *testing.T) {
	t.Parallel()
	s := open(t)
	r := makeMerchant(s.admin, "merchants.create", merchant.Prospect{Name: "Corner Shop", Country: "DE", Currency: "EUR"})
	first := r.OK()
	if r.Header("Location") != "/v1/merchants/"+first.ID {
		t.Errorf("Location is %q", r.Header("Location"))
	}
	second := s.newMerchant(t)

	if got := makeMerchant(s.admin, "merchants.get", merchant.ByID{ID: first.ID}).OK(); got != first {
		t.Errorf("made %+v and found %+v", first, got)
	}
	page := merchants(s.admin, "merchants.list", merchant.List{Paging: op.Paging{Limit: 1}}).OK()
	if len(page.Data) != 1 || page.Data[0].ID != second || !page.HasMore {
		t.Fatalf("first page is %+v", page)
	}
	page = merchants(s.admin, "merchants.list", merchant.List{Paging: op.Paging{Limit: 1, Cursor: *page.NextCursor}}).OK()
	if len(page.Data) != 1 || page.Data[0] != first {
		t.Errorf("second page is %+v", page)
	}
	page = merchants(s.admin, "merchants.list", merchant.List{Paging: op.Paging{Cursor: op.NewCursor(first.ID)}}).OK()
	if len(page.Data) != 2 || page.HasMore { // those of the fixture
		t.Errorf("last page is %+v", page)
	}

	makeMerchant(s.admin, "merchants.create", merchant.Prospect{Country: "Germany", Currency: "DM"}).Invalid("/name", "/country", "/currency")
	makeMerchant(s.admin, "merchants.get", merchant.ByID{ID: "mer_unknown"}).Fails(merchant.ErrNotFound)
	merchants(s.admin, "merchants.list", merchant.List{Paging: op.Paging{Cursor: "bm9uc2Vuc2U"}}).Fails(op.ErrCursor)
}

func TestUsers(t *testing.T) {
	t.Parallel()
	s := open(t)
	shop := s.newMerchant(t)
	invite := user.Invite{Email: "Clerk@Shop.test", Password: "eight-green-bottles", Role: merchant.RoleMerchant, MerchantID: shop}

	clerk := makeUser(s.admin, "users.create", invite).OK()
	if clerk.Email != "clerk@shop.test" || clerk.Role != merchant.RoleMerchant || clerk.MerchantID != shop {
		t.Errorf("got %+v", clerk)
	}
	makeUser(s.admin, "users.create", invite).Fails(auth.ErrEmailTaken)

	for pointer, spoil := range map[string]func(*user.Invite){
		"/email":       func(in *user.Invite) { in.Email = "clerk" },
		"/password":    func(in *user.Invite) { in.Password = "password1234" },
		"/role":        func(in *user.Invite) { in.Role = "owner" },
		"/merchant_id": func(in *user.Invite) { in.MerchantID = "mer_unknown" },
	} {
		in := invite
		spoil(&in)
		makeUser(s.admin, "users.create", in).Invalid(pointer)
	}
	for role, merchantID := range map[string]string{merchant.RoleMerchant: "", merchant.RoleSupport: shop} {
		in := invite
		in.Role, in.MerchantID = role, merchantID
		makeUser(s.admin, "users.create", in).Invalid("/merchant_id")
	}

	page := users(s.admin, "users.list", nil).OK()
	if !slices.Contains(page.Data, clerk) {
		t.Errorf("the list %+v lacks the new user", page.Data)
	}
	users(s.admin, "users.list", user.List{Paging: op.Paging{Cursor: "bm9uc2Vuc2U"}}).Fails(op.ErrCursor)
}

func TestSignInAndMe(t *testing.T) {
	t.Parallel()
	s := open(t)
	clerk := makeUser(s.admin, "users.create", user.Invite{
		Email: "clerk@shop.test", Password: "eight-green-bottles", Role: merchant.RoleMerchant, MerchantID: s.newMerchant(t),
	}).OK()
	signIn := ashlartest.Call[auth.Grant]
	session := signIn(s.Anonymous(), "auth.login", auth.Credentials{Email: "clerk@shop.test", Password: "eight-green-bottles"}).OK()
	bearer := s.Anonymous().With("Authorization", "Bearer "+session.AccessToken)

	got := ashlartest.Call[user.Me](bearer, "auth.me", nil).OK()
	want := []access.Permission{payment.ReadEvents, payment.Read, payment.Write, payment.WriteRefunds, report.Read, hook.Write}
	if got.ID != clerk.ID || got.Email != clerk.Email || got.MerchantID != clerk.MerchantID || !slices.Equal(got.Permissions, want) {
		t.Errorf("got %+v, want %+v with %v", got, clerk, want)
	}
	if p := pay(bearer, "payments.authorize", order()).OK(); p.MerchantID != clerk.MerchantID {
		t.Errorf("a clerk's payment is for %s", p.MerchantID)
	}
	balances(bearer, "ledger.balances", nil).Denied()

	for _, in := range []auth.Credentials{
		{Email: "clerk@shop.test", Password: "nine-green-bottles"},
		{Email: "nobody@shop.test", Password: "eight-green-bottles"},
	} {
		signIn(s.Anonymous(), "auth.login", in).Fails(auth.ErrSignIn)
	}
	ashlartest.Call[user.Me](s.shop, "auth.me", nil).Fails(auth.ErrToken) // signed in, but the account is gone
}

func TestLedgerOfOneMerchant(t *testing.T) {
	t.Parallel()
	s := open(t)
	pay(s.shop, "payments.authorize", order()).OK()
	rival := pay(s.rival, "payments.authorize", order(captured)).OK()

	sheet := balances(s.auditor, "ledger.balances", ledger.Of{MerchantID: demoRival}).OK()
	if len(sheet.Data) != 2 || sheet.Data[0].Account != ledger.Payable || sheet.Data[0].Balance != -100_00 {
		t.Errorf("got %+v", sheet.Data)
	}
	of := ledger.List{PaymentID: rival.ID, Paging: op.Paging{Limit: 1}}
	first := entries(s.auditor, "ledger.entries", of).OK()
	if len(first.Data) != 1 || !first.HasMore {
		t.Fatalf("first page is %+v", first)
	}
	of.Cursor = *first.NextCursor
	second := entries(s.auditor, "ledger.entries", of).OK()
	if len(second.Data) != 1 || second.HasMore || second.Data[0].Amount+first.Data[0].Amount != 0 || second.Data[0].Reason != string(payment.WasCaptured) {
		t.Errorf("second page is %+v", second)
	}
	entries(s.auditor, "ledger.entries", ledger.List{Paging: op.Paging{Cursor: "bm9uc2Vuc2U"}}).Fails(op.ErrCursor)
}
