package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
)

// Accounts is the service that makes accounts and signs people in. Make it with
// [NewAccounts].
type Accounts struct {
	store     Store
	passwords *Passwords
	tokens    *Tokens
	role      func(string) bool
	now       func() time.Time
}

// AccountsConfig is what Accounts works with.
type AccountsConfig struct {
	// Store, Passwords and Tokens are required.
	Store     Store
	Passwords *Passwords
	Tokens    *Tokens
	// Role reports whether a role exists. Nil takes any.
	Role func(role string) bool
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// NewAccounts returns the service.
func NewAccounts(c AccountsConfig) *Accounts {
	a := &Accounts{store: c.Store, passwords: c.Passwords, tokens: c.Tokens, role: c.Role, now: c.Now}
	if a.role == nil {
		a.role = func(string) bool { return true }
	}
	if a.now == nil {
		a.now = time.Now
	}
	return a
}

// SignIn exchanges credentials for a session. An address that is unknown, a
// password that is wrong and an account that is disabled are all [ErrSignIn],
// after the same work: one lookup, one hash. It may also return [ErrBusy], or
// the store's error.
func (a *Accounts) SignIn(ctx context.Context, in Credentials) (Session, error) {
	account, err := a.store.ByEmail(ctx, NormalizeEmail(in.Email))
	if errors.Is(err, ErrNoAccount) {
		err = nil // and account is zero
	}
	if err != nil {
		return Session{}, fmt.Errorf("sign in: %w", err)
	}
	if account.PasswordHash == "" { // no account, or one that signs in elsewhere
		if err := a.passwords.VerifyNone(ctx, in.Password); err != nil {
			return Session{}, err
		}
		return Session{}, ErrSignIn.Wrap(failure("no such account"))
	}
	ok, rehash, err := a.passwords.Verify(ctx, account.PasswordHash, in.Password)
	switch {
	case err != nil:
		return Session{}, err
	case !ok:
		return Session{}, ErrSignIn.Wrap(fmt.Errorf("wrong password for %s", account.ID))
	case account.DisabledAt != nil:
		return Session{}, ErrSignIn.Wrap(fmt.Errorf("account %s is disabled", account.ID))
	}
	if rehash {
		if err := a.rehash(ctx, account, in.Password); err != nil {
			return Session{}, err
		}
	}
	token, err := a.tokens.Issue(ctx, Claims{Subject: account.ID, Role: account.Role, Account: account.Tenant})
	if err != nil {
		return Session{}, err
	}
	return Session{AccessToken: token, TokenType: "Bearer", ExpiresIn: int64(a.tokens.Life() / time.Second)}, nil
}

// rehash brings a stored hash to today's parameters, now that the password is
// at hand. It can wait for the next sign-in when hashing is busy, or when the
// password is one that is no longer accepted.
func (a *Accounts) rehash(ctx context.Context, account Account, password string) error {
	hash, err := a.passwords.Hash(ctx, password)
	switch {
	case errors.Is(err, ErrBusy), errors.Is(err, fault.ErrInvalid):
		return nil
	case err != nil:
		return err
	}
	if err := a.store.SetPasswordHash(ctx, account.ID, account.PasswordHash, hash); err != nil {
		return fmt.Errorf("renew a password hash: %w", err)
	}
	return nil
}

// Create makes an account. The error is [fault.Violations] for an address, a
// password or a role that cannot be, [ErrEmailTaken], [ErrBusy], or the
// store's.
func (a *Accounts) Create(ctx context.Context, in NewAccount) (Account, error) {
	account := Account{
		ID: id.New("usr_"), Email: NormalizeEmail(in.Email), Role: in.Role, Tenant: in.Tenant,
		CreatedAt: a.now().UTC().Truncate(time.Millisecond),
	}
	violations := checkEmail(nil, account.Email)
	if !a.role(in.Role) {
		violations = violations.And("/role", "unknown", "must be a role of this application")
	}
	if v, ok := errors.AsType[fault.Violations](a.passwords.Check(in.Password)); ok {
		violations = append(violations, v...)
	}
	if err := violations.Err(); err != nil {
		return Account{}, err
	}
	var err error
	if account.PasswordHash, err = a.passwords.Hash(ctx, in.Password); err != nil {
		return Account{}, err
	}
	if err := a.store.Insert(ctx, account); err != nil {
		return Account{}, fmt.Errorf("make an account: %w", err)
	}
	return account, nil
}

// ByID returns an account, or [ErrNoAccount].
func (a *Accounts) ByID(ctx context.Context, id string) (Account, error) {
	return a.store.ByID(ctx, id)
}

// List returns up to limit accounts with an id after this one, oldest first.
func (a *Accounts) List(ctx context.Context, after string, limit int) ([]Account, error) {
	return a.store.List(ctx, after, limit)
}
