package auth_test

import (
	"testing"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/auth/authtest"
)

func TestMemoryIdentities(t *testing.T) {
	t.Parallel()
	authtest.RunIdentities(t, func(*testing.T) (auth.IdentityStore, auth.Store) {
		accounts := auth.NewMemory()
		return auth.NewMemoryIdentities(accounts), accounts
	})
}
