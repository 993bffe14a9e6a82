// Package cron reads schedules of five fields and finds their times in a time
// zone, also where its clocks are put forward or back.
//
//	s, err := cron.Parse("0 3 * * mon-fri", berlin)
//	next := s.Next(time.Now())
//
// A schedule names local times. Two kinds of day have to be decided:
//
// A schedule whose hours are not * (03:00, or each of 8-17) means these times of
// day, each once a day. A time that is skipped when clocks go forward happens at
// the moment they do, together with others that are skipped; a time that occurs
// twice when they go back happens the first time.
//
// A schedule of every hour (* or */2) means a pace. It happens whenever a clock
// on the wall would show such a time: twice where the hour is repeated, and not
// at all where it is skipped.
package cron

import (
	"strings"
	"time"
)

// Schedule is the times that an expression names. It does not change.
type Schedule struct {
	minute, hour, day, month, weekday field

	pace bool // of every hour: follows the clock on the wall
	loc  *time.Location
}

// A field is the set of its values, one bit each.
type field struct {
	set   uint64
	every bool // begins with *, so that it does not choose days
}

func (f field) has(n int) bool { return f.set>>n&1 == 1 }

// matches reports whether the schedule names a day.
func (s *Schedule) matches(month time.Month, day int, weekday time.Weekday) bool {
	if !s.month.has(int(month)) {
		return false
	}
	if s.day.every || s.weekday.every {
		return s.day.has(day) && s.weekday.has(int(weekday))
	}
	return s.day.has(day) || s.weekday.has(int(weekday)) // as cron always did
}

// macros are the expressions that have names.
var macros = map[string]string{
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
	"@monthly":  "0 0 1 * *",
	"@weekly":   "0 0 * * 0",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@hourly":   "0 * * * *",
}

// Parse reads an expression of the five fields minute, hour, day of the month,
// month and day of the week, or one of the names @yearly, @annually, @monthly,
// @weekly, @daily, @midnight and @hourly. A field is * or a list of values and
// ranges, each perhaps with a step: 5, 1-5, */15, 8-18/2, mon,wed. Months and
// days of the week may be named by three letters; Sunday is 0 and 7. When both
// days are restricted (do not begin with *), a day that is either matches.
//
// The error says which field is wrong. An expression that never happens, such as
// February 30, is wrong too.
func Parse(expression string, loc *time.Location) (*Schedule, error) {
	text := strings.TrimSpace(expression)
	if strings.HasPrefix(text, "@") {
		full, ok := macros[strings.ToLower(text)]
		if !ok {
			return nil, mistake(expression, "there is no such name: use @yearly, @monthly, @weekly, @daily or @hourly")
		}
		text = full
	}
	parts := strings.Fields(text)
	if len(parts) != len(kinds) {
		return nil, mistake(expression, "has %d fields, not 5: minute, hour, day of the month, month and day of the week", len(parts))
	}
	s := &Schedule{loc: loc}
	for i, into := range []*field{&s.minute, &s.hour, &s.day, &s.month, &s.weekday} {
		f, err := kinds[i].parse(parts[i])
		if err != nil {
			return nil, mistake(expression, "%w", err)
		}
		*into = f
	}
	if s.weekday.has(7) {
		s.weekday.set = s.weekday.set&^(1<<7) | 1
	}
	s.pace = s.hour.every
	if s.Next(time.Date(2000, 3, 1, 0, 0, 0, 0, loc)).IsZero() {
		return nil, mistake(expression, "never happens: there is no such day")
	}
	return s, nil
}
