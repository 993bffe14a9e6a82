package live

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/op"
)

// Server serves streams and knows all that are open. Make one with [New]; it
// is safe for concurrent use.
type Server struct {
	cfg     Config
	origins map[string]bool // whose pages may open a WebSocket

	mu       sync.Mutex
	open     map[member]struct{}
	each     map[string]int // by who has them
	sweeping bool
	drained  chan struct{} // closed when none is left; nil until the shutdown

	sockets socketTally
	hands   []hands
	asked   atomic.Uint64 // for hands
}

// member is what may be open: a stream, or a socket that has several.
type member interface {
	// owner is whom it counts for.
	owner() string
	// check ends it if it must not be open any more.
	check(ctx context.Context, now time.Time)
	// stop ends it.
	stop(e *ending)
	// alone reports whether it has a connection of its own.
	alone() bool
}

// New returns a server of streams. It does nothing until one is open.
func New(cfg Config) *Server {
	s := &Server{
		cfg: cfg.withDefaults(), origins: map[string]bool{}, open: map[member]struct{}{}, each: map[string]int{},
		hands: make([]hands, runtime.GOMAXPROCS(0)),
	}
	for _, origin := range cfg.Origins {
		s.origins[origin] = true
	}
	return s
}

// Open returns how many streams are open; a socket that may have several counts
// as one more.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// enter gives a member its place, or refuses it.
func (s *Server) enter(m member) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.drained != nil:
		return fault.ErrUnavailable.Because("The service shuts down. Come back in a moment.")
	case len(s.open) >= s.cfg.Most:
		return op.ErrStreamsFull.Because("More streams are open than the service can bear. Come back later.").After(s.pause())
	case s.each[m.owner()] >= s.cfg.MostEach:
		return s.tooMany()
	}
	s.open[m] = struct{}{}
	s.each[m.owner()]++
	if !s.sweeping {
		s.sweeping = true
		for n := range s.hands {
			s.hands[n].dismiss(false)
		}
		go s.sweep()
	}
	return nil
}

func (s *Server) tooMany() error {
	return op.ErrStreams.Because("You have %d streams open, which is as many as you may.", s.cfg.MostEach)
}

// leave gives the place back.
func (s *Server) leave(m member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, m)
	s.uncount(m.owner())
	if len(s.open) == 0 && s.drained != nil {
		close(s.drained)
	}
}

func (s *Server) uncount(who string) {
	if s.each[who]--; s.each[who] == 0 {
		delete(s.each, who)
	}
}

// move has a session count for somebody else than before.
func (s *Server) move(c *session, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.who == to:
		return nil
	case s.each[to] >= s.cfg.MostEach:
		return s.tooMany()
	}
	s.uncount(c.who)
	c.who = to
	s.each[to]++
	return nil
}

// all appends what is open.
func (s *Server) all(to []member) []member {
	s.mu.Lock()
	defer s.mu.Unlock()
	for m := range s.open {
		to = append(to, m)
	}
	return to
}

// Drain ends every stream and returns when none is left or ctx ends; the rest
// is cut then. Callers are told to come back after a pause, each after another
// one, and not all are told at once, so that they do not meet the next
// instance together. No stream is let in any more.
func (s *Server) Drain(ctx context.Context) {
	drained := s.shut()
	if drained == nil {
		return
	}
	pace := time.NewTicker(drainTick)
	defer pace.Stop()
	all := slices.DeleteFunc(s.all(nil), func(m member) bool { return !m.alone() })
	for len(all) > 0 {
		batch := s.batch(ctx, len(all))
		for _, m := range all[:batch] {
			go m.stop(&ending{reason: Draining, retry: s.pause()})
		}
		if all = all[batch:]; len(all) == 0 {
			break
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
		}
	}
	select {
	case <-drained:
	case <-ctx.Done():
	}
}

const drainTick = 10 * time.Millisecond

// batch is how many of those that are left are ended in a tick: as many as the
// rate says, or more if the time would not suffice.
func (s *Server) batch(ctx context.Context, left int) int {
	n := max(1, int(int64(s.cfg.DrainRate)*int64(drainTick)/int64(time.Second)))
	if end, ok := ctx.Deadline(); ok {
		ticks := int(time.Until(end) / 2 / drainTick) // the other half is theirs, to end in
		n = max(n, left/max(1, ticks))
	}
	return min(n, left)
}

// shut lets nobody in any more. The channel closes when all have left; nil
// says that none is here.
func (s *Server) shut() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drained == nil {
		s.drained = make(chan struct{})
	}
	if len(s.open) == 0 {
		return nil
	}
	return s.drained
}

// pause is what a caller waits before it comes back.
func (s *Server) pause() time.Duration { return s.cfg.Retry + jitter(s.cfg.Retry) }

func jitter(most time.Duration) time.Duration {
	return rand.N(most) //nolint:gosec // it only has to differ
}

// whose is whom a stream counts for: its principal, or else the network of the
// address.
func whose(s *scope.Scope) string { return countedFor(s.Principal, s.Origin.Address) }

func countedFor(who access.Principal, address string) string {
	if !who.Anonymous() {
		return "principal " + who.ID
	}
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Is4() || addr.Is4In6() {
		return "address " + address
	}
	network, _ := addr.WithZone("").Prefix(64) // the rest is the client's to choose
	return "address " + network.String()
}
