package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
)

// The events of accounts.
const (
	EventPasswordChanged EventKind = "password_changed"
	EventAccountDisabled EventKind = "account_disabled"
	EventAccountEnabled  EventKind = "account_enabled"
	EventRoleChanged     EventKind = "role_changed"
)

// ChangePassword gives the principal of ctx another password and ends all of
// its sessions but the one that asks. Access tokens from before are refused,
// that of the session that goes on as well: its next one comes with a refresh.
// A wrong current password is a violation, and counts as a failed sign-in; it
// may also return [ErrThrottled], [ErrBusy], [fault.ErrDenied], or the store's
// error.
func (a *Accounts) ChangePassword(ctx context.Context, in PasswordChange) error {
	who, err := person(ctx)
	if err != nil {
		return err
	}
	account, err := a.proveIt(ctx, who.ID, in.Current, "/current", EventPasswordChanged)
	if err != nil {
		return err
	}
	if err := a.checkPassword(ctx, "/new", in.New).Err(); err != nil {
		return err
	}
	hash, err := a.passwords.Hash(ctx, in.New)
	if err != nil {
		return err
	}
	return a.alter(ctx, account.ID, "change a password", func(tx Tx, now *Account) error {
		if now.Epoch != account.Epoch {
			return fault.At("/current", "wrong", "was changed meanwhile")
		}
		now.PasswordHash = hash
		return a.newEpoch(ctx, tx, now, who.Credential, EventPasswordChanged)
	})
}

// Prove returns the account of the principal of ctx if this is its password:
// for what a stolen access token alone must not be enough for. A wrong one is a
// violation of /password, and counts as a failed sign-in; it may also return
// [ErrThrottled], [ErrBusy], [fault.ErrDenied] for an API key, or the store's
// error.
func (a *Accounts) Prove(ctx context.Context, password string) (Account, error) {
	who, err := person(ctx)
	if err != nil {
		return Account{}, err
	}
	return a.proveIt(ctx, who.ID, password, "/password", EventSignIn)
}

// proveIt returns an account if this is its password. Pointer and kind are what
// is told of one that is not.
func (a *Accounts) proveIt(ctx context.Context, id, password, pointer string, kind EventKind) (Account, error) {
	account, err := a.store.ByID(ctx, id)
	if err != nil {
		return Account{}, fmt.Errorf("prove a password: %w", err)
	}
	if err := a.try(ctx, account.Email); err != nil {
		return Account{}, err
	}
	ok := false
	if account.PasswordHash != "" { // it may have one elsewhere
		if ok, _, err = a.passwords.Verify(ctx, account.PasswordHash, password); err != nil {
			a.spare(ctx, account.Email, err)
			return Account{}, err
		}
	}
	if ok {
		if a.throttle != nil {
			a.throttle.Succeeded(ctx, account.Email, access.OriginOf(ctx).Address)
		}
		return account, nil
	}
	if a.audit != nil {
		event := NewEvent(ctx, kind, Failed)
		event.Subject, event.Detail = account.ID, "wrong current password"
		if err := a.audit.Record(ctx, event); err != nil {
			return Account{}, err
		}
	}
	return Account{}, fault.At(pointer, "wrong", "is not the password of this account")
}

// SetPassword gives an account another password and ends all of its sessions.
// The error is [fault.Violations], [ErrNoAccount], [ErrBusy], or the store's.
func (a *Accounts) SetPassword(ctx context.Context, id, password string) error {
	if err := a.checkPassword(ctx, "/password", password).Err(); err != nil {
		return err
	}
	hash, err := a.passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	return a.alter(ctx, id, "set a password", func(tx Tx, now *Account) error {
		now.PasswordHash = hash
		return a.newEpoch(ctx, tx, now, "", EventPasswordChanged)
	})
}

// Disable keeps an account from signing in and ends its sessions, with every
// token that is under way. One that is disabled stays so. The error is
// [ErrNoAccount], or the store's.
func (a *Accounts) Disable(ctx context.Context, id string) error {
	return a.alter(ctx, id, "disable an account", func(tx Tx, now *Account) error {
		if now.DisabledAt != nil {
			return nil
		}
		now.DisabledAt = new(a.clock())
		return a.newEpoch(ctx, tx, now, "", EventAccountDisabled)
	})
}

// Enable lets an account sign in again. Its sessions from before stay ended.
// The error is [ErrNoAccount], or the store's.
func (a *Accounts) Enable(ctx context.Context, id string) error {
	return a.alter(ctx, id, "enable an account", func(tx Tx, now *Account) error {
		if now.DisabledAt == nil {
			return nil
		}
		now.DisabledAt = nil
		return recordOf(ctx, tx, *now, EventAccountEnabled, "")
	})
}

// SetRole gives an account another role, which its sessions have at once. The
// error is [fault.Violations] for a role that is not there, [ErrNoAccount], or
// the store's.
func (a *Accounts) SetRole(ctx context.Context, id, role string) error {
	if role == "" || !a.role(role) {
		return unknownRole()
	}
	return a.alter(ctx, id, "change a role", func(tx Tx, now *Account) error {
		if now.Role == role {
			return nil
		}
		detail := now.Role + " to " + role
		now.Role = role
		if err := recordOf(ctx, tx, *now, EventRoleChanged, detail); err != nil {
			return err
		}
		return tx.Revoke(ctx, Revocation{Subject: now.ID, Role: role, Until: a.revokedUntil()})
	})
}

// alter changes an account in one transaction.
func (a *Accounts) alter(ctx context.Context, id, what string, change func(Tx, *Account) error) error {
	err := a.store.Change(ctx, func(tx Tx) error {
		account, err := tx.LockAccount(ctx, id)
		if err != nil {
			return err
		}
		if err := change(tx, &account); err != nil {
			return err
		}
		return tx.SaveAccount(ctx, account)
	})
	if _, known := fault.Of(err); err != nil && !known {
		return fmt.Errorf("%s: %w", what, err)
	}
	return err
}

// newEpoch ends whatever was given out for an account before, but for one
// session.
func (a *Accounts) newEpoch(ctx context.Context, tx Tx, account *Account, but string, why EventKind) error {
	account.Epoch++
	if _, err := a.endIn(ctx, tx, account.ID, "", but); err != nil {
		return err
	}
	if but != "" {
		if err := tx.CarrySession(ctx, account.ID, but, account.Epoch); err != nil {
			return err
		}
	}
	if err := recordOf(ctx, tx, *account, why, ""); err != nil {
		return err
	}
	return tx.Revoke(ctx, Revocation{Subject: account.ID, Epoch: account.Epoch, Until: a.revokedUntil()})
}

func recordOf(ctx context.Context, tx Tx, account Account, kind EventKind, detail string) error {
	event := NewEvent(ctx, kind, Succeeded)
	event.Subject, event.Detail = account.ID, detail
	return tx.Record(ctx, event)
}

// checkPassword says what is wrong with a new password: everything that
// [Passwords.Check] knows, and whether it was seen in a breach.
func (a *Accounts) checkPassword(ctx context.Context, pointer, password string) fault.Violations {
	if v, bad := errors.AsType[fault.Violations](a.passwords.Check(password)); bad {
		for i := range v {
			v[i].Pointer = strings.Replace(v[i].Pointer, "/password", pointer, 1)
		}
		return v
	}
	if a.breached == nil {
		return nil
	}
	seen, err := a.breached(ctx, password)
	if err != nil {
		a.log.WarnContext(ctx, "could not ask whether a password was breached; it is taken", "error", err)
	}
	if seen {
		return fault.At(pointer, "breached", "must not be a password that was published in a breach")
	}
	return nil
}
