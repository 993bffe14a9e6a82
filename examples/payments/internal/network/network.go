// Package network reaches the card network: the companies that ask a card's
// issuer whether it will pay.
//
// The network is somebody else's computer. It answers late, or not at all, and
// then nobody knows whether money is held. So each request carries a key, and
// the network gives the answer of a key only once: asking again is always
// safe. [Client] does the asking, with time-outs, retries and a circuit
// breaker; [Simulated] is a network for development and tests.
package network

import (
	"context"

	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/fault"
)

// ErrUnavailable says that the network gave no answer. What became of the
// request is unknown until somebody asks again with the same key.
const ErrUnavailable fault.Unavailable = "card_network_unavailable"

// A Network authorises card payments. An implementation is safe for concurrent
// use, and returns when ctx ends.
type Network interface {
	// Authorize asks the issuer to hold an amount. A key that was answered
	// before gets the same answer again, and holds nothing more.
	Authorize(ctx context.Context, r Request) (Answer, error)
	// Recall returns the answer that a key was given. A key that was never
	// seen is closed: from now on it is declined as [Unprocessed]. So the
	// outcome of a key is final after Recall, even if a late Authorize is
	// still under way.
	Recall(ctx context.Context, key string) (Answer, error)
}

// A Request asks for a hold.
type Request struct {
	// Key names the request, for ever.
	Key      string
	Card     card.Card
	Amount   int64 // minor units
	Currency money.Currency
}

// An Answer is what the issuer said.
type Answer struct {
	// Decline is why the issuer declined; empty means that it approved.
	Decline Decline
}

// A Decline is the reason for which a card was declined. It is part of the
// public API, as decline_code.
type Decline string

// The reasons.
const (
	Generic      Decline = "card_declined"
	NoFunds      Decline = "insufficient_funds"
	ExpiredCard  Decline = "expired_card"
	IncorrectCVC Decline = "incorrect_cvc"
	Unprocessed  Decline = "processing_error"
)
