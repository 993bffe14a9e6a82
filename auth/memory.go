package auth

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// Memory is a [Store] that lasts as long as the process: for tests and trials.
type Memory struct {
	mu  sync.Mutex
	all []Account // by id
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{} }

// ByEmail implements [Store].
func (m *Memory) ByEmail(_ context.Context, email string) (Account, error) {
	return m.find(func(a Account) bool { return a.Email == email })
}

// ByID implements [Store].
func (m *Memory) ByID(_ context.Context, id string) (Account, error) {
	return m.find(func(a Account) bool { return a.ID == id })
}

func (m *Memory) find(is func(Account) bool) (Account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.IndexFunc(m.all, is); i >= 0 {
		return m.all[i], nil
	}
	return Account{}, ErrNoAccount
}

// List implements [Store].
func (m *Memory) List(_ context.Context, after string, limit int) ([]Account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, found := slices.BinarySearchFunc(m.all, after, byID)
	if found {
		i++
	}
	return slices.Clone(m.all[i:min(len(m.all), i+max(limit, 0))]), nil
}

// Insert implements [Store].
func (m *Memory) Insert(_ context.Context, a Account) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.ContainsFunc(m.all, func(b Account) bool { return b.Email == a.Email }) {
		return ErrEmailTaken
	}
	i, _ := slices.BinarySearchFunc(m.all, a.ID, byID)
	m.all = slices.Insert(m.all, i, a)
	return nil
}

// SetPasswordHash implements [Store].
func (m *Memory) SetPasswordHash(_ context.Context, id, old, hash string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i, found := slices.BinarySearchFunc(m.all, id, byID); found && m.all[i].PasswordHash == old {
		m.all[i].PasswordHash = hash
	}
	return nil
}

func byID(a Account, id string) int { return cmp.Compare(a.ID, id) }
