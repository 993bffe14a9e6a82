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

	// While load is shed: when its end and its level were thought of last, and
	// what had come by till then.
	since, leveled       time.Duration
	atSince, whenLeveled counts
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
			w.since, w.leveled = now, now
			w.atSince = g.counts()
			w.whenLeveled = w.atSince
			g.level.Store(uint32(High))
			g.shedding.Store(true)
			return g.queues[i].Name, w.least[i]
		}
	}
	return "", 0
}

// settled lets everybody in again if hardly anybody was refused of late. Else
// it finds out whom to refuse.
func (g *Gate) settled(now time.Duration) bool {
	w, c := &g.watch, g.counts()
	if of := c.since(w.whenLeveled); now-w.leveled >= lookFor && of.all() >= lookTimes {
		g.level.Store(uint32(of.level()))
		w.leveled, w.whenLeveled = now, c
	}
	if now-w.since < settleTime {
		return false
	}
	of := c.since(w.atSince)
	over := of.shed*settleAt <= of.all()
	w.since, w.atSince = now, c
	if over {
		g.shedding.Store(false)
	}
	return over
}
