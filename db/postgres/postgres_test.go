package postgres_test

import (
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/dbtest"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/internal/backing"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	dbtest.Run(t, func(t *testing.T) *db.DB {
		t.Helper()
		return open(t, postgres.Config{URL: backing.Postgres(t)})
	})
}

func TestConformanceBehindAPooler(t *testing.T) {
	t.Parallel()
	dbtest.Run(t, func(t *testing.T) *db.DB {
		t.Helper()
		return open(t, postgres.Config{URL: backing.Postgres(t), Pooler: true})
	})
}

func TestConformanceWhenBusy(t *testing.T) {
	t.Parallel()
	dbtest.RunBusy(t, func(t *testing.T) *db.DB {
		t.Helper()
		return open(t, postgres.Config{URL: backing.Postgres(t), MaxConns: 4, Wait: 5 * time.Millisecond})
	})
}

func open(t *testing.T, cfg postgres.Config) *db.DB {
	t.Helper()
	d, err := postgres.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}
