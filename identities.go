package ashlar

import (
	"context"
	"errors"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/op"
)

// Identities has people sign in with an identity of another provider, as
// package auth/oidc lets them, and adds the operations by which they see and
// give up what is linked to their account. Call it once.
//
// Whoever has no account is admitted as admit says; nil turns them away. It is
// asked about genuine identities with a verified address only, and its answer
// makes the account.
func (a *App) Identities(admit auth.Admit) *auth.Identities {
	service, err := auth.NewIdentities(auth.IdentitiesConfig{
		Accounts: accountTable{a}, Identities: identityTable{a.DB, a.audit()}, Sessions: a.Accounts, Admit: admit, Role: a.Policy.Knows,
		Cookies: a.cfg.SignInCookie == switchOn, Audit: a.audit(), Key: a.identityKey, Who: a.authenticate,
		SecondFactor: a.factors, Limit: a.limits.enterSignIn, Revocations: a.revocations,
	})
	a.note(err)
	s := identities{service}
	a.Mount(Module{
		Name: "identities",
		Operations: []op.Operation{
			op.Query("auth.identities.list", "GET /v1/auth/identities", s.list,
				op.Authenticated()),
			op.Command("auth.identities.unlink", "DELETE /v1/auth/identities/{id}", s.unlink,
				op.Authenticated(), op.Fails(auth.ErrNoIdentity, auth.ErrIdentityLast)),
		},
		Docs: op.Docs{
			authPackage + "LinkedIdentity":       "LinkedIdentity is another provider's word for who the caller is.",
			authPackage + "LinkedIdentity.Email": "The address that the provider knew when the identity was linked.",
			rootPackage + "identities.list":      "list shows with which identities of other providers the caller can sign in.",
			rootPackage + "identities.unlink":    "unlink takes an identity from the caller's account, unless it is the only way to sign in.",
		},
	})
	return service
}

// identities are the operations on what is linked to an account.
type identities struct{ service *auth.Identities }

func (s identities) list(ctx context.Context, _ struct{}) (auth.LinkedIdentities, error) {
	all, err := s.service.Of(ctx, access.From(ctx).ID)
	return auth.LinkedIdentities{Identities: all}, err
}

// identityByID names one identity.
type identityByID struct {
	ID string `json:"id"`
}

func (s identities) unlink(ctx context.Context, in identityByID) (struct{}, error) {
	return struct{}{}, s.service.Unlink(ctx, in.ID)
}

// identityTable keeps identities and tickets in the app's database.
type identityTable struct {
	db    *db.DB
	audit auditLog
}

const identityColumns = `id, account, provider, issuer, subject, email, linked_at`

func (t identityTable) BySubject(ctx context.Context, issuer, subject string) (auth.LinkedIdentity, error) {
	link, err := db.One[auth.LinkedIdentity](ctx, t.db,
		`SELECT `+identityColumns+` FROM ashlar_identities WHERE issuer = $1 AND subject = $2`, issuer, subject)
	if errors.Is(err, db.ErrNoRows) {
		return auth.LinkedIdentity{}, auth.ErrNoIdentity
	}
	return link, err
}

func (t identityTable) OfAccount(ctx context.Context, account string) ([]auth.LinkedIdentity, error) {
	return db.All[auth.LinkedIdentity](ctx, t.db,
		`SELECT `+identityColumns+` FROM ashlar_identities WHERE account = $1 ORDER BY id`, account)
}

func (t identityTable) Link(ctx context.Context, link auth.LinkedIdentity, events ...auth.SecurityEvent) error {
	return t.change(ctx, events, func(tx *db.Tx) error { return insertIdentity(ctx, tx, link) })
}

func (t identityTable) Admit(ctx context.Context, account auth.Account, link auth.LinkedIdentity, events ...auth.SecurityEvent) error {
	return t.change(ctx, events, func(tx *db.Tx) error {
		if err := insertAccount(ctx, tx, account); err != nil {
			return err
		}
		return insertIdentity(ctx, tx, link)
	})
}

func (t identityTable) Unlink(ctx context.Context, account, id string, last bool, events ...auth.SecurityEvent) error {
	return t.change(ctx, events, func(tx *db.Tx) error {
		// An UPDATE that changes nothing locks the row in every database: of two
		// who unlink, the second sees what the first has left.
		if _, err := db.Exec(ctx, tx, `UPDATE ashlar_accounts SET epoch = epoch WHERE id = $1`, account); err != nil {
			return err
		}
		n, err := db.Exec(ctx, tx, `DELETE FROM ashlar_identities WHERE id = $1 AND account = $2`, id, account)
		switch {
		case err != nil:
			return err
		case n == 0:
			return auth.ErrNoIdentity
		}
		if last {
			return nil
		}
		left, err := db.One[int64](ctx, tx, `SELECT COUNT(*) FROM ashlar_identities WHERE account = $1`, account)
		if err == nil && left == 0 {
			return auth.ErrIdentityLast // and nothing is deleted
		}
		return err
	})
}

// change does something together with the events that tell of it.
func (t identityTable) change(ctx context.Context, events []auth.SecurityEvent, fn func(*db.Tx) error) error {
	_, err := db.InTx(ctx, t.db, func(tx *db.Tx) (struct{}, error) {
		if err := fn(tx); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.audit.record(ctx, tx, events...)
	})
	return err
}

func insertIdentity(ctx context.Context, tx *db.Tx, l auth.LinkedIdentity) error {
	_, err := db.Exec(ctx, tx,
		`INSERT INTO ashlar_identities (`+identityColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		l.ID, l.Account, l.Provider, l.Issuer, l.Subject, l.Email, l.LinkedAt)
	if db.IsUnique(err) {
		return auth.ErrIdentityTaken.Wrap(err)
	}
	return err
}

const ticketColumns = `key, browser, account, factor, until`

func (t identityTable) KeepTicket(ctx context.Context, k auth.Ticket) (fresh bool, err error) {
	return db.InTx(ctx, t.db, func(tx *db.Tx) (bool, error) {
		n, err := db.Exec(ctx, tx,
			`INSERT INTO ashlar_tickets (`+ticketColumns+`) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key) DO NOTHING`,
			k.Key, k.Browser, k.Account, k.Factor, k.Until)
		if err != nil {
			return false, err
		}
		_, err = db.Exec(ctx, tx, `DELETE FROM ashlar_tickets WHERE until < $1`, time.Now().UTC())
		return n == 1, err
	})
}

func (t identityTable) Ticket(ctx context.Context, key, browser string) (auth.Ticket, error) {
	ticket, err := db.One[auth.Ticket](ctx, t.db,
		`SELECT `+ticketColumns+` FROM ashlar_tickets WHERE key = $1 AND browser = $2`, key, browser)
	if errors.Is(err, db.ErrNoRows) {
		return auth.Ticket{}, auth.ErrSignInCode
	}
	return ticket, err
}

func (t identityTable) TakeTicket(ctx context.Context, key, browser string) error {
	n, err := db.Exec(ctx, t.db, `DELETE FROM ashlar_tickets WHERE key = $1 AND browser = $2`, key, browser)
	if err == nil && n == 0 {
		return auth.ErrSignInCode
	}
	return err
}
