package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
	"github.com/ashlar-go/ashlar/examples/payments/internal/ledger"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/examples/payments/internal/network"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
)

func TestAuthorizeHoldsMoney(t *testing.T) {
	t.Parallel()
	s := open(t)

	in := order(func(in *payment.Authorize) {
		in.Description, in.Metadata = "two chairs", map[string]payment.Note{"shelf": "7"}
	})
	r := pay(s.shop, "payments.authorize", in)
	p := r.OK()
	if r.Header("Location") != "/v1/payments/"+p.ID || r.Header("ETag") != `"1"` {
		t.Errorf("Location %q, ETag %s", r.Header("Location"), r.Header("ETag"))
	}
	want := payment.Payment{
		ID: p.ID, MerchantID: demoShop, Status: payment.Authorized, Amount: 100_00, Currency: money.EUR,
		Card:      card.Details{Brand: "visa", Last4: "4242", ExpMonth: 12, ExpYear: 2040},
		Reference: "order-1", Description: "two chairs", Metadata: in.Metadata,
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, Version: 1,
	}
	if fmt.Sprint(p) != fmt.Sprint(want) {
		t.Errorf("got %+v\nwant %+v", p, want)
	}
	if got := pay(s.shop, "payments.get", payment.ByID{ID: p.ID}).OK(); fmt.Sprint(got) != fmt.Sprint(p) {
		t.Errorf("authorised %+v\nand found %+v", p, got)
	}
	s.hasBalances(t, map[ledger.Account]int64{ledger.Authorized: 100_00, ledger.Held: -100_00})
}

func TestAuthorizeCapturesAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := pay(s.shop, "payments.authorize", order(captured)).OK()
	if p.Status != payment.Captured || p.CapturedAmount != 100_00 {
		t.Errorf("got %s with %d captured", p.Status, p.CapturedAmount)
	}
	s.hasBalances(t, map[ledger.Account]int64{ledger.Receivable: 100_00, ledger.Payable: -100_00})
}

func TestAuthorizeRejects(t *testing.T) {
	t.Parallel()
	s := open(t)
	for pointer, spoil := range map[string]func(*payment.Authorize){
		"/amount":         func(in *payment.Authorize) { in.Amount = 0 },
		"/currency":       func(in *payment.Authorize) { in.Currency = "XXX" },
		"/reference":      func(in *payment.Authorize) { in.Reference = "" },
		"/card/number":    func(in *payment.Authorize) { in.Card.Number = "4242424242424241" },
		"/card/cvc":       func(in *payment.Authorize) { in.Card.CVC = "12" },
		"/card/exp_month": func(in *payment.Authorize) { in.Card.ExpMonth = 13 },
		"/card/exp_year":  func(in *payment.Authorize) { in.Card.ExpYear = 30 },
		"/merchant_id":    func(in *payment.Authorize) { in.MerchantID = demoShop },
		"/metadata": func(in *payment.Authorize) {
			in.Metadata = map[string]payment.Note{}
			for i := range 21 {
				in.Metadata[fmt.Sprint(i)] = ""
			}
		},
	} {
		pay(s.shop, "payments.authorize", order(spoil)).Invalid(pointer)
	}
	pay(s.shop, "payments.authorize", order(func(in *payment.Authorize) {
		in.Amount, in.Currency, in.Card.Number = money.Max+1, "", "x"
	})).Invalid("/amount", "/currency", "/card/number")
	if rows := payments(s.shop, "payments.list", nil).OK(); len(rows.Data) != 0 {
		t.Errorf("refused requests left %d payments", len(rows.Data))
	}
}

func TestStaffSayWhoIsPaid(t *testing.T) {
	t.Parallel()
	s := open(t)
	shop := s.newMerchant(t)
	to := func(id string) func(*payment.Authorize) {
		return func(in *payment.Authorize) { in.MerchantID = id }
	}
	if p := pay(s.admin, "payments.authorize", order(to(shop))).OK(); p.MerchantID != shop {
		t.Errorf("paid %s, want %s", p.MerchantID, shop)
	}
	pay(s.admin, "payments.authorize", order()).Invalid("/merchant_id")
	pay(s.admin, "payments.authorize", order(to("mer_nobody"))).Invalid("/merchant_id")
	for _, account := range []string{"", "mer_unknown"} {
		pay(s.AsRole("usr_lost", account, merchant.RoleMerchant), "payments.authorize", order()).Denied()
	}
	if all := payments(s.support, "payments.list", nil).OK(); len(all.Data) != 1 {
		t.Errorf("there are %d payments, want the admin's alone", len(all.Data))
	}
}

func TestFreeTextHoldsNoCard(t *testing.T) {
	t.Parallel()
	s := open(t)
	const number = "4242 4242-42424242"
	for name, c := range map[string]struct {
		pointer string
		spoil   func(*payment.Authorize)
	}{
		"reference":      {"/reference", func(in *payment.Authorize) { in.Reference = number }},
		"description":    {"/description", func(in *payment.Authorize) { in.Description = "paid with " + number }},
		"metadata value": {"/metadata/a~1b~0c", func(in *payment.Authorize) { in.Metadata = map[string]payment.Note{"a/b~c": number} }},
		"metadata name":  {"/metadata", func(in *payment.Authorize) { in.Metadata = map[string]payment.Note{number: number} }},
	} {
		problem := pay(s.shop, "payments.authorize", order(c.spoil)).Invalid(c.pointer)
		if problem.Errors[0].Code != "card_number" {
			t.Errorf("%s: %+v", name, problem.Errors)
		}
	}
	pay(s.shop, "payments.authorize", order(func(in *payment.Authorize) {
		in.Reference, in.Description, in.Metadata = number, number, map[string]payment.Note{"b": number, "a": number}
	})).Invalid("/reference", "/description", "/metadata/a", "/metadata/b")
	makeMerchant(s.admin, "merchants.create", merchant.Prospect{Name: number, Country: "DE", Currency: money.EUR}).Invalid("/name")

	const notOne = "4242 4242 4242 4241" // its check digit is wrong
	p := pay(s.shop, "payments.authorize", order(captured, func(in *payment.Authorize) {
		in.Reference, in.Description, in.Metadata = notOne, notOne, map[string]payment.Note{notOne: notOne}
	})).OK()
	refund(s.shop, "payments.refund", payment.Return{ID: p.ID, Amount: 1, Reason: number}).Invalid("/reason")
	refund(s.shop, "payments.refund", payment.Return{ID: p.ID, Amount: 1, Reason: notOne}).OK()
}

func TestTestCards(t *testing.T) {
	t.Parallel()
	s := open(t)
	for number, brand := range map[card.Number]string{
		"4242424242424242": "visa", "5555555555554444": "mastercard", "378282246310005": "amex",
	} {
		if p := pay(s.shop, "payments.authorize", order(with(number))).OK(); p.Card.Brand != brand {
			t.Errorf("brand %s, want %s", p.Card.Brand, brand)
		}
	}
	for number, code := range map[card.Number]network.Decline{
		"4000000000000002": network.Generic,
		"4000000000009995": network.NoFunds,
		"4000000000000069": network.ExpiredCard,
		"4000000000000127": network.IncorrectCVC,
		"4000000000000119": network.Unprocessed,
	} {
		s.declined(t, order(with(number)), code)
	}
	s.declined(t, order(func(in *payment.Authorize) { in.Card.ExpYear = 2020 }), network.ExpiredCard)
}

// declined makes a payment that must be declined with a code, and looks at what
// is left of it.
func (s service) declined(t *testing.T, in payment.Authorize, code network.Decline) {
	t.Helper()
	problem := pay(s.shop, "payments.authorize", in).Fails(payment.ErrDeclined)
	if problem.Type != "/problems/card-declined" || problem.Members["decline_code"] != string(code) {
		t.Errorf("type %s, decline_code %v, want %s", problem.Type, problem.Members["decline_code"], code)
	}
	id, _ := problem.Members["id"].(string)
	p := pay(s.shop, "payments.get", payment.ByID{ID: id}).OK()
	if p.Status != payment.Declined || p.DeclineCode != code {
		t.Errorf("kept as %s with decline_code %s", p.Status, p.DeclineCode)
	}
	pay(s.shop, "payments.capture", payment.ByID{ID: id}).Fails(payment.ErrState)
	if rows := entries(s.auditor, "ledger.entries", ledger.List{PaymentID: id}).OK(); len(rows.Data) != 0 {
		t.Errorf("a declined payment moved money: %+v", rows.Data)
	}
}

func TestSlowCardIsApproved(t *testing.T) {
	t.Parallel()
	s := open(t)
	began := time.Now()
	pay(s.shop, "payments.authorize", order(with("4000000000006975"))).OK()
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("the slow card answered after %v", took)
	}
}

func TestCapture(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := pay(s.shop, "payments.authorize", order()).OK()

	pay(s.shop, "payments.capture", payment.Capture{ID: p.ID, Amount: 100_01}).Invalid("/amount")
	pay(s.shop, "payments.capture", map[string]any{"id": p.ID, "amount": 0}).Invalid("/amount")
	r := pay(s.shop, "payments.capture", payment.Capture{ID: p.ID, Amount: 60_00})
	if got := r.OK(); got.Status != payment.Captured || got.CapturedAmount != 60_00 || r.Header("ETag") != `"2"` {
		t.Errorf("got %+v with ETag %s", got, r.Header("ETag"))
	}
	pay(s.shop, "payments.capture", payment.Capture{ID: p.ID, Amount: 1}).Fails(payment.ErrState)
	pay(s.shop, "payments.void", payment.ByID{ID: p.ID}).Fails(payment.ErrState)
	pay(s.shop, "payments.capture", payment.ByID{ID: "pay_unknown"}).Fails(payment.ErrNotFound)
	s.hasBalances(t, map[ledger.Account]int64{ledger.Receivable: 60_00, ledger.Payable: -60_00})
}

func TestVoid(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := pay(s.shop, "payments.authorize", order()).OK()
	if got := pay(s.shop, "payments.void", payment.ByID{ID: p.ID}).OK(); got.Status != payment.Voided {
		t.Errorf("got %s", got.Status)
	}
	for _, again := range []string{"payments.void", "payments.capture"} {
		pay(s.shop, again, payment.ByID{ID: p.ID}).Fails(payment.ErrState)
	}
	refund(s.shop, "payments.refund", payment.ByID{ID: p.ID}).Fails(payment.ErrState)
	pay(s.shop, "payments.void", payment.ByID{ID: "pay_unknown"}).Fails(payment.ErrNotFound)
	s.hasBalances(t, map[ledger.Account]int64{})
}

func TestWrongStateNamesTheState(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := pay(s.shop, "payments.authorize", order(captured)).OK()
	problem := pay(s.shop, "payments.void", payment.ByID{ID: p.ID}).Fails(payment.ErrState)
	if got := problem.Members["payment_status"]; got != string(payment.Captured) {
		t.Errorf("payment_status is %v, want %s", got, payment.Captured)
	}
	for _, level := range []string{"WARN", "ERROR"} {
		if log := s.Log(); strings.Contains(log, `"level":"`+level+`"`) {
			t.Errorf("a refusal is logged as %s: %s", level, log)
		}
	}
}

func TestRefund(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := pay(s.shop, "payments.authorize", order(captured)).OK()

	first := refund(s.shop, "payments.refund", payment.Return{ID: p.ID, Amount: 30_00, Reason: "scratched"}).OK()
	if first.PaymentID != p.ID || first.Amount != 30_00 || first.Currency != money.EUR || first.Reason != "scratched" {
		t.Errorf("got %+v", first)
	}
	refund(s.shop, "payments.refund", payment.Return{ID: p.ID, Amount: 70_01}).Invalid("/amount")
	if got := pay(s.shop, "payments.get", payment.ByID{ID: p.ID}).OK(); got.Status != payment.PartiallyRefunded || got.RefundedAmount != 30_00 {
		t.Errorf("after one refund: %+v", got)
	}
	rest := refund(s.support, "payments.refund", payment.ByID{ID: p.ID}).OK() // the rest
	if got := pay(s.shop, "payments.get", payment.ByID{ID: p.ID}).OK(); got.Status != payment.Refunded || got.RefundedAmount != 100_00 || rest.Amount != 70_00 {
		t.Errorf("after both refunds: %+v", got)
	}
	refund(s.shop, "payments.refund", payment.ByID{ID: p.ID}).Fails(payment.ErrState)
	refund(s.shop, "payments.refund", payment.ByID{ID: "pay_unknown"}).Fails(payment.ErrNotFound)
	s.hasBalances(t, map[ledger.Account]int64{})

	page := refunds(s.shop, "payments.refunds", payment.ListRefunds{ID: p.ID, Paging: op.Paging{Limit: 1}}).OK()
	if len(page.Data) != 1 || page.Data[0] != rest || !page.HasMore {
		t.Fatalf("first page is %+v", page)
	}
	page = refunds(s.shop, "payments.refunds", payment.ListRefunds{ID: p.ID, Paging: op.Paging{Cursor: *page.NextCursor}}).OK()
	if len(page.Data) != 1 || page.Data[0] != first || page.HasMore {
		t.Errorf("second page is %+v", page)
	}
	refunds(s.shop, "payments.refunds", payment.ListRefunds{ID: p.ID, Paging: op.Paging{Cursor: "bm9uc2Vuc2U"}}).Fails(op.ErrCursor)
	refunds(s.shop, "payments.refunds", payment.ByID{ID: "pay_unknown"}).Fails(payment.ErrNotFound)
}

func TestIfMatchRefusesWhatWasNotSeen(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := pay(s.shop, "payments.authorize", order()).OK()
	for _, command := range []string{"payments.capture", "payments.void"} {
		pay(s.shop.With("If-Match", `"7"`), command, payment.ByID{ID: p.ID}).Fails(fault.ErrStale)
	}
	pay(s.shop.With("If-Match", `"1"`), "payments.capture", payment.ByID{ID: p.ID}).OK()
	pay(s.shop.With("If-Match", `"1"`), "payments.capture", payment.ByID{ID: p.ID}).Fails(fault.ErrStale)

	if w := s.shop.With("If-None-Match", `"2"`).Do("GET", "/v1/payments/"+p.ID, ""); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("got %d with %d bytes for what was seen, want 304 with none", w.Code, w.Body.Len())
	}
	if w := s.shop.With("If-None-Match", `"1"`).Do("GET", "/v1/payments/"+p.ID, ""); w.Code != 200 {
		t.Errorf("got %d for an older version, want 200", w.Code)
	}
}

func TestEachChangeIsOneEvent(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := pay(s.shop, "payments.authorize", order()).OK()
	pay(s.shop, "payments.capture", payment.ByID{ID: p.ID}).OK()
	refund(s.shop, "payments.refund", payment.Return{ID: p.ID, Amount: 1}).OK()
	pay(s.shop, "payments.capture", payment.ByID{ID: p.ID}).Fails(payment.ErrState)
	pay(s.rival, "payments.authorize", order(with("4000000000000002"))).Fails(payment.ErrDeclined)

	feed := events(s.shop, "events.list", nil).OK()
	var types []event.Topic[payment.Payment]
	for i, e := range feed.Data {
		types = append(types, event.Topic[payment.Payment](e.Type))
		if e.PaymentID != p.ID || e.MerchantID != demoShop || e.Data.Version != int64(i+1) {
			t.Errorf("event %d is %+v", i, e)
		}
	}
	if want := []event.Topic[payment.Payment]{payment.WasAuthorized, payment.WasCaptured, payment.WasRefunded}; !slices.Equal(types, want) || feed.HasMore {
		t.Errorf("got %v, want %v", types, want)
	}
	rest := events(s.shop, "events.list", payment.After{After: feed.Data[0].ID, Limit: 1}).OK()
	if len(rest.Data) != 1 || rest.Data[0].ID != feed.Data[1].ID || !rest.HasMore {
		t.Errorf("after the first event: %+v", rest)
	}
	if all := events(s.support, "events.list", nil).OK(); len(all.Data) != 4 || all.Data[3].Type != payment.EventType(payment.WasDeclined) {
		t.Errorf("support sees %+v", all.Data)
	}
	events(s.shop, "events.list", payment.After{After: "pay_1", Limit: 101}).Invalid("/after", "/limit")
}

func TestListPagesByKey(t *testing.T) {
	t.Parallel()
	s := open(t)
	var made []string
	for i := range 7 {
		made = append(made, pay(s.shop, "payments.authorize", order(func(in *payment.Authorize) { in.Amount += int64(i) })).OK().ID)
	}
	pay(s.rival, "payments.authorize", order()).OK()
	slices.Reverse(made)

	var listed []string
	in := payment.List{Paging: op.Paging{Limit: 3}}
	for {
		page := payments(s.shop, "payments.list", in).OK()
		for _, p := range page.Data {
			listed = append(listed, p.ID)
		}
		if !page.HasMore {
			break
		}
		pay(s.shop, "payments.authorize", order()).OK() // what arrives meanwhile moves nothing
		in.Cursor = *page.NextCursor
	}
	if !slices.Equal(listed, made) {
		t.Errorf("listed %v\nwant   %v", listed, made)
	}
	payments(s.shop, "payments.list", payment.List{Paging: op.Paging{Cursor: "bm9uc2Vuc2U"}}).Fails(op.ErrCursor)
	payments(s.shop, "payments.list", payment.List{Paging: op.Paging{Cursor: op.NewCursor("ent_1")}}).Fails(op.ErrCursor)
	payments(s.shop, "payments.list", map[string]any{"limit": 101, "status": "pending", "currency": "EURO"}).Invalid("/limit", "/status", "/currency")
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	s := open(t)
	euro := pay(s.shop, "payments.authorize", order()).OK()
	dollar := pay(s.shop, "payments.authorize", order(captured, func(in *payment.Authorize) { in.Currency = money.USD })).OK()

	for name, c := range map[string]struct {
		in   payment.List
		want []string
	}{
		"everything":       {payment.List{}, []string{dollar.ID, euro.ID}},
		"a status":         {payment.List{Status: payment.Captured}, []string{dollar.ID}},
		"a currency":       {payment.List{Currency: money.EUR}, []string{euro.ID}},
		"both":             {payment.List{Status: payment.Captured, Currency: money.EUR}, nil},
		"after a time":     {payment.List{CreatedAfter: euro.CreatedAt.Add(-time.Millisecond)}, []string{dollar.ID, euro.ID}},
		"after the last":   {payment.List{CreatedAfter: dollar.CreatedAt}, nil},
		"before a time":    {payment.List{CreatedBefore: dollar.CreatedAt.Add(time.Millisecond)}, []string{dollar.ID, euro.ID}},
		"before the first": {payment.List{CreatedBefore: euro.CreatedAt}, nil},
	} {
		var got []string
		for _, p := range payments(s.shop, "payments.list", c.in).OK().Data {
			got = append(got, p.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// hasBalances holds the euro balances of all accounts; those not named are 0.
func (s service) hasBalances(t testing.TB, want map[ledger.Account]int64) {
	t.Helper()
	got, sum := map[ledger.Account]int64{}, int64(0)
	for _, b := range balances(s.auditor, "ledger.balances", nil).OK().Data {
		sum += b.Balance
		if b.Balance != 0 {
			got[b.Account] = b.Balance
		}
	}
	if !maps.Equal(got, want) || sum != 0 {
		t.Errorf("balances are %v with sum %d, want %v", got, sum, want)
	}
}
