package payment

import (
	"context"
	"errors"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/network"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/idem"
)

// Authorize holds money on a card, and takes it at once if asked to. A card
// that is declined leaves a payment with the status declined.
func (s *Service) Authorize(ctx context.Context, in Authorize) (Payment, error) {
	p, err := s.begin(ctx, in)
	if err != nil {
		return Payment{}, err
	}
	// From here on there may be a hold, so the outcome is recorded even if the
	// caller has gone.
	ctx = context.WithoutCancel(ctx)
	answer, err := s.network.Authorize(ctx, network.Request{
		Key: p.ID, Card: in.Card, Amount: p.Amount, Currency: p.Currency,
	})
	if err != nil {
		return Payment{}, err // still pending: a retry or the settler asks again
	}
	return s.settle(ctx, p, answer)
}

// begin records a payment as pending, together with the idempotency key of the
// request. A request that was begun before goes on with its payment.
func (s *Service) begin(ctx context.Context, in Authorize) (intent, error) {
	if paymentID, resumed := idem.Resumed(ctx); resumed {
		return findIntent(ctx, s.db, paymentID)
	}
	payee, err := merchant.Subject(ctx, s.merchants, in.MerchantID, "payments")
	if err == nil && payee == "" {
		err = fault.At("/merchant_id", "required", "is required from staff: say which merchant is paid")
	}
	if err != nil {
		return intent{}, err
	}
	if err := s.network.Available(); err != nil {
		return intent{}, err
	}
	p := newIntent(in, payee, in.Card.Number.Fingerprint(s.fingerprintKey), now())
	return db.InTx(idem.Phase(ctx, p.ID), s.db, func(tx *db.Tx) (intent, error) {
		return p, insert(ctx, tx, p)
	}, db.ReadCommitted)
}

func newIntent(in Authorize, payee, fingerprint string, at time.Time) intent {
	if in.Metadata == nil {
		in.Metadata = map[string]Note{}
	}
	return intent{
		Payment: Payment{
			ID: id.New("pay_"), MerchantID: payee, Status: pending,
			Amount: in.Amount, Currency: in.Currency, Card: in.Card.Details(),
			Reference: in.Reference, Description: in.Description, Metadata: in.Metadata,
			CreatedAt: at, UpdatedAt: at,
		},
		Capture:     in.Capture,
		Fingerprint: fingerprint,
	}
}

// settle records what the network answered. If somebody else has recorded it
// before, that stands; the network gives one answer only.
func (s *Service) settle(ctx context.Context, p intent, answer network.Answer) (Payment, error) {
	return db.InTx(ctx, s.db, func(tx *db.Tx) (Payment, error) {
		settled, err := settleIn(ctx, tx, p, answer, now())
		if err == nil && settled.Status == Declined {
			return Payment{}, db.Keep(ErrDeclined.Because("The card was declined.").
				With("decline_code", settled.DeclineCode).With("id", settled.ID))
		}
		return settled, err
	}, db.ReadCommitted)
}

func settleIn(ctx context.Context, tx *db.Tx, p intent, answer network.Answer, at time.Time) (Payment, error) {
	if p.Status == pending {
		c := p.settle(answer, p.Capture)
		settled, err := save(ctx, tx, p.Payment, c, at)
		if !errors.Is(err, errChanged) {
			return settled, err
		}
	}
	p, err := findIntent(ctx, tx, p.ID)
	return p.Payment, err
}
