package backing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres returns the URL of a PostgreSQL database that is empty, and gone
// with the test. The server is that of ASHLAR_TEST_POSTGRES_URL, which others
// use too; without it one is started for all tests of the process. The test is
// skipped where there is neither, unless ASHLAR_TEST_STRICT says that nothing
// may be.
func Postgres(tb testing.TB) string {
	tb.Helper()
	return PostgresFrom(tb, "template1")
}

// PostgresFrom is Postgres for a database that is a copy of another one of the
// same server, to which nobody is connected.
func PostgresFrom(tb testing.TB, template string) string {
	tb.Helper()
	server, err := shared()
	if err != nil {
		missing(tb, err)
	}
	name := DatabaseName()
	if err := CreateDatabase(context.Background(), server, name, template); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := Administer(context.Background(), server, `DROP DATABASE `+name+` WITH (FORCE)`); err != nil {
			tb.Errorf("drop the database of a test: %v", err)
		}
	})
	return Within(server, name)
}

// PostgresSchema is Postgres for a schema in a database that others use too,
// which is made in a tenth of the time.
func PostgresSchema(tb testing.TB) string {
	tb.Helper()
	server := SharedPostgres(tb)
	name := DatabaseName()
	if err := Administer(context.Background(), server, `CREATE SCHEMA `+name); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := Administer(context.Background(), server, `DROP SCHEMA `+name+` CASCADE`); err != nil {
			tb.Errorf("drop the schema of a test: %v", err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// SharedPostgres is the URL of the server on which [Postgres] makes its
// databases, for a test that makes some itself.
func SharedPostgres(tb testing.TB) string {
	tb.Helper()
	server, err := shared()
	if err != nil {
		missing(tb, err)
	}
	return server
}

// DatabaseName is a name that no other database has.
func DatabaseName() string { return "ashlar_test_" + strings.ToLower(rand.Text()) }

// Within is the URL of another database of a server.
func Within(server, database string) string {
	u, err := url.Parse(server)
	if err != nil { // shared has used it
		panic(err)
	}
	u.Path = "/" + database
	return u.String()
}

// CreateDatabase makes a database that is a copy of template.
func CreateDatabase(ctx context.Context, server, name, template string) error {
	const attempts = 100
	for n := 0; ; n++ {
		err := Administer(ctx, server, `CREATE DATABASE `+name+` TEMPLATE `+template)
		if err == nil || n == attempts || !strings.Contains(err.Error(), "is being accessed by other users") {
			return err
		}
		// Somebody else copies it, or has just left it.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Administer runs a statement on a connection of its own.
func Administer(ctx context.Context, server, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// shared is the URL of the server for the whole process.
var shared = sync.OnceValues(func() (string, error) {
	if named := os.Getenv("ASHLAR_TEST_POSTGRES_URL"); named != "" {
		if u, err := url.Parse(named); err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
			return "", errors.New("ASHLAR_TEST_POSTGRES_URL is no postgres:// URL")
		}
		return named, nil
	}
	bin, err := binaries()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "ashlar-postgres-")
	if err != nil {
		return "", err
	}
	c := &cluster{bin: bin, dir: dir}
	if err = c.init(); err == nil {
		err = c.start(true)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("start PostgreSQL: %w", err), os.RemoveAll(dir))
	}
	return c.url(), nil // it ends, and its files go, when this process does
})

// errMissing means that there is no PostgreSQL here.
var errMissing = errors.New("ASHLAR_TEST_POSTGRES_URL names no PostgreSQL, and none is installed: postgres and initdb are neither in PATH nor in /usr/lib/postgresql")

func missing(tb testing.TB, err error) {
	tb.Helper()
	if errors.Is(err, errMissing) && os.Getenv("ASHLAR_TEST_STRICT") != "1" {
		tb.Skip(err)
	}
	tb.Fatal(err)
}

// A PostgresProcess is a PostgreSQL that belongs to one test, which may do to
// it what befalls servers.
type PostgresProcess struct {
	tb      testing.TB
	cluster *cluster
}

// PostgresServer starts a PostgreSQL for the test alone and ends it with the
// test. Options are settings, such as "max_connections=10". The test is skipped
// as [Postgres] skips it.
func PostgresServer(tb testing.TB, options ...string) *PostgresProcess {
	tb.Helper()
	return process(tb, options, (*cluster).init)
}

// Standby starts a PostgreSQL that follows this one by streaming replication,
// for the test alone.
func (s *PostgresProcess) Standby(options ...string) *PostgresProcess {
	s.tb.Helper()
	return process(s.tb, options, func(c *cluster) error { return c.copy(s.cluster) })
}

func process(tb testing.TB, options []string, files func(*cluster) error) *PostgresProcess {
	tb.Helper()
	bin, err := binaries()
	if err != nil {
		missing(tb, err)
	}
	dir, err := os.MkdirTemp("", "ashlar-postgres-") //nolint:usetesting // its user, another than the test's, must reach it
	if err != nil {
		tb.Fatal(err)
	}
	s := &PostgresProcess{tb, &cluster{bin: bin, dir: dir, options: options}}
	tb.Cleanup(func() {
		s.Kill()
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	if err = files(s.cluster); err == nil {
		err = s.cluster.start(false)
	}
	if err != nil {
		tb.Fatalf("start PostgreSQL: %v", err)
	}
	return s
}

// URL is that of the server's database postgres, for its superuser, who needs
// no password.
func (s *PostgresProcess) URL() string { return s.cluster.url() }

// Addr is where the server listens, host:port.
func (s *PostgresProcess) Addr() string { return s.cluster.addr() }

// Dir holds its files: pg_hba.conf and the like.
func (s *PostgresProcess) Dir() string { return s.cluster.data() }

// Kill ends the server at once, as a crash of the machine would: its port
// refuses connections from then on. What was committed is there after Start.
func (s *PostgresProcess) Kill() {
	s.tb.Helper()
	if err := s.cluster.kill(); err != nil {
		s.tb.Errorf("kill PostgreSQL: %v", err)
	}
}

// Shut ends the server as an operator does: who is connected is told.
func (s *PostgresProcess) Shut() {
	s.tb.Helper()
	if err := s.cluster.shut(); err != nil {
		s.tb.Errorf("shut PostgreSQL down: %v", err)
	}
}

// Stop suspends the server: its connections stay open, new ones are taken by
// the system, and nothing is answered.
func (s *PostgresProcess) Stop() {
	s.tb.Helper()
	signalled(s.tb, s.cluster.each(suspend))
}

// Start has the server run again: on from where it was stopped, or anew with
// what it had committed after it was killed.
func (s *PostgresProcess) Start() {
	s.tb.Helper()
	if s.cluster.running() {
		signalled(s.tb, s.cluster.each(resume))
		return
	}
	if err := s.cluster.start(false); err != nil {
		s.tb.Fatalf("start PostgreSQL again: %v", err)
	}
}
