package room

import (
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

	once sync.Once
	item any // an *Item, once somebody has asked for it
}

// listener is somebody who is told of a room.
type listener struct {
	h     *Hub
	r     *room
	ready chan struct{}

	// The lock is taken after that of the hub, or alone: those who are told at
	// once do not wait for each other.
	mu     sync.Mutex
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
		l.tell(c)
	}
}

func (l *listener) tell(c *change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.unread) == maxUnread {
		if !l.anew {
			l.h.counts.behind++
		}
		l.unread, l.anew = nil, true
	}
	if l.anew && c.what != Said { // who is here has it
		return
	}
	l.unread = append(l.unread, c)
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// next waits for changes, and returns none once done is closed.
func (l *listener) next(done <-chan struct{}) []*change {
	for {
		select {
		case <-done:
			return nil
		case <-l.ready:
		}
		if list := l.take(); len(list) > 0 {
			return list
		}
	}
}

func (l *listener) take() (list []*change) {
	l.mu.Lock()
	anew := l.anew
	if !anew {
		list, l.unread = l.unread, nil
	}
	l.mu.Unlock()
	if anew {
		aside(func() { list = l.begin() })
	}
	return list
}

// begin returns who is here, and what was said since.
func (l *listener) begin() []*change {
	l.h.mu.Lock() // nothing is told meanwhile
	defer l.h.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	list := append([]*change{{what: Here, members: l.r.all()}}, l.unread...)
	l.unread, l.anew = nil, false
	return list
}

// aside does something on a stack of its own. That of a listener, which waits
// for hours, would stay as large as it once had to be. A panic is the caller's.
func aside(f func()) {
	var (
		done  sync.WaitGroup
		cause any
	)
	done.Go(func() {
		defer func() { cause = recover() }()
		f()
	})
	done.Wait()
	if cause != nil {
		panic(cause)
	}
}
