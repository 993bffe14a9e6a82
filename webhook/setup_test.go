package webhook_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/webhook"
)

// databases are those that a test runs on.
var databases = map[string]func(t testing.TB) *db.DB{
	"sqlite":   func(t testing.TB) *db.DB { t.Helper(); return kept(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db")) },
	"postgres": func(t testing.TB) *db.DB { t.Helper(); return kept(t, backing.Postgres(t)) },
}

// openURL opens a database by its URL.
func openURL(ctx context.Context, url string) (*db.DB, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return sqlite.Open(ctx, sqlite.Config{Path: path})
	}
	return postgres.Open(ctx, postgres.Config{URL: url, MaxConns: 8})
}

// kept opens a database that another process of the test may open too.
func kept(t testing.TB, url string) *db.DB {
	t.Helper()
	open := func() *db.DB {
		d, err := openURL(context.Background(), url)
		return opened(t, d, err)
	}
	d := open()
	places.Store(d, open)
	return d
}

// places say where a database is, so that another process can open it.
var places sync.Map

// reopened is the same database, as another process has it.
func reopened(t testing.TB, d *db.DB) *db.DB {
	t.Helper()
	open, _ := places.Load(d)
	return open.(func() *db.DB)()
}

// memory is a database without a file.
func memory(t testing.TB) *db.DB {
	t.Helper()
	d, err := sqlite.Open(context.Background(), sqlite.Config{Path: ":memory:"})
	return opened(t, d, err)
}

func opened(t testing.TB, d *db.DB, err error) *db.DB {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if _, err := db.Up(context.Background(), d, db.Migrations{Name: "ashlar_webhook", FS: webhook.Migrations()}); err != nil {
		t.Fatal(err)
	}
	return d
}

// each runs a test on each database.
func each(t *testing.T, test func(t *testing.T, d *db.DB)) {
	t.Helper()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// A clock that stands until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// receiver is a [webhook.Client] without a network: it keeps what it was sent
// and answers by answer.
type receiver struct {
	mu     sync.Mutex
	got    []received
	answer func(n int, got received) (status int, err error)
	header http.Header
	body   string
	refuse func(u *url.URL) error
}

type received struct {
	url, id, payload string
	header           http.Header
}

func (r *receiver) Do(req *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	one := received{req.URL.String(), req.Header.Get(webhook.HeaderID), string(text), req.Header.Clone()}
	r.got = append(r.got, one)
	n, answer, header, body := len(r.got), r.answer, r.header, r.body
	r.mu.Unlock()
	status := 200
	if answer != nil {
		if status, err = answer(n, one); err != nil {
			return nil, err
		}
	}
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func (r *receiver) Check(_ context.Context, u *url.URL) error {
	if r.refuse != nil {
		return r.refuse(u)
	}
	return nil
}

// always answers with one status.
func (r *receiver) always(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = func(int, received) (int, error) { return status, nil }
}

// ids are those of the messages that arrived, in order.
func (r *receiver) ids() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, one := range r.got {
		list = append(list, one.id)
	}
	return list
}

func (r *receiver) last() received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got[len(r.got)-1]
}

// bench is a sender with a clock and a receiver of its own.
type bench struct {
	*webhook.Hooks

	t        testing.TB
	ctx      context.Context
	db       *db.DB
	clock    *clock
	receiver *receiver
	cfg      webhook.Config
}

var testKey = []byte("0123456789abcdef0123456789abcdef")

func setup(t testing.TB, d *db.DB, change ...func(*webhook.Config)) *bench {
	t.Helper()
	b := &bench{t: t, ctx: t.Context(), db: d, clock: newClock(), receiver: &receiver{}}
	b.cfg = webhook.Config{DB: d, Client: b.receiver, Keys: [][]byte{testKey}, Now: b.clock.now}
	for _, c := range change {
		c(&b.cfg)
	}
	b.Hooks = b.another()
	return b
}

// another is another process with the same database.
func (b *bench) another() *webhook.Hooks {
	b.t.Helper()
	h, err := webhook.New(b.cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	return h
}

// endpoint makes one of shop-1 that takes everything.
func (b *bench) endpoint(types ...string) (webhook.Endpoint, webhook.Secret) {
	b.t.Helper()
	if types == nil {
		types = []string{"*"}
	}
	e, s, err := b.Create(b.ctx, "shop-1", webhook.NewEndpoint{URL: "https://shop.example/hooks", Types: types})
	if err != nil {
		b.t.Fatal(err)
	}
	return e, s
}

func message(id, key string) webhook.Message {
	return webhook.Message{ID: id, Type: "payment.captured", Key: key, Account: "shop-1", Payload: []byte(`{"id":"` + id + `"}`)}
}

// enqueue commits messages, one in each transaction.
func (b *bench) enqueue(list ...webhook.Message) {
	b.t.Helper()
	for _, m := range list {
		if _, err := db.InTx(b.ctx, b.db, func(tx *db.Tx) (int, error) { return 0, b.Enqueue(b.ctx, tx, m) }); err != nil {
			b.t.Fatal(err)
		}
	}
}

// step makes one attempt at what is due at an endpoint; false if nothing is.
func (b *bench) step(endpoint string) bool {
	b.t.Helper()
	c, err := b.Take(b.ctx, endpoint)
	if err != nil {
		b.t.Fatal(err)
	}
	if c == nil {
		return false
	}
	b.Send(b.ctx, b.ctx, c)
	return true
}

// flush makes every attempt that is due now.
func (b *bench) flush() {
	b.t.Helper()
	for {
		list, err := b.Due(b.ctx, "", 1000)
		if err != nil {
			b.t.Fatal(err)
		}
		worked := false
		for _, endpoint := range list {
			for b.step(endpoint) {
				worked = true
			}
		}
		if !worked {
			return
		}
	}
}

// delivery is the newest one of an endpoint.
func (b *bench) delivery(endpoint string) webhook.Delivery {
	b.t.Helper()
	list, err := b.Deliveries(b.ctx, "shop-1", endpoint, "", 1)
	if err != nil || len(list) != 1 {
		b.t.Fatalf("%v, %v", list, err)
	}
	return list[0]
}

func (b *bench) get(endpoint string) webhook.Endpoint {
	b.t.Helper()
	e, err := b.Get(b.ctx, "shop-1", endpoint)
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

// count counts rows.
func (b *bench) count(what string, args ...any) int {
	b.t.Helper()
	n, err := db.One[int](b.ctx, b.db, `SELECT COUNT(*) FROM ashlar_webhook_`+what, args...)
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func (b *bench) sent(want ...string) {
	b.t.Helper()
	if got := b.receiver.ids(); !slices.Equal(got, want) {
		b.t.Errorf("sent %q, want %q", got, want)
	}
}

var errNoLine = errors.New("no line")

// logTo writes to a text that is looked at later.
func logTo(to *strings.Builder, mu *sync.Mutex) *slog.Logger {
	return slog.New(slog.NewTextHandler(guarded{to, mu}, nil))
}

type guarded struct {
	to io.Writer
	mu *sync.Mutex
}

func (g guarded) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.to.Write(p)
}
