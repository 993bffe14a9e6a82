package ashlar

import (
	"net/http"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/metric"
)

func TestCallsThatEndNoMoreAreNoticed(t *testing.T) {
	t.Parallel()
	m, err := newMeters(metric.New())
	if err != nil {
		t.Fatal(err)
	}
	e := m.endpoint("payments.capture", http.MethodPost)
	s := &stuck{calls: []*endpoint{e}, method: []int{methodIndex(http.MethodPost)}, longest: 30 * time.Second}
	now := time.Now()
	e.active.Add(fewestStuck)
	if s.at(now) {
		t.Error("many at once from the start")
	}
	e.active.Add(-fewestStuck)
	pass := func(seconds int) (is bool) {
		for range seconds {
			now = now.Add(time.Second)
			is = s.at(now)
		}
		return is
	}
	answer := func(class int) { e.count(methodIndex(http.MethodPost), class).Inc() }

	if pass(100) {
		t.Error("nothing was asked")
	}
	e.active.Add(fewestStuck - 1)
	if pass(100) {
		t.Error("a few slow calls")
	}
	e.active.Add(1)
	if pass(29) {
		t.Error("they may still take this long")
	}
	answer(clientFault)
	if pass(30) {
		t.Error("one was answered meanwhile")
	}
	answer(serverFault) // by the app, not by a handler
	if !pass(2) {
		t.Error("not noticed")
	}
	answer(success)
	if pass(1) {
		t.Error("it goes on, and that is not noticed")
	}
}

// TestAnAppWithoutItsDatabaseIsNotStuck holds that a worker is not replaced for
// what the next one would suffer from as well.
func TestAnAppWithoutItsDatabaseIsNotStuck(t *testing.T) {
	t.Parallel()
	m, err := newMeters(metric.New())
	if err != nil {
		t.Fatal(err)
	}
	e := m.endpoint("payments.capture", http.MethodPost)
	e.active.Add(fewestStuck)
	for _, c := range []struct {
		lives, ready int
		alive        bool
	}{
		{http.StatusOK, http.StatusOK, false},
		{http.StatusOK, http.StatusServiceUnavailable, true},
		{http.StatusServiceUnavailable, http.StatusServiceUnavailable, false},
	} {
		s := &stuck{calls: []*endpoint{e}, method: []int{methodIndex(http.MethodPost)}, longest: time.Second}
		private := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(map[string]int{"/livez": c.lives, "/readyz": c.ready}[r.URL.Path])
		})
		now := time.Now()
		alive(private, s, now)
		if got := alive(private, s, now.Add(time.Minute)); got != c.alive {
			t.Errorf("lives %d, ready %d: alive %t", c.lives, c.ready, got)
		}
	}
}
