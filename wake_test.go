package ashlar_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/job"
	"github.com/ashlar-go/ashlar/webhook"
)

// instance is an app of several that share a database and serve.
type instance struct {
	*ashlartest.App

	clerk *ashlartest.Client
	hooks *webhook.Hooks
	jobs  chan chan struct{} // the end of each job that runs here
	sent  slowPost
}

// slowPost is a client of webhooks that sends them nowhere, and ends when it is
// told to.
type slowPost chan chan struct{}

func (slowPost) Check(context.Context, *url.URL) error { return nil }

func (p slowPost) Do(r *http.Request) (*http.Response, error) {
	if err := begin(r.Context(), p); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusNoContent, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// begin says that something has begun, and waits until it may end.
func begin(ctx context.Context, begun chan<- chan struct{}) error {
	end := make(chan struct{})
	select {
	case begun <- end:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-end:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// instancesOf are two instances, each of which does one thing at a time.
func instancesOf(t *testing.T, env ...string) [2]*instance {
	t.Helper()
	env = append([]string{
		"ASHLAR_ADDR", "127.0.0.1:0", "ASHLAR_ADMIN_ADDR", "127.0.0.1:0", "ASHLAR_SIGNING_KEYS", auth.GenerateKey().Secret().Reveal(),
	}, env...)
	var both [2]*instance
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, len(both))
	for n := range both {
		i := &instance{App: ashlartest.Open(t, env...), jobs: make(chan chan struct{}), sent: make(slowPost)}
		i.hooks = i.Webhooks(webhook.Config{Client: i.sent, Workers: 1})
		i.Grant("clerk", "greetings:read")
		i.Mount(ashlar.SignIn(i.App.App))
		i.Mount(greetings())
		i.Mount((&pages{db: i.DB}).module())
		i.Mount(ashlar.Module{Name: "later", Jobs: []job.Handler{job.On(greetLater, func(ctx context.Context, _ name) error {
			return begin(ctx, i.jobs)
		}, job.Concurrency(1))}})
		i.Migrate()
		i.clerk = i.As("ann", readPages, writePages)
		go func() { served <- i.Run(ctx) }()
		eventually(t, "it serves", func() bool { return strings.Contains(i.Log(), `"msg":"serving"`) })
		both[n] = i
	}
	t.Cleanup(func() {
		stop()
		for range both {
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
	})
	return both
}

// taken is where something begins, and its end.
func taken(t *testing.T, at func(i int) <-chan chan struct{}) (where int, end chan struct{}) {
	t.Helper()
	select {
	case end = <-at(0):
	case end = <-at(1):
		where = 1
	case <-time.After(lost):
		t.Fatal("it is lost")
	}
	return where, end
}

func inTx(t *testing.T, d *db.DB, fn func(ctx context.Context, tx *db.Tx) error) {
	t.Helper()
	if _, err := db.InTx(t.Context(), d, func(tx *db.Tx) (struct{}, error) { return struct{}{}, fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

// spill measures how long what does not fit into one instance takes to begin in
// the other.
func spill(t *testing.T, at func(i int) <-chan chan struct{}, add func(i int)) time.Duration {
	t.Helper()
	add(0)
	busy, first := taken(t, at)
	began := time.Now()
	add(busy)
	other, second := taken(t, at)
	took := time.Since(began)
	if other == busy {
		t.Error("an instance does two things at once")
	}
	close(first)
	close(second)
	return took
}

// news are what one instance does and the other one is to learn of. Each
// returns what measures how long that takes.
var news = map[string]func(t *testing.T, both [2]*instance) func(n int) time.Duration{
	"an event": hears(false),
	"an event that its publisher reads at once": hears(true),
	"a sign-out": func(t *testing.T, both [2]*instance) func(int) time.Duration {
		account, err := both[0].Accounts.Create(t.Context(), auth.NewAccount{Email: "ann@b.test", Password: "square-and-true", Role: "clerk"})
		if err != nil {
			t.Fatal(err)
		}
		return func(int) time.Duration {
			g, err := both[0].Accounts.OpenSession(t.Context(), account)
			if err != nil {
				t.Fatal(err)
			}
			status := func() int {
				return ashlartest.Call[greeting](both[1].Bearer(g.AccessToken), "greetings.private", name{"ann"}).Status()
			}
			if got := status(); got != http.StatusOK {
				t.Fatalf("before the sign-out %d", got)
			}
			nothing(both[0].Bearer(g.AccessToken), "auth.logout", auth.LogoutInput{RefreshToken: g.RefreshToken}).OK()
			return until(t, func() bool { return status() == http.StatusUnauthorized })
		}
	},
	"an invalidation": func(t *testing.T, both [2]*instance) func(int) time.Duration {
		for _, i := range both {
			eventually(t, "the journal is followed", func() bool { return i.Cache.Stats().Resets > 0 })
		}
		return func(n int) time.Duration {
			text := strconv.Itoa(n)
			readPage(both[1].clerk, "pages.get", pageID{"a"}).OK()
			readPage(both[0].clerk, "pages.put", page{"a", text}).OK()
			return until(t, func() bool { return readPage(both[1].clerk, "pages.get", pageID{"a"}).OK().Text == text })
		}
	},
	"a job that does not fit in": func(t *testing.T, both [2]*instance) func(int) time.Duration {
		return func(int) time.Duration {
			return spill(t, func(i int) <-chan chan struct{} { return both[i].jobs }, func(i int) {
				inTx(t, both[i].DB, func(ctx context.Context, tx *db.Tx) error { return greetLater.Add(ctx, tx, name{"ann"}) })
			})
		}
	},
	"a webhook that does not fit in": func(t *testing.T, both [2]*instance) func(int) time.Duration {
		if _, _, err := both[0].hooks.Create(t.Context(), "shop-1", webhook.NewEndpoint{URL: "https://shop.test/", Types: []string{"*"}}); err != nil {
			t.Fatal(err)
		}
		sent := 0
		return func(int) time.Duration {
			return spill(t, func(i int) <-chan chan struct{} { return both[i].sent }, func(i int) {
				sent++
				m := webhook.Message{ID: "m" + strconv.Itoa(sent), Type: "greeting.made", Account: "shop-1", Payload: []byte(`{}`)}
				inTx(t, both[i].DB, func(ctx context.Context, tx *db.Tx) error { return both[i].hooks.Enqueue(ctx, tx, m) })
			})
		}
	},
}

// hears measures how long an event takes to one who listens. If its publisher
// reads the log meanwhile, it is the reader who gives the event its position.
func hears(read bool) func(t *testing.T, both [2]*instance) func(n int) time.Duration {
	return func(t *testing.T, both [2]*instance) func(int) time.Duration {
		t.Helper()
		heard := make(chan string, 100)
		listening := event.Listen(t.Context(), both[1].Events, shipped, nil)
		go func() {
			for p, err := range listening {
				if err == nil {
					heard <- p.ID
				}
			}
		}()
		awaits(t, both[1].App, "ashlar_events_subscribers", func(v float64) bool { return v == 2 })
		return func(n int) time.Duration {
			began := time.Now()
			inTx(t, both[0].DB, func(ctx context.Context, tx *db.Tx) error {
				err := shipped.Publish(ctx, tx, consignment{strconv.Itoa(n)})
				if read {
					tx.AfterCommit(func() { // before whoever gives positions in the background has woken
						if _, err := both[0].Events.Head(ctx); err != nil {
							t.Error(err)
						}
					})
				}
				return err
			})
			select {
			case id := <-heard:
				if id != strconv.Itoa(n) {
					t.Errorf("heard of %s instead of %d", id, n)
				}
			case <-time.After(lost):
				t.Fatal("it is lost")
			}
			return time.Since(began)
		}
	}
}

// until measures how long something takes to be so.
func until(t *testing.T, so func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !so() {
		if time.Since(began) > lost {
			t.Fatal("it is lost")
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

// P6.11, P15.12: two instances with one PostgreSQL and no Redis wake each other by its
// notifications. Where these do not get through, as behind a pooler, each looks
// for itself: that takes longer, and loses nothing.
func TestInstancesWakeEachOtherThroughPostgreSQL(t *testing.T) {
	t.Parallel()
	for how, c := range map[string]struct {
		env  []string
		up   bool
		most time.Duration // of the fastest; who only looks needs more than this
	}{
		"by notifications": {nil, true, 200 * time.Millisecond},
		"by looking":       {[]string{"ASHLAR_DATABASE_POOLER", "on"}, false, 5 * time.Second},
	} {
		for what, prepare := range news {
			t.Run(what+" "+how, func(t *testing.T) {
				t.Parallel()
				both := instancesOf(t, append([]string{"DATABASE_URL", backing.PostgresSchema(t)}, c.env...)...)
				for _, i := range both {
					if _, there := value(t, i.App, "ashlar_notify_up"); there != c.up {
						t.Errorf("ashlar_notify_up is shown: %t", there)
					}
					if c.up {
						awaits(t, i.App, "ashlar_notify_up", func(v float64) bool { return v == 1 })
					}
				}
				measure := prepare(t, both)
				var took []time.Duration
				for n := range 7 {
					took = append(took, measure(n))
				}
				fastest(t, took, c.most)
			})
		}
	}
}
