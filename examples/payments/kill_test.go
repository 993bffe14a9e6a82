package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/db/sqlite"
)

// attempt is one payment as its client knows it.
type attempt struct {
	key string
	id  string // empty until a 201 arrived
}

// TestKilledUnderLoad kills the program again and again while many clients pay.
// Whatever a client was told is there afterwards, once; whatever it was not
// told it learns by asking again with the same key.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs for some seconds")
	}
	const rounds, clients = 3, 24
	dir := t.TempDir()
	env := []string{"PAYMENTS_SETTLE_AFTER=1s"}

	var all []*attempt
	for round := range rounds {
		p := start(t, dir, env...)
		all = append(all, payUntilKilled(t, p, round, clients)...)
	}

	p := start(t, dir, env...)
	d := openBeside(t, dir)
	eventually(t, "payments without an outcome", func() (int, error) {
		return db.One[int](t.Context(), d, `SELECT count(*) FROM payments WHERE status = 'pending'`)
	})
	token := p.signIn(t, "merchant")
	acknowledged := 0
	for _, a := range all {
		if a.id != "" {
			acknowledged++
		}
	}
	together(clients, func(client int) struct{} {
		for i := client; i < len(all); i += clients {
			all[i].retry(t, p, token)
		}
		return struct{}{}
	})
	t.Logf("%d payments, of which %d were acknowledged before a kill", len(all), acknowledged)
	if acknowledged < rounds*leastLoad {
		t.Errorf("only %d payments were acknowledged: that is no load", acknowledged)
	}

	paidOnce(t, d, all)
	balanced(t, d)
}

// paidOnce holds that each attempt made one payment: the one that its client
// knows.
func paidOnce(t *testing.T, d *db.DB, all []*attempt) {
	t.Helper()
	rows, err := db.All[struct{ Reference, ID string }](t.Context(), d, `SELECT reference, id FROM payments WHERE reference LIKE 'try-%'`)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, row := range rows {
		if other, twice := found[row.Reference]; twice {
			t.Errorf("%s was paid twice, by %s and %s", row.Reference, other, row.ID)
		}
		found[row.Reference] = row.ID
	}
	for _, a := range all {
		if found[a.key] != a.id || a.id == "" {
			t.Errorf("%s: the client knows %q, the database %q", a.key, a.id, found[a.key])
		}
	}
}

// TestTwoInstances sends every request to two processes with one database, at
// the same moment.
func TestTwoInstances(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts two processes")
	}
	dir := t.TempDir()
	instances := [2]*process{start(t, dir), start(t, dir)}
	token := instances[0].signIn(t, "merchant")

	var all []*attempt
	for n := range 100 {
		a := &attempt{key: fmt.Sprintf("try-0-0-%d", n)}
		all = append(all, a)
		ids := together(len(instances), func(i int) (id string) {
			var got struct{ ID string } // of the payment, or of nothing: a problem has none
			if status := instances[i].call(http.MethodPost, "/v1/payments", token, a.key, orderOf(a.key, n), &got); status != http.StatusCreated && status != http.StatusConflict {
				t.Errorf("%s answered %d", a.key, status)
			}
			return got.ID
		})
		if a.id = ids[0]; a.id == "" {
			a.id = ids[1]
		}
		if ids[1] != "" && ids[1] != a.id {
			t.Errorf("%s is %s here and %s there", a.key, ids[0], ids[1])
		}
	}
	d := openBeside(t, dir)
	paidOnce(t, d, all)
	balanced(t, d)
}

// leastLoad is how many payments are acknowledged at least before a kill,
// however slow the machine is.
const leastLoad = 20

// payUntilKilled has clients pay until the process is killed in their midst.
func payUntilKilled(t *testing.T, p *process, round, clients int) []*attempt {
	t.Helper()
	token := p.signIn(t, "merchant")
	var (
		mu       sync.Mutex
		attempts []*attempt
		paid     atomic.Int64
		dead     atomic.Bool
		done     sync.WaitGroup
	)
	for client := range clients {
		done.Go(func() {
			for n := 0; !dead.Load(); n++ {
				a := &attempt{key: fmt.Sprintf("try-%d-%d-%d", round, client, n)}
				mu.Lock()
				attempts = append(attempts, a)
				mu.Unlock()
				var got struct{ ID string }
				if p.call(http.MethodPost, "/v1/payments", token, a.key, orderOf(a.key, n), &got) == http.StatusCreated {
					a.id = got.ID
					paid.Add(1)
				}
				if a.id != "" && n%3 == 0 {
					p.call(http.MethodPost, "/v1/payments/"+a.id+"/capture", token, "", nil, nil)
				}
			}
		})
	}
	time.Sleep(500 * time.Millisecond) // of load, not a wait for something
	eventually(t, "payments to be acknowledged before the kill", func() (int, error) { return max(0, leastLoad-int(paid.Load())), nil })
	p.kill()
	dead.Store(true)
	done.Wait()
	return attempts
}

func orderOf(key string, n int) map[string]any {
	return map[string]any{
		"amount": 100 + n, "currency": "EUR", "reference": key, "capture": n%4 == 1,
		"card": map[string]any{"number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123"},
	}
}

// retry repeats the request of an attempt until it is answered for good, and
// holds the answer against what the client was told before.
func (a *attempt) retry(t *testing.T, p *process, token string) {
	t.Helper()
	var n int
	if _, err := fmt.Sscanf(a.key, "try-%d-%d-%d", new(int), new(int), &n); err != nil {
		t.Error(err)
	}
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		var got struct {
			ID, Code string
		}
		switch status := p.call(http.MethodPost, "/v1/payments", token, a.key, orderOf(a.key, n), &got); {
		case status == http.StatusCreated && (a.id == "" || a.id == got.ID):
			a.id = got.ID
			return
		case status == http.StatusPaymentRequired && a.id == "": // never reached the network
			a.id = got.ID
			return
		case status == http.StatusConflict && a.id == "" && time.Since(begun) < 2*time.Minute: // its lease outlives the process
		default:
			t.Errorf("%s: answered %d %s %s after %q was acknowledged", a.key, status, got.Code, got.ID, a.id)
			return
		}
	}
}

// eventually waits until count is 0.
func eventually(t *testing.T, what string, count func() (int, error)) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		n, err := count()
		switch {
		case err != nil:
			t.Fatal(err)
		case n == 0:
			return
		case time.Since(begun) > 3*time.Minute:
			t.Fatalf("there are still %d %s", n, what)
		}
	}
}

// openBeside opens the database of the processes that are started in dir.
func openBeside(t testing.TB, dir string) (d *db.DB) {
	t.Helper()
	url := ashlartest.DatabaseIn(t, dir)
	path, embedded := strings.CutPrefix(url, "sqlite:")
	var err error
	if embedded {
		d, err = sqlite.Open(t.Context(), sqlite.Config{Path: path})
	} else {
		d, err = postgres.Open(t.Context(), postgres.Config{URL: url, MaxConns: 4})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}
