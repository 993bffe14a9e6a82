package ashlar

import (
	"context"
	"time"

	"github.com/ashlar-go/ashlar/auth"
)

// AccountStore is where a keeps accounts and sessions, and what it applies
// revocations to.
func AccountStore(a *App) (auth.Store, *auth.Revocations) { return accountTable{a}, a.revocations }

// IdentityStore is where a keeps identities and tickets.
func IdentityStore(a *App) auth.IdentityStore { return identityTable{a.DB, a.audit()} }

// DeleteSessions does what the sweep of sessions does, at another time.
func DeleteSessions(a *App, deadSince time.Time) error {
	return a.deleteSessions(context.Background(), deadSince)
}
