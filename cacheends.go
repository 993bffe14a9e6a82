package ashlar

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/op"
)

// ends are the events that end kept answers, as [op.Until] says. Nothing has to
// be written for them: who commits one drops here at once what it ends, and
// every instance finds it in the log.
type ends struct {
	mu     sync.RWMutex
	topics []string
	own    map[string]struct{} // events that this process committed
	order  []string            // the same, in a ring
	next   int
}

const (
	// maxEnds bounds the topics that are followed; a filter has its bound.
	maxEnds = 24
	// maxOwnEvents bounds the events of this process that it knows as its own.
	// Another one ends again what it has ended, which costs a load.
	maxOwnEvents = 8192
)

// add has the events of more topics end answers.
func (e *ends) add(topics []string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, topic := range topics {
		if !slices.Contains(e.topics, topic) {
			e.topics = append(slices.Clip(e.topics), topic)
		}
	}
	if len(e.topics) > maxEnds {
		return fmt.Errorf("op.Until names %d topics in all; %d are the most: name the beginning they share", len(e.topics), maxEnds)
	}
	return nil
}

// all returns the topics.
func (e *ends) all() []string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Clone(e.topics)
}

// tags returns what an event makes unusable.
func (e *ends) tags(topic, key string) (tags []string) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, t := range e.topics {
		if beginning, many := strings.CutSuffix(t, "*"); topic == t || many && strings.HasPrefix(topic, beginning) {
			tags = append(tags, op.EventTag(t, key))
		}
	}
	return tags
}

// committed is told of each event that this process has committed, before
// whoever wrote is told so.
func (e *ends) committed(c *cache.Cache, id, topic, key string) {
	tags := e.tags(topic, key)
	if len(tags) == 0 {
		return
	}
	c.Drop(tags...)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.own == nil {
		e.own, e.order = map[string]struct{}{}, make([]string, maxOwnEvents)
	}
	delete(e.own, e.order[e.next])
	e.order[e.next], e.own[id] = id, struct{}{}
	e.next = (e.next + 1) % len(e.order)
}

// known reports whether an event is one that this process has committed.
func (e *ends) known(id string) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	_, own := e.own[id]
	return own
}
