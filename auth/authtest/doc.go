// Package authtest holds what every [auth.Store] must do, and tries it:
//
//	func TestStore(t *testing.T) {
//		authtest.Run(t, func(t *testing.T) (auth.Store, *auth.Revocations) { … })
//	}
//
// Stores decide who wins when a refresh token is used twice at once, so most of
// it is about sessions: random histories of them are compared with a model, and
// the same token is used from many goroutines. [RunAPIKeys] does the same for an
// [auth.APIKeyStore], [RunIdentities] for an [auth.IdentityStore].
package authtest

import (
	"testing"

	"github.com/ashlar-go/ashlar/auth"
)

// Run tries a store. open returns an empty one, and the revocations that it
// applies what is revoked to.
func Run(t *testing.T, open func(t *testing.T) (auth.Store, *auth.Revocations)) {
	for name, try := range map[string]func(*testing.T, *desk){
		"accounts are kept and changed":            accounts,
		"accounts change with what is beside them": within,
		"a change that fails changes nothing":      rollback,
		"sessions are found and listed":            sessions,
		"a token is spent under its conditions":    rotation,
		"sessions end in time":                     lifetimes,
		"an access token follows another":          renewal,
		"a session of an old epoch is dead":        epochs,
		"random histories are as the model says":   histories,
		"one token at once has exactly one winner": race,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			try(t, newDesk(t, open))
		})
	}
}
