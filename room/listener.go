package room

import (
	"context"
	"encoding/json"
	"sync"
)

// maxUnread is how many changes wait for a listener; one that has not read them
// gets who is here anew.
const maxUnread = 256

// change is something that happened in a room, for all who listen.
type change struct {
	what    What
	members []known // all, or the one that it is about
	from    string
	said    json.RawMessage

	once     sync.Once
	item     any // an Item, once somebody has asked for it
	readable bool
}

// listener is somebody who is told of a room.
type listener struct {
	h     *Hub
	r     *room
	ready chan struct{}

	// The hub's lock guards these.
	unread []*change
	anew   bool // everybody is to be told anew
}

// listen adds a listener, which is told first who is here.
func (h *Hub) listen(at place) *listener {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.at(at)
	l := &listener{h: h, r: r, ready: make(chan struct{}, 1), anew: true}
	l.ready <- struct{}{}
	r.listeners[l] = struct{}{}
	h.counts.listeners++
	return l
}

func (h *Hub) leave(at place, l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(l.r.listeners, l)
	h.counts.listeners--
	h.tidy(at, l.r)
}

// tell tells all listeners of a room.
func (r *room) tell(c *change) {
	for l := range r.listeners {
		if len(l.unread) == maxUnread {
			if !l.anew {
				l.h.counts.behind++
			}
			l.unread, l.anew = nil, true
		}
		if l.anew && c.what != Said { // who is here has it
			continue
		}
		l.unread = append(l.unread, c)
		select {
		case l.ready <- struct{}{}:
		default:
		}
	}
}

// next waits for changes.
func (l *listener) next(ctx context.Context) ([]*change, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-l.ready:
		}
		l.h.mu.Lock()
		list := l.unread
		if l.anew {
			list = append([]*change{{what: Here, members: l.r.all()}}, list...)
		}
		l.unread, l.anew = nil, false
		l.h.mu.Unlock()
		if len(list) > 0 {
			return list, nil
		}
	}
}
