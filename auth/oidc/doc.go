// Package oidc signs people in with an OpenID Connect provider: a company's
// directory, or one of the large ones.
//
// It speaks the authorization code flow with PKCE (S256), state and nonce, and
// nothing else. Who somebody is it learns from the provider; whose account that
// is, [auth.Identities] decides.
//
//	signIn, err := oidc.New(oidc.Config{
//		Origin:     "https://pay.example.com",
//		Identities: app.Identities(nil),
//		Log:        app.Log,
//		Providers: []oidc.Provider{{
//			Name: "corp", Issuer: "https://login.corp.example", ClientID: "pay", ClientSecret: cfg.CorpSecret,
//			Domains: []string{"corp.example"},
//		}},
//	})
//	if err != nil {
//		return err
//	}
//	signIn.Mount(app.Handle)
//
// A page sends the browser to GET /v1/auth/oidc/corp?return_to=/welcome. When
// the person is back it is at /welcome#code=…, and the page gives the code to
// POST /v1/auth/oidc/token for a session. The code is good once, for a minute,
// and in that browser only: it comes with a cookie that scripts cannot read.
// Where the app signs in by session cookie there is no code: the person is at
// /welcome and has the cookie.
//
// Whatever is wrong with a callback or with what the provider says, the answer
// is [ErrFailed]; why is for the log.
//
// The package is apart from auth so that only a program which imports it links
// the libraries for JSON Web Keys and OAuth. A [SignIn] is safe for concurrent
// use.
package oidc

import "github.com/ashlar-go/ashlar/fault"

// The faults of this package.
const (
	// ErrFailed answers a sign-in that did not work out, whatever the reason:
	// the person declined, the provider failed, or somebody meddled.
	ErrFailed fault.Unauthenticated = "sign_in_failed"
	// ErrProvider answers a sign-in that cannot begin, because the provider
	// cannot be reached or is not what it was configured to be.
	ErrProvider fault.Unavailable = "provider_unavailable"
)

// failure is a reason for the log.
type failure string

func (f failure) Error() string { return string(f) }
