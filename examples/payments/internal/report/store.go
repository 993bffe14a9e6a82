package report

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
)

// A record is a report as it is kept.
type record struct {
	ID          string
	Kind        Kind
	MerchantID  string
	Currency    money.Currency
	FromAt      time.Time
	ToAt        time.Time
	Done        bool
	FailureCode Failure
	JobID       string
	CreatedBy   string
	CreatedAt   time.Time
	ExpiresAt   time.Time
	Entries     int64
	CSVBytes    int64 `db:"csv_bytes"`
	SVGBytes    int64 `db:"svg_bytes"`
}

const columns = `id, kind, merchant_id, currency, from_at, to_at, done, failure_code, job_id, created_by, created_at, expires_at,
	entries, csv_bytes, svg_bytes`

func insert(ctx context.Context, tx *db.Tx, r record) error {
	_, err := db.Exec(ctx, tx, `
		INSERT INTO reports (`+columns+`) VALUES ($1, $2, $3, $4, $5, $6, FALSE, '', $7, $8, $9, $10, 0, 0, 0)`,
		r.ID, r.Kind, r.MerchantID, r.Currency, r.FromAt, r.ToAt, r.JobID, r.CreatedBy, r.CreatedAt, r.ExpiresAt)
	return err
}

func countKept(ctx context.Context, q db.Querier, merchantID string) (int, error) {
	return db.One[int](ctx, q, `SELECT count(*) FROM reports WHERE merchant_id = $1`, merchantID)
}

// find returns a report that the caller may see. What belongs to somebody else
// is not found, as if it were not there.
func find(ctx context.Context, q db.Querier, id string) (record, error) {
	r, err := db.One[record](ctx, q, `
		SELECT `+columns+` FROM reports
		WHERE id = $1 AND ($2 = '' OR merchant_id = $2) AND expires_at > $3`, id, merchant.Scope(ctx), now())
	if errors.Is(err, db.ErrNoRows) {
		return record{}, ErrNotFound
	}
	return r, err
}

// errGone says that a report was deleted while it was made.
var errGone = errors.New("the report was deleted")

// load returns a report for whoever makes it.
func load(ctx context.Context, q db.Querier, id string) (record, error) {
	r, err := db.One[record](ctx, q, `SELECT `+columns+` FROM reports WHERE id = $1`, id)
	if errors.Is(err, db.ErrNoRows) {
		return record{}, errGone
	}
	return r, err
}

// remove deletes a report and its files.
func remove(ctx context.Context, tx *db.Tx, id string) error {
	if _, err := db.Exec(ctx, tx, `DELETE FROM report_pieces WHERE report_id = $1`, id); err != nil {
		return err
	}
	_, err := db.Exec(ctx, tx, `DELETE FROM reports WHERE id = $1`, id)
	return err
}

// A piece is a part of a file. One of a CSV also says where it ends and what
// its entries add up to.
type piece struct {
	Number int64
	Bytes  int64
	place
	Sums sums
}

// keep writes a piece. Two runs of one report cannot both write the same.
func keep(ctx context.Context, q db.Querier, report string, format Format, p piece, body []byte) error {
	if p.Sums == nil {
		p.Sums = sums{}
	}
	_, err := db.Exec(ctx, q, `
		INSERT INTO report_pieces (report_id, format, number, body, bytes, merchant_id, entry_at, entry_id, sums)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		report, format, p.Number, body, len(body), p.MerchantID, p.EntryAt, p.EntryID, p.Sums)
	if db.IsForeignKey(err) {
		return errGone
	}
	return err
}

// pieces returns what is known of the pieces of a CSV, in order.
func pieces(ctx context.Context, q db.Querier, report string) ([]piece, error) {
	return db.All[piece](ctx, q, `
		SELECT number, bytes, merchant_id, entry_at, entry_id, sums FROM report_pieces
		WHERE report_id = $1 AND format = $2 ORDER BY number`, report, CSV)
}

// reader reads a file piece by piece, so that one is in memory at a time.
type reader struct {
	ctx    context.Context //nolint:containedctx // it lives as long as the call whose answer it is
	db     *db.DB
	report string
	format Format
	left   int64 // bytes that were announced
	number int64
	piece  []byte
}

func (r *reader) Read(into []byte) (int, error) {
	for len(r.piece) == 0 {
		body, err := db.One[[]byte](r.ctx, r.db, `
			SELECT body FROM report_pieces WHERE report_id = $1 AND format = $2 AND number = $3`, r.report, r.format, r.number)
		switch {
		case errors.Is(err, db.ErrNoRows) && r.left > 0:
			return 0, io.ErrUnexpectedEOF // it was deleted while it was read
		case errors.Is(err, db.ErrNoRows):
			return 0, io.EOF
		case err != nil:
			return 0, err
		}
		r.piece, r.number = body, r.number+1
	}
	n := copy(into, r.piece)
	r.piece, r.left = r.piece[n:], r.left-int64(n)
	return n, nil
}
