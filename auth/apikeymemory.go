package auth

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// MemoryAPIKeys is an [APIKeyStore] that lasts as long as the process: for
// tests and trials. It records no events. Make it with [NewMemoryAPIKeys].
type MemoryAPIKeys struct {
	mu  sync.Mutex
	all []APIKey // by id
}

// NewMemoryAPIKeys returns an empty store.
func NewMemoryAPIKeys() *MemoryAPIKeys { return &MemoryAPIKeys{} }

// InsertAPIKey implements [APIKeyStore].
func (m *MemoryAPIKeys) InsertAPIKey(_ context.Context, k APIKey, _ SecurityEvent) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	live := 0
	parent := k.Parent == ""
	for _, other := range m.all {
		if other.EndedAt != nil {
			continue
		}
		if other.Owner == k.Owner {
			live++
		}
		parent = parent || other.ID == k.Parent
	}
	switch {
	case !parent:
		return ErrNoAPIKey
	case live >= MaxAPIKeys:
		return ErrAPIKeys
	}
	i, _ := slices.BinarySearchFunc(m.all, k.ID, keyByID)
	m.all = slices.Insert(m.all, i, k)
	return nil
}

// APIKey implements [APIKeyStore].
func (m *MemoryAPIKeys) APIKey(_ context.Context, id string) (APIKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.find(id); k != nil {
		return *k, nil
	}
	return APIKey{}, ErrNoAPIKey
}

func (m *MemoryAPIKeys) find(id string) *APIKey {
	if i, found := slices.BinarySearchFunc(m.all, id, keyByID); found {
		return &m.all[i]
	}
	return nil
}

// inLine reports whether k is in the line of the key with this id. Parents are
// older, so the walk ends.
func (m *MemoryAPIKeys) inLine(k *APIKey, line string) bool {
	for k != nil && k.ID != line {
		k = m.find(k.Parent)
	}
	return k != nil
}

// APIKeys implements [APIKeyStore].
func (m *MemoryAPIKeys) APIKeys(_ context.Context, owner, line, after string, limit int) ([]APIKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := []APIKey{}
	for i := range m.all {
		k := &m.all[i]
		if len(list) < limit && k.ID > after && k.Owner == owner && k.EndedAt == nil && (line == "" || m.inLine(k, line)) {
			list = append(list, *k)
		}
	}
	return list, nil
}

// EndAPIKey implements [APIKeyStore].
func (m *MemoryAPIKeys) EndAPIKey(_ context.Context, owner, line, id string, at time.Time, _ SecurityEvent) (ended []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.find(id)
	if k == nil || k.Owner != owner || k.EndedAt != nil || line != "" && !m.inLine(k, line) {
		return nil, ErrNoAPIKey
	}
	for i := range m.all {
		if one := &m.all[i]; one.EndedAt == nil && m.inLine(one, id) {
			one.EndedAt = &at
			ended = append(ended, one.ID)
		}
	}
	return ended, nil
}

// UsedAPIKeys implements [APIKeyStore].
func (m *MemoryAPIKeys) UsedAPIKeys(_ context.Context, at map[string]time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, used := range at {
		if k := m.find(id); k != nil && (k.LastUsedAt == nil || used.Sub(*k.LastUsedAt) >= noteEvery) {
			k.LastUsedAt = &used
		}
	}
	return nil
}

func keyByID(k APIKey, id string) int { return cmp.Compare(k.ID, id) }
