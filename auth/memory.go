package auth

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Memory is a [Store] and an [Audit] that last as long as the process: for
// tests and trials.
type Memory struct {
	// Revocations, if not nil, learn what is revoked. Set it before use.
	Revocations *Revocations

	mu sync.Mutex
	memory
	seq int64
}

// memory is what a transaction changes as a whole.
type memory struct {
	all      []Account // by id
	sessions []Session // by id
	events   []SecurityEvent
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
	return m.insert(a)
}

func (m *memory) insert(a Account) error {
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

// SessionBySecret implements [Store].
func (m *Memory) SessionBySecret(_ context.Context, hash string) (Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bySecret(hash)
}

func (m *memory) bySecret(hash string) (Session, error) {
	if i := slices.IndexFunc(m.sessions, func(s Session) bool { return s.SecretHash == hash }); i >= 0 {
		return m.sessions[i], nil
	}
	return Session{}, ErrNoSession
}

// Sessions implements [Store].
func (m *Memory) Sessions(_ context.Context, account, before string, limit int, made, used time.Time) ([]Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, found := slices.BinarySearchFunc(m.all, account, byID)
	if !found {
		return nil, nil
	}
	var list []Session
	for _, s := range slices.Backward(m.sessions) {
		open := s.EndedAt == nil && s.Epoch == m.all[i].Epoch && s.CreatedAt.After(made) && s.UsedAt.After(used)
		if s.Account == account && open && (before == "" || s.ID < before) && len(list) < limit {
			list = append(list, s)
		}
	}
	return list, nil
}

// TouchSession implements [Store].
func (m *Memory) TouchSession(_ context.Context, id string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.session(id); s != nil && s.EndedAt == nil {
		s.UsedAt = at
	}
	return nil
}

func (m *memory) session(id string) *Session {
	i, found := slices.BinarySearchFunc(m.sessions, id, func(s Session, id string) int { return cmp.Compare(s.ID, id) })
	if !found {
		return nil
	}
	return &m.sessions[i]
}

// Events returns what was recorded, in order.
func (m *Memory) Events() []SecurityEvent {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events)
}

// Record implements [Audit].
func (m *Memory) Record(_ context.Context, events ...SecurityEvent) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, events...)
	return nil
}

// Change implements [Store]: one transaction at a time.
func (m *Memory) Change(_ context.Context, fn func(Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	tx := &memoryTx{memory: memory{slices.Clone(m.all), slices.Clone(m.sessions), slices.Clip(m.events)}, seq: m.seq}
	if err := fn(tx); err != nil {
		return err
	}
	m.memory, m.seq = tx.memory, tx.seq
	if m.Revocations != nil {
		m.Revocations.Apply(tx.revoked...)
	}
	return nil
}

// memoryTx works on a copy, which is the store's once it is committed.
type memoryTx struct {
	memory
	seq     int64
	revoked []Revocation
}

func (tx *memoryTx) Record(_ context.Context, events ...SecurityEvent) error {
	tx.events = append(tx.events, events...)
	return nil
}

func (tx *memoryTx) Revoke(_ context.Context, list ...Revocation) error {
	for _, r := range list {
		tx.seq++
		r.Seq = tx.seq
		tx.revoked = append(tx.revoked, r)
	}
	return nil
}

func (tx *memoryTx) LockAccount(_ context.Context, id string) (Account, error) {
	i, found := slices.BinarySearchFunc(tx.all, id, byID)
	if !found {
		return Account{}, ErrNoAccount
	}
	return tx.all[i], nil
}

func (tx *memoryTx) InsertAccount(_ context.Context, a Account) error { return tx.insert(a) }

func (tx *memoryTx) SaveAccount(_ context.Context, a Account) error {
	if slices.ContainsFunc(tx.all, func(b Account) bool { return b.Email == a.Email && b.ID != a.ID }) {
		return ErrEmailTaken
	}
	if i, found := slices.BinarySearchFunc(tx.all, a.ID, byID); found {
		tx.all[i] = a
	}
	return nil
}

func (tx *memoryTx) InsertSession(_ context.Context, s Session) error {
	// Ids of one millisecond may come in another order than they were made.
	i, _ := slices.BinarySearchFunc(tx.sessions, s.ID, func(s Session, id string) int { return cmp.Compare(s.ID, id) })
	tx.sessions = slices.Insert(tx.sessions, i, s)
	return nil
}

func (tx *memoryTx) SessionBySecret(_ context.Context, hash string) (Session, error) {
	return tx.bySecret(hash)
}

func (tx *memoryTx) Rotate(_ context.Context, id string, r Rotation) (bool, error) {
	s := tx.session(id)
	if s == nil || s.EndedAt != nil || s.TokenHash != r.Spent {
		return false, nil
	}
	s.TokenHash, s.SpentHash, s.SpentAt, s.Sealed = r.Next, r.Spent, &r.At, r.Sealed
	s.UsedAt, s.Address, s.Agent = r.At, r.Address, r.Agent
	return true, nil
}

func (tx *memoryTx) EndSessions(_ context.Context, account, only, but string, at time.Time) (ended []string, err error) {
	for i := range tx.sessions {
		s := &tx.sessions[i]
		if s.Account != account || s.EndedAt != nil || only != "" && s.ID != only || s.ID == but {
			continue
		}
		s.EndedAt = &at
		ended = append(ended, s.ID)
	}
	return ended, nil
}

func (tx *memoryTx) CarrySession(_ context.Context, account, id string, epoch int64) error {
	if s := tx.session(id); s != nil && s.Account == account && s.EndedAt == nil {
		s.Epoch = epoch
	}
	return nil
}

func byID(a Account, id string) int { return cmp.Compare(a.ID, id) }
