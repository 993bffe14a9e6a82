// Package report makes settlement reports: what was captured for a merchant and
// refunded in a period, entry by entry as CSV and day by day as a chart, with
// totals that are those of the ledger.
//
// A report is asked for and made later, by a job that is queued in the
// transaction which records the report. The job takes its turn in the pool for
// work that computes, reads the ledger in pages and keeps the file in pieces, so
// neither is ever in memory as a whole. A run that is cut off is followed by one
// that goes on behind the last piece. At the end the totals of the file are held
// against the ledger: a report that does not agree with the books is not shown.
package report

import (
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// What this package knows: its permission and faults.
const (
	Read access.Permission = "reports:read"

	ErrNotFound fault.NotFound = "report_not_found"
	ErrNotReady fault.Conflict = "report_not_ready"
	ErrTooMany  fault.Conflict = "report_limit_reached"
)

// Request asks for a report.
type Request struct {
	Kind Kind `json:"kind"`
	// From is where the period begins.
	From Moment `json:"from"`
	// To is where the period ends: with that day, or before that instant. What
	// has not happened yet when the report is asked for is not in it.
	To Moment `json:"to"`
	// Currency narrows the report to one; without it, it has all.
	Currency money.Currency `json:"currency,omitzero"`
	// MerchantID is for staff: without it the report is of all merchants.
	MerchantID string `json:"merchant_id,omitzero"`
}

// A Kind is what a report is about.
type Kind string

// Settlement is a report of what was captured and refunded.
const Settlement Kind = "settlement"

// Rules lists the kinds.
func (k *Kind) Rules(r *rule.Set) { rule.OneOf(r, k, Settlement) }

// A Report is one that was asked for.
type Report struct {
	ID     string `json:"id"`
	Kind   Kind   `json:"kind"`
	Status Status `json:"status"`
	// MerchantID is missing from a report of all merchants.
	MerchantID string `json:"merchant_id,omitzero"`
	// From and To bound the period: an entry of the instant From is in it, one
	// of the instant To is not.
	From     time.Time      `json:"from"`
	To       time.Time      `json:"to"`
	Currency money.Currency `json:"currency,omitzero"`
	Progress Progress       `json:"progress"`
	// FailureCode says why a report failed.
	FailureCode Failure   `json:"failure_code,omitzero"`
	CreatedAt   time.Time `json:"created_at"`
	// ExpiresAt is when the report and its files are removed.
	ExpiresAt time.Time `json:"expires_at"`
}

// Progress is how many entries of the ledger are in the report, of those that
// will be.
type Progress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// A Status is where a report stands.
type Status string

// The statuses.
const (
	Queued  Status = "queued"  // waits for its turn, or for another attempt
	Running Status = "running" // is being made
	Done    Status = "done"    // can be downloaded
	Failed  Status = "failed"  // will not be made; ask for another one
)

// Rules lists the statuses.
func (s *Status) Rules(r *rule.Set) { rule.OneOf(r, s, Queued, Running, Done, Failed) }

// A Failure is why a report failed.
type Failure string

// The failures.
const (
	TooLarge Failure = "too_large" // has more entries than a report may; narrow the period
	TimedOut Failure = "timed_out" // took too long, each time that it was tried
	Broken   Failure = "internal"  // the log of the service tells
)

// Rules lists the failures.
func (f *Failure) Rules(r *rule.Set) { rule.OneOf(r, f, TooLarge, TimedOut, Broken) }

// ByID names one report.
type ByID struct {
	ID string `json:"id"`
}

// Download names a file of a report.
type Download struct {
	ID     string `json:"id"`
	Format Format `json:"format,omitzero"` // csv if not given
}

// A Format is what a file of a report is.
type Format string

// The formats: a table of entries, and a chart by day.
const (
	CSV Format = "csv"
	SVG Format = "svg"
)

// Rules lists the formats.
func (f *Format) Rules(r *rule.Set) { rule.OneOf(r, f, CSV, SVG) }
