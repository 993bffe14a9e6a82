package cron

import "time"

// horizon is how many days are looked at for the next time: 29 February on a
// given day of the week comes back within 40 years.
const horizon = 41 * 366

// Next returns the first time of the schedule after a moment, or the zero Time
// if there is none within 41 years.
func (s *Schedule) Next(after time.Time) time.Time {
	// What a day names may happen a day later, where clocks are put forward over
	// a whole day, as Samoa's were.
	at := dateOf(after.In(s.loc)).plus(-1)
	for range horizon {
		if s.matches(at.month, at.day, at.weekday()) {
			if t := s.within(at, after); !t.IsZero() {
				return s.orEarlier(t, at.plus(1), after)
			}
		}
		at = at.plus(1)
		if !s.month.has(int(at.month)) {
			at = date{at.year, at.month + 1, 1}.plus(0) // on to the next month
		}
	}
	return time.Time{}
}

// orEarlier returns t, unless the day after t's has an earlier time: where
// clocks are put back over midnight, its first minutes come before the last of
// its eve.
func (s *Schedule) orEarlier(t time.Time, d date, after time.Time) time.Time {
	if s.pace && s.matches(d.month, d.day, d.weekday()) {
		if other := s.within(d, after); !other.IsZero() && other.Before(t) {
			return other
		}
	}
	return t
}

// within returns the first time after a moment that a matching day names.
func (s *Schedule) within(d date, after time.Time) time.Time {
	const none = 1 << 62
	zones, first := s.zones(d), int64(none)
	for hour := range 24 {
		if !s.hour.has(hour) || d.at(hour, 59)-zones.west() < after.Unix() {
			continue // it is over everywhere
		}
		if d.at(hour, 0)-zones.east() > first {
			break // nothing earlier can come
		}
		for minute := range 60 {
			if s.minute.has(minute) {
				first = min(first, zones.moment(d.at(hour, minute), s.pace, after, none))
			}
		}
	}
	if first == none {
		return time.Time{}
	}
	return time.Unix(first, 0).In(s.loc)
}

// A zone is a time during which a location's clocks are as far from UTC as they
// were at its start. Moments are Unix seconds.
type zone struct{ start, end, offset int64 }

type zones []zone

// zones are those that the clocks on the wall could be in on a day.
func (s *Schedule) zones(d date) zones {
	noon := time.Unix(d.at(12, 0), 0)
	var list zones
	for t, last := noon.Add(-48*time.Hour).In(s.loc), noon.Add(48*time.Hour); ; {
		start, end := t.ZoneBounds()
		_, offset := t.Zone()
		z := zone{start: -1 << 62, end: 1 << 62, offset: int64(offset)}
		if !start.IsZero() {
			z.start = start.Unix()
		}
		if !end.IsZero() {
			z.end = end.Unix()
		}
		list = append(list, z)
		if end.IsZero() || !end.Before(last) {
			return list
		}
		t = end
	}
}

// west and east are how far the clocks are behind and ahead at most.
func (l zones) west() int64 {
	west := l[0].offset
	for _, z := range l {
		west = min(west, z.offset)
	}
	return west
}

func (l zones) east() int64 {
	east := l[0].offset
	for _, z := range l {
		east = max(east, z.offset)
	}
	return east
}

// moment returns when, after a moment, clocks show a local time, which is given
// as if it were UTC, or none. The first time counts, or if any does the first
// after that moment. A time that is skipped is the moment at which clocks do so,
// unless any counts.
func (l zones) moment(local int64, anyCounts bool, after time.Time, none int64) int64 {
	shown := false
	for _, z := range l {
		at := local - z.offset
		if at < z.start || at >= z.end || shown && !anyCounts {
			continue
		}
		if shown = true; time.Unix(at, 0).After(after) {
			return at
		}
	}
	if shown || anyCounts {
		return none
	}
	for i := 1; i < len(l); i++ {
		at := l[i].start
		if at+l[i-1].offset <= local && local < at+l[i].offset && time.Unix(at, 0).After(after) {
			return at
		}
	}
	return none
}

// A date is a day of the calendar.
type date struct {
	year  int
	month time.Month
	day   int
}

func dateOf(t time.Time) date {
	year, month, day := t.Date()
	return date{year, month, day}
}

func (d date) utc() time.Time { return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC) }

func (d date) plus(days int) date { return dateOf(d.utc().AddDate(0, 0, days)) }

func (d date) weekday() time.Weekday { return d.utc().Weekday() }

// at is a time of the day, in Unix seconds as if the day were UTC's.
func (d date) at(hour, minute int) int64 {
	return d.utc().Unix() + int64(hour)*3600 + int64(minute)*60
}
