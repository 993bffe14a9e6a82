package report

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/job"
)

// What happens by itself.
const (
	makeQueue  job.Queue[task]     = "reports.make"
	sweepQueue job.Queue[struct{}] = "reports.sweep"
)

// A task is to make a report.
type task struct {
	ReportID string `json:"report_id"`
}

// jobs make reports, one at a time in each process and only where a processor is
// free for it, and remove those that have expired.
func (s *Service) jobs() []job.Handler {
	return []job.Handler{
		job.On(makeQueue, s.produce, job.CPU(), job.Concurrency(1), job.Attempts(5), job.Timeout(s.timeout),
			job.Backoff(time.Second, time.Minute), job.Keep(time.Hour)),
		job.On(sweepQueue, s.sweep, job.Every(time.Hour), job.Keep(time.Hour)),
	}
}

// produce makes a report, or goes on with it.
func (s *Service) produce(ctx context.Context, t task) error {
	r, err := load(ctx, s.db, t.ReportID)
	if err == nil && !r.Done {
		err = s.write(ctx, r)
	}
	switch {
	case errors.Is(err, errGone):
		return nil // nobody wants it any more
	case errors.Is(err, errTooLarge):
		return job.Permanent(errors.Join(err, s.failed(ctx, r, TooLarge)))
	case err != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return errors.Join(err, s.failed(ctx, r, TimedOut))
	}
	return err
}

var errTooLarge = errors.New("the report would have more entries than one may")

// failed notes why a run failed. Owners see it when no other run follows.
func (s *Service) failed(ctx context.Context, r record, why Failure) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err := db.Exec(ctx, s.db, `UPDATE reports SET failure_code = $1 WHERE id = $2`, why, r.ID)
	return err
}

// write writes the files of a report, from where an earlier run has left them.
// What each page adds is kept before the next is read.
func (s *Service) write(ctx context.Context, r record) error {
	books, err := r.books(ctx, s.db)
	if err != nil {
		return err
	}
	total := entriesIn(books)
	if total > s.maxEntries {
		return errTooLarge
	}
	d, err := resume(ctx, s.db, r.ID)
	if err != nil {
		return err
	}
	for {
		job.Report(ctx, d.entries, total, "")
		page, err := r.page(ctx, s.db, d.at, s.pageEntries)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return s.finish(ctx, r, d)
		}
		p, body := d.add(page)
		if err := keep(ctx, s.db, r.ID, CSV, p, body); err != nil {
			return fmt.Errorf("keep piece %d: %w", p.Number, err)
		}
	}
}

// finish holds the draft against the books, and has it shown if they agree. If
// they do not, an entry was committed late: the draft is thrown away.
func (s *Service) finish(ctx context.Context, r record, d draft) error {
	books, err := r.books(ctx, s.db)
	if err != nil {
		return err
	}
	if totals := d.sums.totals(); !maps.Equal(totals, books) {
		if _, err := db.Exec(ctx, s.db, `DELETE FROM report_pieces WHERE report_id = $1`, r.ID); err != nil {
			return err
		}
		return job.RetryAfter(time.Second, fmt.Errorf("the file has %d entries and the ledger %d, or their amounts differ: the report is made anew",
			d.entries, entriesIn(books)))
	}
	if r.Currency != "" && len(books) == 0 {
		books[r.Currency] = amounts{} // that nothing happened is worth a line
	}
	drawn := []byte(chart(&r, d.sums))
	p, body := d.seal(books)
	_, err = db.InTx(ctx, s.db, func(tx *db.Tx) (struct{}, error) {
		if err := keep(ctx, tx, r.ID, CSV, p, body); err != nil {
			return struct{}{}, err
		}
		if err := keep(ctx, tx, r.ID, SVG, piece{}, drawn); err != nil {
			return struct{}{}, err
		}
		_, err := db.Exec(ctx, tx, `
			UPDATE reports SET done = TRUE, failure_code = '', entries = $1, csv_bytes = $2, svg_bytes = $3 WHERE id = $4`,
			d.entries, d.bytes, len(drawn), r.ID)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, job.Complete(ctx, tx)
	})
	return err
}

// A draft is as much of a CSV as there is, without its text.
type draft struct {
	number  int64 // of the next piece
	bytes   int64
	entries int64
	at      place
	sums    sums
}

// resume returns what earlier runs have kept.
func resume(ctx context.Context, q db.Querier, report string) (d draft, err error) {
	kept, err := pieces(ctx, q, report)
	for _, p := range kept {
		d.take(p)
	}
	return d, err
}

func (d *draft) take(p piece) {
	d.number, d.at = p.Number+1, p.place
	d.bytes += p.Bytes
	d.sums = d.sums.plus(p.Sums)
	for _, one := range p.Sums {
		d.entries += one.Entries
	}
}

// add returns the piece of a page.
func (d *draft) add(page []entry) (piece, []byte) {
	return d.next(page[len(page)-1].place, sumsOf(page), lines(page))
}

// seal returns the last piece, the totals.
func (d *draft) seal(totals map[money.Currency]amounts) (piece, []byte) {
	return d.next(d.at, nil, totalLines(totals))
}

func (d *draft) next(at place, s sums, lines [][]string) (piece, []byte) {
	if d.number == 0 {
		lines = append([][]string{header}, lines...)
	}
	body := table(lines)
	p := piece{d.number, int64(len(body)), at, s}
	d.take(p)
	return p, body
}

// sweep removes reports that have expired, some at a time.
func (s *Service) sweep(ctx context.Context, _ struct{}) error {
	const batch = 20
	for {
		n, err := db.InTx(ctx, s.db, func(tx *db.Tx) (int, error) {
			old, err := db.All[string](ctx, tx, `SELECT id FROM reports WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2`, now(), batch)
			for i := 0; err == nil && i < len(old); i++ {
				err = remove(ctx, tx, old[i])
			}
			return len(old), err
		})
		if err != nil || n < batch {
			return err
		}
	}
}
