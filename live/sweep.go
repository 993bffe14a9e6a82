package live

import (
	"context"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/op"
)

// checkers is how many streams are looked at side by side: most answers come
// from memory, and one that has to wait for a database should not keep all.
const checkers = 8

// sweep looks at every stream again and again, until there is none.
func (s *Server) sweep() {
	tick := time.NewTicker(s.cfg.Recheck)
	defer tick.Stop()
	var all []member
	for now := range tick.C {
		if all = s.all(all[:0]); len(all) == 0 && s.rest() {
			return
		}
		s.check(all, now)
		clear(all)
		for n := range s.hands {
			s.hands[n].dismiss(false)
		}
	}
}

// rest ends the sweeping unless somebody came meanwhile.
func (s *Server) rest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweeping = len(s.open) > 0
	for n := range s.hands {
		s.hands[n].dismiss(!s.sweeping)
	}
	return !s.sweeping
}

func (s *Server) check(all []member, now time.Time) {
	var checking sync.WaitGroup
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Recheck)
	defer cancel()
	share := (len(all) + checkers - 1) / checkers
	for len(all) > 0 {
		part := all[:min(share, len(all))]
		all = all[len(part):]
		checking.Go(func() {
			for _, m := range part {
				m.check(ctx, now)
			}
		})
	}
	checking.Wait()
}

// check ends the stream if its time is over or its caller may no more what it
// might.
func (st *stream) check(ctx context.Context, now time.Time) {
	if st.until != 0 && now.UnixNano() > st.until {
		go st.stop(&ending{reason: Expired})
		return
	}
	if st.credential != nil {
		if err := st.stillMay(ctx); err != nil {
			go st.stop(&ending{reason: Revoked, err: err})
			return
		}
	}
	if w, ok := st.wireOf().(*direct); ok {
		w.beat(w.link, now, st.h.server.cfg.Patience, func() { st.stop(&ending{reason: Slow}) })
	}
}

// stillMay returns why the caller may not go on, or nil.
func (st *stream) stillMay(ctx context.Context) error {
	who, err := st.credential.ask(ctx)
	if err != nil || who.Anonymous() { // whether it may is not known now; that it might is
		return err
	}
	return st.goesOn(who)
}

var errChanged = op.ErrChanged.Because("Your role or permissions have changed. Connect again to go on with what you have now.")
