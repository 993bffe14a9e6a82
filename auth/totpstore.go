package auth

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"
)

// Factor is the second factor of an account: an authenticator's secret, and
// what was done with it.
type Factor struct {
	Account     string     `json:"account"`
	Sealed      []byte     `json:"sealed"` // the secret, encrypted
	CreatedAt   time.Time  `json:"created_at"`
	ConfirmedAt *time.Time `json:"confirmed_at"` // nil: nobody has shown yet that an authenticator has it
	LastStep    int64      `json:"last_step"`    // period of the last code that was taken
	Tries       int        `json:"tries"`        // codes that were tried since one was right
	TriedAt     *time.Time `json:"tried_at"`     // the last of them
}

// FactorStore keeps second factors, at most one for each account, and their
// recovery codes. [NewMemoryFactors] is one; an application keeps them in its
// database. authtest.RunFactors proves that one is sound. What decides
// something does so in one statement: of several at once exactly one succeeds.
type FactorStore interface {
	// Factor returns the factor of an account, confirmed or not, or
	// ErrNoFactor.
	Factor(ctx context.Context, account string) (Factor, error)
	// EnrolFactor keeps a factor that is not confirmed, in place of another
	// such. It returns ErrFactor if the account has one that is.
	EnrolFactor(ctx context.Context, f Factor) error
	// ConfirmFactor confirms an account's factor if it is not and has this
	// sealed secret, takes the code of this period, sets Tries to zero, and
	// keeps the hashes of its recovery codes in place of all others, together
	// with the event. It reports whether it did.
	ConfirmFactor(ctx context.Context, account string, sealed []byte, step int64, at time.Time, codes [][]byte, e SecurityEvent) (bool, error)
	// TryFactor counts a try, if so many had been counted, and reports whether.
	TryFactor(ctx context.Context, account string, tries int, at time.Time) (bool, error)
	// UseFactor takes the code of a period, if the account's factor is confirmed
	// and none of this or a later period was taken, and sets Tries to zero. It
	// reports whether it did.
	UseFactor(ctx context.Context, account string, step int64) (bool, error)
	// UseRecoveryCode uses up the code with this hash, and sets Tries to zero,
	// together with the event. It reports whether there was such a code.
	UseRecoveryCode(ctx context.Context, account string, hash []byte, e SecurityEvent) (bool, error)
	// RemoveFactor deletes an account's factor and codes, together with the
	// event, and reports whether there was one that is confirmed. One that is
	// not is deleted without an event.
	RemoveFactor(ctx context.Context, account string, e SecurityEvent) (bool, error)
	// ResealFactor replaces a sealed secret, if it is this one still.
	ResealFactor(ctx context.Context, account string, old, sealed []byte) error
}

// MemoryFactors is a [FactorStore] that lasts as long as the process: for tests
// and trials. It records no events. Make it with [NewMemoryFactors].
type MemoryFactors struct {
	mu    sync.Mutex
	all   map[string]*Factor
	codes map[string][][]byte
}

// NewMemoryFactors returns an empty store.
func NewMemoryFactors() *MemoryFactors {
	return &MemoryFactors{all: map[string]*Factor{}, codes: map[string][][]byte{}}
}

// Factor implements [FactorStore].
func (m *MemoryFactors) Factor(_ context.Context, account string) (Factor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.all[account]; f != nil {
		return *f, nil
	}
	return Factor{}, ErrNoFactor
}

// EnrolFactor implements [FactorStore].
func (m *MemoryFactors) EnrolFactor(_ context.Context, f Factor) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.all[f.Account]; old != nil && old.ConfirmedAt != nil {
		return ErrFactor
	}
	m.all[f.Account] = &f
	return nil
}

// ConfirmFactor implements [FactorStore].
func (m *MemoryFactors) ConfirmFactor(_ context.Context, account string, sealed []byte, step int64, at time.Time, codes [][]byte, _ SecurityEvent) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.all[account]
	if f == nil || f.ConfirmedAt != nil || !bytes.Equal(f.Sealed, sealed) {
		return false, nil
	}
	f.ConfirmedAt, f.LastStep, f.Tries = &at, step, 0
	m.codes[account] = slices.Clone(codes)
	return true, nil
}

// TryFactor implements [FactorStore].
func (m *MemoryFactors) TryFactor(_ context.Context, account string, tries int, at time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.all[account]
	if f == nil || f.Tries != tries {
		return false, nil
	}
	f.Tries, f.TriedAt = tries+1, &at
	return true, nil
}

// UseFactor implements [FactorStore].
func (m *MemoryFactors) UseFactor(_ context.Context, account string, step int64) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.all[account]
	if f == nil || f.ConfirmedAt == nil || f.LastStep >= step {
		return false, nil
	}
	f.LastStep, f.Tries = step, 0
	return true, nil
}

// UseRecoveryCode implements [FactorStore].
func (m *MemoryFactors) UseRecoveryCode(_ context.Context, account string, hash []byte, _ SecurityEvent) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.codes[account], func(code []byte) bool { return sameDigest(code, hash) })
	if i < 0 {
		return false, nil
	}
	m.codes[account] = slices.Delete(m.codes[account], i, i+1)
	m.all[account].Tries = 0
	return true, nil
}

// RemoveFactor implements [FactorStore].
func (m *MemoryFactors) RemoveFactor(_ context.Context, account string, _ SecurityEvent) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.all[account]
	delete(m.all, account)
	delete(m.codes, account)
	return f != nil && f.ConfirmedAt != nil, nil
}

// ResealFactor implements [FactorStore].
func (m *MemoryFactors) ResealFactor(_ context.Context, account string, old, sealed []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.all[account]; f != nil && bytes.Equal(f.Sealed, old) {
		f.Sealed = sealed
	}
	return nil
}
