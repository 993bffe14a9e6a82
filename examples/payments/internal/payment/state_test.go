package payment

import (
	"errors"
	"slices"
	"testing"

	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/examples/payments/internal/ledger"
	"github.com/ashlar-go/ashlar/examples/payments/internal/network"
	"github.com/ashlar-go/ashlar/fault"
)

// TestTransitions holds the whole table: from each status, what each command
// makes of a payment of 100, of which what is captured is captured in full.
func TestTransitions(t *testing.T) {
	t.Parallel()
	partly := func(p *Payment) (change, error) { _, c, err := p.refund(40); return c, err }
	fully := func(p *Payment) (change, error) { _, c, err := p.refund(0); return c, err }
	capture := func(p *Payment) (change, error) { return p.capture(60) }

	allowed := map[Status]map[string]Status{
		Authorized:        {"capture": Captured, "void": Voided, "expire": Expired},
		Captured:          {"refund 40": PartiallyRefunded, "refund": Refunded},
		PartiallyRefunded: {"refund 40": PartiallyRefunded, "refund": Refunded},
		Refunded:          {}, Voided: {}, Declined: {}, Expired: {}, pending: {},
	}
	for from, ways := range allowed {
		for name, command := range map[string]func(*Payment) (change, error){
			"capture": capture, "void": (*Payment).void, "expire": (*Payment).expire, "refund 40": partly, "refund": fully,
		} {
			p := Payment{Status: from, Amount: 100}
			if from == Captured || from == PartiallyRefunded {
				p.CapturedAmount = 100
			}
			if from == PartiallyRefunded {
				p.RefundedAmount = 10
			}
			before := p.Status
			_, err := command(&p)
			switch to, ok := ways[name]; {
			case ok && (err != nil || p.Status != to):
				t.Errorf("%s of a payment that is %s: %s, %v; want %s", name, before, p.Status, err, to)
			case !ok && !errors.Is(err, ErrState):
				t.Errorf("%s of a payment that is %s: %v, want %v", name, before, err, ErrState)
			case !ok && p.Status != before:
				t.Errorf("%s of a payment that is %s was refused, but made it %s", name, before, p.Status)
			}
		}
	}
}

func TestAmountsHaveBounds(t *testing.T) {
	t.Parallel()
	p := Payment{Status: Authorized, Amount: 100}
	if _, err := p.capture(101); !errors.Is(err, fault.ErrInvalid) || p.CapturedAmount != 0 {
		t.Errorf("captured 101 of 100: %v", err)
	}
	if c, err := p.capture(60); err != nil || !slices.Equal(c.moves, []ledger.Transfer{ledger.Release(100), ledger.Charge(60)}) {
		t.Errorf("capturing 60 of 100 moves %v, %v; the whole hold is released", c.moves, err)
	}
	if _, _, err := p.refund(61); !errors.Is(err, fault.ErrInvalid) || p.RefundedAmount != 0 {
		t.Errorf("refunded 61 of 60: %v", err)
	}
	for _, amount := range []int64{20, 40} {
		if _, _, err := p.refund(amount); err != nil {
			t.Errorf("refund %d: %v", amount, err)
		}
	}
	if p.Status != Refunded || p.RefundedAmount != 60 {
		t.Errorf("after refunds of 20 and 40 of 60: %s, %d", p.Status, p.RefundedAmount)
	}
}

func TestSettling(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer  network.Answer
		capture bool
		status  Status
		event   event.Topic[Payment]
		moves   []ledger.Transfer
	}{
		"approved":              {network.Answer{}, false, Authorized, WasAuthorized, []ledger.Transfer{ledger.Hold(100)}},
		"approved and captured": {network.Answer{}, true, Captured, WasCaptured, []ledger.Transfer{ledger.Charge(100)}},
		"declined":              {network.Answer{Decline: network.NoFunds}, true, Declined, WasDeclined, nil},
	} {
		p := Payment{Status: pending, Amount: 100}
		got := p.settle(c.answer, c.capture)
		if p.Status != c.status || p.DeclineCode != c.answer.Decline || got.event != c.event || !slices.Equal(got.moves, c.moves) {
			t.Errorf("%s: %+v, %+v", name, p, got)
		}
	}
}
