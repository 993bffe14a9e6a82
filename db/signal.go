package db

import (
	"slices"
	"sync"
)

// Signal has those who [DB.Listen] to a channel of this database receive a
// message once the transaction is committed, and never after a rollback. The
// same message is received once, however often the transaction signals it. It
// stays in this process and is lost with it: whoever listens must also look at
// the database now and then.
func (tx *Tx) Signal(channel, message string) {
	s := signal{channel, message}
	if slices.Contains(tx.signals, s) {
		return
	}
	if tx.signals = append(tx.signals, s); len(tx.signals) == 1 {
		tx.AfterCommit(func() {
			for _, s := range tx.signals {
				tx.db.signals.send(s)
			}
		})
	}
}

// Listen has receive called with each message that is signalled to a channel by
// a transaction of this DB, until stop is called. Calls come on the goroutine
// that committed, several at once, and keep it waiting: receive must only take
// note. One may still be under way when stop returns.
func (d *DB) Listen(channel string, receive func(message string)) (stop func()) {
	return d.signals.listen(channel, receive)
}

type signal struct{ channel, message string }

// signals are those who listen to a database.
type signals struct {
	mu        sync.RWMutex
	listeners map[string][]*listener
}

type listener struct{ receive func(message string) }

func (s *signals) listen(channel string, receive func(message string)) (stop func()) {
	l := &listener{receive}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners == nil {
		s.listeners = map[string][]*listener{}
	}
	s.listeners[channel] = append(slices.Clip(s.listeners[channel]), l)
	return func() { s.forget(channel, l) }
}

// forget replaces the list, because send reads it without the lock.
func (s *signals) forget(channel string, l *listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(s.listeners[channel]), func(other *listener) bool { return other == l })
	if s.listeners[channel] = left; len(left) == 0 {
		delete(s.listeners, channel)
	}
}

func (s *signals) send(what signal) {
	s.mu.RLock()
	listeners := s.listeners[what.channel]
	s.mu.RUnlock()
	for _, l := range listeners {
		l.receive(what.message)
	}
}
