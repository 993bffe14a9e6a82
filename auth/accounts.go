package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
)

// Accounts is the service that makes accounts, signs people in and keeps their
// sessions. Make it with [NewAccounts].
type Accounts struct {
	store        Store
	passwords    *Passwords
	tokens       *Tokens
	role         func(string) bool
	now          func() time.Time
	idle, life   time.Duration
	throttle     Throttle
	secondFactor SecondFactor
	breached     func(context.Context, string) (bool, error)
	audit        Audit
	log          *slog.Logger
	refusals     refusals
	cookies      *cache
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

	// SessionIdle is how long a session may go unused: zero means 14 days.
	// SessionLife is how long it may be used at all before its owner must sign
	// in again: zero means 90 days.
	SessionIdle, SessionLife time.Duration

	// Throttle bounds how often passwords are guessed. Nil means not at all.
	Throttle Throttle
	// SecondFactor is asked after the password. Nil means that nobody has one.
	SecondFactor SecondFactor
	// Breached reports whether a new password is known to be in a published
	// collection. Its error is logged, and the password taken: a service that
	// is down must not keep people from changing theirs. Nil means that only
	// the most common ones are refused.
	Breached func(ctx context.Context, password string) (bool, error)
	// Audit gets the events that belong to no change in Store: sign-ins that
	// failed. Nil means nobody.
	Audit Audit
	// Log gets what must not fail a request. Nil means slog.Default.
	Log *slog.Logger
}

// NewAccounts returns the service.
func NewAccounts(c AccountsConfig) *Accounts {
	a := &Accounts{
		store: c.Store, passwords: c.Passwords, tokens: c.Tokens, role: c.Role, now: c.Now, idle: c.SessionIdle, life: c.SessionLife,
		throttle: c.Throttle, secondFactor: c.SecondFactor, breached: c.Breached, audit: c.Audit, log: c.Log, cookies: newCache(0),
	}
	if a.role == nil {
		a.role = func(string) bool { return true }
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.idle == 0 {
		a.idle = 14 * 24 * time.Hour
	}
	if a.life == 0 {
		a.life = 90 * 24 * time.Hour
	}
	if a.log == nil {
		a.log = slog.Default()
	}
	return a
}

// SignIn exchanges credentials for the tokens of a new session. An address
// that is unknown, a password that is wrong and an account that is disabled are
// all [ErrSignIn], after the same work in the same order: the throttle, one
// lookup, one hash, one event. Only whoever gives the right password may get
// [ErrSecondFactorRequired] or [ErrSecondFactor]. It may also return
// [ErrThrottled], [ErrBusy], or the store's error.
func (a *Accounts) SignIn(ctx context.Context, in Credentials) (Grant, error) {
	account, err := a.admit(ctx, in)
	if err != nil {
		return Grant{}, err
	}
	return a.OpenSession(ctx, account)
}

// admit returns the account whose credentials these are.
func (a *Accounts) admit(ctx context.Context, in Credentials) (Account, error) {
	email := NormalizeEmail(in.Email)
	if err := a.try(ctx, email); err != nil {
		return Account{}, err
	}
	account, why, err := a.prove(ctx, email, in)
	a.spare(ctx, email, err)
	if why != "" && a.audit != nil {
		event := NewEvent(ctx, EventSignIn, Failed)
		event.Subject, event.Detail = account.ID, why
		err = errors.Join(err, a.audit.Record(ctx, event))
	}
	if err != nil {
		return Account{}, err
	}
	if a.throttle != nil {
		a.throttle.Succeeded(ctx, email, access.OriginOf(ctx).Address)
	}
	return account, nil
}

// try asks the throttle, and has the audit log know when it refuses.
func (a *Accounts) try(ctx context.Context, email string) error {
	if a.throttle == nil {
		return nil
	}
	address := access.OriginOf(ctx).Address
	err := a.throttle.Try(ctx, email, address)
	if !errors.Is(err, ErrThrottled) || a.audit == nil || !a.refusals.first(email+" "+address, a.now()) {
		return err
	}
	event := NewEvent(ctx, EventSignIn, Refused)
	event.Detail = "too many attempts"
	if failed := a.audit.Record(ctx, event); failed != nil {
		return failed
	}
	return err
}

// prove says in why what was wrong with the credentials, if that is what err
// is about; account is then the one that they were tried on, if there is one.
func (a *Accounts) prove(ctx context.Context, email string, in Credentials) (account Account, why string, err error) {
	account, err = a.store.ByEmail(ctx, email)
	if errors.Is(err, ErrNoAccount) {
		err = nil // and account is zero
	}
	if err != nil {
		return Account{}, "", fmt.Errorf("sign in: %w", err)
	}
	if account.PasswordHash == "" { // no account, or one that signs in elsewhere
		if err := a.passwords.VerifyNone(ctx, in.Password); err != nil {
			return account, "", err
		}
		return account, "no such account", ErrSignIn.Wrap(failure("no such account"))
	}
	ok, rehash, err := a.passwords.Verify(ctx, account.PasswordHash, in.Password)
	switch {
	case err != nil:
		return account, "", err
	case !ok:
		return account, "wrong password", ErrSignIn.Wrap(fmt.Errorf("wrong password for %s", account.ID))
	case account.DisabledAt != nil:
		return account, "account is disabled", ErrSignIn.Wrap(fmt.Errorf("account %s is disabled", account.ID))
	}
	if why, err := a.proveSecond(ctx, account, in.Code); err != nil {
		return account, why, err
	}
	if rehash {
		if err := a.rehash(ctx, account, in.Password); err != nil {
			return account, "", err
		}
	}
	return account, "", nil
}

func (a *Accounts) proveSecond(ctx context.Context, account Account, code string) (why string, err error) {
	if a.secondFactor == nil {
		return "", nil
	}
	required, err := a.secondFactor.Required(ctx, account.ID)
	switch {
	case err != nil:
		return "", fmt.Errorf("sign in: %w", err)
	case !required:
		return "", nil
	case code == "":
		return "second factor missing", ErrSecondFactorRequired.Wrap(fmt.Errorf("no second factor for %s", account.ID))
	}
	err = a.secondFactor.Check(ctx, account.ID, code)
	switch {
	case errors.Is(err, ErrSecondFactor):
		return "wrong second factor", err
	case errors.Is(err, ErrFactorThrottled):
		return "too many wrong second factors", err
	case err != nil:
		return "", fmt.Errorf("sign in: %w", err)
	}
	return "", nil
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
	account, err := a.Prepare(ctx, in)
	if err != nil {
		return Account{}, err
	}
	if err := a.store.Insert(ctx, account); err != nil {
		return Account{}, fmt.Errorf("make an account: %w", err)
	}
	return account, nil
}

// Prepare is Create without keeping the account: [Accounts.Add] does that, in a
// transaction with what else belongs to it. To hash takes long, so it comes
// before.
func (a *Accounts) Prepare(ctx context.Context, in NewAccount) (Account, error) {
	account := Account{
		ID: id.New("usr_"), Email: NormalizeEmail(in.Email), Role: in.Role, Tenant: in.Tenant,
		CreatedAt: a.clock(),
	}
	violations := checkEmail(account.Email)
	if !a.role(in.Role) {
		violations = append(violations, unknownRole()...)
	}
	violations = append(violations, a.checkPassword(ctx, "/password", in.Password)...)
	if err := violations.Err(); err != nil {
		return Account{}, err
	}
	var err error
	account.PasswordHash, err = a.passwords.Hash(ctx, in.Password)
	return account, err
}

func unknownRole() fault.Violations {
	return fault.At("/role", "unknown", "must be a role of this application")
}

// ByID returns an account, or [ErrNoAccount].
func (a *Accounts) ByID(ctx context.Context, id string) (Account, error) {
	return a.store.ByID(ctx, id)
}

// ByEmail returns the account with an address, or [ErrNoAccount]. Whoever shows
// the difference to a stranger tells who has an account.
func (a *Accounts) ByEmail(ctx context.Context, email string) (Account, error) {
	return a.store.ByEmail(ctx, NormalizeEmail(email))
}

// List returns up to limit accounts with an id after this one, oldest first.
func (a *Accounts) List(ctx context.Context, after string, limit int) ([]Account, error) {
	return a.store.List(ctx, after, limit)
}
