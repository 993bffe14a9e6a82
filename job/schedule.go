package job

import (
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/job/internal/cron"
)

// schedule is when jobs of a queue are added without anybody asking.
type schedule struct {
	text string // names it in the database, so it must not change without need
	next func(after time.Time) time.Time
	late time.Duration // how late a tick may be found; 0 is as late as may be
}

// A ScheduleOption says something about [Every] or [Cron].
type ScheduleOption func(*schedule) error

// SkipLate drops a tick that is found more than d late, because nothing ran at
// its time. Without it such a tick is made up for: once, however many were
// missed.
func SkipLate(d time.Duration) ScheduleOption {
	return func(s *schedule) error {
		if d < time.Second {
			return fmt.Errorf("SkipLate(%s): must be at least a second", d)
		}
		s.late = d
		return nil
	}
}

// Bounds of Every.
const (
	leastEvery = time.Second
	mostEvery  = 366 * 24 * time.Hour
)

// Every adds a job with the zero payload each d, for all processes together one.
// Ticks are at the multiples of d in UTC, whenever the program started: each
// full minute, each hour. A second to a year. For what becomes of ticks that
// nothing ran at, or that find the last one's job still there, see [Cron].
func Every(d time.Duration, options ...ScheduleOption) HandlerOption {
	return func(s *spec) {
		if d < leastEvery || d > mostEvery || d%time.Millisecond != 0 {
			s.mistake("Every(%s): must be from %s to %s, in whole milliseconds", d, leastEvery, mostEvery)
			return
		}
		s.schedule(&schedule{text: "every " + d.String(), next: func(after time.Time) time.Time {
			step := d.Milliseconds()
			return time.UnixMilli((after.UnixMilli()/step + 1) * step).UTC()
		}}, options)
	}
}

// Cron adds a job with the zero payload whenever a cron expression says so in
// a time zone, for all processes together one: "0 3 * * *" in "Europe/Berlin".
// The expression has the fields minute, hour, day of the month, month and day of
// the week with lists, ranges, steps and English names, or is one of @hourly,
// @daily, @weekly, @monthly and @yearly. An hour that is not * means a time of
// day: where clocks are put forward over it, it is at the moment they are, and
// where they are put back over it, the first of the two. With * or */2 for hours
// the schedule follows the clock on the wall instead.
//
// A tick is added once by whichever process comes first. While its job is not
// over, later ticks are dropped: a job never runs beside that of the tick
// before, and one that waits for another attempt gets it then. Ticks that no
// process was there for are made up for by one job when the next starts; a
// schedule that is new begins with its next tick. A process whose clock is ahead
// may add one early, and others add it again in its time.
//
// [Current] tells a handler the tick's time. Of the jobs of a schedule that are
// dead letters the last is kept.
func Cron(expression, zone string, options ...ScheduleOption) HandlerOption {
	return func(s *spec) {
		loc, err := time.LoadLocation(zone)
		if err != nil || zone == "" || zone == "Local" {
			s.mistake("Cron(%q, %q): the time zone is not known: name it as Europe/Berlin or UTC, and import time/tzdata into the program if its system has no time zones", expression, zone)
			return
		}
		times, err := cron.Parse(expression, loc)
		if err != nil {
			s.mistake("Cron: %w", err)
			return
		}
		s.schedule(&schedule{text: "cron " + expression + " " + zone, next: times.Next}, options)
	}
}

func (s *spec) schedule(added *schedule, options []ScheduleOption) {
	for _, o := range options {
		if err := o(added); err != nil {
			s.mistake("%s: %w", added.text, err)
		}
	}
	for _, other := range s.schedules {
		if other.text == added.text {
			s.mistake("%s: is said twice", added.text)
		}
	}
	if len(added.text) > maxKey {
		s.mistake("%s: is longer than %d bytes", added.text, maxKey)
	}
	s.schedules = append(s.schedules, added)
}

// latest returns the last tick after one moment and not after another, or the
// zero Time. It does not walk through all that were missed in a long time.
func (s *schedule) latest(after, now time.Time) time.Time {
	const dense = 26 * time.Hour // ticks that are rarer are few
	if recent := now.Add(-dense); recent.After(after) {
		if t := s.latest(recent, now); !t.IsZero() {
			return t
		}
	}
	var last time.Time
	for t := s.next(after); !t.IsZero() && !t.After(now); t = s.next(t) {
		last = t
	}
	return last
}
