package room

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
)

// ErrFull refuses a member for whom a room has no place.
const ErrFull fault.Conflict = "room_full"

// Config is what a [Hub] needs. Zero fields are the defaults.
type Config struct {
	// Bus passes on to other processes what happens in this one. Nil means that
	// there is no other.
	Bus Bus
	// Most is how many members a room may have, as far as this process knows.
	// Zero means 1000.
	Most int
	// Linger is how long a member stays after its last stream has ended. Zero
	// means 3 s; negative means no time at all.
	Linger time.Duration
	// Log is told when other processes cannot be reached. Nil logs nothing.
	Log *slog.Logger
}

// A Hub knows the rooms. Make one with [New].
type Hub struct {
	cfg  Config
	self string      // among processes
	out  chan []byte // for other processes; nil without a bus

	mu     sync.Mutex
	rooms  map[place]*room
	peers  map[string]*peer
	seq    uint64 // of the changes of this process's members
	counts counts
}

// place is what a room is known by.
type place struct{ kind, name string }

// room is one that has members or listeners.
type room struct {
	members   map[string]*member
	listeners map[*listener]struct{}
}

// known is what a member is seen as.
type known struct {
	id    string
	since time.Time
	about json.RawMessage
}

type member struct {
	known

	here  int                 // streams of this process
	away  map[string]struct{} // other processes where it is
	going *time.Timer         // runs while it is nowhere
}

// New returns a hub, or what is wrong with the configuration.
func New(c Config) (*Hub, error) {
	if c.Most < 0 {
		return nil, errors.New("room: Most must not be negative")
	}
	c.Most, c.Linger = cmp.Or(c.Most, 1000), max(cmp.Or(c.Linger, 3*time.Second), 0)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	h := &Hub{cfg: c, self: id.New("hub_"), rooms: map[place]*room{}, peers: map[string]*peer{}}
	if c.Bus != nil {
		h.out = make(chan []byte, 4096)
	}
	return h, nil
}

func checkName(what, name string) error {
	if name == "" || len(name) > MaxName || !utf8.ValidString(name) {
		return fmt.Errorf("room: the %s has %d bytes; it has to be UTF-8 of 1 to %d", what, len(name), MaxName)
	}
	return nil
}

// enter adds a stream of a member.
func (h *Hub) enter(at place, id string, about json.RawMessage) error {
	if err := errors.Join(checkName("name of a room", at.name), checkName("id of a member", id)); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.at(at)
	m := r.members[id]
	if m == nil && len(r.members) >= h.cfg.Most {
		h.counts.full++
		return ErrFull.Because("%d are in this room, and more may not be", h.cfg.Most)
	}
	news := m == nil || m.here == 0 || !bytes.Equal(m.about, about)
	m = r.arrive(known{id, time.Now(), about})
	m.here++
	if news {
		h.change(message{What: toJoin, Kind: at.kind, Room: at.name, ID: id, About: about, Since: m.since.UnixMilli()})
	}
	return nil
}

// exit takes a stream of a member away.
func (h *Hub) exit(at place, id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.at(at)
	m := r.members[id]
	if m == nil { // which cannot be: a member stays while it has a stream
		return
	}
	if m.here--; m.here == 0 {
		h.change(message{What: toLeave, Kind: at.kind, Room: at.name, ID: id})
	}
	h.depart(at, r, m)
}

// say tells all who listen.
func (h *Hub) say(at place, from string, said json.RawMessage) error {
	if err := errors.Join(checkName("name of a room", at.name), checkName("id of a member", from)); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.send(message{What: toSay, Kind: at.kind, Room: at.name, ID: from, Said: said})
	h.hearSaid(at, from, said)
	return nil
}

func (h *Hub) hearSaid(at place, from string, said json.RawMessage) {
	h.counts.said++
	if r := h.rooms[at]; r != nil {
		r.tell(&change{what: Said, from: from, said: said})
	}
}

// at returns a room. Whoever leaves it without anybody calls tidy. Here and
// below the caller holds the lock.
func (h *Hub) at(p place) *room {
	r := h.rooms[p]
	if r == nil {
		r = &room{map[string]*member{}, map[*listener]struct{}{}}
		h.rooms[p] = r
	}
	return r
}

func (h *Hub) tidy(at place, r *room) {
	if len(r.members) == 0 && len(r.listeners) == 0 {
		delete(h.rooms, at)
	}
}

// arrive has a member be in a room, and tells of it if that is news.
func (r *room) arrive(k known) *member {
	m := r.members[k.id]
	news := m == nil || !bytes.Equal(m.about, k.about)
	if m == nil {
		m = &member{known: k, away: map[string]struct{}{}}
		r.members[k.id] = m
	}
	if m.going != nil {
		m.going.Stop()
		m.going = nil
	}
	m.about = k.about
	if k.since.Before(m.since) {
		m.since = k.since
	}
	if news {
		r.tell(&change{what: Joined, members: []known{m.known}})
	}
	return m
}

// depart has a member leave that is nowhere any more, when it did not come back
// for a while.
func (h *Hub) depart(at place, r *room, m *member) {
	if m.here > 0 || len(m.away) > 0 || m.going != nil {
		return
	}
	if h.cfg.Linger == 0 {
		h.remove(at, r, m)
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(h.cfg.Linger, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if m.going == timer {
			h.remove(at, r, m)
		}
	})
	m.going = timer
}

func (h *Hub) remove(at place, r *room, m *member) {
	delete(r.members, m.id)
	r.tell(&change{what: Left, members: []known{m.known}})
	h.tidy(at, r)
}

// snapshot is who is in a room.
func (h *Hub) snapshot(at place) []known {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.rooms[at]; r != nil {
		return r.all()
	}
	return nil
}

// all are the members, those who came first in front.
func (r *room) all() []known {
	list := make([]known, 0, len(r.members))
	for _, m := range r.members {
		list = append(list, m.known)
	}
	slices.SortFunc(list, func(a, b known) int {
		return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.id, b.id))
	})
	return list
}
