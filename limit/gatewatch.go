package limit

import "time"

// watch is what a gate remembers between two looks.
type watch struct {
	episodes uint64

	// While everybody is let in: the shortest that each queue was, over the
	// looks since began.
	least       []int
	looks       int
	began, last time.Duration

	// While load is shed: since when, and what had been offered by then.
	since     time.Duration
	all, shed uint64
}

// look judges anew whether load is to be shed.
func (g *Gate) look(now time.Duration) {
	if !g.mu.TryLock() {
		return // somebody else looks
	}
	if g.shedding.Load() {
		ended := g.settled(now)
		g.mu.Unlock()
		if ended {
			g.changed(false, "", 0)
		}
		return
	}
	queue, length := g.stands(now)
	g.mu.Unlock()
	if queue != "" {
		g.changed(true, queue, length)
	}
}

// stands sheds load from now on if a queue stands, and says which.
func (g *Gate) stands(now time.Duration) (queue string, length int) {
	w := &g.watch
	if w.looks == 0 || now-w.last > lookGap {
		w.looks, w.began = 0, now
	}
	w.last = now
	for i := range g.queues {
		n := g.queues[i].Len()
		if w.looks > 0 {
			n = min(n, w.least[i])
		}
		w.least[i] = n
	}
	w.looks++
	if w.looks < lookTimes || now-w.began < lookFor {
		return "", 0
	}
	w.looks = 0
	for i := range g.queues {
		if w.least[i] > g.queues[i].Standing {
			w.episodes++
			w.since = now
			w.all, w.shed = g.offered()
			g.shedding.Store(true)
			return g.queues[i].Name, w.least[i]
		}
	}
	return "", 0
}

// settled lets everybody in again if hardly anybody was refused of late.
func (g *Gate) settled(now time.Duration) bool {
	w := &g.watch
	if now-w.since < settleTime {
		return false
	}
	all, shed := g.offered()
	over := (shed-w.shed)*settleAt <= all-w.all
	w.since, w.all, w.shed = now, all, shed
	if over {
		g.shedding.Store(false)
	}
	return over
}
