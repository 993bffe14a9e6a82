package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver's name is all that database/sql needs

	"github.com/ashlar-go/ashlar/id"
)

// bareBooks takes payments as a plain program does: one transaction for each,
// with the row, its ledger entries, the balances, the event and the key, on
// one connection that writes and syncs (synchronous=FULL). It asks no card
// network, so it commits once where the example commits three times.
func bareBooks(ctx context.Context, dir string) (http.Handler, error) {
	path := filepath.Join(dir, "books.db")
	books, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	books.SetMaxOpenConns(1) // more would only wait for each other's lock
	if _, err := books.ExecContext(ctx, booksSchema); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/payments", func(w http.ResponseWriter, r *http.Request) {
		var in authorize
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, "malformed", http.StatusBadRequest)
			return
		}
		if err := in.check(); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		p := answer(&in)
		p.ID, p.MerchantID, p.Status, p.CapturedAmount = id.New("pay_"), "mer_1", "authorized", 0
		p.CreatedAt = time.Now().UTC().Truncate(time.Millisecond)
		p.UpdatedAt = p.CreatedAt
		if err := record(r.Context(), books, r.Header.Get("Idempotency-Key"), p); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		reply(w, http.StatusCreated, p)
	})
	return mux, nil
}

// record commits a payment and everything that belongs to it.
func record(ctx context.Context, books *sql.DB, key string, p payment) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	metadata, err := json.Marshal(p.Metadata)
	if err != nil {
		return err
	}
	shown, err := json.Marshal(p.Card)
	if err != nil {
		return err
	}
	tx, err := books.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	at := p.CreatedAt.Format("2006-01-02T15:04:05.000Z")
	for _, s := range []struct {
		text string
		args []any
	}{
		{
			`INSERT INTO payments VALUES (?, ?, ?, ?, 0, 0, ?, ?, ?, ?, ?, ?, ?, 1)`,
			[]any{p.ID, p.MerchantID, p.Status, p.Amount, p.Currency, shown, p.Reference, p.Description, metadata, at, at},
		},
		{
			`INSERT INTO entries VALUES (?, ?, ?, 'authorized', ?), (?, ?, ?, 'held', ?)`,
			[]any{id.New("ent_"), p.ID, p.Currency, p.Amount, id.New("ent_"), p.ID, p.Currency, -p.Amount},
		},
		{
			`INSERT INTO balances VALUES (?, ?, 'authorized', ?), (?, ?, 'held', ?)
			ON CONFLICT DO UPDATE SET balance = balance + excluded.balance`,
			[]any{p.MerchantID, p.Currency, p.Amount, p.MerchantID, p.Currency, -p.Amount},
		},
		{`INSERT INTO events VALUES (?, 'payment.authorized', ?, ?, ?)`, []any{id.New("evt_"), p.ID, body, at}},
		{`INSERT INTO keys VALUES (?, 201, ?)`, []any{key, body}},
	} {
		if _, err := tx.ExecContext(ctx, s.text, s.args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

const booksSchema = `
CREATE TABLE payments (id TEXT PRIMARY KEY, merchant_id TEXT NOT NULL, status TEXT NOT NULL,
	amount BIGINT NOT NULL, captured_amount BIGINT NOT NULL, refunded_amount BIGINT NOT NULL, currency TEXT NOT NULL,
	card TEXT NOT NULL, reference TEXT NOT NULL, description TEXT NOT NULL, metadata TEXT NOT NULL,
	created_at TEXT NOT NULL, updated_at TEXT NOT NULL, version BIGINT NOT NULL);
CREATE INDEX payments_of_merchant ON payments (merchant_id, created_at, id);
CREATE TABLE entries (id TEXT PRIMARY KEY, payment_id TEXT NOT NULL, currency TEXT NOT NULL, account TEXT NOT NULL, amount BIGINT NOT NULL);
CREATE INDEX entries_of_payment ON entries (payment_id, id);
CREATE TABLE balances (merchant_id TEXT NOT NULL, currency TEXT NOT NULL, account TEXT NOT NULL, balance BIGINT NOT NULL,
	PRIMARY KEY (merchant_id, currency, account));
CREATE TABLE events (id TEXT PRIMARY KEY, type TEXT NOT NULL, payment_id TEXT NOT NULL, data TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE keys (key TEXT PRIMARY KEY, status INT NOT NULL, body TEXT NOT NULL);`
