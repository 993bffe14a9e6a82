package auth

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/fault"
)

// The bounds of a password, in characters. There are no rules about which
// characters, and nothing is cut off.
const (
	MinPassword = 8
	MaxPassword = 1024
)

// PasswordConfig says how passwords are hashed. The zero value is what OWASP
// advises: about 20-50 ms of one core and 19 MiB for each hash.
type PasswordConfig struct {
	// Memory is in KiB: zero means 19456 (19 MiB), the range is 8 MiB to 256 MiB.
	Memory uint32
	// Passes over the memory: zero means 2, at most 16.
	Passes uint32
	// Lanes that are computed side by side: zero means 1, at most 8.
	Lanes uint8

	// Concurrent is how many hashes run at once. Zero means half of GOMAXPROCS
	// and at least one, so that a storm of sign-ins leaves the other half of the
	// machine to those who are signed in.
	Concurrent int
	// Queue is how many more may wait; the next gets ErrBusy at once. Zero means
	// 8 for each concurrent one, which is under half a second; negative means
	// that none waits.
	Queue int
	// Common, if set, is asked at each new password whether those are taken that
	// are guessed first. Nil refuses them.
	Common func() bool

	// Processors, if set, is asked for a turn before each hash, so that hashing
	// and whatever else computes leave room to everybody else together. An
	// error of its Enter, other than the context's, is answered as ErrBusy.
	Processors Room
}

// A Room lets a bounded number in.
type Room interface {
	// Enter returns nil, and then Leave is called once, or why not.
	Enter(ctx context.Context) error
	Leave()
}

// Passwords hashes passwords with argon2id and checks them against hashes, a
// bounded number at a time. Make it with [NewPasswords].
type Passwords struct {
	params  params
	nobody  string // a hash that no password has
	slots   chan struct{}
	most    int64 // running and waiting
	present atomic.Int64
	hashes  atomic.Uint64
	room    Room        // nil for none
	common  func() bool // nil refuses common passwords
}

// NewPasswords returns a Passwords, or says which setting is out of range.
func NewPasswords(c PasswordConfig) (*Passwords, error) {
	p := params{memory: c.Memory, passes: c.Passes, lanes: c.Lanes}
	if p.memory == 0 {
		p.memory = 19 << 10
	}
	if p.passes == 0 {
		p.passes = 2
	}
	if p.lanes == 0 {
		p.lanes = 1
	}
	if p.memory < 8<<10 {
		return nil, fmt.Errorf("auth: %d KiB for a password hash is too weak, 8192 is the least", p.memory)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return newPasswords(p, c), nil
}

func newPasswords(p params, c PasswordConfig) *Passwords {
	if c.Concurrent <= 0 {
		c.Concurrent = max(1, runtime.GOMAXPROCS(0)/2)
	}
	switch {
	case c.Queue == 0:
		c.Queue = 8 * c.Concurrent
	case c.Queue < 0:
		c.Queue = 0
	}
	// A random digest: to find a password for it is to break argon2id.
	salt, digest := make([]byte, saltLen), make([]byte, digestLen)
	rand.Read(salt)
	rand.Read(digest)
	return &Passwords{
		params: p,
		nobody: phc{p, salt, digest}.String(),
		slots:  make(chan struct{}, c.Concurrent),
		most:   int64(c.Concurrent) + int64(c.Queue),
		room:   c.Processors,
		common: c.Common,
	}
}

// Check refuses a new password that is too short, too long, or among those
// that are tried first. Its error is a violation of /password.
func (p *Passwords) Check(password string) error {
	switch n := utf8.RuneCountInString(password); {
	case n < MinPassword:
		return fault.At("/password", "too_short", fmt.Sprintf("must have at least %d characters", MinPassword))
	case n > MaxPassword:
		return fault.At("/password", "too_long", fmt.Sprintf("must have at most %d characters", MaxPassword))
	case common(password) && (p.common == nil || !p.common()):
		return fault.At("/password", "too_common", "must not be one of the most common passwords")
	}
	return nil
}

// Hash returns the hash of password to be stored, as a PHC string: parameters,
// a salt of its own, digest. The error is that of [Passwords.Check], [ErrBusy],
// or that ctx ended while waiting.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	if err := p.Check(password); err != nil {
		return "", err
	}
	salt := make([]byte, saltLen)
	rand.Read(salt)
	h := phc{params: p.params, salt: salt}
	if err := p.run(ctx, func() { h.digest = h.derive(password, digestLen) }); err != nil {
		return "", err
	}
	return h.String(), nil
}

// Verify reports whether hash is that of password, and whether it should be
// hashed anew because its parameters are no longer ours. It reads what Hash
// writes with any parameters that are not absurd, and bcrypt of cost 12 to 15
// as other systems leave behind; until its owner signs in again, such an account
// can be told apart by the time its hash takes. The error is [ErrBusy], that ctx ended while
// waiting, or that hash cannot be read; none is about the password.
func (p *Passwords) Verify(ctx context.Context, hash, password string) (ok, rehash bool, err error) {
	if len(password) > MaxPassword*utf8.UTFMax {
		return false, false, nil // whoever the account is
	}
	if isBcrypt(hash) {
		if err := checkBcrypt(hash); err != nil {
			return false, false, err
		}
		err = p.run(ctx, func() { ok = sameBcrypt(hash, password) })
		return ok, ok, err
	}
	h, err := parsePHC(hash)
	if err != nil {
		return false, false, err
	}
	err = p.run(ctx, func() { ok = h.same(password) })
	return ok, ok && (h.params != p.params || len(h.digest) != digestLen), err
}

// VerifyNone does the work of [Passwords.Verify] for an account that does not
// exist, so that its absence takes as long as a wrong password.
func (p *Passwords) VerifyNone(ctx context.Context, password string) error {
	_, _, err := p.Verify(ctx, p.nobody, password)
	return err
}

// Hashes returns how many hashes were computed so far, for metrics and for
// tests that compare the work of two answers.
func (p *Passwords) Hashes() uint64 { return p.hashes.Load() }

// run waits for a slot and computes. It does not wait behind a full queue: a
// caller who is told at once can back off, one who waits only times out.
func (p *Passwords) run(ctx context.Context, compute func()) error {
	if p.present.Add(1) > p.most {
		p.present.Add(-1)
		return busy()
	}
	defer p.present.Add(-1)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("hash a password: %w", err)
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait to hash a password: %w", ctx.Err())
	}
	defer func() { <-p.slots }()
	if p.room != nil {
		switch err := p.room.Enter(ctx); {
		case err == nil:
			defer p.room.Leave()
		case ctx.Err() != nil:
			return fmt.Errorf("wait to hash a password: %w", err)
		default:
			return busy().Wrap(err)
		}
	}
	p.hashes.Add(1)
	compute()
	return nil
}

// busy turns away who would wait too long, not all to the same second.
func busy() *fault.Error {
	return ErrBusy.Because("Too many sign-ins at once. Try again in a few seconds.").After(spread())
}

// spread is when to come back, between one and three seconds: a crowd that was
// turned away together must not return together.
func spread() time.Duration {
	var dice [1]byte
	rand.Read(dice[:])
	return time.Duration(1+dice[0]%3) * time.Second
}
