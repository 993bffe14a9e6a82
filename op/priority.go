package op

// A Rank says how long an operation is still served while more is asked of the
// service than it can do.
type Rank uint8

// The ranks. What declares none gets one by what it is: a [Query] is High, for
// reads are cheap and callers live by them; a [Command] is Normal; and what is
// [Public] is one lower, so that a storm of sign-ins goes before the work of
// those who are signed in.
const (
	// Unranked is the rank of a mistaken declaration.
	Unranked Rank = iota
	// Low is the first to go: reports, exports, what somebody repeats anyway.
	Low
	Normal
	High
	// Always is never refused and not counted either: for what keeps others
	// working and costs next to nothing.
	Always
)

func (r Rank) String() string { return [...]string{"unranked", "low", "normal", "high", "always"}[r] }

// Priority ranks the operation against the others for the time when not all
// can be served. Nothing is refused for its rank as long as the service keeps
// up.
func Priority(r Rank) Option {
	return anyOption(func(s *Spec) {
		if r == Unranked || r > Always {
			s.mistake("Priority takes one of Low, Normal, High and Always")
			return
		}
		s.Priority = r
	})
}

// Concurrency lets at most n calls of the operation run at once. As many more
// wait for up to a second; the rest get 503 "operation_busy". It suits what takes a
// great part of the machine or of a dependency for a while, such as a report.
func Concurrency(n int) Option {
	return anyOption(func(s *Spec) {
		if n <= 0 {
			s.mistake("Concurrency(%d) lets nobody in", n)
		}
		s.Concurrency = n
	})
}

// CPU says that the operation computes for some milliseconds or more: a report,
// an image, a hash. Its function runs when a processor is free for such work,
// of which at most half are, so that everybody else's requests do not wait
// behind it. Callers wait in the order of arrival; who could not be served in
// time gets 503 "operation_busy" at once.
func CPU() Option { return anyOption(func(s *Spec) { s.CPU = true }) }

// rank gives an operation that declared no Priority the one of its kind.
func (s *Spec) rank() {
	switch {
	case s.Priority != Unranked:
	case s.Kind == IsCommand && s.Access == ByEveryone:
		s.Priority = Low
	case s.Kind == IsCommand || s.Access == ByEveryone:
		s.Priority = Normal
	default:
		s.Priority = High
	}
}
