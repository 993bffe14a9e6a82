package webhook

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// Client is what messages are sent with. An [*outbound.Client] without a name
// is one, and keeps them from the inside of one's own network.
type Client interface {
	// Do sends a request once and follows no redirect. The answer's body is
	// bounded in time; this package bounds its size. Of errors, those with the
	// codes upstream_timeout and upstream_refused (it may not be called) are told
	// from the others.
	Do(req *http.Request) (*http.Response, error)
	// Check returns an error if the URL may not be called, where its owner
	// enters it. It does not relieve Do of looking at each call.
	Check(ctx context.Context, u *url.URL) error
}

// Bus tells other processes that there is something to send. Losing it delays
// messages by Config.Poll and loses none.
type Bus interface {
	Publish(ctx context.Context, channel string, message []byte) error
	// Subscribe blocks until ctx ends. A nil message after each connection
	// means that something may have been missed.
	Subscribe(ctx context.Context, channel string, receive func(message []byte)) error
}

// Config is what [New] needs. DB, Client and Keys are required; zero is a good
// value for all others.
type Config struct {
	DB     *db.DB
	Client Client
	// Keys have 32 bytes each and encrypt the secrets of endpoints. The first
	// encrypts, all of them decrypt: put a new one in front, and rotate the
	// endpoints' secrets before the old one goes.
	Keys [][]byte
	// Bus is for several processes with one database; nil for one.
	Bus Bus
	// Log is told of endpoints that are disabled and of what goes wrong; nil
	// is not.
	Log *slog.Logger
	// Disabled is called in the transaction that disables an endpoint because
	// it is gone or fails for too long: publish an event, or a job that writes
	// to its owner. An error undoes it, and it is tried again later.
	Disabled func(ctx context.Context, tx *db.Tx, e Endpoint) error

	// AllowHTTP is a loose setting for development: endpoints without TLS.
	AllowHTTP bool
	// Types are the types of messages there are, so that a filter that fits
	// none is refused. Nil takes any.
	Types []string
	// MaxEndpoints bounds the endpoints of an account. Zero means 16.
	MaxEndpoints int
	// MaxPayload bounds a payload in bytes. Zero means 256 KiB.
	MaxPayload int
	// UserAgent is sent with each message. Empty means Ashlar-Webhook/1.
	UserAgent string

	// Schedule are the delays between the attempts at a message, each varied
	// by up to a quarter: when all of them have passed it is given up. Nil
	// means [DefaultSchedule].
	Schedule []time.Duration
	// Timeout bounds one attempt. Zero means 15s.
	Timeout time.Duration
	// Lease is how long a message of a process that was killed waits for
	// another one. It must be longer than Timeout. Zero means Timeout and 15s.
	Lease time.Duration
	// Workers is how many attempts this process makes at once. Zero means 64.
	Workers int
	// PerEndpoint is how many of them may be of one endpoint. Zero means 8. An
	// endpoint that fails has one.
	PerEndpoint int
	// Trip is how many attempts in a row must fail before an endpoint rests:
	// for 30 s, which doubles up to an hour while it goes on failing. Zero
	// means 5.
	Trip int
	// DisableAfter is how long an endpoint may fail without a single success
	// until it is disabled. Zero means five days.
	DisableAfter time.Duration
	// Retention is how long what has ended is kept, with its attempts, and how
	// long messages wait for an endpoint that is disabled. Zero means 30 days.
	Retention time.Duration
	// Poll is how often the database is asked for what is due. Zero means 1s.
	Poll time.Duration
	// Drain is how long Run waits for attempts that are under way when its ctx
	// ends, before it breaks them off. Zero means 10s.
	Drain time.Duration
	// Now is the clock; nil means [time.Now].
	Now func() time.Time
}

// DefaultSchedule is the one that Standard Webhooks suggests: ten attempts
// within some three days.
func DefaultSchedule() []time.Duration {
	return []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
		10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// Hooks sends messages to the endpoints of accounts. It is safe for concurrent
// use, by several processes with one database too.
type Hooks struct {
	cfg    Config
	vault  vault
	counts counts
	seen   seen
	news   *news
}

// New returns Hooks on a database that has [Migrations].
func New(cfg Config) (*Hooks, error) {
	if cfg.DB == nil || cfg.Client == nil {
		return nil, errors.New("webhook: DB and Client are required")
	}
	v, err := newVault(cfg.Keys)
	if err != nil {
		return nil, err
	}
	or(&cfg.MaxEndpoints, 16)
	or(&cfg.MaxPayload, 256<<10)
	or(&cfg.Timeout, 15*time.Second)
	or(&cfg.Lease, cfg.Timeout+15*time.Second)
	or(&cfg.Workers, 64)
	or(&cfg.PerEndpoint, 8)
	or(&cfg.Trip, 5)
	or(&cfg.DisableAfter, 5*24*time.Hour)
	or(&cfg.Retention, 30*24*time.Hour)
	or(&cfg.Poll, time.Second)
	or(&cfg.Drain, 10*time.Second)
	if cfg.Schedule == nil {
		cfg.Schedule = DefaultSchedule()
	}
	cfg.Schedule = slices.Clone(cfg.Schedule)
	if cfg.UserAgent == "" {
		cfg.UserAgent = "Ashlar-Webhook/1"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Lease <= cfg.Timeout {
		return nil, fmt.Errorf("webhook: a lease of %s must be longer than the time-out of an attempt, %s", cfg.Lease, cfg.Timeout)
	}
	cfg.Keys = nil // nothing that prints Hooks shows them
	return &Hooks{cfg: cfg, vault: v, news: newNews()}, nil
}

func or[T int | time.Duration](v *T, standard T) {
	if *v == 0 {
		*v = standard
	}
}

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the history of the tables ashlar_webhook_….
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the name is a constant and valid
	}
	return sub
}

// millis is a moment as the tables keep it.
func millis(t time.Time) int64 { return t.UnixMilli() }

// moment is the opposite; zero for 0.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
