package auth

import (
	"context"
	"time"

	"github.com/ashlar-go/ashlar/fault"
)

// The faults of signing in with an identity of another provider.
const (
	// ErrIdentity answers an identity that no account takes, whatever the
	// reason.
	ErrIdentity fault.Denied = "identity_refused"
	// ErrIdentityTaken answers the link of an identity that another account
	// has, and of a second identity of one issuer with one account.
	ErrIdentityTaken fault.Conflict = "identity_taken"
	// ErrNoIdentity answers for an identity that no account has.
	ErrNoIdentity fault.NotFound = "identity_not_found"
	// ErrIdentityLast answers the attempt to take from an account its only way
	// in.
	ErrIdentityLast fault.Conflict = "identity_last"
	// ErrSignInCode answers a sign-in code that is unknown, used, too old, or
	// another browser's.
	ErrSignInCode fault.Unauthenticated = "sign_in_code_wrong"
)

// The events of identities.
const (
	IdentityLinked   EventKind = "identity_linked"
	IdentityUnlinked EventKind = "identity_unlinked"
	IdentityRefused  EventKind = "identity_refused"
)

// An Identity is what an outside provider says of somebody whom it has just
// seen. Issuer and Subject name that person for good; everything else may
// change, and may be another person's tomorrow.
type Identity struct {
	Provider string // its name in this app, "corp"
	Issuer   string
	Subject  string
	// Email is the address that the provider has verified, normalised. It is
	// empty if the provider has verified none, or if another provider is the
	// authority for the address's domain.
	Email string
	// Authority says that the app takes the provider's word for whom Email
	// belongs to: it runs that domain.
	Authority bool
	Name      string // as the person writes it; to be shown, never to be trusted
}

// A LinkedIdentity is an identity with which an account signs in.
type LinkedIdentity struct {
	ID       string    `json:"id"` // "idn_…"
	Account  string    `json:"-" db:"account"`
	Provider string    `json:"provider"`
	Issuer   string    `json:"issuer"`
	Subject  string    `json:"-" db:"subject"`
	Email    string    `json:"email,omitzero"` // at the time of linking; it identifies nobody
	LinkedAt time.Time `json:"linked_at"`
}

// LinkedIdentities are those of one account, at most one of each provider.
type LinkedIdentities struct {
	Identities []LinkedIdentity `json:"identities"`
}

// An Admission says what somebody becomes who signs in for the first time.
type Admission struct {
	Role   string
	Tenant string // empty for the operator's own staff
}

// Admit decides about an identity that no account has. [ErrIdentity], bare or
// with a cause for the log, turns it away.
type Admit func(ctx context.Context, who Identity) (Admission, error)

// A Ticket stands for one step that a browser may take once. Key and Browser
// are SHA-256 sums of secrets that only the browser has.
type Ticket struct {
	Key     string    `json:"key"`
	Browser string    `json:"browser"`
	Account string    `json:"account"`
	Factor  bool      `json:"factor"` // a second factor is asked if the account has one
	Until   time.Time `json:"until"`
}

// IdentityStore keeps which identity belongs to which account, and tickets. It
// keeps events in the same transaction as what they tell of.
// [NewMemoryIdentities] is one; an application keeps them in its database.
type IdentityStore interface {
	// BySubject returns the link of an identity, or ErrNoIdentity.
	BySubject(ctx context.Context, issuer, subject string) (LinkedIdentity, error)
	// OfAccount lists an account's identities, the oldest first.
	OfAccount(ctx context.Context, account string) ([]LinkedIdentity, error)
	// Link keeps a link. It returns ErrIdentityTaken if the identity has an
	// account, or the account an identity of this issuer.
	Link(ctx context.Context, link LinkedIdentity, events ...SecurityEvent) error
	// Admit keeps a new account and its first link, both or none. It returns
	// ErrEmailTaken or ErrIdentityTaken.
	Admit(ctx context.Context, account Account, link LinkedIdentity, events ...SecurityEvent) error
	// Unlink forgets a link of this account, or returns ErrNoIdentity. Unless
	// last is set it returns ErrIdentityLast for the last link that the account
	// has, of two callers at once to one.
	Unlink(ctx context.Context, account, id string, last bool, events ...SecurityEvent) error

	// KeepTicket keeps a ticket and reports whether its key is new. It may
	// forget tickets whose time is over.
	KeepTicket(ctx context.Context, t Ticket) (fresh bool, err error)
	// Ticket returns the ticket with this key and browser, or ErrSignInCode.
	Ticket(ctx context.Context, key, browser string) (Ticket, error)
	// TakeTicket removes that ticket, or returns ErrSignInCode: of two callers
	// at once one has it.
	TakeTicket(ctx context.Context, key, browser string) error
}
