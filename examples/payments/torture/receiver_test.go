package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/webhook"
)

// A receiver is what a merchant runs to hear of events: it fails at random, and
// writes down what came.
type receiver struct {
	url   string
	moody atomic.Bool // whether it fails

	mu       sync.Mutex
	random   *rand.Rand
	check    webhook.Verifier
	arrived  int
	accepted map[string]bool  // events that it answered with success
	refused  map[string]bool  // events that it has turned away once
	version  map[string]int64 // of each payment, the newest that it accepted
	wrong    []string
}

func newReceiver(t testing.TB, seed uint64) *receiver {
	t.Helper()
	r := &receiver{random: rand.New(rand.NewPCG(seed, 1<<32)), accepted: map[string]bool{}, refused: map[string]bool{}, version: map[string]int64{}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL + "/hook"
	r.moody.Store(true)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, 1<<20))
	if err != nil {
		return // cut in the middle: it will come again
	}
	status, wait := r.judge(request.Header, body)
	if status == 0 { // hangs up
		panic(http.ErrAbortHandler)
	}
	time.Sleep(wait)
	w.WriteHeader(status)
}

// judge notes a delivery and decides how to answer it.
func (r *receiver) judge(header http.Header, body []byte) (status int, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arrived++
	if err := r.check.Verify(header, body); err != nil {
		r.note("a delivery that is not signed as it should be: %v", err)
		return http.StatusBadRequest, 0
	}
	var message struct {
		Data payment
	}
	if err := json.Unmarshal(body, &message); err != nil {
		r.note("a delivery that is no event: %v", err)
		return http.StatusBadRequest, 0
	}
	id, p := header.Get("Webhook-Id"), message.Data
	// Payments of the demonstration began before anybody listened.
	if p.byBuyer() && p.Version > r.version[p.ID]+1 {
		r.note("version %d of %s came while version %d was not accepted", p.Version, p.ID, r.version[p.ID]+1)
	}
	if r.moody.Load() {
		mood := r.random.IntN(12)
		if mood < 2 && *length == 0 || mood <= 2 && r.refused[id] {
			mood = 3 // or the sender may not try again for minutes: the second pause is five of them
		}
		switch mood {
		case 0, 1:
			r.refused[id] = true
			return []int{http.StatusInternalServerError, http.StatusServiceUnavailable}[mood], 0
		case 2: // it takes effect here, and the sender does not learn of it
			r.refused[id] = true
			r.accept(id, p)
			return 0, 0
		case 3:
			r.accept(id, p)
			return http.StatusOK, 300 * time.Millisecond
		}
	}
	r.accept(id, p)
	return http.StatusNoContent, 0
}

func (r *receiver) accept(id string, p payment) {
	r.accepted[id] = true
	r.version[p.ID] = max(r.version[p.ID], p.Version)
}

// missing counts the events that it has not accepted.
func (r *receiver) missing(events []event) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range events {
		if !r.accepted[e.ID] {
			n++
		}
	}
	return n
}

func (r *receiver) note(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// subscribe has a shop send its events here.
func (r *receiver) subscribe(ctx context.Context, s *shop) error {
	answer := s.send(ctx, http.MethodPost, "/v1/webhooks", "", map[string]any{"url": r.url, "events": []string{"payment.*"}})
	var made struct{ Secret string }
	if err := answer.read(&made); err != nil || answer.status != http.StatusCreated {
		return fmt.Errorf("POST /v1/webhooks was answered %d %s", answer.status, answer.body)
	}
	secret, err := webhook.ParseSecret(made.Secret)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// Clocks are set wrong on purpose, so a time in a signature proves nothing here.
	r.check = webhook.Verifier{Secrets: []webhook.Secret{secret}, Tolerance: 24 * time.Hour}
	return nil
}
