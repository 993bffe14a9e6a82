package ashlar

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/logs/rotate"
	"github.com/ashlar-go/ashlar/serve"
)

// Config is what every app reads from its environment. Embed it in the app's
// own struct and load both with [config.Load]. It has no zero value worth
// using: defaults come from Load.
type Config struct {
	Env Env `env:"ASHLAR_ENV" default:"development" doc:"development or production"`
	// Addr and Port say where operations are served; see [Config.PublicAddr].
	Addr         string         `env:"ASHLAR_ADDR" doc:"where operations are served; 127.0.0.1:8080 if neither it nor PORT is set"`
	Port         uint16         `env:"PORT" doc:"port to serve operations on, on all interfaces, as managed platforms set it"`
	AdminAddr    string         `env:"ASHLAR_ADMIN_ADDR" default:"127.0.0.1:9090" doc:"where health and metrics are served; keep it private"`
	DataDir      string         `env:"ASHLAR_DATA_DIR" default:"./.data" doc:"where the embedded database and generated keys are kept"`
	DatabaseURL  config.Secret  `env:"DATABASE_URL" doc:"sqlite:PATH or postgres://user:password@host/database; sqlite:app.db in the data directory if not set"`
	ReplicaURL   config.Secret  `env:"DATABASE_REPLICA_URL" doc:"postgres:// URLs of standbys that answer what may be a little old, separated by commas; none if not set"`
	Connections  int            `env:"ASHLAR_DATABASE_CONNECTIONS" default:"16" doc:"how many connections to PostgreSQL this process may have"`
	DatabaseWait time.Duration  `env:"ASHLAR_DATABASE_WAIT" default:"30s" doc:"how long the start waits for a PostgreSQL that does not answer yet"`
	Pooler       Switch         `env:"ASHLAR_DATABASE_POOLER" default:"off" doc:"on if a pooler stands before PostgreSQL that gives each transaction another connection"`
	Plaintext    Switch         `env:"ASHLAR_DATABASE_PLAINTEXT" default:"off" doc:"on lets production speak to a PostgreSQL on another machine without verified TLS; a loose setting"`
	RedisURL     config.Secret  `env:"REDIS_URL" doc:"redis://, rediss:// or unix://; what all instances share, so that they count limits together and wake each other; none if not set"`
	RedisPlain   Switch         `env:"ASHLAR_REDIS_PLAINTEXT" default:"off" doc:"on lets production speak to a Redis on another machine without TLS; a loose setting"`
	Migrate      MigrateMode    `env:"ASHLAR_MIGRATE" default:"auto" doc:"auto applies pending migrations at start, manual refuses to start while there are any"`
	SigningKeys  config.Secret  `env:"ASHLAR_SIGNING_KEYS" doc:"keys that sign access tokens, the first signs and all verify; required in production"`
	Issuer       string         `env:"ASHLAR_ISSUER" default:"ashlar" doc:"issuer and audience of access tokens"`
	TokenTTL     time.Duration  `env:"ASHLAR_TOKEN_TTL" default:"15m" doc:"life of an access token, at most 1h"`
	SessionIdle  time.Duration  `env:"ASHLAR_SESSION_IDLE" default:"336h" doc:"how long a session may go unused before its owner must sign in again"`
	SessionLife  time.Duration  `env:"ASHLAR_SESSION_LIFE" default:"2160h" doc:"how long a session may last however much it is used"`
	SignInCookie Switch         `env:"ASHLAR_COOKIES" default:"off" doc:"on lets browsers sign in by session cookie at /v1/auth/session"`
	AuditKeep    time.Duration  `env:"ASHLAR_AUDIT_KEEP" default:"9600h" doc:"how long security events are kept, at least 24h"`
	EventsKeep   time.Duration  `env:"ASHLAR_EVENTS_KEEP" default:"720h" doc:"how long events are kept, at least 1h; negative keeps them forever"`
	Hosts        []string       `env:"ASHLAR_HOSTS" doc:"host names that are answered; all if empty"`
	Proxies      []netip.Prefix `env:"ASHLAR_TRUSTED_PROXIES" doc:"networks whose X-Forwarded-For is believed; none if empty"`
	Origins      []string       `env:"ASHLAR_CORS_ORIGINS" doc:"origins whose pages may call the operations, as https://app.example.com; none if empty"`
	Cookies      bool           `env:"ASHLAR_CORS_CREDENTIALS" default:"false" doc:"let the pages of ASHLAR_CORS_ORIGINS send cookies; tokens in headers do not need it"`
	PerPrincipal limit.Rate     `env:"ASHLAR_LIMIT_PRINCIPAL" default:"5000/1s" doc:"how often a signed-in principal may call; off is loose"`
	PerAddress   limit.Rate     `env:"ASHLAR_LIMIT_ADDRESS" default:"200/2s" doc:"how often others may call from an address, an IPv6 /64 counting as one; off is loose, and stops counting bad credentials too"`
	PerSignIn    limit.Rate     `env:"ASHLAR_LIMIT_SIGN_IN" default:"60/1m" doc:"how often anybody may sign in from an address; off is loose"`
	Streams      int            `env:"ASHLAR_STREAMS" default:"20000" doc:"how many streams may be open at once"`
	StreamsEach  int            `env:"ASHLAR_STREAMS_PRINCIPAL" default:"100" doc:"how many of them one principal may have, or one address where nobody is signed in"`
	TLSCert      string         `env:"ASHLAR_TLS_CERT" doc:"file with the certificate chain to serve HTTPS with, in PEM; followed when it changes"`
	TLSKey       string         `env:"ASHLAR_TLS_KEY" doc:"file with the private key of ASHLAR_TLS_CERT, in PEM"`
	ACMEHosts    []string       `env:"ASHLAR_ACME_HOSTS" doc:"host names to get certificates for by ACME and serve HTTPS with; off if empty"`
	ACMEEmail    string         `env:"ASHLAR_ACME_EMAIL" doc:"where the certificate authority writes to when something is wrong"`
	ACMEURL      string         `env:"ASHLAR_ACME_DIRECTORY_URL" doc:"directory of the certificate authority; Let's Encrypt if not set"`
	LogLevel     slog.Level     `env:"ASHLAR_LOG_LEVEL" default:"info" doc:"debug, info, warn or error"`
	LogFormat    LogFormat      `env:"ASHLAR_LOG_FORMAT" default:"auto" doc:"json, text, or auto: text for a developer's terminal and json elsewhere"`
	LogFile      string         `env:"ASHLAR_LOG_FILE" doc:"file to write the log to; standard output if not set"`
	LogFileSize  int            `env:"ASHLAR_LOG_FILE_SIZE" default:"100" doc:"size in MiB at which ASHLAR_LOG_FILE is put aside, at least 8"`
	LogFileAge   time.Duration  `env:"ASHLAR_LOG_FILE_AGE" default:"168h" doc:"age at which files put aside are deleted, in whole days; negative keeps them"`
	LogFileCount int            `env:"ASHLAR_LOG_FILE_COUNT" default:"10" doc:"how many files put aside are kept; negative keeps all"`
	LogFileGzip  bool           `env:"ASHLAR_LOG_FILE_GZIP" default:"true" doc:"compress files put aside"`
	TraceSlow    time.Duration  `env:"ASHLAR_TRACE_SLOW" default:"1s" doc:"how long a request may take before its trace is kept although it was not sampled; 0 keeps none for that"`
	TracePeers   []netip.Prefix `env:"ASHLAR_TRACE_PEERS" doc:"networks of peers, such as a gateway, whose decision to sample a trace is followed; none if empty"`
	PublicDocs   bool           `env:"ASHLAR_PUBLIC_DOCS" default:"false" doc:"serve /docs, /openapi.json and the schema of GraphQL in production too"`
	CacheSize    int            `env:"ASHLAR_CACHE_SIZE" default:"64" doc:"memory for what is cached, in MiB"`
	Shed         ShedMode       `env:"ASHLAR_SHED" default:"auto" doc:"auto refuses what is more than can be served, off lets everybody wait"`
	HookTargets  allowance      `env:"ASHLAR_WEBHOOK_PRIVATE_TARGETS" default:"refuse" doc:"allow lets webhooks be sent to private and loopback addresses, and without TLS; for development"`
	Workers      int            `env:"ASHLAR_WORKERS" doc:"how many processes serve, under a parent that restarts and reloads them; one alone if not set"`
	WorkerMemory int            `env:"ASHLAR_WORKER_MEMORY" doc:"memory in MiB above which a worker is replaced by a new one, at least 32; no bound if not set"`
	WorkerSilent time.Duration  `env:"ASHLAR_WORKER_UNRESPONSIVE" default:"30s" doc:"how long a worker may give its parent no sign of life before it is replaced, at least 3s; 0 for never"`
	WorkerReady  time.Duration  `env:"ASHLAR_WORKER_READY" default:"60s" doc:"how long a worker may take to become ready, migrations included"`
	RunDir       string         `env:"ASHLAR_RUN_DIR" doc:"where the socket of status, reload, stop and logs is; run in the data directory if not set"`
	DrainDelay   time.Duration  `env:"ASHLAR_DRAIN_DELAY" doc:"how long to go on accepting after readiness is off, 5s on Kubernetes; if not set 2s in production and none in development"`
	DrainTimeout time.Duration  `env:"ASHLAR_DRAIN_TIMEOUT" default:"20s" doc:"how long open requests may take to finish at shutdown"`
}

// Env is the kind of environment that an app runs in.
type Env string

// The environments. Development listens on loopback only, makes its own keys
// and shows demo data; nothing of that happens in production.
const (
	Development Env = "development"
	Production  Env = "production"
)

// Values lists the environments, for messages.
func (Env) Values() []string { return []string{string(Development), string(Production)} }

// MigrateMode says what happens at start while migrations are pending.
type MigrateMode string

// Values lists the modes, for messages.
func (MigrateMode) Values() []string { return []string{"auto", "manual"} }

// LogFormat is the form of log lines.
type LogFormat string

// Values lists the formats, for messages.
func (LogFormat) Values() []string { return []string{"auto", "json", "text"} }

// Switch turns an option of the framework on.
type Switch string

const switchOn Switch = "on"

// Values lists the positions, for messages.
func (Switch) Values() []string { return []string{"off", "on"} }

// Production reports whether the app runs in production.
func (c Config) Production() bool { return c.Env == Production }

// PublicAddr is where operations are served: ASHLAR_ADDR, else all interfaces
// at PORT, else 127.0.0.1:8080.
func (c Config) PublicAddr() string {
	switch {
	case c.Addr != "":
		return c.Addr
	case c.Port != 0:
		return net.JoinHostPort("", strconv.Itoa(int(c.Port)))
	}
	return "127.0.0.1:8080"
}

// Validate finds what a variable's type does not say, all of it.
func (c Config) Validate() error {
	var errs []error
	refuse := func(when bool, format string, args ...any) {
		if when {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	development := c.Env == Development
	refuse(development && !loopback(c.PublicAddr()),
		"ASHLAR_ENV: development serves demo accounts and generated keys, so it listens on loopback only, not on %s; set ASHLAR_ENV=production or ASHLAR_ADDR=127.0.0.1:8080", c.PublicAddr())
	refuse(development && !loopback(c.AdminAddr),
		"ASHLAR_ADMIN_ADDR: development listens on loopback only, not on %s", c.AdminAddr)
	refuse(c.Production() && c.SigningKeys.IsZero(),
		"ASHLAR_SIGNING_KEYS: not set, and production makes no keys of its own; set it, or ASHLAR_SIGNING_KEYS_FILE, to what the command \"keys new\" prints")
	if !c.SigningKeys.IsZero() {
		_, err := auth.ParseKeys(c.SigningKeys.Reveal())
		refuse(err != nil, "ASHLAR_SIGNING_KEYS: %w", err)
	}
	for _, origin := range c.Origins {
		err := serve.CheckOrigin(origin)
		refuse(err != nil, "ASHLAR_CORS_ORIGINS: %w", err)
	}
	refuse(c.Cookies && len(c.Origins) == 0, "ASHLAR_CORS_CREDENTIALS: is for the pages of ASHLAR_CORS_ORIGINS, and there are none")
	errs = append(errs, c.checkTLS()...)
	errs = append(errs, c.checkDatabase()...)
	if !c.RedisURL.IsZero() {
		err := c.redis().Validate()
		refuse(err != nil, "REDIS_URL: %w", err)
	}
	refuse(c.TokenTTL <= 0 || c.TokenTTL > time.Hour,
		"ASHLAR_TOKEN_TTL: must be above 0 and at most 1h: a session is renewed with its refresh token, not by a long access token")
	refuse(c.EventsKeep >= 0 && c.EventsKeep < time.Hour, "ASHLAR_EVENTS_KEEP: must be at least 1h, or who was away for a while cannot go on where they were; negative keeps events forever")
	refuse(c.AuditKeep < 24*time.Hour, "ASHLAR_AUDIT_KEEP: must be at least 24h, or an attack is forgotten before anybody looks")
	refuse(c.Streams < 0 || c.StreamsEach < 0, "ASHLAR_STREAMS and ASHLAR_STREAMS_PRINCIPAL: must be above 0")
	refuse(c.SessionIdle < c.TokenTTL,
		"ASHLAR_SESSION_IDLE: must be at least ASHLAR_TOKEN_TTL, or a session ends before its first refresh")
	refuse(c.CacheSize < 1, "ASHLAR_CACHE_SIZE: must be at least 1, in MiB")
	refuse(c.Workers < 0, "ASHLAR_WORKERS: must not be below 0")
	refuse(wrongSilence(c.WorkerSilent), errSilence)
	refuse(c.LogFileSize < rotate.MinSize, "ASHLAR_LOG_FILE_SIZE: must be at least %d, in MiB", rotate.MinSize)
	refuse(c.LogFileAge == 0 || c.LogFileCount == 0,
		"ASHLAR_LOG_FILE_AGE and ASHLAR_LOG_FILE_COUNT: must not be 0; say -1h or -1 to keep every file")
	refuse(c.SessionLife < c.SessionIdle, "ASHLAR_SESSION_LIFE: must be at least ASHLAR_SESSION_IDLE")
	return errors.Join(errs...)
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return true // listening will say what is wrong with it
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
