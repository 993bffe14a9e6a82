package room

// counts are what a hub has counted; its lock guards them.
type counts struct {
	listeners                               int
	said, behind, gaps, asked, unsent, full int64
}

// Stats is what a [Hub] knows of itself.
type Stats struct {
	Rooms     int // with members or listeners
	Members   int // of all rooms, in all processes
	Listeners int // in this process
	Peers     int // other processes

	Said     int64 // messages that were heard in this process
	Behind   int64 // listeners that were told anew who is here because they had fallen behind
	Gaps     int64 // times that changes of another process were missed and asked for
	Asked    int64 // times that this process told another one all it has
	Unsent   int64 // messages that other processes were not told
	Refusals int64 // members for whom a room had no place
}

// Stats returns a snapshot.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.counts
	s := Stats{
		Rooms: len(h.rooms), Listeners: c.listeners, Peers: len(h.peers),
		Said: c.said, Behind: c.behind, Gaps: c.gaps, Asked: c.asked, Unsent: c.unsent, Refusals: c.full,
	}
	for _, r := range h.rooms {
		s.Members += len(r.members)
	}
	return s
}
