package auth

import (
	"context"
	"time"
)

// Store keeps accounts and their sessions. [NewMemory] is one; an application
// keeps them in its database. Emails are given normalised, and times in UTC
// and whole milliseconds. The package auth/authtest holds what every store
// must do.
type Store interface {
	// ByEmail returns the account with this address, or ErrNoAccount.
	ByEmail(ctx context.Context, email string) (Account, error)
	// ByID returns the account with this id, or ErrNoAccount.
	ByID(ctx context.Context, id string) (Account, error)
	// List returns up to limit accounts with an id after this one, by id, which
	// is the order of creation. An empty after starts at the first.
	List(ctx context.Context, after string, limit int) ([]Account, error)
	// Insert keeps a new account, or returns ErrEmailTaken.
	Insert(ctx context.Context, a Account) error
	// SetPasswordHash replaces old by hash. If the account has another hash
	// than old by now, or is gone, it changes nothing and returns nil: whoever
	// was quicker meant it.
	SetPasswordHash(ctx context.Context, id, old, hash string) error

	// SessionBySecret returns the session that SecretHash finds, ended or not,
	// or ErrNoSession.
	SessionBySecret(ctx context.Context, hash string) (Session, error)
	// Sessions returns up to limit sessions of an account that are open, newest
	// first, with an id before this one; an empty before starts at the newest.
	// Open are those that have not ended, have the account's epoch, and have
	// been made and used after these times.
	Sessions(ctx context.Context, account, before string, limit int, made, used time.Time) ([]Session, error)
	// TouchSession sets when a session was last used, unless it has ended.
	TouchSession(ctx context.Context, id string, at time.Time) error

	// Change runs fn in one transaction and commits when it returns nil. The
	// error of fn, after which nothing is changed, is returned as it is. fn
	// uses tx for everything; the store itself would wait for fn to end. A
	// store may roll back and run fn again, so fn leaves nothing behind.
	Change(ctx context.Context, fn func(tx Tx) error) error
}

// Tx is an open transaction of a [Store]. What it reads may be changed by
// others before it commits, except where it says otherwise: databases differ
// in that, so each method that decides something decides it in one statement.
type Tx interface {
	// Record keeps events.
	Audit
	// Revoke keeps revocations, and applies them once committed.
	Revoke(ctx context.Context, list ...Revocation) error

	// LockAccount returns an account, or ErrNoAccount, and keeps others from
	// changing it until the transaction ends.
	LockAccount(ctx context.Context, id string) (Account, error)
	// InsertAccount keeps a new account, or returns ErrEmailTaken.
	InsertAccount(ctx context.Context, a Account) error
	// SaveAccount writes the address, hash, role, disabling and epoch of an
	// account that is locked, or returns ErrEmailTaken.
	SaveAccount(ctx context.Context, a Account) error

	// InsertSession keeps a new session.
	InsertSession(ctx context.Context, s Session) error
	// SessionBySecret is that of Store.
	SessionBySecret(ctx context.Context, hash string) (Session, error)
	// Rotate spends a session's refresh token and sets the next, if the session
	// is open and r.Spent its good token still, and reports whether it was. Of
	// several at once with the same token exactly one succeeds.
	Rotate(ctx context.Context, id string, r Rotation) (bool, error)
	// EndSessions ends those of an account's sessions that have not ended, and
	// returns their ids. With an id in only, that one alone; with one in but,
	// all others.
	EndSessions(ctx context.Context, account, only, but string, at time.Time) ([]string, error)
	// CarrySession gives one session of an account another epoch, so that it outlives a change
	// that ends the rest.
	CarrySession(ctx context.Context, account, id string, epoch int64) error
}

// Rotation is the step from one refresh token to the next.
type Rotation struct {
	Spent          string    // TokenHash before
	Next           string    // TokenHash after
	At             time.Time // now: used at, spent at
	Sealed         string    // the next token for a retry, or empty
	Address, Agent string    // where from
}
