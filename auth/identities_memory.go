package auth

import (
	"context"
	"slices"
	"sync"
	"time"
)

// MemoryIdentities is an [IdentityStore] that lasts as long as the process: for
// tests and trials. It keeps no events.
type MemoryIdentities struct {
	accounts Store
	mu       sync.Mutex
	links    []LinkedIdentity // the oldest first
	tickets  map[string]Ticket
}

// NewMemoryIdentities returns an empty store beside a store of accounts.
func NewMemoryIdentities(accounts Store) *MemoryIdentities {
	return &MemoryIdentities{accounts: accounts, tickets: map[string]Ticket{}}
}

// BySubject implements [IdentityStore].
func (m *MemoryIdentities) BySubject(_ context.Context, issuer, subject string) (LinkedIdentity, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.links {
		if l.Issuer == issuer && l.Subject == subject {
			return l, nil
		}
	}
	return LinkedIdentity{}, ErrNoIdentity
}

// OfAccount implements [IdentityStore].
func (m *MemoryIdentities) OfAccount(_ context.Context, account string) ([]LinkedIdentity, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	others := func(l LinkedIdentity) bool { return l.Account != account }
	return slices.DeleteFunc(slices.Clone(m.links), others), nil
}

// Link implements [IdentityStore].
func (m *MemoryIdentities) Link(_ context.Context, link LinkedIdentity, _ ...SecurityEvent) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.taken(link) {
		return ErrIdentityTaken
	}
	m.links = append(m.links, link)
	return nil
}

func (m *MemoryIdentities) taken(link LinkedIdentity) bool {
	return slices.ContainsFunc(m.links, func(l LinkedIdentity) bool {
		return l.Issuer == link.Issuer && (l.Subject == link.Subject || l.Account == link.Account)
	})
}

// Admit implements [IdentityStore].
func (m *MemoryIdentities) Admit(ctx context.Context, account Account, link LinkedIdentity, _ ...SecurityEvent) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.taken(link) {
		return ErrIdentityTaken
	}
	if err := m.accounts.Insert(ctx, account); err != nil {
		return err
	}
	m.links = append(m.links, link)
	return nil
}

// Unlink implements [IdentityStore].
func (m *MemoryIdentities) Unlink(_ context.Context, account, id string, last bool, _ ...SecurityEvent) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	more := slices.ContainsFunc(m.links, func(l LinkedIdentity) bool { return l.ID != id && l.Account == account })
	i := slices.IndexFunc(m.links, func(l LinkedIdentity) bool { return l.ID == id && l.Account == account })
	if i < 0 {
		return ErrNoIdentity
	}
	if !last && !more {
		return ErrIdentityLast
	}
	m.links = slices.Delete(m.links, i, i+1)
	return nil
}

// KeepTicket implements [IdentityStore].
func (m *MemoryIdentities) KeepTicket(_ context.Context, t Ticket) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, kept := m.tickets[t.Key]; kept {
		return false, nil
	}
	now := time.Now()
	for key, old := range m.tickets {
		if old.Until.Before(now) {
			delete(m.tickets, key)
		}
	}
	m.tickets[t.Key] = t
	return true, nil
}

// Ticket implements [IdentityStore].
func (m *MemoryIdentities) Ticket(_ context.Context, key, browser string) (Ticket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, kept := m.tickets[key]
	if !kept || t.Browser != browser {
		return Ticket{}, ErrSignInCode
	}
	return t, nil
}

// TakeTicket implements [IdentityStore].
func (m *MemoryIdentities) TakeTicket(ctx context.Context, key, browser string) error {
	if _, err := m.Ticket(ctx, key, browser); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, kept := m.tickets[key]; !kept {
		return ErrSignInCode
	}
	delete(m.tickets, key)
	return nil
}
