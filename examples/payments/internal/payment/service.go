package payment

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/examples/payments/internal/network"
	"github.com/ashlar-go/ashlar/op"
)

//go:embed migrations
var migrations embed.FS

// Config is what a Service needs.
type Config struct {
	DB        *db.DB
	Events    *event.Log
	Network   Network
	Merchants Merchants
	// FingerprintKey keys the fingerprints of cards. Changing it makes old
	// and new fingerprints of one card differ.
	FingerprintKey []byte
	// Lease is how long a request may take before the settler finishes a
	// payment in its place; 30 s if zero. It is above the time-outs of the
	// network's client, so that the two rarely meet; it is safe if they do.
	Lease time.Duration
}

// Network is what payments need of the card network: see [network.Network].
type Network interface {
	network.Network
	// Available returns a fault while there is no point in asking.
	Available() error
}

// Merchants knows who can be paid.
type Merchants interface {
	Exists(ctx context.Context, id string) (bool, error)
}

// Service takes payments. It is safe for concurrent use, by several processes
// with one database too.
type Service struct {
	db             *db.DB
	record         record // of db
	events         *event.Log
	network        Network
	merchants      Merchants
	fingerprintKey []byte
	lease          time.Duration
}

// New returns a service; mount its Module.
func New(c Config) *Service {
	return &Service{c.DB, table{c.DB}, c.Events, c.Network, c.Merchants, c.FingerprintKey, cmp.Or(c.Lease, 30*time.Second)}
}

// Module is the whole of what this package brings to an application.
func (s *Service) Module() ashlar.Module {
	const day = 24 * time.Hour
	return ashlar.Module{
		Name: "payments",
		Operations: []op.Operation{
			op.Command("payments.authorize", "POST /v1/payments", s.Authorize,
				op.Allow(Write), op.Idempotent(day), op.Created("/v1/payments/{id}"),
				op.Timeout(15*time.Second), op.MaxBody(64<<10), op.Fails(ErrDeclined, network.ErrUnavailable)),
			op.Query("payments.get", "GET /v1/payments/{id}", s.Get,
				op.Allow(Read), op.Fails(ErrNotFound),
				op.Cache(0, op.Keep(time.Minute), op.OneForAccount(), op.Until("payment.*", "{id}"))),
			op.Query("payments.list", "GET /v1/payments", s.List,
				op.Allow(Read)),
			op.Command("payments.capture", "POST /v1/payments/{id}/capture", s.Capture,
				op.Allow(Write), op.IfMatch(), op.Idempotent(day), op.OptionalKey(), op.Fails(ErrNotFound, ErrState)),
			op.Command("payments.void", "POST /v1/payments/{id}/void", s.Void,
				op.Allow(Write), op.IfMatch(), op.Idempotent(day), op.OptionalKey(), op.Fails(ErrNotFound, ErrState)),
			op.Command("payments.refund", "POST /v1/payments/{id}/refunds", s.Refund,
				op.Allow(WriteRefunds), op.Created(""), op.Idempotent(day), op.OptionalKey(), op.Fails(ErrNotFound, ErrState)),
			op.Query("payments.refunds", "GET /v1/payments/{id}/refunds", s.Refunds,
				op.Allow(Read), op.Fails(ErrNotFound)),
			op.Query("events.list", "GET /v1/events", s.Events,
				op.Allow(ReadEvents), op.Fails(event.ErrReset)),
			op.Stream("events.stream", "GET /v1/events/stream", s.Follow,
				op.Allow(ReadEvents), op.Fails(event.ErrReset)),
			op.Stream("events.ws", "GET /v1/events/ws", s.Follow,
				op.Allow(ReadEvents), op.Fails(event.ErrReset)),
		},
		Relations: []op.Relation{
			op.RelateMany[Payment]("payments.payment.refunds", "id", s.RefundsOf, op.Allow(Read)),
		},
		Jobs:       s.jobs(),
		Migrations: migrations,
		Docs:       docs(),
	}
}

// Get shows one payment. Its answer is kept, for those of one merchant and for
// staff of one role, until an event tells of a change.
func (s *Service) Get(ctx context.Context, in ByID) (Payment, error) {
	return find(ctx, s.db, in.ID)
}

// Capture takes the money that an authorisation holds, or a part of it once;
// the rest is released.
func (s *Service) Capture(ctx context.Context, in Capture) (Payment, error) {
	return s.change(ctx, in.ID, func(p *Payment) (change, error) { return p.capture(in.Amount) })
}

// Void gives up an authorisation and releases the hold.
func (s *Service) Void(ctx context.Context, in ByID) (Payment, error) {
	return s.change(ctx, in.ID, (*Payment).void)
}

// change runs one transition: row, ledger and event commit together or not at
// all.
func (s *Service) change(ctx context.Context, id string, transition func(*Payment) (change, error)) (Payment, error) {
	return db.InTx(ctx, s.db, func(tx *db.Tx) (Payment, error) {
		p, err := findToChange(ctx, tx, id)
		if err != nil {
			return Payment{}, err
		}
		if err := op.Match(ctx, p); err != nil {
			return Payment{}, err
		}
		c, err := transition(&p)
		if err != nil {
			return Payment{}, err
		}
		return saveOrLose(ctx, tx, p, c)
	}, db.ReadCommitted)
}

// saveOrLose is save for a caller who may have been overtaken.
func saveOrLose(ctx context.Context, tx *db.Tx, p Payment, c change) (Payment, error) {
	p, err := save(ctx, tx, p, c, now())
	if errors.Is(err, errChanged) {
		return Payment{}, ErrState.Because("The payment was changed at the same moment. Read it again.").Wrap(err)
	}
	return p, err
}
