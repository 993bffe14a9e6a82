package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ashlar-go/ashlar/fault"
)

// oldest is the first version of the server that has what is used here.
const oldest = 14

const (
	linkKey     = "ashlar.link"
	cancelerKey = "ashlar.canceler"
)

// prepared completes the settings of a pool's connections.
func (c Config) prepared(cfg *pgxpool.Config) {
	conn := &cfg.ConnConfig.Config
	c.session(conn)
	server := place(conn)
	conn.BuildContextWatcherHandler = func(pg *pgconn.PgConn) ctxwatch.Handler {
		h := &canceler{pg: pg}
		pg.CustomData()[cancelerKey] = h
		return h
	}
	conn.ValidateConnect = func(_ context.Context, pg *pgconn.PgConn) error { return fit(pg, c.standby) }
	conn.DialFunc = (&net.Dialer{Timeout: c.ConnectTimeout, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}).DialContext
	cfg.AfterConnect = func(ctx context.Context, native *pgx.Conn) error {
		l := &link{
			pg: native.PgConn(), server: server, pooler: c.Pooler, standby: c.standby, limit: c.limit(),
			statements: make(map[string]*statement), used: time.Now(),
		}
		if c.Pooler && c.StatementTimeout > 0 {
			l.timeout = "set local statement_timeout = " + strconv.FormatInt(c.StatementTimeout.Milliseconds(), 10)
		}
		l.canceler, _ = l.pg.CustomData()[cancelerKey].(*canceler)
		l.pg.CustomData()[linkKey] = l
		return l.greet(ctx)
	}
}

var errStandby = errors.New("the server is a standby, which only reads: name the primary, or all servers, in the URL")

var errPrimary = errors.New("the server is no standby")

// fit looks at what the server says about itself.
func fit(pg *pgconn.PgConn, standby bool) error {
	switch pg.ParameterStatus("in_hot_standby") {
	case "on":
		if !standby {
			return errStandby
		}
	case "off":
		if standby {
			return errPrimary
		}
	}
	version := pg.ParameterStatus("server_version")
	major := version[:len(version)-len(strings.TrimLeft(version, "0123456789"))]
	if n, err := strconv.Atoi(major); err == nil && n < oldest {
		return fmt.Errorf("the server is PostgreSQL %s: version %d or a newer one is needed", version, oldest)
	}
	return nil
}

// greet prepares the statements of the adapter's own, in one round trip.
func (l *link) greet(ctx context.Context) error {
	if l.pooler {
		return nil
	}
	p := l.pg.StartPipeline(ctx)
	for _, sql := range own {
		p.SendPrepare(sql, sql, nil)
	}
	if err := p.Sync(); err != nil {
		return err
	}
	for {
		results, err := p.GetResults()
		if err != nil {
			return errors.Join(err, p.Close())
		}
		if _, end := results.(*pgconn.PipelineSync); end || results == nil {
			break
		}
	}
	if err := p.Close(); err != nil {
		return err
	}
	// A server that notices the end of its client in the middle of a statement
	// stops; some systems have no way to notice.
	_, err := l.pg.Exec(ctx, "set client_connection_check_interval = '5s'").ReadAll()
	if _, refused := errors.AsType[*pgconn.PgError](err); refused {
		return nil
	}
	return err
}

// explain says why there is no connection, and what to do. What an operator
// must change is an ordinary error; what passes by itself is a
// [fault.ErrUnavailable]. The password never shows.
func explain(err error, conn *pgconn.Config, limit time.Duration) error {
	to := fmt.Sprintf("db/postgres: cannot connect to %s as %s", place(conn), conn.User)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		said := &refusal{pg}
		switch pg.Code {
		case codePassword:
			return fmt.Errorf("%s: the password is wrong, or the user is not known: %w", to, said)
		case codeAuthorization:
			return fmt.Errorf("%s: the server lets this user, database or address not in: look at its pg_hba.conf, and whether it asks for TLS: %w", to, said)
		case codeNoDatabase:
			return fmt.Errorf("%s: there is no such database: make it, or name another: %w", to, said)
		case codeTooMany:
			return fault.ErrUnavailable.Wrap(fmt.Errorf("%s: the server has no connection left: lower MaxConns or raise its max_connections: %w", to, said))
		case codeStarting:
			return fault.ErrUnavailable.Wrap(fmt.Errorf("%s: the server does not take connections now: %w", to, said))
		case codeShutdown, codeCrash, codeDiskFull, codeOutOfMemory:
			return fault.ErrUnavailable.Wrap(fmt.Errorf("%s: %w", to, said))
		}
		if strings.HasPrefix(pg.Code, classConnection) {
			return fault.ErrUnavailable.Wrap(fmt.Errorf("%s: %w", to, said))
		}
		return fmt.Errorf("%s: %w", to, said)
	}
	if hint := untrusted(err); hint != "" {
		return fmt.Errorf("%s: %s", to, hint)
	}
	if errors.Is(err, errPrimary) {
		return fault.ErrUnavailable.Wrap(fmt.Errorf("%s: %w", to, errPrimary)) // it may become one
	}
	if errors.Is(err, errStandby) {
		return fault.ErrUnavailable.Wrap(fmt.Errorf("%s: %w", to, errStandby)) // another may be promoted
	}
	return fault.ErrUnavailable.Wrap(fmt.Errorf("%s: %w", to, network(err, limit)))
}

// untrusted says what is wrong with TLS, if that is it.
func untrusted(err error) string {
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "its certificate is from an authority that is not known here: name the authority's in sslrootcert: " + e.Error()
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return "its certificate is for another name: " + e.Error()
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return "its certificate is not valid: " + e.Error()
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its certificate is not trusted: " + e.Error()
	}
	if strings.Contains(err.Error(), "server refused TLS connection") {
		return "the server does not speak TLS: switch it on there, or set sslmode=disable where the network between is trusted"
	}
	return ""
}

// network is the reason of an error of the network, without what the driver
// puts around it.
func network(err error, limit time.Duration) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("the name of the host cannot be resolved: %s", dns.Err)
	}
	if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", limit)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	if connect, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return connect.Unwrap()
	}
	return err
}
