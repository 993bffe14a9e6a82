package payment

import (
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/examples/payments/internal/ledger"
	"github.com/ashlar-go/ashlar/examples/payments/internal/network"
	"github.com/ashlar-go/ashlar/fault"
)

// A change is what becomes of a payment: what it is called as an event, and the
// money that moves with it.
type change struct {
	event event.Topic[Payment]
	moves []ledger.Transfer
}

// settle applies the network's answer to a pending payment.
func (p *Payment) settle(answer network.Answer, capture bool) change {
	switch {
	case answer.Decline != "":
		p.Status, p.DeclineCode = Declined, answer.Decline
		return change{event: WasDeclined}
	case capture:
		p.Status, p.CapturedAmount = Captured, p.Amount
		return change{WasCaptured, []ledger.Transfer{ledger.Charge(p.Amount)}}
	default:
		p.Status = Authorized
		return change{WasAuthorized, []ledger.Transfer{ledger.Hold(p.Amount)}}
	}
}

// capture takes an amount, or all for 0, and releases the rest.
func (p *Payment) capture(amount int64) (change, error) {
	if p.Status != Authorized {
		return change{}, p.wrongState("captured")
	}
	if amount == 0 {
		amount = p.Amount
	}
	if amount > p.Amount {
		return change{}, fault.At("/amount", "too_large", "must not exceed the authorised amount")
	}
	p.Status, p.CapturedAmount = Captured, amount
	return change{WasCaptured, []ledger.Transfer{ledger.Release(p.Amount), ledger.Charge(amount)}}, nil
}

// void gives the hold up.
func (p *Payment) void() (change, error) {
	if p.Status != Authorized {
		return change{}, p.wrongState("voided")
	}
	p.Status = Voided
	return change{WasVoided, []ledger.Transfer{ledger.Release(p.Amount)}}, nil
}

// expire gives up a hold that nobody captured.
func (p *Payment) expire() (change, error) {
	if p.Status != Authorized {
		return change{}, p.wrongState("expired")
	}
	p.Status = Expired
	return change{WasExpired, []ledger.Transfer{ledger.Release(p.Amount)}}, nil
}

// refund gives back an amount, or all that is left for 0, and returns what it
// was.
func (p *Payment) refund(amount int64) (int64, change, error) {
	if p.Status != Captured && p.Status != PartiallyRefunded {
		return 0, change{}, p.wrongState("refunded")
	}
	left := p.CapturedAmount - p.RefundedAmount
	if amount == 0 {
		amount = left
	}
	if amount > left {
		return 0, change{}, fault.At("/amount", "too_large", "must not exceed what is left of the captured amount")
	}
	p.Status, p.RefundedAmount = PartiallyRefunded, p.RefundedAmount+amount
	if amount == left {
		p.Status = Refunded
	}
	return amount, change{WasRefunded, []ledger.Transfer{ledger.Refund(amount)}}, nil
}

func (p *Payment) wrongState(participle string) error {
	return ErrState.Because("The payment is %s and cannot be %s.", p.Status, participle).With("payment_status", p.Status)
}
