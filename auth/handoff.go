package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ashlar-go/ashlar/rule"
)

// How long a sign-in code lives: as long as a page takes to load, and where a
// person must type a second factor, as long as that takes.
const (
	codeLife       = time.Minute
	codeLifeFactor = 5 * time.Minute
)

// A SignInCode is what a page exchanges for a session. It is worthless in
// another browser than the one that signed in, which is why it may stand in
// a URL where a token may not (P11.13).
type SignInCode struct {
	Code string `json:"code"`
	// SecondFactor is a code of the account's second factor, where one is asked.
	SecondFactor string `json:"second_factor,omitzero"`
}

// Rules says what can be a sign-in code at all.
func (in *SignInCode) Rules(r *rule.Set) {
	rule.Text(r, &in.Code).Len(1, 64).Secret()
	rule.Text(r, &in.SecondFactor).Len(0, 64).Secret()
}

// Spend marks a secret as used until its time is over, and reports whether
// this was the first time: of two callers at once one is the first.
func (s *Identities) Spend(ctx context.Context, secret string, until time.Time) (first bool, err error) {
	return s.c.Identities.KeepTicket(ctx, Ticket{Key: sum("spent", secret), Until: until})
}

// Code returns a code that opens a session of the account, once, within a
// minute, together with a secret that only the person's browser has. With
// factor set, an account that has a second factor needs that, too.
func (s *Identities) Code(ctx context.Context, account Account, browser string, factor bool) (string, error) {
	life := codeLife
	if factor {
		life = codeLifeFactor
	}
	code := Secret()
	fresh, err := s.c.Identities.KeepTicket(ctx, Ticket{
		Key: sum("code", code), Browser: sum("browser", browser), Account: account.ID, Factor: factor, Until: s.c.Now().UTC().Add(life),
	})
	if err != nil {
		return "", fmt.Errorf("keep a sign-in code: %w", err)
	}
	if !fresh {
		return "", failure("a sign-in code of 256 random bits is there already")
	}
	return code, nil
}

// Redeem returns the account that a code stands for. The error is
// [ErrSignInCode], or what the second factor says. A code whose second factor
// is missing can be used again with it; one that came with a wrong second
// factor is spent.
func (s *Identities) Redeem(ctx context.Context, in SignInCode, browser string) (Account, error) {
	key, browser := sum("code", in.Code), sum("browser", browser)
	ticket, err := s.c.Identities.Ticket(ctx, key, browser)
	switch {
	case err != nil:
		return Account{}, err
	case !s.c.Now().Before(ticket.Until):
		return Account{}, ErrSignInCode.Wrap(failure("the sign-in code is too old"))
	}
	asked := false
	if ticket.Factor && s.c.SecondFactor != nil {
		if asked, err = s.c.SecondFactor.Required(ctx, ticket.Account); err != nil {
			return Account{}, fmt.Errorf("ask for a second factor: %w", err)
		}
	}
	if asked && in.SecondFactor == "" {
		return Account{}, ErrSecondFactorRequired
	}
	if err := s.c.Identities.TakeTicket(ctx, key, browser); err != nil {
		return Account{}, err
	}
	if asked {
		if err := s.c.SecondFactor.Check(ctx, ticket.Account, in.SecondFactor); err != nil {
			return Account{}, err
		}
	}
	account, err := s.c.Accounts.ByID(ctx, ticket.Account)
	switch {
	case errors.Is(err, ErrNoAccount):
		return Account{}, ErrSignInCode.Wrap(failure("the account is gone"))
	case err != nil:
		return Account{}, fmt.Errorf("find the account of a sign-in code: %w", err)
	}
	return account, nil
}

// AsksFactor reports whether accounts can be asked for a second factor.
func (s *Identities) AsksFactor() bool { return s.c.SecondFactor != nil }

// Cookies reports whether a sign-in ends with a session cookie.
func (s *Identities) Cookies() bool { return s.c.Cookies }

// Open opens a session: what to answer as JSON, a [Grant] or a [CookieSession],
// and the cookies to set. A disabled account is [ErrSignIn].
func (s *Identities) Open(ctx context.Context, account Account) (body any, cookies []*http.Cookie, err error) {
	if s.c.Cookies {
		opened, err := s.c.Sessions.OpenCookieSession(ctx, account)
		if err != nil {
			return nil, nil, err
		}
		return opened, opened.Cookies(), nil
	}
	grant, err := s.c.Sessions.OpenSession(ctx, account)
	return grant, nil, err
}

// Secret returns 256 random bits as 43 characters that are safe in a URL.
func Secret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// sum is what is kept of a secret: without salt, since nobody guesses 256 bits.
func sum(purpose, secret string) string {
	h := sha256.Sum256([]byte(purpose + "\x00" + secret))
	return base64.RawURLEncoding.EncodeToString(h[:])
}
