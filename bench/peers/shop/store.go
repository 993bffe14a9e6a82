package shop

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"path/filepath"
	"runtime"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
	_ "modernc.org/sqlite" // the driver's name is all that database/sql needs
)

// ErrNotFound says that no payment has the id.
var ErrNotFound = errors.New("not found")

// Store is SQLite as a careful team opens it: one connection that writes and
// syncs at each commit (more would only wait for each other's lock), readers
// beside it, statements prepared once, and a cache of payments by id.
type Store struct {
	writer, readers          *sql.DB
	find, list, insert, book *sql.Stmt
	cache                    *expirable.LRU[string, Payment]
}

// Open opens the database in dir, made and seeded if it is not there.
func Open(ctx context.Context, dir string) (*Store, error) {
	source := "file:" + filepath.Join(dir, "shop.db") +
		"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)"
	s := &Store{cache: expirable.NewLRU[string, Payment](10_000, nil, 5*time.Second)}
	var err error
	if s.writer, err = sql.Open("sqlite", source); err != nil {
		return nil, err
	}
	s.writer.SetMaxOpenConns(1)
	if _, err := s.writer.ExecContext(ctx, Schema); err != nil {
		return nil, err
	}
	if err := s.seed(ctx); err != nil {
		return nil, err
	}
	if s.readers, err = sql.Open("sqlite", source); err != nil {
		return nil, err
	}
	s.readers.SetMaxOpenConns(runtime.GOMAXPROCS(0))
	s.readers.SetMaxIdleConns(runtime.GOMAXPROCS(0))
	for _, p := range []struct {
		stmt **sql.Stmt
		db   *sql.DB
		text string
	}{
		{&s.find, s.readers, selectPayment + ` WHERE id = ?`},
		{&s.list, s.readers, selectPayment + ` WHERE merchant_id = ? AND id > ? ORDER BY id LIMIT ?`},
		{&s.insert, s.writer, insertPayment},
		{&s.book, s.writer, insertEntry},
	} {
		if *p.stmt, err = p.db.PrepareContext(ctx, p.text); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Schema makes the tables.
const Schema = `
CREATE TABLE IF NOT EXISTS payments (id TEXT PRIMARY KEY, merchant_id TEXT NOT NULL, status TEXT NOT NULL,
	amount BIGINT NOT NULL, captured_amount BIGINT NOT NULL, refunded_amount BIGINT NOT NULL, currency TEXT NOT NULL,
	brand TEXT NOT NULL, last4 TEXT NOT NULL, exp_month BIGINT NOT NULL, exp_year BIGINT NOT NULL,
	reference TEXT NOT NULL, description TEXT NOT NULL, metadata TEXT NOT NULL,
	created_at TEXT NOT NULL, updated_at TEXT NOT NULL, version BIGINT NOT NULL);
CREATE INDEX IF NOT EXISTS payments_of_merchant ON payments (merchant_id, id);
CREATE TABLE IF NOT EXISTS entries (id TEXT PRIMARY KEY, payment_id TEXT NOT NULL, account TEXT NOT NULL,
	amount BIGINT NOT NULL, created_at TEXT NOT NULL);`

const (
	columns       = `id, merchant_id, status, amount, captured_amount, refunded_amount, currency, brand, last4, exp_month, exp_year, reference, description, metadata, created_at, updated_at, version`
	selectPayment = `SELECT ` + columns + ` FROM payments`
	insertPayment = `INSERT INTO payments (` + columns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertEntry   = `INSERT INTO entries (id, payment_id, account, amount, created_at) VALUES (?, ?, ?, ?, ?)`
)

// instant is how times are kept, of fixed width so that they sort.
const instant = "2006-01-02T15:04:05.000Z"

func (s *Store) seed(ctx context.Context) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM payments`).Scan(&n); err != nil || n > 0 {
		return err
	}
	for i := range Seeds {
		args, err := row(Seeded(i))
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, insertPayment, args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func row(p Payment) ([]any, error) {
	metadata, err := json.Marshal(p.Metadata)
	return []any{
		p.ID, p.MerchantID, p.Status, p.Amount, p.CapturedAmount, p.RefundedAmount, p.Currency,
		p.Card.Brand, p.Card.Last4, p.Card.ExpMonth, p.Card.ExpYear, p.Reference, p.Description, string(metadata),
		p.CreatedAt.Format(instant), p.UpdatedAt.Format(instant), p.Version,
	}, err
}

func scan(r interface{ Scan(dest ...any) error }) (p Payment, err error) {
	var metadata []byte
	var created, updated string
	err = r.Scan(&p.ID, &p.MerchantID, &p.Status, &p.Amount, &p.CapturedAmount, &p.RefundedAmount, &p.Currency,
		&p.Card.Brand, &p.Card.Last4, &p.Card.ExpMonth, &p.Card.ExpYear, &p.Reference, &p.Description, &metadata,
		&created, &updated, &p.Version)
	if errors.Is(err, sql.ErrNoRows) {
		return p, ErrNotFound
	}
	if err != nil {
		return p, err
	}
	if p.CreatedAt, err = time.Parse(instant, created); err != nil {
		return p, err
	}
	if p.UpdatedAt, err = time.Parse(instant, updated); err != nil {
		return p, err
	}
	return p, json.Unmarshal(metadata, &p.Metadata)
}

// Find reads the payment with the id.
func (s *Store) Find(ctx context.Context, id string) (Payment, error) {
	return scan(s.find.QueryRowContext(ctx, id))
}

// Cached is Find through the cache.
func (s *Store) Cached(ctx context.Context, id string) (Payment, error) {
	if p, ok := s.cache.Get(id); ok {
		return p, nil
	}
	p, err := s.Find(ctx, id)
	if err == nil {
		s.cache.Add(id, p)
	}
	return p, err
}

// List reads the page of a merchant's payments that begins after an id.
func (s *Store) List(ctx context.Context, merchant, after string, limit int) (Page, error) {
	rows, err := s.list.QueryContext(ctx, merchant, after, limit+1)
	if err != nil {
		return Page{}, err
	}
	defer func() { _ = rows.Close() }()
	page := Page{Data: make([]Payment, 0, limit+1)}
	for rows.Next() {
		p, err := scan(rows)
		if err != nil {
			return Page{}, err
		}
		page.Data = append(page.Data, p)
	}
	if len(page.Data) > limit {
		page.Data, page.HasMore = page.Data[:limit], true
		page.NextCursor = page.Data[limit-1].ID
	}
	return page, rows.Err()
}

// Insert stores a new payment and its ledger entry in one transaction.
func (s *Store) Insert(ctx context.Context, in *Order) (Payment, error) {
	p := Quote(in)
	p.ID, p.CreatedAt = "pay_"+rand.Text(), time.Now().UTC().Truncate(time.Millisecond)
	p.UpdatedAt = p.CreatedAt
	args, err := row(p)
	if err != nil {
		return Payment{}, err
	}
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return Payment{}, err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if _, err := tx.StmtContext(ctx, s.insert).ExecContext(ctx, args...); err != nil {
		return Payment{}, err
	}
	if _, err := tx.StmtContext(ctx, s.book).ExecContext(ctx, "ent_"+rand.Text(), p.ID, "held", p.Amount, p.CreatedAt.Format(instant)); err != nil {
		return Payment{}, err
	}
	return p, tx.Commit()
}
