package limit

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// A Priority says how long a request is still let in while a [Gate] sheds
// load. Any other value counts as the nearest of these.
type Priority uint8

// The priorities, from the first to go to the last.
const (
	Low Priority = iota
	Normal
	High
	priorities = iota
)

// A Queue is something in which work waits. A gate judges overload by queues
// and not by the number of requests, because a request that waits for somebody
// else's network costs nothing, and one that computes costs a processor.
type Queue struct {
	// Name stands in the log, "processors".
	Name string
	// Len is how many wait now. It is called often and by many goroutines, so
	// it must be cheap.
	Len func() int
	// Standing is the length above which the queue is too long if it stays
	// there. A queue that empties now and then has done its work.
	Standing int
	// Short is the length up to which requests are let in while load is shed;
	// it keeps what drains the queue busy and little more.
	Short int
}

// bound is the length up to which p is let in while load is shed, and level is
// the least priority of which enough comes by that to refuse it suffices.
func (q *Queue) bound(p, level Priority) int {
	if p > level {
		return q.Standing
	}
	return q.Short >> (level - p)
}

// GateConfig says how a [Gate] judges. The zero value is safe.
type GateConfig struct {
	// Queues are what is watched. Nil means [Processors] alone.
	Queues []Queue
	// Most is how many requests may be inside at once; it bounds memory where
	// requests wait for something slow that no queue shows. Zero means 8192.
	Most int
	// Changed, if set, is told when shedding begins, with the queue that stands
	// and its length, and when it ends. It runs on a request's goroutine.
	Changed func(shedding bool, queue string, length int)
	// Clock is the time since some moment, always growing. Nil means the
	// process's own.
	Clock func() time.Duration
}

// How a gate judges. A look costs less than a microsecond, and is made by a
// request that comes by: without requests a gate does nothing at all.
const (
	lookEvery  = 2 * time.Millisecond
	lookFor    = 100 * time.Millisecond // a queue must stand so long
	lookTimes  = 16                     // and be seen to, so often
	lookGap    = time.Second            // a longer pause makes earlier looks worthless
	settleTime = time.Second            // the least time of shedding, and between two thoughts of ending it
	settleAt   = 8                      // shedding ends when it refuses at most one request in so many
)

// A Gate lets requests in until the process is overloaded, and then only as
// many as it can serve, the more important ones first. The others are refused
// at once with [fault.ErrOverloaded], so that those who are let in are served
// about as fast as ever, and the work done is as much as it can be.
//
// Overload is a queue that stands: one whose length has not once fallen to its
// Standing for a tenth of a second. From then on a request is let in while the
// queues are Short, until almost nobody has to be refused any more. Where it
// suffices to refuse the less important ones, the others are let in as if
// nothing were the matter, up to Standing. Nothing is ever refused otherwise,
// up to Most requests at once. Safe for concurrent use.
type Gate struct {
	queues  []Queue
	most    int64
	changed func(bool, string, int)
	clock   func() time.Duration

	shedding atomic.Bool
	level    atomic.Uint32 // a Priority: see Queue.bound
	inside   atomic.Int64
	next     atomic.Int64 // when to look again, by clock
	tallies  [priorities]tally

	mu    sync.Mutex
	watch watch
}

type tally struct{ admitted, shed atomic.Uint64 }

// NewGate returns a gate that lets everybody in.
func NewGate(c GateConfig) *Gate {
	g := &Gate{queues: c.Queues, most: int64(c.Most), changed: c.Changed, clock: c.Clock}
	if g.queues == nil {
		g.queues = []Queue{Processors()}
	}
	if g.most <= 0 {
		g.most = 8192
	}
	if g.changed == nil {
		g.changed = func(bool, string, int) {}
	}
	if g.clock == nil {
		began := time.Now()
		g.clock = func() time.Duration { return time.Since(began) }
	}
	g.watch.least = make([]int, len(g.queues))
	return g
}

// refusals are alike but for the pause that they ask for, so that those who
// obey do not all come back in the same second.
var refusals = [...]error{refusal(1), refusal(2), refusal(3)}

func refusal(seconds int) error {
	return fault.ErrOverloaded.Because("More is asked of the service than it can do. Try again in a moment.").After(time.Duration(seconds) * time.Second)
}

// Enter lets a request in, or refuses it with [fault.ErrOverloaded]. It does
// not wait. After nil, call [Gate.Leave] exactly once: when the request is
// answered, or before, when what is left of it is only to be open, as a stream
// is.
func (g *Gate) Enter(p Priority) error {
	p = min(p, High)
	t := &g.tallies[p]
	now := g.clock()
	if next := g.next.Load(); int64(now) >= next && g.next.CompareAndSwap(next, int64(now+lookEvery)) {
		g.look(now)
	}
	if g.shedding.Load() && g.crowded(p) || !g.room() {
		return refusals[t.shed.Add(1)%uint64(len(refusals))]
	}
	t.admitted.Add(1)
	return nil
}

func (g *Gate) room() bool {
	if g.inside.Add(1) > g.most {
		g.inside.Add(-1)
		return false
	}
	return true
}

func (g *Gate) crowded(p Priority) bool {
	level := Priority(g.level.Load())
	for i := range g.queues {
		if q := &g.queues[i]; q.Len() > q.bound(p, level) {
			return true
		}
	}
	return false
}

// Leave ends what [Gate.Enter] began.
func (g *Gate) Leave() { g.inside.Add(-1) }

// Wrap returns a handler that asks the gate before it calls next, and answers
// for it where the gate refuses. A handler that holds its connection for long
// calls Enter and Leave itself.
func (g *Gate) Wrap(p Priority, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.Enter(p); err != nil {
			scope.Refuse(w, err)
			return
		}
		defer g.Leave()
		next.ServeHTTP(w, r)
	})
}

// GateStats is a snapshot of a [Gate]. Counters grow for as long as it lives.
type GateStats struct {
	Shedding bool
	Inside   int                // requests inside now
	Admitted [priorities]uint64 // requests let in, by [Priority]
	Shed     [priorities]uint64 // requests refused, by [Priority]
	Episodes uint64             // how often shedding began
}

// Stats returns a snapshot, for metrics.
func (g *Gate) Stats() GateStats {
	s := GateStats{Shedding: g.shedding.Load(), Inside: int(g.inside.Load())}
	for i := range g.tallies {
		s.Admitted[i], s.Shed[i] = g.tallies[i].admitted.Load(), g.tallies[i].shed.Load()
	}
	g.mu.Lock()
	s.Episodes = g.watch.episodes
	g.mu.Unlock()
	return s
}

// counts are requests that came by, of each priority, and how many of all were
// refused.
type counts struct {
	offered [priorities]uint64
	shed    uint64
}

func (g *Gate) counts() (c counts) {
	for i := range g.tallies {
		s := g.tallies[i].shed.Load()
		c.offered[i] = s + g.tallies[i].admitted.Load()
		c.shed += s
	}
	return c
}

func (c counts) since(before counts) counts {
	for i := range c.offered {
		c.offered[i] -= before.offered[i]
	}
	c.shed -= before.shed
	return c
}

func (c counts) all() (n uint64) {
	for _, o := range c.offered {
		n += o
	}
	return n
}

// level is the least priority such that as many requests of it and below came
// by as were refused.
func (c counts) level() Priority {
	var n uint64
	for p := range High {
		if n += c.offered[p]; n > 0 && n >= c.shed {
			return p
		}
	}
	return High
}
