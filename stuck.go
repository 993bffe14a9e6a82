package ashlar

import (
	"cmp"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
)

// stuck notices that calls of operations end no more, as when their handlers
// wait for a lock that nobody opens: many are under way, and for longer than any
// of them may take not one was answered. A few slow ones are no such thing, and
// neither are streams, which last.
type stuck struct {
	calls   []*endpoint
	method  []int         // of each
	longest time.Duration // that a call may take

	mu       sync.Mutex
	answered float64
	since    time.Time // nothing was answered
}

// fewestStuck is how many calls must be under way.
const fewestStuck = 10

func (a *App) stuck() *stuck {
	s := &stuck{}
	for _, o := range a.operations {
		spec := o.Spec()
		if spec.Kind == op.IsStream {
			continue
		}
		s.calls, s.method = append(s.calls, a.meters.endpoint(spec.Name)), append(s.method, methodIndex(spec.Method))
		s.longest = max(s.longest, cmp.Or(spec.Timeout, rest.DefaultTimeout))
	}
	return s
}

// at looks at the counters, and reports whether the app is stuck by now. An answer
// that a server at its end gives by itself (503) is none.
func (s *stuck) at(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	active, answered := 0., 0.
	for i, e := range s.calls {
		active += e.active.Value()
		answered += e.count(s.method[i], success).Value() + e.count(s.method[i], clientFault).Value()
	}
	if active < fewestStuck || answered != s.answered || s.since.IsZero() {
		s.answered, s.since = answered, now
		return false
	}
	return now.Sub(s.since) > s.longest
}
