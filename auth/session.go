package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/rule"
)

// Session is what one sign-in opened, as a [Store] keeps it. It holds no
// secret: hashes only, and one sealed text.
type Session struct {
	ID        string    `json:"id"` // "ses_…", in the order of time
	Account   string    `json:"account"`
	Epoch     int64     `json:"epoch"`      // of the account; the session is dead in any other
	CreatedAt time.Time `json:"created_at"` // the sign-in
	UsedAt    time.Time `json:"used_at"`    // the last refresh; for a cookie to the minute
	Address   string    `json:"address"`    // where it was last used from
	Agent     string    `json:"agent"`

	// SecretHash finds the session: the hash of what all of its refresh tokens
	// have in common, or of its cookie.
	SecretHash string `json:"secret_hash"`
	// TokenHash is that of its one good refresh token; empty for a cookie.
	TokenHash string `json:"token_hash"`
	// SpentHash, SpentAt and Sealed are of the token before: see [Refresh].
	SpentHash string     `json:"spent_hash"`
	SpentAt   *time.Time `json:"spent_at"`
	Sealed    string     `json:"sealed"`

	EndedAt *time.Time `json:"ended_at"` // nil while it has not ended
}

// SignedIn is an open session as its owner sees it.
type SignedIn struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	UsedAt    time.Time `json:"used_at"`
	Address   string    `json:"address"`
	Agent     string    `json:"agent"`
	Current   bool      `json:"current"`
}

// ErrNoSession answers for a session that is not there: one that never was,
// has ended, or is somebody else's.
const ErrNoSession fault.NotFound = "session_not_found"

// The events of sessions.
const (
	EventSignIn        EventKind = "sign_in"
	EventSessionEnded  EventKind = "session_ended"
	EventRefreshReused EventKind = "refresh_reused"
)

// newSession is a session for account that begins now, without its secrets.
func (a *Accounts) newSession(ctx context.Context, account Account) Session {
	now, origin := a.clock(), NewEvent(ctx, "", "") // whose agent is cut to size
	return Session{
		ID: id.New("ses_"), Account: account.ID, Epoch: account.Epoch, CreatedAt: now, UsedAt: now,
		Address: origin.Address, Agent: origin.Agent,
	}
}

// open keeps a session together with the event of its sign-in.
func (a *Accounts) open(ctx context.Context, s Session) error {
	event := NewEvent(ctx, EventSignIn, Succeeded)
	event.Subject, event.Credential = s.Account, s.ID
	return a.store.Change(ctx, func(tx Tx) error {
		if err := tx.InsertSession(ctx, s); err != nil {
			return err
		}
		return tx.Record(ctx, event)
	})
}

// OpenSession signs an account in that has proved itself in another way than
// by [Accounts.SignIn], and answers like it. A disabled account is [ErrSignIn].
func (a *Accounts) OpenSession(ctx context.Context, account Account) (Grant, error) {
	if account.DisabledAt != nil {
		return Grant{}, ErrSignIn.Wrap(fmt.Errorf("account %s is disabled", account.ID))
	}
	s, token := a.newSession(ctx, account), newRefreshToken()
	s.SecretHash, s.TokenHash = token.familyHash(), token.hash()
	if err := a.open(ctx, s); err != nil {
		return Grant{}, fmt.Errorf("open a session: %w", err)
	}
	return a.grant(ctx, account, s, token)
}

// grant makes what a client gets: a new access token, and the refresh token.
func (a *Accounts) grant(ctx context.Context, account Account, s Session, token refreshToken) (Grant, error) {
	access, err := a.tokens.Issue(ctx, claimsOf(account, s))
	if err != nil {
		return Grant{}, err
	}
	return Grant{
		AccessToken: access, TokenType: "Bearer", ExpiresIn: int64(a.tokens.Life() / time.Second), RefreshToken: token.String(),
	}, nil
}

func claimsOf(account Account, s Session) Claims {
	return Claims{
		Subject: account.ID, Role: account.Role, Account: account.Tenant,
		Session: s.ID, Epoch: account.Epoch, AuthTime: s.CreatedAt,
	}
}

// dead says why a session is no good now, or nothing.
func (a *Accounts) dead(s Session, account Account, now time.Time) error {
	switch {
	case s.EndedAt != nil:
		return fmt.Errorf("session %s has ended", s.ID)
	case account.DisabledAt != nil || s.Epoch != account.Epoch:
		return fmt.Errorf("session %s is from before its account changed", s.ID)
	case !now.Before(s.CreatedAt.Add(a.life)):
		return fmt.Errorf("session %s is older than %v", s.ID, a.life)
	case !now.Before(s.UsedAt.Add(a.idle)):
		return fmt.Errorf("session %s was idle for %v", s.ID, a.idle)
	}
	return nil
}

// Sessions returns up to limit open sessions of the principal of ctx, newest
// first, with an id before this one; an empty before starts at the newest. An
// API key gets [fault.ErrDenied].
func (a *Accounts) Sessions(ctx context.Context, before string, limit int) ([]SignedIn, error) {
	who, err := person(ctx)
	if err != nil {
		return nil, err
	}
	now := a.clock()
	list, err := a.store.Sessions(ctx, who.ID, before, limit, now.Add(-a.life), now.Add(-a.idle))
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	out := make([]SignedIn, len(list))
	for i, s := range list {
		out[i] = SignedIn{s.ID, s.CreatedAt, s.UsedAt, s.Address, s.Agent, s.ID == who.Credential}
	}
	return out, nil
}

// person returns the principal of ctx, unless it is an API key: one that was
// stolen must not be a way to the account behind it.
func person(ctx context.Context) (access.Principal, error) {
	who := access.From(ctx)
	if strings.HasPrefix(who.Credential, keyIDPrefix) {
		return who, fault.ErrDenied.Because("This needs someone who signed in, not an API key.")
	}
	return who, nil
}

// EndSession ends one session of the principal of ctx, with its tokens. It
// returns [ErrNoSession] for a session that is not open, or somebody else's.
func (a *Accounts) EndSession(ctx context.Context, id string) error {
	who, err := person(ctx)
	if err != nil {
		return err
	}
	if id == "" {
		return ErrNoSession
	}
	ended, err := a.end(ctx, who.ID, id, "")
	if err == nil && !ended {
		err = ErrNoSession
	}
	return err
}

// EndOtherSessions ends every session of the principal of ctx but the one that
// asks.
func (a *Accounts) EndOtherSessions(ctx context.Context) error {
	who, err := person(ctx)
	if err != nil {
		return err
	}
	_, err = a.end(ctx, who.ID, "", who.Credential)
	return err
}

// Logout ends the session of a refresh token, if it is one of the principal
// of ctx, whether or not the token is the good one. Anything else is done
// already: nothing happens, and nobody learns why.
func (a *Accounts) Logout(ctx context.Context, in LogoutInput) error {
	who, err := person(ctx)
	if err != nil {
		return err
	}
	token, err := parseRefreshToken(in.RefreshToken)
	if err != nil {
		return nil //nolint:nilerr // no token, no session to end
	}
	s, err := a.store.SessionBySecret(ctx, token.familyHash())
	switch {
	case errors.Is(err, ErrNoSession):
		return nil
	case err != nil:
		return fmt.Errorf("log out: %w", err)
	case s.Account != who.ID:
		return nil
	}
	_, err = a.end(ctx, s.Account, s.ID, "")
	return err
}

// LogoutInput names the session to end by its refresh token.
type LogoutInput struct {
	RefreshToken string `json:"refresh_token"`
}

// Rules says what can be a refresh token at all.
func (in *LogoutInput) Rules(r *rule.Set) {
	rule.Text(r, &in.RefreshToken).Len(1, maxRefresh).Secret()
}

func (a *Accounts) end(ctx context.Context, account, only, but string) (ended bool, err error) {
	err = a.store.Change(ctx, func(tx Tx) error {
		list, err := a.endIn(ctx, tx, account, only, but)
		ended = len(list) > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("end sessions: %w", err)
	}
	return ended, nil
}

// endIn ends sessions inside a transaction: their rows, their tokens that are
// under way, and a line for each in the audit log.
func (a *Accounts) endIn(ctx context.Context, tx Tx, account, only, but string) ([]string, error) {
	list, err := tx.EndSessions(ctx, account, only, but, a.clock())
	if err != nil || len(list) == 0 {
		return nil, err
	}
	events, revocations := make([]SecurityEvent, len(list)), make([]Revocation, len(list))
	for i, id := range list {
		events[i] = NewEvent(ctx, EventSessionEnded, Succeeded)
		events[i].Subject, events[i].Credential = account, id
		revocations[i] = Revocation{Subject: account, Credential: id, Until: a.revokedUntil()}
	}
	if err := tx.Record(ctx, events...); err != nil {
		return nil, err
	}
	return list, tx.Revoke(ctx, revocations...)
}

// revokedUntil is when a revocation of now may be forgotten.
func (a *Accounts) revokedUntil() time.Time { return a.clock().Add(RevokedFor) }

// clock is the time in the precision that stores keep.
func (a *Accounts) clock() time.Time { return a.now().UTC().Truncate(time.Millisecond) }

// digest is how secrets of high entropy are kept: a hash that takes long would
// only protect guessable ones. The kind keeps a secret of one kind from being
// found as one of another.
func digest(kind string, secret []byte) string {
	sum := sha256.Sum256(append([]byte(kind+":"), secret...))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
