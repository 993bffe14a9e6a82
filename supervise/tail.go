package supervise

import (
	"slices"
	"sync"
)

const (
	keptLines  = 1000
	keptBytes  = 1 << 20
	lastLines  = 20 // of a worker that failed, in the error
	unreadMost = 4096
)

// tail keeps the last lines, and hands new ones to those who follow.
type tail struct {
	mu        sync.Mutex
	lines     []Line
	bytes     int
	followers map[chan Line]*follower
}

// follower is one reader. Lines that come while it is too far behind are left
// out: nobody who reads slowly may hold up the workers.
type follower struct {
	lines   chan Line
	missing int
}

func (t *tail) add(l Line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, l)
	t.bytes += len(l.Text)
	drop := 0
	for len(t.lines)-drop > keptLines || t.bytes > keptBytes && len(t.lines)-drop > 1 {
		t.bytes -= len(t.lines[drop].Text)
		drop++
	}
	t.lines = slices.Delete(t.lines, 0, drop)
	for _, f := range t.followers {
		select {
		case f.lines <- l:
		default:
			f.missing++
		}
	}
}

// follow returns the last n lines and a channel of those that come after them.
func (t *tail) follow(n int) (last []Line, next *follower, stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := &follower{lines: make(chan Line, unreadMost)}
	if t.followers == nil {
		t.followers = map[chan Line]*follower{}
	}
	t.followers[f.lines] = f
	from := max(len(t.lines)-max(n, 0), 0)
	return slices.Clone(t.lines[from:]), f, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.followers, f.lines)
	}
}

// left returns how many lines the follower missed since the last call.
func (t *tail) left(f *follower) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := f.missing
	f.missing = 0
	return n
}
