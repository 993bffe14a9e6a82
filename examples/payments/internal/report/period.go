package report

import (
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// longest is how long the period of a report may be: a leap year.
const longest = 366 * 24 * time.Hour

// A Moment is an instant, "2026-11-01T09:30:00Z", or a day, "2026-11-01", which
// is all of that day in UTC.
type Moment string

// Rules says what a moment looks like.
func (m *Moment) Rules(r *rule.Set) {
	rule.Text(r, m).Len(len(time.DateOnly), 35).
		Match(`^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2}))?$`).
		Example("2026-11-01")
}

// begin is the first instant of m, and end the first behind it.
func (m Moment) begin() (time.Time, error) {
	layout := time.RFC3339
	if m.isDay() {
		layout = time.DateOnly
	}
	at, err := time.Parse(layout, string(m))
	return at.UTC().Truncate(time.Millisecond), err
}

func (m Moment) end() (time.Time, error) {
	at, err := m.begin()
	if m.isDay() {
		at = at.AddDate(0, 0, 1)
	}
	return at, err
}

func (m Moment) isDay() bool { return len(m) == len(time.DateOnly) }

// Validate refuses a period that is none, or too long.
func (in *Request) Validate() error {
	_, _, err := in.period()
	return err
}

// period returns the first instant of the period and the first behind it.
func (in *Request) period() (from, to time.Time, err error) {
	var bad fault.Violations
	from, err = in.From.begin()
	if err != nil || outside(from) {
		bad = bad.And("/from", "date", "must be a day or an instant that there is, from 1970 to 9998")
	}
	to, err = in.To.end()
	if err != nil || outside(to) {
		bad = bad.And("/to", "date", "must be a day or an instant that there is, from 1970 to 9998")
	}
	switch {
	case bad != nil:
	case !from.Before(to):
		bad = bad.And("/to", "before_from", "must be after the beginning of the period")
	case to.Sub(from) > longest:
		bad = bad.And("/to", "too_long", "must be within 366 days of the beginning of the period")
	}
	return from, to, bad.Err()
}

// outside reports whether a time cannot be kept by every database as it is.
func outside(at time.Time) bool { return at.Year() < 1970 || at.Year() > 9998 }
