package merchant

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/page"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/op"
)

//go:embed migrations
var migrations embed.FS

// Service keeps merchants in a database.
type Service struct{ db *db.DB }

// New returns a service; mount its Module.
func New(d *db.DB) *Service { return &Service{d} }

// Module brings the merchants' operations and table.
func (s *Service) Module() ashlar.Module {
	return ashlar.Module{
		Name: "merchants",
		Operations: []op.Operation{
			op.Command("merchants.create", "POST /v1/merchants", s.Create,
				op.Allow(Write), op.Created("/v1/merchants/{id}")),
			op.Query("merchants.list", "GET /v1/merchants", s.List,
				op.Allow(Read)),
			op.Query("merchants.get", "GET /v1/merchants/{id}", s.Get,
				op.Allow(Read), op.Fails(ErrNotFound)),
		},
		Migrations: migrations,
		Docs:       docs(),
	}
}

// Create takes a merchant on.
func (s *Service) Create(ctx context.Context, in Prospect) (Merchant, error) {
	m := Merchant{id.New("mer_"), in.Name, in.Country, in.Currency, time.Now().UTC().Truncate(time.Millisecond)}
	_, err := Add(ctx, s.db, m)
	return m, err
}

// Add writes a merchant whose id is known, unless it is there already.
func Add(ctx context.Context, q db.Querier, m Merchant) (added bool, err error) {
	n, err := db.Exec(ctx, q, `
		INSERT INTO merchants (id, name, country, currency, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO NOTHING`, m.ID, m.Name, m.Country, m.Currency, m.CreatedAt)
	return n == 1, err
}

// Get shows one merchant.
func (s *Service) Get(ctx context.Context, in ByID) (Merchant, error) {
	m, err := db.One[Merchant](ctx, s.db, `
		SELECT id, name, country, currency, created_at FROM merchants
		WHERE id = $1 AND ($2 = '' OR id = $2)`, in.ID, Scope(ctx))
	if errors.Is(err, db.ErrNoRows) {
		return Merchant{}, ErrNotFound
	}
	return m, err
}

// List shows the merchants, newest first.
func (s *Service) List(ctx context.Context, in List) (op.Page[Merchant], error) {
	after, err := page.After(in.Cursor, "mer_")
	if err != nil {
		return op.Page[Merchant]{}, err
	}
	rows, err := db.All[Merchant](ctx, s.db, `
		SELECT id, name, country, currency, created_at FROM merchants
		WHERE id < $1 AND ($2 = '' OR id = $2)
		ORDER BY id DESC LIMIT $3`, cmp.Or(after, "z"), // every id sorts before z
		Scope(ctx), in.Size()+1)
	return op.PageOf(rows, in.Size(), func(m Merchant) string { return m.ID }), err
}

// Exists reports whether there is such a merchant, whoever asks.
func (s *Service) Exists(ctx context.Context, id string) (bool, error) {
	n, err := db.One[int](ctx, s.db, `SELECT count(*) FROM merchants WHERE id = $1`, id)
	return n == 1, err
}
