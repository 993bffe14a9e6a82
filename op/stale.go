package op

import "time"

// Stale lets a replica of the database answer the queries of the function, from
// a state that is at most d old, as db.Stale says. It is for what shows lists,
// search results and reports: whoever has just written something may not find
// it there yet. Where there is no replica the database itself answers.
func Stale(d time.Duration) QueryOption {
	return queryOption(func(s *Spec) {
		if d <= 0 {
			s.mistake("Stale(%v) lets nothing be stale", d)
		}
		s.Stale = max(d, 0)
	})
}

func (s *Spec) checkStale() {
	if s.Stale > 0 && s.Keep != nil {
		s.mistake("Stale and Keep exclude each other: an invalidated answer would be made anew from a state of before, and kept")
	}
}
