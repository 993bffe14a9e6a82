package ashlar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/trace"
)

// sessions are the operations on what a sign-in opened.
type sessions struct{ accounts *auth.Accounts }

func (a *App) sessionOperations() []op.Operation {
	s := sessions{a.Accounts}
	list := []op.Operation{
		op.Command("auth.refresh", "POST /v1/auth/refresh", a.Accounts.Refresh,
			op.Public(), op.Fails(auth.ErrRefresh)), // no limit of sign-ins: nobody guesses 256 bits, and an office shares an address
		op.Command("auth.logout", "POST /v1/auth/logout", s.logout,
			op.Authenticated()),
		op.Query("auth.sessions.list", "GET /v1/auth/sessions", s.list,
			op.Authenticated()),
		op.Command("auth.sessions.end", "DELETE /v1/auth/sessions/{id}", s.end,
			op.Authenticated(), op.Fails(auth.ErrNoSession)),
		op.Command("auth.sessions.end_others", "DELETE /v1/auth/sessions", s.endOthers,
			op.Authenticated()),
		op.Command("auth.password", "POST /v1/auth/password", s.password,
			op.Authenticated(), a.signInLimit(), op.Fails(auth.ErrThrottled, auth.ErrBusy, auth.ErrNoAccount)),
	}
	if a.cfg.SignInCookie == switchOn {
		list = append(list,
			op.Command("auth.session.start", "POST /v1/auth/session", a.Accounts.SignInCookie,
				op.Public(), a.signInLimit(), op.Fails(signInFaults()...), op.Fails(fault.ErrDenied)),
			op.Command("auth.session.end", "DELETE /v1/auth/session", a.Accounts.SignOutCookie,
				op.Authenticated()),
		)
	}
	return list
}

// sessionDocs are the doc comments of these operations as callers read them.
func sessionDocs() op.Docs {
	return op.Docs{
		authPackage + "Accounts.Refresh":        "Refresh exchanges a refresh token for a new one and a new access token.\n\nA refresh token is good once. If one comes again its whole session ends, because somebody has copied it. A client whose answer was lost may repeat the request within ten seconds with the same retry_key.",
		authPackage + "Refresh.RefreshToken":    "The newest refresh token of the session.",
		authPackage + "Refresh.RetryKey":        "Random text of the client's making. A repeated request with the same one gets the same refresh token.",
		authPackage + "LogoutInput":             "LogoutInput names the session to end by its refresh token.",
		authPackage + "PasswordChange.Current":  "The password until now.",
		authPackage + "PasswordChange.New":      "The password from now on.",
		authPackage + "SignedIn":                "SignedIn is an open session.",
		authPackage + "SignedIn.CreatedAt":      "When the sign-in was.",
		authPackage + "SignedIn.UsedAt":         "When the session was last refreshed; for a cookie, last used.",
		authPackage + "SignedIn.Address":        "IP address that it was last refreshed from.",
		authPackage + "SignedIn.Agent":          "User-Agent that it was last refreshed by.",
		authPackage + "SignedIn.Current":        "Whether it is the session that asks.",
		authPackage + "Accounts.SignInCookie":   "SignInCookie exchanges an address and a password for a session cookie.\n\nFor browsers: the cookie is out of reach for scripts. Requests from other origins are refused.",
		authPackage + "Accounts.SignOutCookie":  "SignOutCookie ends the session that asks and clears its cookie.",
		authPackage + "CookieSession.ExpiresIn": "Life of the cookie in seconds.",
		rootPackage + "sessions.logout":         "logout ends the session of a refresh token, with its access tokens.\n\nA token that is unknown, or of somebody else, ends nothing and is answered alike.",
		rootPackage + "sessions.list":           "list shows the caller's open sessions, newest first.",
		rootPackage + "sessions.end":            "end ends one of the caller's sessions, with its tokens.",
		rootPackage + "sessions.endOthers":      "endOthers ends all of the caller's sessions but the one that asks.",
		rootPackage + "sessions.password":       "password changes the caller's password and ends all other sessions.\n\nAccess tokens from before are refused from then on; refresh to get a new one.",
	}
}

const rootPackage = "github.com/ashlar-go/ashlar."

func (s sessions) logout(ctx context.Context, in auth.LogoutInput) (struct{}, error) {
	return struct{}{}, s.accounts.Logout(ctx, in)
}

// listSessions asks for a page of sessions.
type listSessions struct{ op.Paging }

func (s sessions) list(ctx context.Context, in listSessions) (op.Page[auth.SignedIn], error) {
	before, err := in.Cursor.Key()
	if err != nil {
		return op.Page[auth.SignedIn]{}, err
	}
	rows, err := s.accounts.Sessions(ctx, before, in.Size()+1)
	if err != nil {
		return op.Page[auth.SignedIn]{}, err
	}
	return op.PageOf(rows, in.Size(), func(s auth.SignedIn) string { return s.ID }), nil
}

// sessionByID names one session.
type sessionByID struct {
	ID string `json:"id"`
}

func (s sessions) end(ctx context.Context, in sessionByID) (struct{}, error) {
	return struct{}{}, s.accounts.EndSession(ctx, in.ID)
}

func (s sessions) endOthers(ctx context.Context, _ struct{}) (struct{}, error) {
	return struct{}{}, s.accounts.EndOtherSessions(ctx)
}

func (s sessions) password(ctx context.Context, in auth.PasswordChange) (struct{}, error) {
	return struct{}{}, s.accounts.ChangePassword(ctx, in)
}

// Sessions are kept for a day after their end, so that an audit finds them.
const (
	sweepSessionsEvery = time.Hour
	keepSessions       = 24 * time.Hour
)

// sweepSessions deletes sessions that have ended or run out, until ctx ends. A
// token of one that is gone is as unknown as one that never was.
func (a *App) sweepSessions(ctx context.Context) error {
	tick := time.NewTicker(sweepSessionsEvery)
	defer tick.Stop()
	for {
		if err := trace.Do(ctx, "ashlar.sessions.sweep", func(ctx context.Context) error {
			return a.deleteSessions(ctx, time.Now().UTC().Add(-keepSessions))
		}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *App) deleteSessions(ctx context.Context, deadSince time.Time) error {
	_, err := db.Exec(ctx, a.DB, `DELETE FROM ashlar_sessions WHERE ended_at < $1 OR used_at < $2 OR created_at < $3`,
		deadSince, deadSince.Add(-a.cfg.SessionIdle), deadSince.Add(-a.cfg.SessionLife))
	if err != nil {
		return fmt.Errorf("delete sessions: %w", err)
	}
	return nil
}

const sessionColumns = `id, account, epoch, created_at, used_at, address, agent, secret_hash, token_hash, spent_hash, spent_at, sealed, ended_at`

// SessionBySecret implements [auth.Store].
func (t accountTable) SessionBySecret(ctx context.Context, hash string) (auth.Session, error) {
	return sessionBySecret(ctx, t.app.DB, hash)
}

func sessionBySecret(ctx context.Context, q db.Querier, hash string) (auth.Session, error) {
	s, err := db.One[auth.Session](ctx, q, `SELECT `+sessionColumns+` FROM ashlar_sessions WHERE secret_hash = $1`, hash)
	if errors.Is(err, db.ErrNoRows) {
		return auth.Session{}, auth.ErrNoSession
	}
	return s, err
}

// Sessions implements [auth.Store].
func (t accountTable) Sessions(ctx context.Context, account, before string, limit int, made, used time.Time) ([]auth.Session, error) {
	return db.All[auth.Session](ctx, t.app.DB, `
		SELECT `+sessionColumns+` FROM ashlar_sessions
		WHERE account = $1 AND ($2 = '' OR id < $2) AND ended_at IS NULL AND created_at > $3 AND used_at > $4
		AND epoch = (SELECT epoch FROM ashlar_accounts WHERE id = $1)
		ORDER BY id DESC LIMIT $5`, account, before, made, used, limit)
}

// TouchSession implements [auth.Store].
func (t accountTable) TouchSession(ctx context.Context, id string, at time.Time) error {
	_, err := db.Exec(ctx, t.app.DB, `UPDATE ashlar_sessions SET used_at = $2 WHERE id = $1 AND ended_at IS NULL`, id, at)
	return err
}

// Change implements [auth.Store].
func (t accountTable) Change(ctx context.Context, fn func(auth.Tx) error) error {
	_, err := db.InTx(ctx, t.app.DB, func(tx *db.Tx) (struct{}, error) {
		return struct{}{}, fn(accountTx{t.app, tx})
	})
	return err
}

// AccountTx lets [auth.Accounts.Add] and [auth.Accounts.Change] work in a
// transaction of the caller's, with whatever else it changes.
func (a *App) AccountTx(tx *db.Tx) auth.Tx { return accountTx{a, tx} }

// accountTx changes accounts and sessions in a transaction. Each decision is
// one UPDATE with its condition: at READ COMMITTED, the second of two waits for
// the first and then finds that the condition no longer holds.
type accountTx struct {
	app *App
	tx  *db.Tx
}

func (t accountTx) Record(ctx context.Context, events ...auth.SecurityEvent) error {
	return t.app.audit().record(ctx, t.tx, events...)
}

func (t accountTx) Revoke(ctx context.Context, list ...auth.Revocation) error {
	return t.app.recordRevocations(ctx, t.tx, list...)
}

func (t accountTx) LockAccount(ctx context.Context, id string) (auth.Account, error) {
	// An UPDATE that changes nothing locks the row in every database.
	a, err := db.One[auth.Account](ctx, t.tx, `UPDATE ashlar_accounts SET epoch = epoch WHERE id = $1 RETURNING `+accountColumns, id)
	if errors.Is(err, db.ErrNoRows) {
		return auth.Account{}, auth.ErrNoAccount
	}
	return a, err
}

func (t accountTx) SaveAccount(ctx context.Context, a auth.Account) error {
	_, err := db.Exec(ctx, t.tx, `UPDATE ashlar_accounts SET password_hash = $2, role = $3, disabled_at = $4, epoch = $5, email = $6 WHERE id = $1`,
		a.ID, a.PasswordHash, a.Role, a.DisabledAt, a.Epoch, a.Email)
	if db.IsUnique(err, "email") {
		return auth.ErrEmailTaken.Wrap(err)
	}
	return err
}

func (t accountTx) InsertAccount(ctx context.Context, a auth.Account) error {
	return insertAccount(ctx, t.tx, a)
}

func (t accountTx) InsertSession(ctx context.Context, s auth.Session) error {
	_, err := db.Exec(ctx, t.tx,
		`INSERT INTO ashlar_sessions (`+sessionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		s.ID, s.Account, s.Epoch, s.CreatedAt, s.UsedAt, s.Address, s.Agent, s.SecretHash, s.TokenHash, s.SpentHash, s.SpentAt, s.Sealed, s.EndedAt)
	return err
}

func (t accountTx) SessionBySecret(ctx context.Context, hash string) (auth.Session, error) {
	return sessionBySecret(ctx, t.tx, hash)
}

func (t accountTx) Rotate(ctx context.Context, id string, r auth.Rotation) (bool, error) {
	n, err := db.Exec(ctx, t.tx, `
		UPDATE ashlar_sessions SET token_hash = $3, spent_hash = $2, spent_at = $4, sealed = $5, used_at = $4, address = $6, agent = $7
		WHERE id = $1 AND token_hash = $2 AND ended_at IS NULL`,
		id, r.Spent, r.Next, r.At, r.Sealed, r.Address, r.Agent)
	return n == 1, err
}

func (t accountTx) EndSessions(ctx context.Context, account, only, but string, at time.Time) ([]string, error) {
	return db.All[string](ctx, t.tx, `
		UPDATE ashlar_sessions SET ended_at = $4, sealed = ''
		WHERE account = $1 AND ended_at IS NULL AND ($2 = '' OR id = $2) AND id <> $3
		RETURNING id`, account, only, but, at)
}

func (t accountTx) CarrySession(ctx context.Context, account, id string, epoch int64) error {
	_, err := db.Exec(ctx, t.tx, `UPDATE ashlar_sessions SET epoch = $3 WHERE id = $2 AND account = $1 AND ended_at IS NULL`, account, id, epoch)
	return err
}
