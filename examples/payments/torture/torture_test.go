package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
)

// pageRest is how long a reader of everything waits when it is told to.
const pageRest = 200 * time.Millisecond

// A setting is what is tortured: instances and what they share.
type setting struct {
	instances []*instance
	faults    []fault
	books     func() *db.DB // opens the database, past every proxy
	buyers    int
}

// TestOneInstance tortures one process with its SQLite file.
func TestOneInstance(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	i := newInstance(t, "one", dir)
	faults := append([]fault{crash(i), freezing(i), roll(i)}, breaks("clients to instance", i.way)...)
	torture(t, setting{instances: []*instance{i}, faults: faults, books: file(t, dir), buyers: 8})
}

// TestSeveralProcessesOnOneFile tortures processes that share an SQLite file.
func TestSeveralProcessesOnOneFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var s setting
	for n := range 3 {
		i := newInstance(t, fmt.Sprint("process-", n), dir)
		s.instances = append(s.instances, i)
		s.faults = append(s.faults, crash(i), freezing(i))
	}
	s.faults = append(s.faults, roll(s.instances[0]))
	s.faults = append(s.faults, breaks("clients to instance", s.instances[1].way)...)
	s.books, s.buyers = file(t, dir), 8
	torture(t, s)
}

func file(t *testing.T, dir string) func() *db.DB {
	return func() *db.DB {
		d, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, "app.db")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}
}

// torture runs the storm, lets everything come to rest, and audits.
func torture(t *testing.T, s setting) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes some seconds of load: run it without -short")
	}
	duration, drawn := *length, *seed
	if duration == 0 {
		duration = 4 * time.Second
	}
	if drawn == 0 {
		drawn = rand.Uint64()
	}
	t.Logf("torture for %s: -torture.seed=%d", duration, drawn)
	random := rand.New(rand.NewPCG(drawn, 0))

	var shops []*shop
	for _, i := range s.instances {
		if err := i.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		shops = append(shops, newShop("http://"+i.way.addr()))
	}
	key := apiKey(t, shops[0], "merchant", "payments:read", "payments:write", "refunds:write", "events:read", "webhooks:write")
	everything := shops[0].as(apiKey(t, shops[0], "admin", "payments:read", "events:read"))
	for n := range shops {
		shops[n] = shops[n].as(key)
	}
	r := newReceiver(t, drawn)
	if err := r.subscribe(t.Context(), shops[0]); err != nil {
		t.Fatal(err)
	}

	h, over := newHistory(), make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), duration+patience)
	defer cancel()
	buyers := make([]*buyer, s.buyers)
	var buying sync.WaitGroup
	for n := range buyers {
		buyers[n] = &buyer{number: n, shops: shops, random: rand.New(rand.NewPCG(drawn, uint64(n)+1)), history: h, over: over}
		buying.Go(func() { buyers[n].buy(ctx) })
	}

	weather := &storm{faults: s.faults, calm: max(min(duration/20, time.Second), 200*time.Millisecond)}
	if *length > 0 {
		for _, i := range s.instances {
			weather.faults = append(weather.faults, jump(i))
		}
	}
	raging, calm := context.WithTimeout(ctx, duration)
	weather.rage(raging, random)
	calm()
	t.Log("the storm is over: each kind of work has two minutes to come to rest")
	close(over)
	r.moody.Store(false)
	buying.Wait()

	a := &audit{books: s.books(), shop: everything, buyers: buyers, history: h, receiver: r}
	a.settle(t.Context())
	if err := a.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s\n%s", weather.table(), a.table())
	for _, problem := range weather.failed {
		t.Error(problem)
	}
	for _, p := range a.promises {
		for n, what := range p.broken {
			if n == 10 {
				t.Errorf("… and %d more", len(p.broken)-n)
				break
			}
			t.Errorf("%s: %s", p.rule, what)
		}
	}
	if !t.Failed() {
		a.sabotage(t.Context(), t)
	}
	if least := 20; len(h.all) < least {
		t.Errorf("only %d requests were made: that is no load", len(h.all))
	}
}

// apiKey signs one of the demonstration's users in and makes a key.
func apiKey(t *testing.T, s *shop, who string, permissions ...string) string {
	t.Helper()
	r := s.send(t.Context(), http.MethodPost, "/v1/auth/login", "", map[string]string{"email": who + "@demo.test", "password": "square-and-true"})
	var session struct {
		Token string `json:"access_token"`
	}
	if err := r.read(&session); err != nil || r.status != http.StatusOK {
		t.Fatalf("sign-in of %s was answered %d %s", who, r.status, r.code)
	}
	r = s.as(session.Token).send(t.Context(), http.MethodPost, "/v1/api-keys", "", map[string]any{"name": "torture", "permissions": permissions})
	var made struct{ Key string }
	if err := r.read(&made); err != nil || r.status != http.StatusCreated {
		t.Fatalf("an API key for %s was answered %d %s", who, r.status, r.body)
	}
	return made.Key
}
