package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar/examples/payments/internal/ledger"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/fault"
)

func TestSameKeyIsOnePayment(t *testing.T) {
	t.Parallel()
	s := open(t)
	first := pay(s.shop.Key("k1"), "payments.authorize", order())
	second := pay(s.shop.Key("k1"), "payments.authorize", order())
	if first.Replayed() || !second.Replayed() || first.Body() != second.Body() ||
		second.Header("ETag") != first.Header("ETag") || second.Header("Location") != first.Header("Location") {
		t.Errorf("first  %s\nsecond %s", first.Body(), second.Body())
	}
	pay(s.shop.Key("k1"), "payments.authorize", order(captured)).Fails(fault.ErrKeyReused)
	if other := pay(s.rival.Key("k1"), "payments.authorize", order()); other.Replayed() || other.OK().MerchantID != demoRival {
		t.Error("two merchants share a key")
	}
	body, err := json.Marshal(order())
	if err != nil {
		t.Fatal(err)
	}
	if w := s.shop.Do(http.MethodPost, "/v1/payments", string(body)); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), fault.ErrKeyMissing.Code()) {
		t.Errorf("without a key: %d %s", w.Code, w.Body)
	}
	s.hasBalances(t, map[ledger.Account]int64{ledger.Authorized: 200_00, ledger.Held: -200_00})
}

func TestDeclineIsReplayed(t *testing.T) {
	t.Parallel()
	s := open(t)
	declined := order(with("4000000000009995"))
	first := pay(s.shop.Key("k1"), "payments.authorize", declined).Fails(payment.ErrDeclined)
	again := pay(s.shop.Key("k1"), "payments.authorize", declined)
	if second := again.Fails(payment.ErrDeclined); second.Members["id"] != first.Members["id"] || !again.Replayed() {
		t.Errorf("first %v, second %v", first.Members, second.Members)
	}
}

func TestKeyOfARefundIsOptional(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := pay(s.shop, "payments.authorize", order(captured)).OK()
	ten := payment.Return{ID: p.ID, Amount: 10_00}
	refund(s.shop.Key(" "), "payments.refund", ten).Fails(fault.ErrKeyMalformed) // meant to be one, and is none
	first := refund(s.shop.Key("r1"), "payments.refund", ten).OK()
	if again := refund(s.shop.Key("r1"), "payments.refund", ten); again.OK() != first || !again.Replayed() {
		t.Errorf("first %+v, again %+v", first, again.OK())
	}
	for range 2 {
		if w := s.shop.Do(http.MethodPost, "/v1/payments/"+p.ID+"/refunds", `{"amount":500}`); w.Code != http.StatusCreated {
			t.Errorf("got %d without a key: %s", w.Code, w.Body)
		}
	}
	if got := pay(s.shop, "payments.get", payment.ByID{ID: p.ID}).OK(); got.RefundedAmount != 20_00 {
		t.Errorf("refunded %d, want 20_00", got.RefundedAmount)
	}
}

func TestTwinsHaveOneEffect(t *testing.T) {
	t.Parallel()
	s := open(t)
	statuses := together(20, func(int) int {
		return pay(s.shop.Key("twin"), "payments.authorize", order()).Status()
	})
	if !slices.Contains(statuses, http.StatusCreated) {
		t.Errorf("nobody got the payment: %v", statuses)
	}
	for _, status := range statuses {
		if status != http.StatusCreated && status != http.StatusConflict {
			t.Errorf("a twin got %d", status)
		}
	}
	if list := payments(s.shop, "payments.list", nil).OK(); len(list.Data) != 1 {
		t.Errorf("twins made %d payments", len(list.Data))
	}
	s.hasBalances(t, map[ledger.Account]int64{ledger.Authorized: 100_00, ledger.Held: -100_00})
}

func TestOneOfManyCapturesWins(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := pay(s.shop, "payments.authorize", order()).OK()
	statuses := together(50, func(int) int {
		return pay(s.shop, "payments.capture", payment.ByID{ID: p.ID}).Status()
	})
	slices.Sort(statuses)
	if statuses[0] != http.StatusOK || statuses[1] != http.StatusConflict || statuses[49] != http.StatusConflict {
		t.Errorf("got %v, want one 200 and 409 for the others", statuses)
	}
	s.hasBalances(t, map[ledger.Account]int64{ledger.Receivable: 100_00, ledger.Payable: -100_00})
}

// together calls work n times at once and returns what each call returned.
func together[T any](n int, work func(i int) T) []T {
	results := make([]T, n)
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range n {
		done.Go(func() {
			start.Wait()
			results[i] = work(i)
		})
	}
	start.Done()
	done.Wait()
	return results
}
