package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/dbtest"
	"github.com/ashlar-go/ashlar/db/sqlite"
)

func TestConformanceInMemory(t *testing.T) {
	t.Parallel()
	dbtest.Run(t, func(t *testing.T) *db.DB {
		t.Helper()
		return open(t, sqlite.Config{Path: ":memory:"})
	})
}

func TestConformanceOnAFile(t *testing.T) {
	t.Parallel()
	dbtest.Run(t, func(t *testing.T) *db.DB {
		t.Helper()
		return open(t, sqlite.Config{Path: filepath.Join(t.TempDir(), "test.db")})
	})
}

func TestConformanceWhenBusy(t *testing.T) {
	t.Parallel()
	dbtest.RunBusy(t, func(t *testing.T) *db.DB {
		t.Helper()
		return open(t, sqlite.Config{Path: ":memory:", Wait: 5 * time.Millisecond})
	})
}

func open(t *testing.T, cfg sqlite.Config) *db.DB {
	t.Helper()
	d, err := sqlite.Open(t.Context(), cfg)
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
