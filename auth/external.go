package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
)

// Identities is the service that signs people in with identities of outside
// providers. It decides whose account an identity is; that the identity is
// genuine, a package like auth/oidc has found out before. Make it with
// [NewIdentities].
//
// An identity reaches an account in three ways only: it was linked before; the
// account's owner, signed in, asks for it; or the app has said that the
// provider runs the domain of the account's address. An address alone opens no
// account, or whoever can have a provider say "this is ann@corp.test" would be
// Ann.
type Identities struct {
	c IdentitiesConfig
}

// IdentitiesConfig is what Identities works with.
type IdentitiesConfig struct {
	// Accounts, Identities and Sessions are required.
	Accounts   Store
	Identities IdentityStore
	Sessions   Opener
	// Admit decides about people without an account. Nil turns them away.
	Admit Admit
	// Role reports whether a role exists. Nil takes any.
	Role func(role string) bool
	// Cookies has sign-ins end with a session cookie instead of tokens.
	Cookies bool
	// SecondFactor judges the codes of those who are asked for one here too.
	// Nil asks nobody: the provider has its own.
	SecondFactor SecondFactor
	// Audit keeps what was refused. Nil keeps nothing.
	Audit Audit
	// Limit is asked before each step of a sign-in, and refuses who comes too
	// often. Nil refuses nobody.
	Limit func(ctx context.Context) error
	// Key has 32 secret bytes that every process of the app knows. It seals
	// what a browser keeps between two steps. Required.
	Key []byte
	// Who finds the principal of a request, so that somebody signed in can link
	// an identity. Nil: nobody can.
	Who func(r *http.Request) (access.Principal, error)
	// Revocations know whether the session has ended that asked to link an
	// identity. Nil: only a change of the account's epoch is noticed.
	Revocations *Revocations
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// An Opener opens a session for somebody whose identity is certain; [Accounts]
// is one.
type Opener interface {
	OpenSession(ctx context.Context, account Account) (Grant, error)
	OpenCookieSession(ctx context.Context, account Account) (CookieSession, error)
}

// NewIdentities returns the service, or says what is missing.
func NewIdentities(c IdentitiesConfig) (*Identities, error) {
	switch {
	case c.Accounts == nil || c.Identities == nil || c.Sessions == nil:
		return nil, failure("auth: identities need accounts, identities and sessions")
	case len(c.Key) != 32:
		return nil, failure("auth: identities need a key of 32 bytes")
	}
	if c.Role == nil {
		c.Role = func(string) bool { return true }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Identities{c}, nil
}

// Enter is the first thing that each step of a sign-in asks: its error refuses
// the caller.
func (s *Identities) Enter(ctx context.Context) error {
	if s.c.Limit == nil {
		return nil
	}
	return s.c.Limit(ctx)
}

// Key returns the 32 bytes that seal what a browser keeps.
func (s *Identities) Key() []byte { return s.c.Key }

// A Linker is somebody signed in who is about to add an identity, as it is
// remembered between the two steps of that.
type Linker struct {
	Account string `json:"a"`
	Session string `json:"s,omitempty"`
	Epoch   int64  `json:"e,omitempty"`
}

// Linker returns who sends a request, or why they may not link an identity:
// it is nobody, or an API key.
func (s *Identities) Linker(r *http.Request) (Linker, error) {
	if s.c.Who == nil {
		return Linker{}, fault.ErrUnauthenticated
	}
	who, err := s.c.Who(r)
	if err != nil {
		return Linker{}, err
	}
	if who.Anonymous() {
		return Linker{}, fault.ErrUnauthenticated
	}
	if who, err = person(access.With(r.Context(), who)); err != nil {
		return Linker{}, err
	}
	owner, err := s.c.Accounts.ByID(r.Context(), who.ID)
	if errors.Is(err, ErrNoAccount) {
		return Linker{}, fault.ErrDenied.Because("Only accounts of this application can have identities.")
	}
	if err != nil {
		return Linker{}, fmt.Errorf("find the account to link: %w", err)
	}
	return Linker{Account: owner.ID, Session: who.Credential, Epoch: owner.Epoch}, nil
}

// LinkAs is [Identities.Link] for somebody who asked for it a while ago. It is
// [ErrIdentity] as well if the session that asked has ended since: what is
// linked is a way in that stays, so it must not come of a stolen token whose
// owner has done all to get rid of the thief.
func (s *Identities) LinkAs(ctx context.Context, asked Linker, who Identity) error {
	owner, err := s.c.Accounts.ByID(ctx, asked.Account)
	if err != nil && !errors.Is(err, ErrNoAccount) {
		return fmt.Errorf("find the account to link: %w", err)
	}
	if owner.Epoch != asked.Epoch || s.c.Revocations.Ended(asked.Session) {
		return s.refuse(ctx, who, asked.Account, "the session that asked to link it has ended")
	}
	return s.Link(ctx, asked.Account, who)
}

// Recognize returns the account that signs in with an identity. The first time
// it links the identity to the account whose address the provider answers for,
// or makes the account that [Admit] says. Everything else is [ErrIdentity], so
// that nobody learns which addresses have an account.
func (s *Identities) Recognize(ctx context.Context, who Identity) (Account, error) {
	who.Email = NormalizeEmail(who.Email)
	link, err := s.c.Identities.BySubject(ctx, who.Issuer, who.Subject)
	if errors.Is(err, ErrNoIdentity) {
		return s.first(ctx, who)
	}
	if err != nil {
		return Account{}, fmt.Errorf("find an identity: %w", err)
	}
	account, err := s.c.Accounts.ByID(ctx, link.Account)
	switch {
	case errors.Is(err, ErrNoAccount):
		return Account{}, s.refuse(ctx, who, "", "its account is gone")
	case err != nil:
		return Account{}, fmt.Errorf("find the account of an identity: %w", err)
	case account.DisabledAt != nil:
		return Account{}, s.refuse(ctx, who, account.ID, "its account is disabled")
	}
	return account, nil
}

// first recognises an identity that no account has yet.
func (s *Identities) first(ctx context.Context, who Identity) (Account, error) {
	if who.Email == "" || checkEmail(who.Email) != nil {
		return Account{}, s.refuse(ctx, who, "", "it is new and has no verified address")
	}
	account, err := s.c.Accounts.ByEmail(ctx, who.Email)
	switch {
	case errors.Is(err, ErrNoAccount):
		return s.admit(ctx, who)
	case err != nil:
		return Account{}, fmt.Errorf("find an account: %w", err)
	case !who.Authority:
		return Account{}, s.refuse(ctx, who, account.ID, "its address has an account, and the provider is no authority for the domain")
	case account.DisabledAt != nil:
		return Account{}, s.refuse(ctx, who, account.ID, "the account of its address is disabled")
	}
	err = s.c.Identities.Link(ctx, s.link(account.ID, who), s.linked(ctx, account.ID, "by address, the provider is its authority"))
	if errors.Is(err, ErrIdentityTaken) { // an address that has passed to another person, or a race
		return Account{}, s.refuse(ctx, who, account.ID, "the account of its address has another identity of this provider")
	}
	if err != nil {
		return Account{}, fmt.Errorf("link an identity: %w", err)
	}
	return account, nil
}

// admit makes the account of somebody new.
func (s *Identities) admit(ctx context.Context, who Identity) (Account, error) {
	if s.c.Admit == nil {
		return Account{}, s.refuse(ctx, who, "", "it has no account, and nobody is admitted")
	}
	admission, err := s.c.Admit(ctx, who)
	if errors.Is(err, ErrIdentity) {
		return Account{}, errors.Join(err, s.record(ctx, "", "it has no account, and was not admitted"))
	}
	if err != nil {
		return Account{}, fmt.Errorf("admit an identity: %w", err)
	}
	if !s.c.Role(admission.Role) {
		return Account{}, fmt.Errorf("admit an identity: there is no role %q", admission.Role)
	}
	account := Account{
		ID: id.New("usr_"), Email: who.Email, Role: admission.Role, Tenant: admission.Tenant,
		CreatedAt: s.c.Now().UTC().Truncate(time.Millisecond),
	}
	err = s.c.Identities.Admit(ctx, account, s.link(account.ID, who), s.linked(ctx, account.ID, "with a new account"))
	if errors.Is(err, ErrEmailTaken) || errors.Is(err, ErrIdentityTaken) { // somebody was quicker; trying again finds out who
		return Account{}, s.refuse(ctx, who, "", "its account was made meanwhile")
	}
	if err != nil {
		return Account{}, fmt.Errorf("admit an identity: %w", err)
	}
	return account, nil
}

// Link gives an account another identity to sign in with. Call it only for the
// account's owner, signed in. The error is [ErrIdentityTaken], [ErrIdentity]
// for an account that may not sign in, or the store's. To link again what is
// linked changes nothing.
func (s *Identities) Link(ctx context.Context, account string, who Identity) error {
	who.Email = NormalizeEmail(who.Email)
	owner, err := s.c.Accounts.ByID(ctx, account)
	switch {
	case errors.Is(err, ErrNoAccount):
		return s.refuse(ctx, who, account, "there is no account to link it to")
	case err != nil:
		return fmt.Errorf("find the account to link: %w", err)
	case owner.DisabledAt != nil:
		return s.refuse(ctx, who, account, "the account to link it to is disabled")
	}
	err = s.c.Identities.Link(ctx, s.link(account, who), s.linked(ctx, account, "by its owner"))
	if !errors.Is(err, ErrIdentityTaken) {
		return err
	}
	link, findErr := s.c.Identities.BySubject(ctx, who.Issuer, who.Subject)
	if findErr == nil && link.Account == account {
		return nil
	}
	return errors.Join(err, s.record(ctx, account, "it, or one of its provider, is linked already"))
}

// Of lists the identities of an account, the oldest first.
func (s *Identities) Of(ctx context.Context, account string) ([]LinkedIdentity, error) {
	return s.c.Identities.OfAccount(ctx, account)
}

// Unlink takes an identity from the account of the principal of ctx. The error
// is [ErrNoIdentity], also for an identity of another account,
// [ErrIdentityLast] for the only way in that the account has,
// [fault.ErrDenied] for an API key, or the store's.
func (s *Identities) Unlink(ctx context.Context, id string) error {
	who, err := person(ctx)
	if err != nil {
		return err
	}
	owner, err := s.c.Accounts.ByID(ctx, who.ID)
	if err != nil {
		return fmt.Errorf("find the account of an identity: %w", err)
	}
	event := NewEvent(ctx, IdentityUnlinked, Succeeded)
	event.Subject = owner.ID
	return s.c.Identities.Unlink(ctx, owner.ID, id, owner.PasswordHash != "", event)
}

func (s *Identities) link(account string, who Identity) LinkedIdentity {
	return LinkedIdentity{
		ID: id.New("idn_"), Account: account, Provider: who.Provider, Issuer: who.Issuer, Subject: who.Subject,
		Email: who.Email, LinkedAt: s.c.Now().UTC().Truncate(time.Millisecond),
	}
}

func (s *Identities) linked(ctx context.Context, account, how string) SecurityEvent {
	event := NewEvent(ctx, IdentityLinked, Succeeded)
	event.Subject, event.Detail = account, how
	return event
}

// refuse returns the fault for the caller, and leaves a trace of the reason.
func (s *Identities) refuse(ctx context.Context, who Identity, account, reason string) error {
	if err := s.record(ctx, account, reason); err != nil {
		return err
	}
	return ErrIdentity.Wrap(fmt.Errorf("identity of %s: %s", who.Provider, reason))
}

func (s *Identities) record(ctx context.Context, account, reason string) error {
	if s.c.Audit == nil {
		return nil
	}
	event := NewEvent(ctx, IdentityRefused, Refused)
	event.Subject, event.Detail = account, reason
	if err := s.c.Audit.Record(ctx, event); err != nil {
		return fmt.Errorf("record a refused identity: %w", err)
	}
	return nil
}
