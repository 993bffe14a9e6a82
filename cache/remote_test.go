package cache_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/cachetest"
)

// store is a Remote in memory, with a clock that a test moves and a switch
// that breaks it.
type store struct {
	mu     sync.Mutex
	now    time.Duration
	values map[string]kept
	broken error
	gets   int
	sets   int
}

type kept struct {
	value []byte
	until time.Duration
}

func newStore() *store { return &store{values: map[string]kept{}} }

func (s *store) Get(ctx context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets++
	if err := s.fails(ctx); err != nil {
		return nil, err
	}
	if k := s.values[key]; s.now < k.until {
		return bytes.Clone(k.value), nil
	}
	return nil, nil
}

func (s *store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sets++
	if err := s.fails(ctx); err != nil {
		return err
	}
	s.values[key] = kept{bytes.Clone(value), s.now + ttl}
	return nil
}

func (s *store) fails(ctx context.Context) error {
	if s.broken != nil {
		return s.broken
	}
	return ctx.Err()
}

func (s *store) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += d
}

func TestStoreInMemoryConforms(t *testing.T) {
	t.Parallel()
	cachetest.RunRemote(t, func(testing.TB) (cache.Remote, func(time.Duration)) {
		s := newStore()
		return s, s.pass
	})
}
