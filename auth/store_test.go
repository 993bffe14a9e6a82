package auth_test

import (
	"testing"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/auth/authtest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	authtest.Run(t, func(*testing.T) (auth.Store, *auth.Revocations) {
		m := auth.NewMemory()
		m.Revocations = auth.NewRevocations(nil)
		return m, m.Revocations
	})
}
