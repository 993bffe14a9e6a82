package live

import "sync"

// hands lend stacks. A goroutine's stack grows with what it does, and hardly
// ever becomes small again. Those that follow connections wait for hours and
// work for microseconds: they keep the smallest stack there is, as what needs
// more is done by a hand, which has done so before and has the room already.
type hands struct {
	mu   sync.Mutex
	free []chan *aid
	ends bool // whoever becomes free ends
}

// mostFree is how many hands wait for work. Those that a burst needs end after it.
const mostFree = 16

// chore is something to do.
type chore interface{ do() }

// aid has chores of one goroutine done.
type aid struct {
	hands *hands
	chore chore
	done  sync.WaitGroup
}

// have returns when c is done.
func (a *aid) have(c chore) {
	a.chore = c
	a.done.Add(1)
	a.hands.give(a)
	a.done.Wait()
}

func (h *hands) give(a *aid) {
	h.mu.Lock()
	n := len(h.free)
	if n == 0 {
		h.mu.Unlock()
		go h.work(a)
		return
	}
	hand := h.free[n-1] // whose stack was used last
	h.free = h.free[:n-1]
	h.mu.Unlock()
	hand <- a
}

// work is the goroutine of a hand.
func (h *hands) work(a *aid) {
	hand := make(chan *aid, 1)
	for a != nil {
		a.run()
		free := h.release(hand)
		a.done.Done() // whoever waits finds the hand free
		if !free {
			return
		}
		a = <-hand
	}
}

// run has somebody who waits go on also if the goroutine ends meanwhile.
func (a *aid) run() {
	done := false
	defer func() {
		if !done {
			a.done.Done()
		}
	}()
	a.chore.do()
	done = true
}

func (h *hands) release(hand chan *aid) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ends || len(h.free) >= mostFree {
		return false
	}
	h.free = append(h.free, hand)
	return true
}

// dismiss ends hands that have nothing to do, and if they are to end also those
// that will have nothing to do.
func (h *hands) dismiss(ends bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, hand := range h.free {
		hand <- nil // it has room for that
	}
	clear(h.free)
	h.free, h.ends = h.free[:0], ends
}

// aid returns help for a goroutine. Those of many processors do not all ask in
// one place.
func (s *Server) aid() aid {
	return aid{hands: &s.hands[s.asked.Add(1)%uint64(len(s.hands))]}
}
