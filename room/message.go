package room

import "encoding/json"

// channel is where processes tell each other.
const channel = "ashlar_rooms"

// What processes tell each other.
const (
	toJoin  = "join"  // a member is here; the changes of a process are numbered
	toLeave = "leave" // is not any more
	toSay   = "say"
	toBeat  = "beat" // this process lives, and so many changes were told
	toAsk   = "ask"  // tell me all; of one process, or everybody
	toPart  = "part" // a part of all
	toEnd   = "end"  // this process ends
)

// message is what a process tells others.
type message struct {
	From  string          `json:"f"`
	What  string          `json:"w"`
	Seq   uint64          `json:"n,omitempty"`
	To    string          `json:"to,omitempty"`
	Kind  string          `json:"k,omitempty"`
	Room  string          `json:"r,omitempty"`
	ID    string          `json:"i,omitempty"`
	About json.RawMessage `json:"a,omitempty"`
	Since int64           `json:"s,omitempty"` // Unix milliseconds
	Said  json.RawMessage `json:"m,omitempty"`
	Part  int             `json:"p,omitempty"` // counted from 0
	Parts int             `json:"of,omitempty"`
	Seats []seat          `json:"e,omitempty"`
}

// seat is a member of a process, in a part.
type seat struct {
	Kind  string          `json:"k"`
	Room  string          `json:"r"`
	ID    string          `json:"i"`
	About json.RawMessage `json:"a"`
	Since int64           `json:"s"`
}

// maxPart bounds the seats of a part, in bytes of JSON: a message of the bus has
// 8000, and the rest of a part is small.
const maxPart = 7000

// parts cuts what a process has to tell into messages.
func parts(seats []seat) (list [][]seat) {
	size := 0
	for _, s := range seats {
		const escaped = 6 // bytes of JSON that a byte of a name may take
		more := 64 + escaped*(len(s.Kind)+len(s.Room)+len(s.ID)) + len(s.About)
		if len(list) == 0 || size+more > maxPart {
			list, size = append(list, nil), 0
		}
		last := len(list) - 1
		list[last] = append(list[last], s)
		size += more
	}
	if list == nil {
		list = [][]seat{nil}
	}
	return list
}

// change numbers a change and tells of it. The caller holds the lock.
func (h *Hub) change(m message) {
	h.seq++
	m.Seq = h.seq
	h.send(m)
}

// send has a message be published, in the order of the calls. The caller holds
// the lock. What there is no room for is missed, as what the bus loses is, and
// found by the next beat.
func (h *Hub) send(m message) {
	if h.out == nil {
		return
	}
	m.From = h.self
	text, err := json.Marshal(m)
	if err != nil {
		panic("room: a message cannot be encoded: " + err.Error()) // it came from JSON, and strings
	}
	select {
	case h.out <- text:
	default:
		h.counts.unsent++
	}
}
