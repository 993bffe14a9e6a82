package webhook_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/outbound"
	"github.com/ashlar-go/ashlar/outbound/outboundtest"
	"github.com/ashlar-go/ashlar/webhook"
)

// wired has a real clock and a real client, which may call loopback. Nothing
// times out only because the machine is slow.
func wired(c *webhook.Config) {
	c.Client = outbound.New(outbound.Config{Allow: outboundtest.Loopback, Timeout: time.Minute, DialTimeout: time.Minute})
	c.AllowHTTP = true
	c.Now = nil
	c.Timeout = time.Minute
}

// often tries again at once, and looks often.
func often(c *webhook.Config) {
	c.Schedule = slices.Repeat([]time.Duration{5 * time.Millisecond}, 60)
	c.Poll = 10 * time.Millisecond
	c.Trip = 1 << 30
}

// seldom looks at the database only when it is told to.
func seldom(c *webhook.Config) { c.Poll = time.Hour }

// at makes an endpoint of shop-1 at a URL.
func (b *bench) at(target string) webhook.Endpoint {
	b.t.Helper()
	e, _, err := b.Create(b.ctx, "shop-1", webhook.NewEndpoint{URL: target, Types: []string{"*"}})
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

// run runs a sender until the test ends, or stop is called.
func run(t testing.TB, h *webhook.Hooks) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// eventually waits for what another goroutine does.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("it never comes true: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// await waits for a signal of another goroutine.
func await(t testing.TB, what string, signal <-chan struct{}) {
	t.Helper()
	select {
	case <-signal:
	case <-time.After(time.Minute):
		t.Fatalf("it never comes: %s", what)
	}
}

// TestRunSendsWhatIsCommitted without waiting for a look at the database.
func TestRunSendsWhatIsCommitted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d, wired, seldom)
		shop := outboundtest.New(t, outboundtest.Status(204))
		e := b.at(shop.URL + "/hooks")
		run(t, b.Hooks)
		for i := range 20 {
			b.enqueue(message(fmt.Sprint("m", i), fmt.Sprint("k", i%3)))
		}
		eventually(t, "all are delivered", func() bool { return b.count("deliveries WHERE state = 'delivered'") == 20 })
		if got := shop.Calls()[0]; got.Method != "POST" || got.Target != "/hooks" || got.Header.Get("User-Agent") != "Ashlar-Webhook/1" {
			t.Errorf("%+v", got)
		}
		eventually(t, "all are counted", func() bool { return b.Stats().Attempts.Success == 20 })
		if s := b.Stats(); s.Took <= 0 {
			t.Errorf("%+v", s)
		}
		if got := b.delivery(e.ID); got.Attempts != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// TestRunLooks for what nobody in this process told it of.
func TestRunLooks(t *testing.T) {
	t.Parallel()
	b := setup(t, databases["sqlite"](t), wired, often)
	shop := outboundtest.New(t, outboundtest.Status(204))
	e := b.at(shop.URL)
	if _, err := b.Disable(b.ctx, "shop-1", e.ID); err != nil {
		t.Fatal(err)
	}
	b.enqueue(message("m1", ""))
	run(t, b.Hooks)
	if _, err := db.Exec(b.ctx, b.db, `UPDATE ashlar_webhook_endpoints SET state = 'enabled'`); err != nil { // as another process would
		t.Fatal(err)
	}
	eventually(t, "it is delivered", func() bool { return len(shop.Calls()) == 1 })
}

// TestScriptedReceivers: whatever an endpoint does, the attempt ends in time,
// has a name, and nothing is left of it but a short text.
func TestScriptedReceivers(t *testing.T) {
	t.Parallel()
	inside := outboundtest.New(t)
	for name, c := range map[string]struct {
		answer outboundtest.Answer
		want   webhook.Outcome
		status int
		within time.Duration
	}{
		"taken":             {outboundtest.Status(202), webhook.Success, 202, time.Minute},
		"failed":            {outboundtest.Status(500), webhook.Refused, 500, time.Minute},
		"moved":             {outboundtest.Redirect(inside.URL), webhook.Redirect, 302, time.Minute},
		"silent":            {outboundtest.Hang, webhook.Timeout, 0, 2 * time.Second},
		"reset":             {outboundtest.Reset, webhook.NoAnswer, 0, time.Minute},
		"garbage":           {outboundtest.Garbage, webhook.NoAnswer, 0, time.Minute},
		"a drip":            {outboundtest.Drip, webhook.Success, 200, 3 * time.Second}, // its head says that it was taken
		"a drip of failure": {dripping(500), webhook.Refused, 500, 3 * time.Second},
		"huge":              {outboundtest.Huge(50 << 20), webhook.Success, 200, time.Minute},
		"huge and failed":   {failing(outboundtest.Huge(50 << 20)), webhook.Refused, 500, time.Minute},
		"a bomb":            {failing(outboundtest.Bomb(50 << 20)), webhook.Refused, 500, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, databases["sqlite"](t), wired, func(cfg *webhook.Config) { cfg.Timeout = c.within })
			shop := outboundtest.New(t, c.answer)
			e := b.at(shop.URL)
			b.enqueue(message("m1", ""))
			began := time.Now()
			b.step(e.ID)
			if took := time.Since(began); took > time.Minute {
				t.Errorf("it took %v", took)
			}
			list, err := b.Attempts(b.ctx, "shop-1", e.ID, b.delivery(e.ID).ID)
			if err != nil || len(list) != 1 || list[0].Outcome != c.want || list[0].Status != c.status || len(list[0].Response) > 1024 {
				t.Errorf("%+v, %v", list, err)
			}
			if n := len(shop.Calls()); n != 1 {
				t.Errorf("%d calls", n)
			}
		})
	}
	t.Cleanup(func() {
		if n := inside.Connections(); n != 0 {
			t.Errorf("a redirect was followed %d times", n)
		}
	})
}

// failing answers 500 in place of 200.
func failing(a outboundtest.Answer) outboundtest.Answer {
	return func(w http.ResponseWriter, r *http.Request) { a(&failed{w, false}, r) }
}

func dripping(code int) outboundtest.Answer {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(code)
		outboundtest.Drip(w, r)
	}
}

type failed struct {
	http.ResponseWriter

	begun bool
}

func (f *failed) Write(p []byte) (int, error) {
	if !f.begun {
		f.begun = true
		f.WriteHeader(http.StatusInternalServerError)
	}
	return f.ResponseWriter.Write(p)
}

// TestInside holds P10.11 for webhooks: what is not public is refused when an
// endpoint is made, and where a name leads inside later, when it is called.
func TestInside(t *testing.T) {
	t.Parallel()
	b := setup(t, databases["sqlite"](t), wired)
	b.cfg.Client = outbound.New(outbound.Config{})
	h := b.another()
	for _, target := range []string{
		"http://127.0.0.1/", "http://localhost/", "https://10.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest/", "http://2130706433/",
		"http://[::ffff:127.0.0.1]/", "http://0x7f.1/", "https://a@93.184.215.14/", "https://93.184.215.14:22/", "ftp://93.184.215.14/", "file:///etc/passwd",
	} {
		if _, _, err := h.Create(b.ctx, "shop-1", webhook.NewEndpoint{URL: target, Types: []string{"*"}}); err == nil || !strings.Contains(err.Error(), "/url") {
			t.Errorf("%s: %v", target, err)
		}
	}

	// A name that leads to an address that may be called, and then inside.
	inside := outboundtest.New(t)
	port := netip.MustParseAddrPort(strings.TrimPrefix(inside.URL, "http://")).Port()
	outside, err := net.Listen("tcp", fmt.Sprintf("127.0.0.2:%d", port))
	if err != nil {
		t.Skip("no second address of loopback here: ", err)
	}
	t.Cleanup(func() { _ = outside.Close() })
	b.cfg.Client = outbound.New(outbound.Config{
		Timeout: time.Minute, DialTimeout: time.Minute,
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")},
		Resolver: outboundtest.Names(t, func(question int) netip.Addr {
			if question == 0 {
				return netip.MustParseAddr("127.0.0.2")
			}
			return netip.MustParseAddr("127.0.0.1")
		}),
	})
	b.Hooks = b.another()
	e := b.at(fmt.Sprintf("http://rebind.test:%d/", port))
	b.enqueue(message("m1", ""))
	b.step(e.ID)
	list, err := b.Attempts(b.ctx, "shop-1", e.ID, b.delivery(e.ID).ID)
	if err != nil || len(list) != 1 || list[0].Outcome != webhook.Forbidden {
		t.Errorf("%+v, %v", list, err)
	}
	if n := inside.Connections(); n != 0 {
		t.Errorf("%d connections to the inside", n)
	}
	if s := b.Stats(); s.Attempts.Forbidden != 1 {
		t.Errorf("%+v", s)
	}
}

// crowd is a receiver that counts how many attempts it has at once.
type crowd struct {
	*httptest.Server

	mu        sync.Mutex
	now, most int
	done      int
}

func newCrowd(t *testing.T, hold func(r *http.Request)) *crowd {
	c := &crowd{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		c.mu.Lock()
		c.now++
		c.most = max(c.most, c.now)
		c.mu.Unlock()
		hold(r)
		c.mu.Lock()
		c.now--
		c.done++
		c.mu.Unlock()
	}))
	t.Cleanup(func() { c.CloseClientConnections(); c.Close() })
	return c
}

func (c *crowd) seen() (most, done int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most, c.done
}

// TestAnEndpointHasItsShare: as many attempts at once as it may have, and no
// more.
func TestAnEndpointHasItsShare(t *testing.T) {
	t.Parallel()
	b := setup(t, databases["sqlite"](t), wired, func(c *webhook.Config) { c.PerEndpoint = 3 })
	var together sync.WaitGroup
	together.Add(3)
	var first atomic.Int32
	shop := newCrowd(t, func(*http.Request) {
		if first.Add(1) <= 3 { // three must meet, or nothing goes on
			together.Done()
			together.Wait()
		}
		time.Sleep(5 * time.Millisecond)
	})
	b.at(shop.URL)
	run(t, b.Hooks)
	for i := range 40 {
		b.enqueue(message(fmt.Sprint("m", i), ""))
	}
	eventually(t, "all arrive", func() bool { _, done := shop.seen(); return done == 40 })
	if most, _ := shop.seen(); most != 3 {
		t.Errorf("%d at once, want 3", most)
	}
}

// parted has another client, of little patience, for one of the receivers.
type parted struct {
	webhook.Client

	hasty webhook.Client
	host  string
}

func (p parted) Do(r *http.Request) (*http.Response, error) {
	if r.URL.Host == p.host {
		return p.hasty.Do(r)
	}
	return p.Client.Do(r)
}

// TestADeadEndpointDoesNotEatTheWorkers: with ten times as many messages for
// an endpoint that hangs as there are workers, the others go on. The clock
// stands, so that the dead one rests for as long as the test takes.
func TestADeadEndpointDoesNotEatTheWorkers(t *testing.T) {
	t.Parallel()
	dead := newCrowd(t, func(r *http.Request) { <-r.Context().Done() })
	b := setup(t, databases["sqlite"](t), wired, func(c *webhook.Config) {
		c.Workers, c.PerEndpoint, c.Trip, c.Now = 4, 2, 3, newClock().now
		hasty := outbound.New(outbound.Config{Allow: outboundtest.Loopback, Timeout: 300 * time.Millisecond})
		c.Client = parted{c.Client, hasty, strings.TrimPrefix(dead.URL, "http://")}
	})
	well := outboundtest.New(t, outboundtest.Status(200))
	b.at(dead.URL)
	for i := range 40 {
		b.enqueue(message(fmt.Sprint("d", i), ""))
	}
	e, _, err := b.Create(b.ctx, "shop-2", webhook.NewEndpoint{URL: well.URL, Types: []string{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	run(t, b.Hooks)
	for i := range 40 {
		m := message(fmt.Sprint("w", i), "")
		m.Account = "shop-2"
		b.enqueue(m)
	}
	eventually(t, "the others are delivered", func() bool {
		return b.count("deliveries WHERE endpoint = $1 AND state = 'delivered'", e.ID) == 40
	})
	eventually(t, "the dead one rests", func() bool {
		n, err := db.One[int](b.ctx, b.db, `SELECT COUNT(*) FROM ashlar_webhook_endpoints WHERE rest_until > 0`)
		return n == 1 && err == nil
	})
	if most, _ := dead.seen(); most > 2 {
		t.Errorf("the dead one had %d workers", most)
	}
	if n := b.count("attempts WHERE outcome = 'timeout'"); n > 6 {
		t.Errorf("%d attempts at the dead one", n)
	}
}

// TestATrialIsAlone: an endpoint that failed is tried by one worker, and has
// all of its share again when that succeeded.
func TestATrialIsAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, databases["sqlite"](t), wired)
	arrived, release := make(chan struct{}, 20), make(chan struct{})
	shop := newCrowd(t, func(*http.Request) { arrived <- struct{}{}; <-release })
	b.at(shop.URL)
	for i := range 10 {
		b.enqueue(message(fmt.Sprint("m", i), ""))
	}
	if _, err := db.Exec(b.ctx, b.db, `UPDATE ashlar_webhook_endpoints SET failures = 5, failing_since = 1, rest_until = 1`); err != nil {
		t.Fatal(err)
	}
	run(t, b.Hooks)
	await(t, "the trial", arrived)
	time.Sleep(100 * time.Millisecond) // in which others would have come
	if most, _ := shop.seen(); most != 1 {
		t.Errorf("%d workers try it", most)
	}
	close(release)
	eventually(t, "all are delivered", func() bool { return b.count("deliveries WHERE state = 'delivered'") == 10 })
}

// turns sees that each key has one attempt at a time. It looks at the senders:
// a receiver may find out late that an attempt was broken off.
type turns struct {
	webhook.Client

	t  testing.TB
	mu sync.Mutex
	at map[string]int // attempts under way, by key
}

func (c *turns) Do(r *http.Request) (*http.Response, error) {
	key, _, _ := strings.Cut(r.Header.Get(webhook.HeaderID), "-")
	if n := c.add(key, 1); n > 1 {
		c.t.Errorf("%d attempts of %s at once", n, key)
	}
	res, err := c.Client.Do(r)
	if err != nil {
		c.add(key, -1)
		return nil, err
	}
	res.Body = ending{res.Body, func() { c.add(key, -1) }}
	return res, nil
}

func (c *turns) add(key string, n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at[key] += n
	return c.at[key]
}

// ending is a body that tells when it is closed.
type ending struct {
	io.ReadCloser

	closed func()
}

func (e ending) Close() error {
	defer e.closed()
	return e.ReadCloser.Close()
}

// TestAFlakyReceiverGetsEverythingInOrder: two senders, an endpoint that fails
// in every way there is, and each message comes at least once, each key's in
// order and one at a time.
func TestAFlakyReceiverGetsEverythingInOrder(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d, wired, often, func(c *webhook.Config) {
			c.Timeout = 150 * time.Millisecond
			c.DisableAfter = time.Hour
			c.Client = &turns{Client: c.Client, t: t, at: map[string]int{}}
		})
		const keys, perKey = 8, 12
		var mu sync.Mutex
		taken := map[string][]string{} // by key, in order of first success
		failures := []outboundtest.Answer{
			outboundtest.Status(500), outboundtest.Reset, outboundtest.Garbage, outboundtest.Hang, outboundtest.Status(429), dripping(503),
		}
		shop := outboundtest.New(t, func(w http.ResponseWriter, r *http.Request) {
			id := r.Header.Get(webhook.HeaderID)
			key, _, _ := strings.Cut(id, "-")
			mu.Lock()
			fail := rand.IntN(2) == 0
			if !fail && !slices.Contains(taken[key], id) {
				taken[key] = append(taken[key], id)
			}
			mu.Unlock()
			if fail {
				failures[rand.IntN(len(failures))](w, r)
			}
		})
		b.at(shop.URL)
		run(t, b.Hooks)
		run(t, b.another())
		want := map[string][]string{}
		for n := range perKey {
			for k := range keys {
				key := fmt.Sprint("k", k)
				id := fmt.Sprintf("%s-%d", key, n)
				want[key] = append(want[key], id)
				b.enqueue(message(id, key))
			}
		}
		eventually(t, "all are delivered", func() bool { return b.count("deliveries WHERE state = 'delivered'") == keys*perKey })
		mu.Lock()
		defer mu.Unlock()
		for key := range want {
			if !slices.Equal(taken[key], want[key]) {
				t.Errorf("%s came as %v", key, taken[key])
			}
		}
		if n := b.count("lanes"); n != 0 {
			t.Errorf("%d lanes are left", n)
		}
		if extra := len(shop.Calls()) - keys*perKey; extra < 10 {
			t.Errorf("%d attempts failed: it was not flaky", extra)
		}
	})
}

// TestDrain: what is under way is brought to its end, and nothing new begins.
func TestDrain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d, wired, seldom, func(c *webhook.Config) { c.Drain = time.Minute })
		arrived, release := make(chan struct{}, 10), make(chan struct{})
		shop := newCrowd(t, func(*http.Request) { arrived <- struct{}{}; <-release })
		b.at(shop.URL)
		ctx, cancel := context.WithCancel(b.ctx)
		defer cancel()
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			if err := b.Run(ctx); err != nil {
				t.Error(err)
			}
		}()
		b.enqueue(message("m1", "k"), message("m2", "k"))
		await(t, "the attempt", arrived)
		cancel()
		select {
		case <-stopped:
			t.Error("it did not wait for the attempt")
		case <-time.After(50 * time.Millisecond):
		}
		close(release)
		await(t, "the end", stopped)
		if n := b.count("deliveries WHERE state = 'delivered'"); n != 1 || len(arrived) != 0 {
			t.Errorf("%d are delivered, %d more attempts", n, len(arrived))
		}
		run(t, b.another())
		eventually(t, "another process goes on", func() bool { return b.count("deliveries WHERE state = 'delivered'") == 2 })
	})
}

// TestDrainHasAnEnd: an attempt that takes too long is broken off, does not
// count, and is made by another process at once, long before its lease ends.
func TestDrainHasAnEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d, wired, seldom, func(c *webhook.Config) { c.Timeout, c.Drain = time.Minute, 50*time.Millisecond })
		shop := outboundtest.New(t, outboundtest.Hang)
		e := b.at(shop.URL)
		stop := run(t, b.Hooks)
		b.enqueue(message("m1", "k"))
		eventually(t, "the attempt is under way", func() bool { return len(shop.Calls()) == 1 })
		stop()
		if got := b.delivery(e.ID); got.State != webhook.Pending || got.Attempts != 0 {
			t.Errorf("%+v", got)
		}
		shop.Script(outboundtest.Status(200))
		other := b.another()
		run(t, other)
		eventually(t, "another process delivers it", func() bool { return b.delivery(e.ID).State == webhook.Delivered })
		eventually(t, "it counts that", func() bool { return other.Stats().Attempts.Success == 1 })
		if got := b.delivery(e.ID); got.Attempts != 1 || b.Stats().Broken != 1 {
			t.Errorf("%+v, %+v", got, b.Stats())
		}
	})
}

// line is a bus in memory.
type line struct {
	mu        sync.Mutex
	listeners []func([]byte)
	said      int
}

func (l *line) Publish(_ context.Context, _ string, message []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said++
	for _, receive := range l.listeners {
		receive(message)
	}
	return nil
}

func (l *line) Subscribe(ctx context.Context, _ string, receive func([]byte)) error {
	l.mu.Lock()
	l.listeners = append(l.listeners, receive)
	l.mu.Unlock()
	receive(nil)
	<-ctx.Done()
	return ctx.Err()
}

func (l *line) ready() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.listeners)
}

// TestOthersHelp: a process that has more to do than workers tells others,
// which need not look.
func TestOthersHelp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		bus := &line{}
		b := setup(t, d, wired, seldom, func(c *webhook.Config) { c.Workers, c.Bus, c.Drain, c.Timeout = 1, bus, time.Millisecond, time.Minute })
		stuck, well := outboundtest.New(t, outboundtest.Hang), outboundtest.New(t, outboundtest.Status(200))
		b.at(stuck.URL)
		b.enqueue(message("m1", ""))
		run(t, b.Hooks)
		eventually(t, "its only worker is busy", func() bool { return len(stuck.Calls()) == 1 })
		// The other process runs, and is on the same bus but not in the same process:
		// signals of commits do not reach it.
		b.cfg.DB = reopened(t, d)
		other := b.another()
		run(t, other)
		eventually(t, "both listen", func() bool { return bus.ready() == 2 })
		e, _, err := b.Create(b.ctx, "shop-2", webhook.NewEndpoint{URL: well.URL, Types: []string{"*"}})
		if err != nil {
			t.Fatal(err)
		}
		m := message("m2", "")
		m.Account = "shop-2"
		b.enqueue(m)
		eventually(t, "the other process delivers", func() bool { return other.Stats().Attempts.Success == 1 })
		if list, err := b.Deliveries(b.ctx, "shop-2", e.ID, "", 10); err != nil || len(list) != 1 || list[0].State != webhook.Delivered {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// TestABusThatFails delays what it would have told of, and is told of once.
func TestABusThatFails(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	var mu sync.Mutex
	b := setup(t, databases["sqlite"](t), wired, often, func(c *webhook.Config) {
		c.Bus, c.Workers, c.Log = broken{}, 1, logTo(&log, &mu)
	})
	shop := outboundtest.New(t, outboundtest.Status(200))
	b.at(shop.URL)
	stop := run(t, b.Hooks)
	for i := range 30 {
		b.enqueue(message(fmt.Sprint("m", i), ""))
	}
	eventually(t, "all are delivered", func() bool { return b.count("deliveries WHERE state = 'delivered'") == 30 })
	eventually(t, "both are complained of", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Count(log.String(), "\n") >= 2
	})
	stop()
	mu.Lock()
	defer mu.Unlock()
	if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), "cannot be told") || !strings.Contains(log.String(), "cannot be heard") {
		t.Errorf("%d lines: %s", n, log.String())
	}
}

type broken struct{}

func (broken) Publish(context.Context, string, []byte) error         { return errNoLine }
func (broken) Subscribe(context.Context, string, func([]byte)) error { return errNoLine }

// TestManyEndpoints are all served by few workers.
func TestManyEndpoints(t *testing.T) {
	t.Parallel()
	b := setup(t, databases["sqlite"](t), wired, seldom, func(c *webhook.Config) { c.Workers, c.MaxEndpoints = 3, 200 })
	shop := outboundtest.New(t, outboundtest.Status(200))
	for i := range 70 { // more than a page of them
		b.at(fmt.Sprintf("%s/%d", shop.URL, i))
	}
	for i := range 3 {
		b.enqueue(message(fmt.Sprint("m", i), "k"))
	}
	run(t, b.Hooks)
	eventually(t, "all are delivered", func() bool { return b.count("deliveries WHERE state = 'delivered'") == 210 })
	byPath := map[string][]string{}
	for _, call := range shop.Calls() {
		byPath[call.Target] = append(byPath[call.Target], call.Header.Get(webhook.HeaderID))
	}
	for path, ids := range byPath {
		if !slices.Equal(ids, []string{"m0", "m1", "m2"}) {
			t.Errorf("%s got %v", path, ids)
		}
	}
}

// The zero outbound client is what the package asks for.
var _ webhook.Client = (*outbound.Client)(nil)
