// Package auth finds out who is asking.
//
// [Accounts] signs people in: it compares a password with its argon2id hash
// ([Passwords]) and answers with a short-lived access token ([Tokens]), a JWT
// signed with one of the app's keys ([Keys]) and verified without a look at the
// database. [Bearer] takes the token from a request, [Challenge] is what a
// refused one is told.
//
//	keys, err := auth.LoadOrCreateKeys(".data/signing.key")
//	tokens, err := auth.NewTokens(auth.TokenConfig{Keys: keys, Issuer: "pay", Audience: "pay"})
//	accounts := auth.NewAccounts(auth.AccountsConfig{
//		Store: auth.NewMemory(), Passwords: passwords, Tokens: tokens,
//	})
//	grant, err := accounts.SignIn(ctx, auth.Credentials{Email: "a@b.test", Password: "…"})
//
// What it refuses it refuses alike: an unknown address, a wrong password and a
// disabled account get one answer after the same work, and every unusable token
// is [ErrToken]. Why is for the log: it is the cause that the fault wraps.
//
// Everything here is safe for concurrent use.
package auth

import "github.com/ashlar-go/ashlar/fault"

// The faults of this package.
const (
	// ErrSignIn answers credentials that do not fit, whatever the reason.
	ErrSignIn fault.Unauthenticated = "credentials_wrong"
	// ErrToken answers a token that is not valid, whatever the reason.
	ErrToken = fault.ErrToken
	// ErrBusy answers when too many passwords wait to be hashed.
	ErrBusy fault.Unavailable = "sign_in_busy"
	// ErrEmailTaken answers a second account for one address.
	ErrEmailTaken fault.Conflict = "email_taken"
	// ErrNoAccount answers for an account that is not there.
	ErrNoAccount fault.NotFound = "account_not_found"
)
