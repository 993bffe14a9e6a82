package ashlar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/health"
	"github.com/ashlar-go/ashlar/idem"
	"github.com/ashlar-go/ashlar/job"
	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/logs"
	"github.com/ashlar-go/ashlar/metric"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/outbound"
	"github.com/ashlar-go/ashlar/redis"
	"github.com/ashlar-go/ashlar/room"
	"github.com/ashlar-go/ashlar/trace"
	"github.com/ashlar-go/ashlar/webhook"
	"github.com/ashlar-go/ashlar/work"
)

// App is an application: what was opened for it and what is mounted on it.
// Set it up on one goroutine, then call Run; afterwards nothing may be mounted
// or granted. What it holds is safe for concurrent use.
type App struct {
	// DB is the app's database.
	DB *db.DB
	// Events is the log of what happened: operations publish to it in their
	// transactions, streams and consumers read it.
	Events *event.Log
	// Accounts are the people who can sign in.
	Accounts *auth.Accounts
	// Policy says what each role may do.
	Policy *access.Policy
	// Breached reports whether a new password is known to be in a published
	// collection; who chooses it is asked for another. An error lets it pass,
	// and is logged. Nil asks nobody. Set it before Run.
	Breached func(ctx context.Context, password string) (bool, error)
	// Within plays hosts that the app calls, as tests do: see [outbound.Config].
	// Nil leaves all of them to the network. Set it before Outbound and Webhooks.
	Within func(address string) outbound.Connect
	// Redis is what instances share besides the database; nil without REDIS_URL.
	// Nothing may depend on it: see its package.
	Redis *redis.Client
	// Cache keeps what is read often: see [cache.Of] for values, and [op.Keep]
	// for the answers of operations.
	Cache *cache.Cache
	// Rooms knows who is in which room, over all instances that have a bus.
	Rooms *room.Hub
	// Log writes the app's log.
	Log *slog.Logger
	// Work is where what computes for a while takes its turn: operations with
	// [op.CPU], the hashing of passwords, and what the app runs by [work.Do].
	Work *work.Pool

	// CommonPasswords has the passwords taken that are guessed first, such as
	// password1: for an API whose contract asks for a length and no more. It is
	// a loose setting. Set it before Run.
	CommonPasswords bool

	cfg            Config
	lines          *logs.Buffer // what Log writes to, as it was opened
	level          *logs.Level  // of Log, as it was opened
	logFile        io.Closer    // nil where Log goes to standard output
	copies         []logCopy
	scheme         auth.Scheme // before the token of a request
	form           *fault.Form // of failures; nil for problem documents
	signing        *auth.Keys
	tokens         *auth.Tokens
	revocations    *auth.Revocations
	crossOrigin    *http.CrossOriginProtection
	following      sync.Mutex  // of followed
	followed       int64       // the last revocation that was read
	gate           *limit.Gate // nil where no load is shed
	apiKeys        *auth.APIKeys
	factors        *auth.Factors
	limits         *limits
	fallback       *limit.Fallback  // of limits; nil without Redis
	redisChanges   chan redisChange // for the log
	replicaChanges chan replicaChange
	bus            bus           // nil where instances only look
	notices        *postgres.Bus // nil where it is another
	announcements  chan struct{} // other instances are to look for revocations
	pokes          chan struct{} // and so is this one
	streams        streams
	graphql        *graphql.Limits // nil where there is none
	keys           idempotency
	caching        *caching
	fingerprintKey []byte
	identityKey    []byte
	health         *health.Checks
	metrics        *metric.Registry
	meters         *meters
	tracer         *trace.Tracer // nil where nothing is traced
	jobs           func() (*job.Runner, error)
	hooks          *webhook.Hooks // nil where none are sent
	modules        []Module
	operations     []op.Operation
	relations      []op.Relation
	consumers      []string // those that the metrics show
	raw            []rawHandler
	mistakes       []error
	docs           op.Docs
}

type rawHandler struct {
	pattern string
	handler http.Handler
}

// Open opens what cfg describes: the database, the signing keys, the log. It
// serves nothing yet. A setting that cannot be used is an error that names
// the variable. Close the app when it is done.
func Open(ctx context.Context, cfg Config) (*App, error) {
	if len(commandOf(ctx).unknown) > 0 {
		return nil, errUnknown
	}
	a := newApp(cfg)
	if err := a.openLog(ctx); err != nil {
		return nil, err
	}
	if onlyDeclared(ctx) {
		cfg.DatabaseURL = config.NewSecret("sqlite::memory:")
	}
	var err error
	if a.meters, err = newMeters(a.metrics); err != nil {
		a.closeLog()
		return nil, err
	}
	if err = a.openRedis(ctx); err != nil {
		a.closeLog()
		return nil, err
	}
	if a.limits, err = openLimits(cfg, a.limitStore(), a.meters.limited); err != nil {
		a.closeRedis()
		a.closeLog()
		return nil, err
	}
	if a.DB, err = openDatabase(ctx, cfg, a.Log, a.replicaChanged); err != nil {
		a.closeRedis()
		a.closeLog()
		return nil, err
	}
	if err := a.openBus(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	if err := a.openEvents(); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	if err := a.openRooms(); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	if err := a.openAccounts(onlyDeclared(ctx)); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	a.keys = idempotency{keys: idem.New(nil), db: a.DB, replays: a.meters.replays}
	a.health.Add("database", a.DB.Ping)
	a.watchReplicas()
	a.openGate()
	if err := a.openCache(); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	if err := a.openMetrics(); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// newApp returns an app without its database and keys.
func newApp(cfg Config) *App {
	a := &App{
		cfg:     cfg,
		Work:    work.New(work.Config{}),
		Policy:  &access.Policy{},
		docs:    op.Docs{},
		health:  &health.Checks{},
		metrics: metric.New(),
		scheme:  auth.BearerScheme,

		revocations:    auth.NewRevocations(nil),
		replicaChanges: make(chan replicaChange, unreadChanges),
	}
	a.jobs = sync.OnceValues(a.openJobs)
	return a
}

// Grant gives a role permissions.
func (a *App) Grant(role string, permissions ...access.Permission) {
	a.note(a.Policy.Grant(role, permissions...))
}

// GrantAll gives a role every permission, those of later modules included.
func (a *App) GrantAll(role string) { a.Policy.GrantAll(role) }

// Operations returns what is mounted, in the order of mounting.
func (a *App) Operations() []op.Operation { return slices.Clone(a.operations) }

// Mount adds a module. What is wrong with it is reported by Run, together
// with all other mistakes.
func (a *App) Mount(m Module) {
	for _, other := range a.modules {
		if other.Name == m.Name {
			a.note(fmt.Errorf("module %q is mounted twice", m.Name))
		}
	}
	if m.Name == "" {
		a.note(errors.New("a module has no name"))
	}
	maps.Copy(a.docs, m.Docs)
	op.Explain(m.Operations, a.docs) // of all modules: they use each other's types
	related := op.Relations(m.Relations)
	op.Explain(related, a.docs)
	for _, o := range slices.Concat(m.Operations, related) {
		if s := o.Spec(); s != nil {
			_, err := a.Policy.Register(s.Permissions...)
			a.note(err)
		}
	}
	a.modules = append(a.modules, m)
	a.operations = append(a.operations, m.Operations...)
	a.relations = append(a.relations, m.Relations...)
}

// Relations returns the relations of what is mounted, in the order of mounting.
func (a *App) Relations() []op.Relation { return slices.Clone(a.relations) }

// Handle adds a plain handler beside the operations, for what is no
// operation: a page, a proxy. The pattern is one of [http.ServeMux]. The
// handler finds principal and trace in its request's context; who may call it
// is its own affair.
func (a *App) Handle(pattern string, h http.Handler) {
	a.raw = append(a.raw, rawHandler{pattern, h})
}

// Faults has failures answered in a body of the API's own, by all operations and
// wherever none was found; problem documents otherwise. Callers that name
// application/problem+json in Accept get those all the same, the generated
// clients among them. GraphQL, the messages of sockets and what cannot be read as
// a request at all keep their form.
func (a *App) Faults(form *fault.Form) {
	if a.form != nil {
		a.note(errors.New("Faults is called twice; an API has one form of failures"))
	}
	a.form = form
}

// TokenScheme is the word before the token in an Authorization header, for a
// contract that has another than Bearer. Bearer is understood too.
func (a *App) TokenScheme(scheme auth.Scheme) {
	if !scheme.Valid() {
		a.note(fmt.Errorf("TokenScheme(%q) is no word for tokens: letters, digits and hyphens, and not the name of another scheme", scheme))
		return
	}
	a.scheme = scheme
}

func (a *App) note(err error) {
	if err != nil {
		a.mistakes = append(a.mistakes, err)
	}
}

// Run does what the command line says; without one it serves until ctx ends,
// drains and returns nil. When it returns or panics, all of the log is written.
func (a *App) Run(ctx context.Context) error {
	defer a.endLog()
	c := commandOf(ctx)
	return c.run(ctx, a, c.console)
}

// Close closes the database and Redis and writes out what is left of traces and
// log. Call it after Run returned.
func (a *App) Close() error {
	defer a.closeLog()
	a.endTraces()
	if a.Events != nil {
		a.Events.Close()
	}
	a.closeRedis()
	return errors.Join(a.closeBus(), a.DB.Close())
}
