package graphql

import (
	"container/list"
	"sync"
)

// A cache keeps what was used last, up to a number of entries.
type cache[V any] struct {
	most int

	mu      sync.Mutex
	order   list.List // of *entry[V], the last used first
	entries map[string]*list.Element
}

type entry[V any] struct {
	key   string
	value V
}

func newCache[V any](most int) *cache[V] {
	return &cache[V]{most: most, entries: map[string]*list.Element{}}
}

// get returns what is kept under the key, which need not outlive the call.
func (c *cache[V]) get(key []byte) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[string(key)]
	if !ok {
		return value, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry[V]).value, true
}

func (c *cache[V]) put(key string, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, known := c.entries[key]; known {
		c.order.MoveToFront(e)
		e.Value.(*entry[V]).value = value
		return
	}
	c.entries[key] = c.order.PushFront(&entry[V]{key, value})
	if c.order.Len() > c.most {
		last := c.order.Back()
		c.order.Remove(last)
		delete(c.entries, last.Value.(*entry[V]).key)
	}
}
