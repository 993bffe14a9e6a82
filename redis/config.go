package redis

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// Config says which Redis to use and how. Only the URL must be said.
type Config struct {
	// URL names the server and who asks:
	//
	//	redis://127.0.0.1:6379               port 6379 and database 0 if not said
	//	rediss://user:password@host:6380/2   with TLS, which is verified
	//	unix:///run/redis.sock?db=1
	//	redis://a:6379?addr=b:6379&addr=c:6379          nodes of a cluster
	//	redis://a:26379?addr=b:26379&master_set=main    sentinels
	//
	// The parameters prefix and timeout set what is said of Prefix and Timeout
	// below. A cluster is recognised, however many of its nodes are named.
	URL string
	// Prefix stands in front of every key and channel, so that applications
	// can share a server. Empty means "ashlar:".
	Prefix string
	// Plaintext lets password and data travel unencrypted to other machines:
	// the loose choice. Without it such a URL is refused; loopback and a Unix
	// socket need neither it nor TLS.
	Plaintext bool
	// Roots are the certificates that a server of a rediss URL must be signed
	// by. Nil means those of the system.
	Roots *x509.CertPool
	// Timeout bounds each command, beside its context. Zero means 100ms. What
	// takes longer is given up and done without Redis, so it is also how long
	// the first callers wait when Redis falls silent.
	Timeout time.Duration
	// DialTimeout bounds the way to the first answer of a new connection, and
	// so Open. Zero means 1s, or Timeout where that is longer.
	DialTimeout time.Duration
	// Changed, if set, is told each time that Redis goes away, with the reason,
	// and with nil when it is back. It must not block.
	Changed func(reason error)
}

// settings are what a Config says, checked.
type settings struct {
	rueidis.ClientOption

	secure  *tls.Config // nil without TLS
	network string
	timeout time.Duration
	prefix  string
	channel string // in front of channels: databases do not keep them apart
	cluster bool
	texts   [scripts]string
}

const defaultPort = "6379"

// Buffers and ring of one connection. The library's own take a megabyte for
// each, made for bulk; commands here are a few hundred bytes.
const (
	bufferSize = 16 << 10
	ringScale  = 8
	inFlight   = 1 << ringScale // commands that wait for their answers
)

// Validate says what is wrong with the URL, if anything: "must begin with …".
// It never shows any of it.
func (c Config) Validate() error {
	_, err := c.parse()
	return err
}

// parse reads the URL. Its errors never show any of it but names of
// parameters, because what is mistyped may be a password.
func (c Config) parse() (*settings, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, errors.New("is no URL: it should look like redis://user:password@host:6379/0, where characters such as / # ? % @ of user and password are written %2F and so on")
	}
	s := &settings{network: "tcp", texts: texts}
	switch u.Scheme {
	case "redis", "valkey":
	case "rediss", "valkeys":
		s.secure = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots, ServerName: u.Hostname()}
	case "unix":
		s.network = "unix"
	default:
		return nil, errors.New("must begin with redis://, rediss:// or unix://")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" {
		return nil, errors.New("has parameters that cannot be read: characters such as # & % in a value are written %23 and so on")
	}
	database := strings.TrimPrefix(u.Path, "/")
	if s.network == "unix" {
		if u.Host != "" || database == "" {
			return nil, errors.New("names no socket: it should look like unix:///run/redis.sock")
		}
		s.InitAddress, database = []string{u.Path}, query.Get("db")
	} else if s.InitAddress, err = addresses(u.Host, query["addr"]); err != nil {
		return nil, err
	}
	if s.SelectDB, err = number(database); err != nil {
		return nil, err
	}
	for name := range query {
		switch {
		case name == "prefix", name == "timeout", name == "db" && s.network == "unix", (name == "addr" || name == "master_set") && s.network == "tcp":
		default:
			return nil, fmt.Errorf("has the parameter %q, which is not known: prefix, timeout, addr and master_set are, and db of a unix URL", name)
		}
	}
	if !c.Plaintext && s.secure == nil && s.network == "tcp" && !s.local() {
		return nil, errors.New("would send password and data unencrypted to another machine: use rediss://, or allow plain text explicitly")
	}
	s.Username = u.User.Username()
	s.Password, _ = u.User.Password()
	s.Sentinel.MasterSet = query.Get("master_set")
	s.cluster = len(s.InitAddress) > 1 && s.Sentinel.MasterSet == ""
	if s.cluster && s.SelectDB != 0 {
		return nil, errors.New("names a database, and a cluster has none but 0")
	}
	if s.timeout = cmp.Or(c.Timeout, 100*time.Millisecond); c.Timeout == 0 && query.Has("timeout") {
		if s.timeout, err = time.ParseDuration(query.Get("timeout")); err != nil || s.timeout <= 0 {
			return nil, errors.New("has a timeout that is no duration such as 250ms")
		}
	}
	s.prefix = cmp.Or(c.Prefix, query.Get("prefix"), "ashlar:")
	s.channel = s.prefix + strconv.Itoa(s.SelectDB) + ":"
	s.tune(cmp.Or(c.DialTimeout, max(time.Second, s.timeout)))
	return s, nil
}

// tune sets what is the same for every URL.
func (s *settings) tune(patience time.Duration) {
	s.Dialer.Timeout = patience
	s.Dialer.KeepAlive = pingEvery
	s.ConnWriteTimeout = max(2*patience, time.Second) // of what has no deadline, such as the library's own pings
	s.ReadBufferEachConn, s.WriteBufferEachConn, s.RingScaleEachConn = bufferSize, bufferSize, ringScale
	s.PipelineMultiplex = -1  // one connection for all commands
	s.AlwaysPipelining = true // else one command given up would cost the connection
	s.DisableRetry = true     // who falls back does not wait for a second try
	s.DisableCache = true     // not every server has CLIENT TRACKING
	s.BlockingPoolSize = 2    // subscriptions, and their connection's successor
	s.ClientName = "ashlar"
	s.Sentinel.Dialer = s.Dialer
	s.Sentinel.TLSConfig = s.secure
	s.Sentinel.TopologyRefreshInterval = 5 * time.Second
	s.ClusterOption.ShardsRefreshInterval = 30 * time.Second
	s.ClusterOption.MaxMovedRedirections = 3
}

// dial makes one connection, encrypted if the URL says so.
func (s *settings) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := s.Dialer.DialContext(ctx, s.network, address)
	if err != nil || s.secure == nil {
		return conn, err
	}
	over := tls.Client(conn, s.secure)
	ctx, cancel := context.WithTimeout(ctx, s.Dialer.Timeout)
	defer cancel()
	if err := over.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("TLS: %w", err), conn.Close())
	}
	return over, nil
}

// addresses returns host:port of all nodes.
func addresses(host string, more []string) ([]string, error) {
	list := make([]string, 0, 1+len(more))
	for _, hostport := range append([]string{host}, more...) {
		u := url.URL{Host: hostport}
		name, port := u.Hostname(), cmp.Or(u.Port(), defaultPort)
		if _, err := strconv.ParseUint(port, 10, 16); name == "" || err != nil || strings.ContainsAny(name, "/@ ") {
			return nil, errors.New("names a node that is not HOST or HOST:PORT")
		}
		list = append(list, net.JoinHostPort(name, port))
	}
	return list, nil
}

func number(database string) (int, error) {
	if database == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(database, 10, 16)
	if err != nil {
		return 0, errors.New("must end with the number of a database, as in redis://host:6379/0")
	}
	return int(n), nil
}

// local reports whether all nodes are this machine.
func (s *settings) local() bool {
	for _, address := range s.InitAddress {
		host, _, _ := net.SplitHostPort(address)
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}
