package live

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/op"
)

// Server serves streams and knows all that are open. Make one with [New]; it
// is safe for concurrent use.
type Server struct {
	cfg Config

	mu       sync.Mutex
	open     map[*stream]struct{}
	each     map[string]int // by who has them
	sweeping bool
	drained  chan struct{} // closed when none is left; nil until the shutdown
}

// New returns a server of streams. It does nothing until one is open.
func New(cfg Config) *Server {
	return &Server{cfg: cfg.withDefaults(), open: map[*stream]struct{}{}, each: map[string]int{}}
}

// Open returns how many streams are open.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// enter gives a stream its place, or refuses it.
func (s *Server) enter(st *stream) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.drained != nil:
		return fault.ErrUnavailable.Because("The service shuts down. Come back in a moment.")
	case len(s.open) >= s.cfg.Most:
		return op.ErrStreamsFull.Because("More streams are open than the service can bear. Come back later.").After(s.pause())
	case s.each[st.who] >= s.cfg.MostEach:
		return op.ErrStreams.Because("You have %d streams open, which is as many as you may.", s.cfg.MostEach)
	}
	s.open[st] = struct{}{}
	s.each[st.who]++
	if !s.sweeping {
		s.sweeping = true
		go s.sweep()
	}
	return nil
}

// leave gives the place back.
func (s *Server) leave(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, st)
	if s.each[st.who]--; s.each[st.who] == 0 {
		delete(s.each, st.who)
	}
	if len(s.open) == 0 && s.drained != nil {
		close(s.drained)
	}
}

// all appends the streams that are open.
func (s *Server) all(to []*stream) []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.open {
		to = append(to, st)
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
	all := s.all(nil)
	for len(all) > 0 {
		batch := s.batch(ctx, len(all))
		for _, st := range all[:batch] {
			go st.stop(&ending{reason: Draining, retry: s.pause()})
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
func (s *Server) pause() time.Duration {
	return s.cfg.Retry + rand.N(s.cfg.Retry) //nolint:gosec // it only has to differ
}

// whose is whom a stream counts for: its principal, or else the network of the
// address.
func whose(s *scope.Scope) string {
	if !s.Principal.Anonymous() {
		return "principal " + s.Principal.ID
	}
	addr, err := netip.ParseAddr(s.Origin.Address)
	if err != nil || addr.Is4() || addr.Is4In6() {
		return "address " + s.Origin.Address
	}
	network, _ := addr.WithZone("").Prefix(64) // the rest is the client's to choose
	return "address " + network.String()
}
