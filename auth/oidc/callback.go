package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/ashlar-go/ashlar/auth"
)

// A query is the parameters of a request.
type query url.Values

// parameters reads a query strictly: what cannot be read makes all of it void.
func parameters(r *http.Request) (query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, failure("the query cannot be read")
	}
	return query(values), nil
}

// one returns a parameter that may be there once (P12.3).
func (q query) one(name string) (value string, given bool, err error) {
	all := q[name]
	switch len(all) {
	case 0:
		return "", false, nil
	case 1:
		return all[0], true, nil
	}
	return "", true, fmt.Errorf("the parameter %s is there %d times", name, len(all))
}

// maxCode bounds an authorization code; the largest known have 2 KiB.
const maxCode = 4 << 10

// returned is what a provider sends back through the browser (RFC 6749,
// section 4.1.2, and RFC 9207).
type returned struct {
	state, code, issuer, failed string
	hasIssuer                   bool
}

func readReturned(r *http.Request) (back returned, err error) {
	q, err := parameters(r)
	if err != nil {
		return returned{}, err
	}
	var errs [4]error
	back.state, _, errs[0] = q.one("state")
	back.code, _, errs[1] = q.one("code")
	back.issuer, back.hasIssuer, errs[2] = q.one("iss")
	back.failed, _, errs[3] = q.one("error")
	if err := errors.Join(errs[:]...); err != nil {
		return returned{}, err
	}
	switch {
	case len(back.code) > maxCode:
		return returned{}, failure("the code is too long")
	case back.code == "" && back.failed == "":
		return returned{}, failure("there is neither a code nor an error")
	case back.code != "" && back.failed != "":
		return returned{}, failure("there are a code and an error")
	}
	return back, nil
}

// returned reads a callback and finds the flow of this browser that it ends.
func (s *SignIn) returned(r *http.Request, p *provider) (flow, returned, error) {
	back, err := readReturned(r)
	if err != nil {
		return flow{}, returned{}, err
	}
	value, err := cookieOf(r, flowCookie)
	if err != nil {
		return flow{}, returned{}, err
	}
	f, err := s.open(value)
	switch {
	case err != nil:
		return flow{}, returned{}, err
	case f.Provider != p.Name:
		return flow{}, returned{}, fmt.Errorf("the flow was begun with %s", f.Provider)
	case !same(back.state, f.State):
		return flow{}, returned{}, failure("the state is not that of the flow")
	}
	return f, back, nil
}

// same compares secrets in constant time (P11.22).
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// identify exchanges the code for an id token and returns whom it names.
func (p *provider) identify(ctx context.Context, f flow, back returned) (auth.Identity, error) {
	m, err := p.metadata(ctx)
	switch {
	case err != nil:
		return auth.Identity{}, err
	case back.hasIssuer && back.issuer != p.Issuer:
		return auth.Identity{}, fmt.Errorf("the answer is from %q", back.issuer)
	case m.sendsIss && !back.hasIssuer:
		return auth.Identity{}, failure("the answer does not say who it is from, and the provider always does")
	case back.failed != "":
		return auth.Identity{}, fmt.Errorf("the provider says %q", back.failed)
	}
	ctx = gooidc.ClientContext(ctx, p.client)
	tokens, err := m.oauth.Exchange(ctx, back.code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return auth.Identity{}, fmt.Errorf("exchange the code: %w", err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	if raw == "" {
		return auth.Identity{}, failure("there is no id token")
	}
	said, err := p.verify(ctx, m, f, raw, tokens.AccessToken)
	if err != nil {
		return auth.Identity{}, fmt.Errorf("id token: %w", err)
	}
	if said.Email == "" && slices.Contains(p.Scopes, "email") && m.provider.UserInfoEndpoint() != "" {
		if err := p.ask(ctx, m, tokens, said); err != nil {
			return auth.Identity{}, fmt.Errorf("user info: %w", err)
		}
	}
	return p.identity(said), nil
}

// claims are what is read of an id token, or of user info.
type claims struct {
	Subject  string `json:"sub"`
	Party    string `json:"azp"`
	Email    string `json:"email"`
	Verified truth  `json:"email_verified"`
	Name     string `json:"name"`
}

// truth is a boolean that some providers write as a string.
type truth bool

func (t *truth) UnmarshalJSON(text []byte) error {
	*t = string(text) == "true" || string(text) == `"true"`
	return nil
}

// skew is how far the provider's clock may be ahead of ours.
const skew = time.Minute

// verify judges an id token (OpenID Connect Core 1.0, section 3.1.3.7). The
// library holds it to signature, algorithm, issuer, audience and expiry.
func (p *provider) verify(ctx context.Context, m *metadata, f flow, raw, access string) (*claims, error) {
	token, err := m.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	var said claims
	if err := token.Claims(&said); err != nil {
		return nil, err
	}
	switch {
	case !same(token.Nonce, f.Nonce):
		return nil, failure("the nonce is not that of the flow")
	case said.Party != "" && said.Party != p.ClientID:
		return nil, failure("it was issued to another client")
	case said.Party == "" && len(token.Audience) > 1:
		return nil, failure("it has several audiences and does not say which it was issued to")
	case token.IssuedAt.IsZero() || token.IssuedAt.After(p.now().Add(skew)):
		return nil, failure("its time of issue is missing or to come")
	case said.Subject == "" || len(said.Subject) > 255:
		return nil, failure("its subject is empty or too long")
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(access); err != nil {
			return nil, err
		}
	}
	return &said, nil
}

// ask fills in the address from the user info endpoint, where providers say it
// that keep id tokens small.
func (p *provider) ask(ctx context.Context, m *metadata, tokens *oauth2.Token, said *claims) error {
	info, err := m.provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return err
	}
	var more claims
	if err := info.Claims(&more); err != nil {
		return err
	}
	if more.Subject != said.Subject { // section 5.3.2
		return failure("it is about another subject")
	}
	said.Email, said.Verified = more.Email, more.Verified
	if said.Name == "" {
		said.Name = more.Name
	}
	return nil
}

// identity keeps of an address what can be relied on: nothing unless it is
// verified, nothing that another provider is the authority for.
func (p *provider) identity(said *claims) auth.Identity {
	who := auth.Identity{Provider: p.Name, Issuer: p.Issuer, Subject: said.Subject, Name: said.Name}
	if !said.Verified {
		return who
	}
	email := auth.NormalizeEmail(said.Email)
	authority, claimed := p.authorities[email[strings.LastIndexByte(email, '@')+1:]]
	if claimed && authority != p.Name {
		return who
	}
	who.Email, who.Authority = email, claimed
	return who
}

// short bounds what a provider's words take up in the log, and leaves out
// answers that may hold tokens.
func short(err error) error {
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return fmt.Errorf("the token endpoint answered %d %.64q", refused.Response.StatusCode, refused.ErrorCode)
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return syntax
	}
	const most = 300
	text := strings.ToValidUTF8(err.Error(), "?")
	if len(text) <= most {
		return err
	}
	return failure(strings.ToValidUTF8(text[:most], "") + "…")
}
