package postgres_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/backing"
)

const secret = "canary-7f3a"

// as is a server's URL for another user, with a password.
func as(t *testing.T, server, user, password, database string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.User, u.Path = url.UserPassword(user, password), "/"+database
	return u.String()
}

func TestWhyThereIsNoConnection(t *testing.T) {
	t.Parallel()
	server := backing.PostgresServer(t, "max_connections=10")
	run := func(sql string) {
		t.Helper()
		if err := backing.Administer(t.Context(), server.URL(), sql); err != nil {
			t.Fatal(err)
		}
	}
	run(`CREATE ROLE app LOGIN PASSWORD '` + secret + `'`)
	run(`CREATE ROLE alone LOGIN CONNECTION LIMIT 0`)
	rules := "host all app 127.0.0.1/32 scram-sha-256\nhost all barred 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 trust\n"
	if err := os.WriteFile(filepath.Join(server.Dir(), "pg_hba.conf"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	run(`SELECT pg_reload_conf()`)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() }) // when the tests within have ended
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	go func() {
		for {
			c, err := other.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = c.Close()
		}
	}()
	const nobody = "127.0.0.1:1"

	good := as(t, server.URL(), "app", secret, "postgres")
	open(t, postgres.Config{URL: good})
	at := func(addr string) string { return "postgres://app:" + secret + "@" + addr + "/shop?sslmode=disable" }
	for name, c := range map[string]struct {
		url    string
		says   []string
		passes bool // by itself, or by the server's operator
	}{
		"a wrong password":        {as(t, server.URL(), "app", secret+"x", "postgres"), []string{"password", server.Addr(), "as app"}, false},
		"an unknown user":         {as(t, server.URL(), "nobody", secret, "postgres"), []string{"nobody"}, false},
		"a user who is kept out":  {as(t, server.URL(), "barred", secret, "postgres"), []string{"pg_hba.conf"}, false},
		"no such database":        {as(t, server.URL(), "app", secret, "nowhere"), []string{"no such database", "/nowhere"}, false},
		"no TLS there":            {strings.Replace(good, "sslmode=disable", "sslmode=require", 1), []string{"does not speak TLS", "sslmode=disable"}, false},
		"no connection left":      {as(t, server.URL(), "alone", secret, "postgres"), []string{"no connection left", "max_connections"}, true},
		"nobody at the port":      {at(nobody), []string{nobody, "refused"}, true},
		"nobody who answers":      {at(silent.Addr().String()), []string{silent.Addr().String(), "no answer within 300ms"}, true},
		"somebody else at it":     {at(other.Addr().String()), []string{other.Addr().String()}, true},
		"a host without a name":   {"postgres://app:" + secret + "@nowhere.invalid/shop?sslmode=disable", []string{"nowhere.invalid", "resolved"}, true},
		"an unknown setting":      {good + "&no_such_setting=1", []string{"no_such_setting"}, false},
		"a certificate that lies": {strings.Replace(good, "sslmode=disable", "sslrootcert=/nowhere&sslmode=verify-full", 1), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := postgres.Open(t.Context(), postgres.Config{URL: c.url, Plaintext: true, ConnectTimeout: 300 * time.Millisecond})
			if err == nil {
				_ = d.Close()
				t.Fatal("it was opened")
			}
			if got := errors.Is(err, fault.ErrUnavailable); got != c.passes {
				t.Errorf("unavailable is %t: %v", got, err)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%v must say %q", err, s)
				}
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%v shows the password", err)
			}
		})
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  postgres.Config
		says string
	}{
		"no URL":                       {postgres.Config{}, "empty"},
		"another scheme":               {postgres.Config{URL: "mysql://u:" + secret + "@h/d"}, "postgres://"},
		"no URL at all":                {postgres.Config{URL: "postgres://u:" + secret + "@h:port/d"}, "percent-encode"},
		"a bad escape":                 {postgres.Config{URL: "postgres://u:%zz" + secret + "@h/d"}, "percent-encode"},
		"a bad sslmode":                {postgres.Config{URL: "postgres://u:" + secret + "@h/d?sslmode=perhaps"}, "sslmode"},
		"plain text to elsewhere":      {postgres.Config{URL: "postgres://u:" + secret + "@db.example.com/d?sslmode=disable"}, "sslmode=verify-full"},
		"TLS with anybody":             {postgres.Config{URL: "postgres://u:" + secret + "@db.example.com/d?sslmode=require"}, "sslmode=verify-full"},
		"plain text to one of several": {postgres.Config{URL: "postgres://u:" + secret + "@127.0.0.1,db.example.com/d?sslmode=prefer"}, "db.example.com"},
		"a negative number":            {postgres.Config{URL: "postgres://h/d", MaxConns: -1}, "negative"},
		"too many connections":         {postgres.Config{URL: "postgres://127.0.0.1/d", MaxConns: 20_000}, "MaxConns"},
	} {
		_, err := postgres.Open(t.Context(), c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, fault.ErrUnavailable) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v must say %q, and not the password", name, err, c.says)
		}
		if checked := c.cfg.Check(); checked == nil || checked.Error() != err.Error() {
			t.Errorf("%s: Check says %v", name, checked)
		}
	}
	for _, url := range []string{
		"postgres://u@127.0.0.1/d?sslmode=disable", "postgresql://u@localhost/d", "postgres://u@[::1]:5432/d", "postgres:///d?host=/var/run/postgresql",
		"postgres://u@db.example.com/d", "postgres://u@db.example.com/d?sslmode=verify-full", "postgres://u@one.example.com,two.example.com/d",
	} {
		if err := (postgres.Config{URL: url}).Check(); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if err := (postgres.Config{URL: "postgres://u@db.example.com/d?sslmode=disable", Plaintext: true}).Check(); err != nil {
		t.Errorf("plain text was asked for: %v", err)
	}
}

// TestWhatTheServerRefuses has the server raise what it raises when a disk is
// full and the like, by its own code.
func TestWhatTheServerRefuses(t *testing.T) {
	t.Parallel()
	d := open(t, postgres.Config{URL: backing.Postgres(t)})
	statements(t, d, `CREATE TABLE t (n BIGINT)`, `INSERT INTO t VALUES (1)`)
	for code, passes := range map[string]bool{
		"53100": true, "53200": true, "53300": true, "58030": true, "57P03": true, "08006": true,
		"42501": false, "22012": false, "XX000": false,
	} {
		_, err := d.Exec(t.Context(), `DO $$ BEGIN RAISE EXCEPTION 'a reason' USING ERRCODE = '`+code+`'; END $$`)
		if errors.Is(err, fault.ErrUnavailable) != passes || err == nil || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v", code, err)
		}
		if passes {
			unavailable(t, err, "a reason", "127.0.0.1")
		}
	}
	if err := one(t.Context(), d); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	// A value stays out of the error.
	for _, q := range []struct {
		sql string
		arg any
	}{
		{`SELECT n FROM t WHERE n = $1`, secret},
		{`SELECT 1 WHERE CAST($1 AS DATE) IS NULL`, secret},
		{`SELECT 1 WHERE CAST($1 AS JSONB) IS NULL`, "{" + secret},
	} {
		if _, err := db.All[int](t.Context(), d, q.sql, q.arg); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", q.sql, err)
		}
	}
	statements(t, d, `CREATE TABLE u (name TEXT NOT NULL CONSTRAINT u_name UNIQUE)`)
	for range 2 {
		_, err := d.Exec(t.Context(), `INSERT INTO u VALUES ($1)`, secret)
		if err != nil && (!db.IsUnique(err, "u_name") || !db.IsUnique(err, "name") || strings.Contains(err.Error(), secret)) {
			t.Errorf("a value that is there: %v", err)
		}
	}
}

// TestTheSchemaChangesUnderStatements runs statements that were prepared before
// another process migrated: each is prepared again, in a transaction by running
// that again.
func TestTheSchemaChangesUnderStatements(t *testing.T) {
	t.Parallel()
	type row struct {
		ID   string `json:"id"`
		Note string `json:"note"`
		More *int   `json:"more"`
	}
	d := open(t, postgres.Config{URL: backing.Postgres(t), MaxConns: 1})
	statements(t, d, `CREATE TABLE r (id TEXT, note TEXT)`, `INSERT INTO r VALUES ('r1', 'n1')`)
	for name, read := range map[string]func() (row, error){
		"a query": func() (row, error) { return db.One[row](t.Context(), d, `SELECT * FROM r`) },
		"a transaction": func() (row, error) {
			return db.InTx(t.Context(), d, func(tx *db.Tx) (row, error) { return db.One[row](t.Context(), tx, `SELECT * FROM r`) })
		},
		"a statement": func() (row, error) {
			return db.One[row](t.Context(), d, `UPDATE r SET note = note RETURNING *`)
		},
	} {
		for _, change := range []string{"", `ALTER TABLE r ADD COLUMN more BIGINT`, `ALTER TABLE r DROP COLUMN more`} {
			if change != "" {
				statements(t, d, change)
			}
			if got, err := read(); err != nil || got.ID != "r1" || got.Note != "n1" {
				t.Errorf("%s after %q: %+v, %v", name, change, got, err)
			}
		}
	}
}

func TestStatementsThatAreNotForPools(t *testing.T) {
	t.Parallel()
	d := open(t, postgres.Config{URL: backing.Postgres(t)})
	for _, sql := range []string{
		`BEGIN`, `/* a /* nested */ comment */ commit`, `-- x` + "\n" + `ROLLBACK`, `SET search_path = x`, `set session a.b = 1`, `RESET ALL`,
		`LISTEN x`, `COPY t FROM STDIN`, `DISCARD ALL`, `PREPARE x AS SELECT 1`, `;`, `/* nothing */`,
	} {
		if _, err := d.Exec(t.Context(), sql); err == nil {
			t.Errorf("%q ran", sql)
		}
	}
	err := inTx(t, d, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `SET LOCAL statement_timeout = 1000`)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestATransactionThatGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	d := open(t, postgres.Config{URL: backing.Postgres(t)})
	statements(t, d, `CREATE TABLE t (n BIGINT PRIMARY KEY)`)
	add := func(ctx context.Context, q db.Querier, n int) error {
		_, err := q.Exec(ctx, `INSERT INTO t VALUES ($1)`, n)
		return err
	}
	err := inTx(t, d, func(tx *db.Tx) error {
		if err := errors.Join(add(t.Context(), tx, 1), add(t.Context(), tx, 1)); !db.IsUnique(err) {
			t.Errorf("the failure: %v", err)
		}
		if err := add(t.Context(), tx, 2); err == nil || db.IsUnique(err) || !strings.Contains(err.Error(), "unique") {
			t.Errorf("the next statement: %v", err)
		}
		return nil
	})
	if err == nil || db.IsUnique(err) || !strings.Contains(err.Error(), "nothing was committed") {
		t.Errorf("the transaction: %v", err)
	}
	if n, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM t`); n != 0 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
}
