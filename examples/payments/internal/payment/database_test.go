package payment

import (
	"context"
	"testing"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/internal/backing"
)

// eachDatabase runs a test on every database there is, with the tables of
// payments.
func eachDatabase(t *testing.T, test func(t *testing.T, d *db.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		d, err := sqlite.Open(t.Context(), sqlite.Config{Path: ":memory:"})
		with(t, d, err, test)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		d, err := postgres.Open(t.Context(), postgres.Config{URL: backing.PostgresSchema(t), MaxConns: 4})
		with(t, d, err, test)
	})
}

func with(t *testing.T, d *db.DB, err error, test func(t *testing.T, d *db.DB)) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if _, err := db.Up(t.Context(), d, histories()...); err != nil {
		t.Fatal(err)
	}
	test(t, d)
}

// histories are the migrations of payments, and those that they need.
func histories() []db.Migrations {
	return []db.Migrations{{Name: "ashlar_events", FS: event.Migrations()}, {Name: "payments", FS: migrations}}
}

// within is the context of somebody who is confined to a merchant, or of staff.
func within(t *testing.T, scope string) context.Context {
	t.Helper()
	who := access.Principal{ID: "usr_1", Account: scope}
	if scope == "" {
		who.Role = merchant.RoleSupport
	}
	return access.With(t.Context(), who)
}
