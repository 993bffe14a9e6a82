package ashlar

import (
	"context"
	"errors"
	"log/slog"
	"maps"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
)

// SignIn is the module by which people sign in: POST /v1/auth/login exchanges
// an address and a password of [App.Accounts] for an access token and a refresh
// token; others refresh it, list and end sessions, and change the password.
func SignIn(a *App) Module {
	operations := []op.Operation{
		op.Command("auth.login", "POST /v1/auth/login", a.Accounts.SignIn,
			op.Public(), a.signInLimit(), op.Fails(signInFaults()...)),
	}
	operations = append(operations, a.sessionOperations()...)
	operations = append(operations, a.factorOperations()...)
	operations = append(operations, a.apiKeyOperations()...)
	operations = append(operations, a.keyOperations()...)
	return Module{Name: "auth", Operations: operations, Docs: signInDocs()}
}

func signInFaults() []fault.Coded {
	return []fault.Coded{auth.ErrSignIn, auth.ErrSecondFactorRequired, auth.ErrSecondFactor, auth.ErrFactorThrottled, auth.ErrThrottled, auth.ErrBusy}
}

func signInDocs() op.Docs {
	docs := op.Docs{
		authPackage + "Accounts.SignIn":    "SignIn exchanges an address and a password for an access token and a refresh token.\n\nAn unknown address, a wrong password and a disabled account are answered alike.",
		authPackage + "Grant.AccessToken":  "Send it as Authorization: Bearer.",
		authPackage + "Grant.ExpiresIn":    "Life of the access token in seconds.",
		authPackage + "Grant.RefreshToken": "Exchange it for the next pair of tokens. It is good once.",
		authPackage + "Credentials.Code":   "For accounts with a second factor: what the authenticator shows, or a recovery code.",
	}
	maps.Copy(docs, sessionDocs())
	maps.Copy(docs, factorDocs())
	maps.Copy(docs, apiKeyDocs())
	maps.Copy(docs, keyDocs())
	return docs
}

// authPackage is where the doc comments of sign-in stand; a mechanism cannot
// have a generated file, which would import op.
const authPackage = "github.com/ashlar-go/ashlar/auth."

// openAccounts prepares sign-in. For a command that serves nothing a key that
// nobody will see again is enough.
func (a *App) openAccounts(throwaway bool) error {
	var err error
	if a.signing, err = a.openKeys(throwaway); err != nil {
		return err
	}
	a.fingerprintKey = a.signing.Derive("idempotency fingerprint")
	a.identityKey = a.signing.Derive("identities")
	a.tokens, err = auth.NewTokens(auth.TokenConfig{
		Keys: a.signing, Issuer: a.cfg.Issuer, Audience: a.cfg.Issuer, Life: a.cfg.TokenTTL,
		Revocations: a.revocations,
	})
	if err != nil {
		return err
	}
	if a.crossOrigin, err = crossOrigin(a.cfg); err != nil {
		return err
	}
	passwords, err := auth.NewPasswords(auth.PasswordConfig{Processors: a.Work, Common: func() bool { return a.CommonPasswords }})
	if err != nil {
		return err
	}
	if err := a.openFactors(); err != nil {
		return err
	}
	a.Accounts = auth.NewAccounts(auth.AccountsConfig{
		Store: accountTable{a}, Passwords: passwords, Tokens: a.tokens, Role: a.Policy.Knows,
		SessionIdle: a.cfg.SessionIdle, SessionLife: a.cfg.SessionLife,
		Breached: a.breached, Throttle: a.limits.throttle, SecondFactor: a.factors, Audit: a.audit(), Log: slog.New(lateLog{a}),
	})
	return a.openAPIKeys()
}

// breached asks what the app says about a new password.
func (a *App) breached(ctx context.Context, password string) (bool, error) {
	if a.Breached == nil {
		return false, nil
	}
	return a.Breached(ctx, password)
}

// accountTable keeps accounts in the app's database.
type accountTable struct{ app *App }

const accountColumns = `id, email, password_hash, role, tenant, created_at, disabled_at, epoch`

func (t accountTable) ByEmail(ctx context.Context, email string) (auth.Account, error) {
	return t.one(ctx, `SELECT `+accountColumns+` FROM ashlar_accounts WHERE email = $1`, email)
}

func (t accountTable) ByID(ctx context.Context, id string) (auth.Account, error) {
	return t.one(ctx, `SELECT `+accountColumns+` FROM ashlar_accounts WHERE id = $1`, id)
}

func (t accountTable) one(ctx context.Context, sql string, key string) (auth.Account, error) {
	account, err := db.One[auth.Account](ctx, t.app.DB, sql, key)
	if errors.Is(err, db.ErrNoRows) {
		return auth.Account{}, auth.ErrNoAccount
	}
	return account, err
}

func (t accountTable) List(ctx context.Context, after string, limit int) ([]auth.Account, error) {
	return db.All[auth.Account](ctx, t.app.DB,
		`SELECT `+accountColumns+` FROM ashlar_accounts WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
}

func (t accountTable) Insert(ctx context.Context, a auth.Account) error {
	return insertAccount(ctx, t.app.DB, a)
}

func insertAccount(ctx context.Context, q db.Querier, a auth.Account) error {
	_, err := db.Exec(ctx, q,
		`INSERT INTO ashlar_accounts (`+accountColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		a.ID, a.Email, a.PasswordHash, a.Role, a.Tenant, a.CreatedAt, a.DisabledAt, a.Epoch)
	if db.IsUnique(err, "email") {
		return auth.ErrEmailTaken.Wrap(err)
	}
	return err
}

func (t accountTable) SetPasswordHash(ctx context.Context, id, old, hash string) error {
	_, err := db.Exec(ctx, t.app.DB,
		`UPDATE ashlar_accounts SET password_hash = $3 WHERE id = $1 AND password_hash = $2`, id, old, hash)
	return err
}
