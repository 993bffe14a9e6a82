package postgres

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Config says which database to open, and how. Only URL is needed.
type Config struct {
	// URL is postgres://user:password@host:5432/database?sslmode=verify-full,
	// with the parameters of libpq. Of several hosts (host1,host2) the one that
	// is the primary is used, also after a failover. Any setting of the server
	// may be a parameter (search_path, statement_timeout).
	URL string
	// MaxConns is how many connections there may be. Zero means 16. All
	// instances together must stay below the server's max_connections; more
	// than a few for each of its processors make it slower.
	MaxConns int
	// Wait bounds how long a statement waits for a connection, before it fails
	// with [db.ErrBusy]. Zero means 5s. A shorter deadline of the ctx wins.
	Wait time.Duration
	// ConnectTimeout bounds the making of one connection, TLS and password
	// included. Zero means 5s.
	ConnectTimeout time.Duration
	// StatementTimeout is after how long the server stops a statement, whatever
	// its ctx says, and ends a transaction that does nothing. Zero means 30s,
	// negative never. Migrations have none.
	StatementTimeout time.Duration
	// Pooler says that a pooler stands between which gives each transaction
	// another connection (PgBouncer with pool_mode=transaction). Nothing of a
	// session is relied upon then: statements are not prepared, and each says
	// all that it needs, still in one round trip.
	Pooler bool
	// Plaintext is a loose setting: it allows a server beyond this machine to
	// be spoken to without TLS, or with TLS that does not know to whom. Zero
	// asks for sslmode=verify-full unless the server is on the loopback.
	Plaintext bool
	// Name is what the server shows the connections as. Empty means the
	// URL's application_name, or "ashlar".
	Name string
	// Replicas are the URLs of standbys, which follow the server by streaming
	// replication and answer queries of [db.Stale]. Each may have MaxConns
	// connections. None of them has to be there.
	Replicas []string
	// ReplicaChanged is told when a replica is not used any more, with the
	// reason, and when it is again, with nil. It is called by those who wait for
	// an answer, and must only take note. Nil is not told.
	ReplicaChanged func(server string, reason error)

	standby bool // the server is meant to be one
}

func (c Config) withDefaults() (Config, error) {
	if c.MaxConns < 0 || c.Wait < 0 || c.ConnectTimeout < 0 {
		return c, errors.New("db/postgres: Config holds a negative number: zero means the default")
	}
	if c.MaxConns > maxMaxConns {
		return c, fmt.Errorf("db/postgres: Config.MaxConns is %d, at most %d make sense", c.MaxConns, maxMaxConns)
	}
	c.MaxConns = cmp.Or(c.MaxConns, 16)
	c.Wait = cmp.Or(c.Wait, 5*time.Second)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 5*time.Second)
	c.StatementTimeout = max(cmp.Or(c.StatementTimeout, 30*time.Second), 0)
	return c, nil
}

// Check says what is wrong with the configuration, as far as that can be known
// without the server.
func (c Config) Check() error {
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	primary, err := c.parse(c.URL)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for n, url := range c.Replicas {
		replica, err := c.parse(url)
		if err != nil {
			return fmt.Errorf("replica %d: %w", n+1, err)
		}
		at := place(&replica.ConnConfig.Config)
		if seen[at] {
			return fmt.Errorf("replica %d: db/postgres: %s is named twice", n+1, at)
		}
		seen[at] = true
		if is, want := replica.ConnConfig.Database, primary.ConnConfig.Database; is != want {
			return fmt.Errorf("replica %d: db/postgres: the database is %q, and must have the name that it has on the server it is a copy of, %q", n+1, is, want)
		}
	}
	return nil
}

// maxMaxConns keeps a slip of the pen from becoming a fleet of connections.
const maxMaxConns = 10_000

// longest is how long a server may be silent that has no limit of its own.
const longest = time.Hour

// limit is how long the server may be silent: until it should have stopped the
// statement by itself, and a while.
func (c Config) limit() time.Duration {
	if c.StatementTimeout == 0 {
		return longest
	}
	return c.StatementTimeout + 5*time.Second
}

// parse reads a URL. The error never shows it: it may hold a password.
func (c Config) parse(text string) (*pgxpool.Config, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return nil, errors.New("db/postgres: Config.URL is empty: name a database, postgres://user:password@host:5432/database")
	case err != nil:
		return nil, errors.New("db/postgres: the URL cannot be read: write postgres://user:password@host:5432/database, and percent-encode signs like / and @ in the user and the password")
	case u.Scheme != "postgres" && u.Scheme != "postgresql":
		return nil, fmt.Errorf("db/postgres: the URL begins with %q: it must begin with postgres://", u.Scheme+":")
	}
	mode := cmp.Or(u.Query().Get("sslmode"), os.Getenv("PGSSLMODE"))
	cfg, err := pgxpool.ParseConfig(text)
	if err == nil && mode == "" && !c.Plaintext && distant(&cfg.ConnConfig.Config) != "" {
		// What has not been said is said safely.
		q := u.Query()
		q.Set("sslmode", "verify-full")
		u.RawQuery = q.Encode()
		cfg, err = pgxpool.ParseConfig(u.String())
	}
	if err != nil {
		return nil, errors.New("db/postgres: the URL cannot be used: " + reason(err))
	}
	conn := &cfg.ConnConfig.Config
	if host := distant(conn); host != "" && !c.Plaintext && !verified(conn) {
		return nil, fmt.Errorf("db/postgres: sslmode=%s does not make sure that %s is the server it claims to be: set sslmode=verify-full, and sslrootcert if its certificate is not from a public authority", mode, host)
	}
	if conn.Database == "" {
		conn.Database = conn.User
	}
	conn.ConnectTimeout = c.ConnectTimeout
	return cfg, nil
}

// reason is why a URL cannot be used, without its text.
func reason(err error) string {
	parse, ok := errors.AsType[*pgconn.ParseConfigError](err)
	if !ok {
		return "one of its parameters is wrong"
	}
	said := strings.TrimPrefix(parse.Error(), "cannot parse `")
	if i := strings.LastIndex(said, "`: "); i >= 0 {
		said = said[i+len("`: "):]
	}
	said, _, _ = strings.Cut(said, " (") // the rest may quote a value
	return strings.Replace(said, "failed to configure TLS", "sslmode, sslrootcert or another setting of TLS is wrong", 1)
}

// distant is a host that is not this machine, or "".
func distant(conn *pgconn.Config) string {
	hosts := []string{conn.Host}
	for _, f := range conn.Fallbacks {
		hosts = append(hosts, f.Host)
	}
	for _, host := range hosts {
		addr, err := netip.ParseAddr(host)
		switch {
		case host == "localhost", strings.HasPrefix(host, "/"), strings.HasPrefix(host, "@"), err == nil && addr.IsLoopback():
		default:
			return host
		}
	}
	return ""
}

// verified reports whether every way to connect knows the server.
func verified(conn *pgconn.Config) bool {
	known := conn.TLSConfig != nil && (!conn.TLSConfig.InsecureSkipVerify || conn.TLSConfig.VerifyPeerCertificate != nil)
	for _, f := range conn.Fallbacks {
		known = known && f.TLSConfig != nil && (!f.TLSConfig.InsecureSkipVerify || f.TLSConfig.VerifyPeerCertificate != nil)
	}
	return known
}

// place names a database in errors.
func place(conn *pgconn.Config) string {
	list := []string{net.JoinHostPort(conn.Host, strconv.Itoa(int(conn.Port)))}
	for _, f := range conn.Fallbacks {
		if one := net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port))); one != list[len(list)-1] {
			list = append(list, one)
		}
	}
	return strings.Join(list, ",") + "/" + conn.Database
}

// session is what every connection is told at its start. A query is one that
// only reads, by the server's own watch; who writes says so in a transaction.
func (c Config) session(conn *pgconn.Config) {
	set := func(name, value string) {
		if _, said := conn.RuntimeParams[name]; !said {
			conn.RuntimeParams[name] = value
		}
	}
	if c.Name != "" {
		conn.RuntimeParams["application_name"] = c.Name
	}
	set("application_name", "ashlar")
	set("timezone", "UTC")
	set("client_encoding", "UTF8")
	if c.Pooler {
		return // it refuses others
	}
	conn.RuntimeParams["default_transaction_read_only"] = "on"
	conn.RuntimeParams["default_transaction_isolation"] = "read committed"
	if c.StatementTimeout > 0 {
		set("statement_timeout", strconv.FormatInt(c.StatementTimeout.Milliseconds(), 10))
		set("idle_in_transaction_session_timeout", strconv.FormatInt(c.StatementTimeout.Milliseconds(), 10))
	}
}
