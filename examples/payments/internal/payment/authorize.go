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

// A record is where it stands what was asked of the network and what it
// answered: the database, or a map in a unit test.
type record interface {
	// begin writes a payment down as pending, with the key of its request.
	begin(ctx context.Context, p intent) error
	// find returns a payment in whatever state it is now.
	find(ctx context.Context, id string) (intent, error)
	// settle writes the network's answer down. If somebody else did before, that
	// stands.
	settle(ctx context.Context, p intent, answer network.Answer) (Payment, error)
}

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
		return s.record.find(ctx, paymentID)
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
	return p, s.record.begin(idem.Phase(ctx, p.ID), p)
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

// settle records what the network answered, which gives one answer only.
func (s *Service) settle(ctx context.Context, p intent, answer network.Answer) (Payment, error) {
	return s.record.settle(ctx, p, answer)
}

// declined is the fault of a payment that the issuer refused.
func declined(p Payment) error {
	return ErrDeclined.Because("The card was declined.").With("decline_code", p.DeclineCode).With("id", p.ID)
}

// table is the record in the database.
type table struct{ db *db.DB }

func (r table) begin(ctx context.Context, p intent) error {
	_, err := db.InTx(ctx, r.db, func(tx *db.Tx) (struct{}, error) {
		return struct{}{}, insert(ctx, tx, p)
	}, db.ReadCommitted)
	return err
}

func (r table) find(ctx context.Context, id string) (intent, error) { return findIntent(ctx, r.db, id) }

func (r table) settle(ctx context.Context, p intent, answer network.Answer) (Payment, error) {
	return db.InTx(ctx, r.db, func(tx *db.Tx) (Payment, error) {
		settled, err := settleIn(ctx, tx, p, answer, now())
		if err == nil && settled.Status == Declined {
			return Payment{}, db.Keep(declined(settled))
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
