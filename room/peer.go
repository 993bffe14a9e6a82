package room

import (
	"encoding/json"
	"time"
)

const (
	beatEvery = 5 * time.Second
	// deadAfter is when a process is taken for dead that nobody has heard of.
	deadAfter = 20 * time.Second
	// askEvery is how often a process is asked at most.
	askEvery = time.Second
)

// peer is another process.
type peer struct {
	seq   uint64 // the last of its changes that is known here
	whole bool   // everything up to seq is known
	heard time.Time
	asked time.Time
	seats map[placed]struct{}
	parts []seat // what came of all that it has
	next  int    // the part that is expected
}

// placed is a member in a room.
type placed struct {
	place

	id string
}

// hear takes a message in. Nil means that some may have been missed.
func (h *Hub) hear(text []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if text == nil {
		h.send(message{What: toAsk})
		h.beat()
		return
	}
	var m message
	if json.Unmarshal(text, &m) != nil || m.From == "" || m.From == h.self {
		return // of another version, or my own
	}
	if m.What == toEnd {
		h.forget(m.From)
		return
	}
	p := h.peers[m.From]
	if p == nil {
		p = &peer{seats: map[placed]struct{}{}}
		h.peers[m.From] = p
	}
	p.heard = time.Now()
	switch m.What {
	case toSay:
		h.hearSaid(place{m.Kind, m.Room}, m.ID, m.Said)
	case toAsk:
		if m.To == "" || m.To == h.self {
			h.tellAll()
		}
	case toPart:
		h.hearPart(m.From, p, m)
	case toBeat:
		if !p.whole || p.seq != m.Seq {
			h.ask(m.From, p)
		}
	case toJoin, toLeave:
		h.hearChange(m.From, p, m)
	}
	if !p.whole {
		h.ask(m.From, p)
	}
}

func (h *Hub) hearChange(from string, p *peer, m message) {
	switch {
	case !p.whole || m.Seq <= p.seq: // all of it is on its way, or here
	case m.Seq > p.seq+1:
		p.whole = false
		h.counts.gaps++
	case m.What == toJoin:
		p.seq = m.Seq
		h.seatOf(from, p, seat{m.Kind, m.Room, m.ID, m.About, m.Since})
	default:
		p.seq = m.Seq
		h.unseat(from, p, placed{place{m.Kind, m.Room}, m.ID})
	}
}

// hearPart takes in a part of all that a process has. Its parts come together,
// with no change between them.
func (h *Hub) hearPart(from string, p *peer, m message) {
	if m.Part == 0 {
		p.parts, p.next = nil, 0
	}
	if m.Part != p.next || p.whole && m.Seq < p.seq {
		return // one was lost; the next beat will tell
	}
	p.parts, p.next = append(p.parts, m.Seats...), p.next+1
	if p.next < m.Parts {
		return
	}
	gone := p.seats
	p.seats = make(map[placed]struct{}, len(p.parts))
	for _, s := range p.parts {
		delete(gone, placed{place{s.Kind, s.Room}, s.ID})
		h.seatOf(from, p, s)
	}
	for s := range gone {
		h.unseat(from, p, s)
	}
	p.seq, p.whole, p.parts, p.next = m.Seq, true, nil, 0
}

// seatOf has a member be in another process.
func (h *Hub) seatOf(from string, p *peer, s seat) {
	at := place{s.Kind, s.Room}
	m := h.at(at).arrive(known{s.ID, time.UnixMilli(s.Since), s.About})
	m.away[from] = struct{}{}
	p.seats[placed{at, s.ID}] = struct{}{}
}

func (h *Hub) unseat(from string, p *peer, s placed) {
	delete(p.seats, s)
	r := h.rooms[s.place]
	if r == nil {
		return
	}
	if m := r.members[s.id]; m != nil {
		delete(m.away, from)
		h.depart(s.place, r, m)
	}
}

// forget has all members of another process leave.
func (h *Hub) forget(from string) {
	p := h.peers[from]
	if p == nil {
		return
	}
	delete(h.peers, from)
	for s := range p.seats {
		h.unseat(from, p, s)
	}
}

// ask has a process tell all it has.
func (h *Hub) ask(from string, p *peer) {
	if now := time.Now(); now.Sub(p.asked) >= askEvery {
		p.asked = now
		h.send(message{What: toAsk, To: from})
	}
}

// tellAll tells of all members of this process.
func (h *Hub) tellAll() {
	h.counts.asked++
	var seats []seat
	for at, r := range h.rooms {
		for _, m := range r.members {
			if m.here > 0 {
				seats = append(seats, seat{at.kind, at.name, m.id, m.about, m.since.UnixMilli()})
			}
		}
	}
	list := parts(seats)
	for n, part := range list {
		h.send(message{What: toPart, Seq: h.seq, Part: n, Parts: len(list), Seats: part})
	}
}

// beat says how much was told. Who never had a member has nothing to tell.
func (h *Hub) beat() {
	if h.seq > 0 {
		h.send(message{What: toBeat, Seq: h.seq})
	}
}

// tick says that this process lives, and forgets those that do not.
func (h *Hub) tick(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.beat()
	for from, p := range h.peers {
		if now.Sub(p.heard) > deadAfter {
			h.forget(from)
		}
	}
}
