package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
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
	if acknowledged < 100 {
		t.Errorf("only %d payments were acknowledged: that is no load", acknowledged)
	}

	d := openFile(t, dir)
	eventually(t, "payments without an outcome", func() (int, error) {
		return db.One[int](t.Context(), d, `SELECT count(*) FROM payments WHERE status = 'pending'`)
	})
	byReference, err := db.All[struct {
		Reference string
		ID        string
		N         int
	}](t.Context(), d, `SELECT reference, min(id) AS id, count(*) AS n FROM payments WHERE reference LIKE 'kill-%' GROUP BY reference`)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, row := range byReference {
		found[row.Reference] = row.ID
		if row.N != 1 {
			t.Errorf("%s was paid %d times", row.Reference, row.N)
		}
	}
	for _, a := range all {
		if found[a.key] != a.id {
			t.Errorf("%s: the client knows %q, the database %q", a.key, a.id, found[a.key])
		}
	}
	balanced(t, d)
}

// payUntilKilled has clients pay until the process is killed in their midst.
func payUntilKilled(t *testing.T, p *process, round, clients int) []*attempt {
	t.Helper()
	token := p.signIn(t, "merchant")
	var (
		mu       sync.Mutex
		attempts []*attempt
		dead     atomic.Bool
		done     sync.WaitGroup
	)
	for client := range clients {
		done.Go(func() {
			for n := 0; !dead.Load(); n++ {
				a := &attempt{key: fmt.Sprintf("kill-%d-%d-%d", round, client, n)}
				mu.Lock()
				attempts = append(attempts, a)
				mu.Unlock()
				var got payment.Payment
				if p.call(http.MethodPost, "/v1/payments", token, a.key, orderOf(a.key, n), &got) == http.StatusCreated {
					a.id = got.ID
				}
				if a.id != "" && n%3 == 0 {
					p.call(http.MethodPost, "/v1/payments/"+a.id+"/capture", token, "", nil, nil)
				}
			}
		})
	}
	time.Sleep(500 * time.Millisecond) // of load, not a wait for something
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
	if _, err := fmt.Sscanf(a.key, "kill-%d-%d-%d", new(int), new(int), &n); err != nil {
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
		case status == http.StatusConflict && a.id == "" && time.Since(begun) < 30*time.Second: // its lease outlives the process
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
		case time.Since(begun) > 20*time.Second:
			t.Fatalf("there are still %d %s", n, what)
		}
	}
}

// openFile opens the database of a running process beside it.
func openFile(t testing.TB, dir string) *db.DB {
	t.Helper()
	d, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, "app.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}
