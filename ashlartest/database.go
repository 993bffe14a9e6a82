package ashlartest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ashlar-go/ashlar/internal/backing"
)

// Database returns a DATABASE_URL of an empty database, for apps of one test
// that share it as instances do. It is gone when the test ends. It is a SQLite
// file, or a schema of its own in PostgreSQL if ASHLAR_TEST_DATABASE is
// "postgres": in the server that ASHLAR_TEST_POSTGRES_URL names, or one that is
// installed and started for the tests of the process.
func Database(t testing.TB) string {
	t.Helper()
	return DatabaseIn(t, t.TempDir())
}

// DatabaseIn is Database for processes that are started with the same data
// directory, at once or one after another: each call with it returns the same.
func DatabaseIn(t testing.TB, dir string) string {
	t.Helper()
	if !onPostgres() {
		return "sqlite:" + filepath.Join(dir, "app.db")
	}
	note := filepath.Join(dir, "test-database-url")
	if known, err := os.ReadFile(note); err == nil { //nolint:gosec // the test named the directory
		return string(known)
	}
	url := backing.PostgresSchema(t)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(note, []byte(url), 0o600); err != nil {
		t.Fatal(err)
	}
	return url
}

func onPostgres() bool { return os.Getenv("ASHLAR_TEST_DATABASE") == "postgres" }
