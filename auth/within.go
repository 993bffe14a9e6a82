package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// EventEmailChanged is a change of an account's address.
const EventEmailChanged EventKind = "email_changed"

// Add keeps an account that [Accounts.Prepare] has made, in the transaction that
// makes what belongs to it. The error is [ErrEmailTaken], or the store's.
func (a *Accounts) Add(ctx context.Context, tx Tx, account Account) error {
	if err := tx.InsertAccount(ctx, account); err != nil {
		return fmt.Errorf("make an account: %w", err)
	}
	return nil
}

// HashPassword returns the hash of a new password for [Changes]. It takes long,
// so it is called before the transaction. The error is [fault.Violations] of
// /password, or [ErrBusy].
func (a *Accounts) HashPassword(ctx context.Context, password string) (string, error) {
	if err := a.checkPassword(ctx, "/password", password).Err(); err != nil {
		return "", err
	}
	return a.passwords.Hash(ctx, password)
}

// Changes are what becomes another about an account. What is empty stays.
type Changes struct {
	Email        string
	PasswordHash string // of Accounts.HashPassword
}

// Change changes an account in a transaction with whatever else changes then,
// and returns what it is afterwards. Another password ends all of its sessions.
// Whoever may call it decides: it asks for no proof, as [Accounts.ChangePassword]
// does. The error is [fault.Violations] for what is no address, [ErrEmailTaken],
// [ErrNoAccount], or the store's.
func (a *Accounts) Change(ctx context.Context, tx Tx, id string, c Changes) (Account, error) {
	account, err := tx.LockAccount(ctx, id)
	if err != nil {
		return Account{}, err
	}
	if email := NormalizeEmail(c.Email); email != "" && email != account.Email {
		if err := checkEmail(email).Err(); err != nil {
			return Account{}, err
		}
		account.Email = email
		if err := recordOf(ctx, tx, account, EventEmailChanged, ""); err != nil {
			return Account{}, err
		}
	}
	if c.PasswordHash != "" {
		account.PasswordHash = c.PasswordHash
		if err := a.newEpoch(ctx, tx, &account, "", EventPasswordChanged); err != nil {
			return Account{}, err
		}
	}
	return account, tx.SaveAccount(ctx, account)
}

// Renew returns a new access token of the session of the principal of ctx, and no
// refresh token: for a contract that knows one token alone. It lives as long as
// others, and so whoever has a token has the session for as long as that may be
// used. The error is [ErrToken] for a principal without an open session,
// [fault.ErrDenied] for an API key, or the store's.
func (a *Accounts) Renew(ctx context.Context) (Grant, error) {
	who, err := person(ctx)
	if err != nil {
		return Grant{}, err
	}
	account, err := a.store.ByID(ctx, who.ID)
	if errors.Is(err, ErrNoAccount) {
		return Grant{}, ErrToken.Wrap(err)
	}
	if err != nil {
		return Grant{}, fmt.Errorf("renew a token: %w", err)
	}
	now := a.clock()
	const behind = "~" // no id goes on with it
	open, err := a.store.Sessions(ctx, who.ID, who.Credential+behind, 1, now.Add(-a.life), now.Add(-a.idle))
	if err != nil {
		return Grant{}, fmt.Errorf("renew a token: %w", err)
	}
	if len(open) == 0 || who.Credential == "" || open[0].ID != who.Credential || account.DisabledAt != nil {
		return Grant{}, ErrToken.Wrap(failure("the session has ended"))
	}
	if now.Sub(open[0].UsedAt) > touchEvery {
		if err := a.store.TouchSession(ctx, open[0].ID, now); err != nil {
			return Grant{}, fmt.Errorf("renew a token: %w", err)
		}
	}
	token, err := a.tokens.Issue(ctx, claimsOf(account, open[0]))
	return Grant{AccessToken: token, TokenType: "Bearer", ExpiresIn: int64(a.tokens.Life() / time.Second)}, err
}
