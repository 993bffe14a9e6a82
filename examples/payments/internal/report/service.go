package report

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/job"
	"github.com/ashlar-go/ashlar/op"
)

//go:embed migrations
var migrations embed.FS

// Bounds of what is kept.
const (
	keepFor = 7 * 24 * time.Hour
	maxKept = 100 // reports of one merchant, and of staff together
)

// Config is what a Service needs.
type Config struct {
	DB        *db.DB
	Merchants Merchants
	// MaxEntries is how many entries a report may have; 100 000 if zero, which
	// make a file of some 20 MB.
	MaxEntries int64
	// PageEntries is how many are read, rendered and kept at a time; 1000 if
	// zero.
	PageEntries int
	// Timeout is how long one run may take; 5 min if zero. The next one goes on
	// where it was cut off.
	Timeout time.Duration
}

// Merchants knows who there is to report of.
type Merchants interface {
	Exists(ctx context.Context, id string) (bool, error)
}

// Service makes reports. It is safe for concurrent use, by several processes
// with one database too.
type Service struct {
	db          *db.DB
	merchants   Merchants
	maxEntries  int64
	pageEntries int
	timeout     time.Duration
}

// New returns a service; mount its Module.
func New(c Config) *Service {
	return &Service{c.DB, c.Merchants, cmp.Or(c.MaxEntries, 100_000), cmp.Or(c.PageEntries, 1000), cmp.Or(c.Timeout, 5*time.Minute)}
}

// Module brings the operations, the job that makes reports, and the tables.
func (s *Service) Module() ashlar.Module {
	return ashlar.Module{
		Name: "reports",
		Operations: []op.Operation{
			op.Command("reports.create", "POST /v1/reports", s.Create,
				op.Allow(Read), op.Idempotent(24*time.Hour), op.OptionalKey(), op.Accepted("/v1/reports/{id}"),
				op.Priority(op.Low), op.Fails(ErrTooMany)),
			op.Query("reports.get", "GET /v1/reports/{id}", s.Get,
				op.Allow(Read), op.Fails(ErrNotFound)),
			op.Query("reports.file", "GET /v1/reports/{id}/file", s.File,
				op.Allow(Read), op.Media("text/csv", "image/svg+xml"), op.Timeout(5*time.Minute),
				op.Priority(op.Low), op.Fails(ErrNotFound, ErrNotReady)),
			op.Command("reports.delete", "DELETE /v1/reports/{id}", s.Delete,
				op.Allow(Read), op.Fails(ErrNotFound)),
		},
		Jobs:       s.jobs(),
		Migrations: migrations,
		Docs:       docs(),
	}
}

// Create asks for a report. It is made in the background: read it again to see
// how far it is.
func (s *Service) Create(ctx context.Context, in Request) (Report, error) {
	from, to, err := in.period()
	if err != nil {
		return Report{}, err
	}
	subject, err := merchant.Subject(ctx, s.merchants, in.MerchantID, "reports")
	if err != nil {
		return Report{}, err
	}
	at := now()
	r := record{
		ID: id.New("rep_"), Kind: in.Kind, MerchantID: subject, Currency: in.Currency, FromAt: from, ToAt: to,
		CreatedBy: access.From(ctx).ID, CreatedAt: at, ExpiresAt: at.Add(keepFor),
	}
	return db.InTx(ctx, s.db, func(tx *db.Tx) (Report, error) {
		kept, err := countKept(ctx, tx, subject)
		if err != nil {
			return Report{}, err
		}
		if kept >= maxKept {
			return Report{}, ErrTooMany.Because("At most %d reports are kept at a time. Delete one that is not needed.", maxKept)
		}
		var queued job.Receipt
		if err := makeQueue.Add(ctx, tx, task{r.ID}, job.Into(&queued)); err != nil {
			return Report{}, err
		}
		r.JobID = queued.ID
		return r.show(job.Info{State: job.Queued}), insert(ctx, tx, r)
	})
}

// Get shows a report, and how far it is.
func (s *Service) Get(ctx context.Context, in ByID) (Report, error) {
	for {
		r, err := find(ctx, s.db, in.ID)
		if err != nil || r.Done {
			return r.show(job.Info{}), err
		}
		running, err := job.Get(ctx, s.db, r.JobID)
		if err != nil && !errors.Is(err, job.ErrNotFound) {
			return Report{}, err
		}
		if running.State != job.Done { // or it ended in between, and the record says so now
			return r.show(running), nil
		}
	}
}

// show is the report as its owner sees it. What is not done is where its job
// is, however that came there: nobody has to tell the report.
func (r *record) show(running job.Info) Report {
	out := Report{
		ID: r.ID, Kind: r.Kind, MerchantID: r.MerchantID, From: r.FromAt, To: r.ToAt, Currency: r.Currency,
		Progress: Progress{running.Done, running.Total}, CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt,
	}
	switch {
	case r.Done:
		out.Status, out.Progress = Done, Progress{r.Entries, r.Entries}
	case running.State == job.Running && running.Total > 0:
		out.Status = Running
	case running.State == job.Running, running.State == job.Queued, running.State == job.Scheduled, running.State == job.Retrying:
		out.Status = Queued // a job that waits for a processor has reported nothing
	default: // dead, cancelled by an operator, or gone
		out.Status, out.FailureCode = Failed, cmp.Or(r.FailureCode, Broken)
	}
	return out
}

// File downloads a report that is done: the entries as CSV, or with format=svg
// a chart by day. In the CSV a text that a spreadsheet would take for a formula
// has an apostrophe in front.
func (s *Service) File(ctx context.Context, in Download) (op.File, error) {
	r, err := find(ctx, s.db, in.ID)
	if err != nil {
		return op.File{}, err
	}
	if !r.Done {
		return op.File{}, ErrNotReady.Because("The report is not done. Its status says how far it is, or that it failed.")
	}
	out := op.File{Name: r.fileName("csv"), Type: "text/csv; charset=utf-8; header=present", Size: r.CSVBytes}
	if in.Format == SVG {
		out = op.File{Name: r.fileName("svg"), Type: "image/svg+xml", Size: r.SVGBytes}
	}
	out.Body = &reader{ctx: ctx, db: s.db, report: r.ID, format: cmp.Or(in.Format, CSV), left: out.Size}
	return out, nil
}

// fileName is "settlement-2026-11-01-2026-11-30-eur.csv".
func (r *record) fileName(extension string) string {
	first, last := r.days()
	name := string(r.Kind) + "-" + first.Format(time.DateOnly) + "-" + last.Format(time.DateOnly)
	if r.Currency != "" {
		name += "-" + strings.ToLower(string(r.Currency))
	}
	return name + "." + extension
}

// days are the first and the last day of the period.
func (r *record) days() (first, last time.Time) {
	const day = 24 * time.Hour
	return r.FromAt.Truncate(day), r.ToAt.Add(-time.Millisecond).Truncate(day)
}

// Delete removes a report with its files, and ends the job that makes it. It
// is for those who asked for the report and for its merchant.
func (s *Service) Delete(ctx context.Context, in ByID) (struct{}, error) {
	me, scope := access.From(ctx).ID, merchant.Scope(ctx)
	return db.InTx(ctx, s.db, func(tx *db.Tx) (struct{}, error) {
		r, err := find(ctx, tx, in.ID)
		if err != nil {
			return struct{}{}, err
		}
		if r.CreatedBy != me && scope == "" {
			return struct{}{}, fault.ErrDenied.Because("Somebody else asked for this report.")
		}
		err = job.Cancel(ctx, tx, r.JobID)
		if err != nil && !errors.Is(err, job.ErrState) && !errors.Is(err, job.ErrNotFound) {
			return struct{}{}, err
		}
		return struct{}{}, remove(ctx, tx, r.ID)
	})
}

// now is the time to the millisecond, which is what the API shows.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
