package ashlar_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/ashlar-go/ashlar/ashlartest"
)

// attempt tries to sign in as somebody from an address.
func attempt(app *ashlartest.App, addr, email, password string) *httptest.ResponseRecorder {
	return from(app, addr+":1", "POST", "/v1/auth/login", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password))
}

const (
	right = "square-and-true"
	wrong = "square-and-false"
)

// In these tests time stands still, so that a slow machine forgets no try
// meanwhile.

// P6.12: the eleventh try is 429, with when to come back, right or wrong; the
// owner, who comes from elsewhere, gets in.
func TestThrottleStopsGuessing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := office(t)
		for i := range 10 {
			if w := attempt(app, "198.51.100.1", "ann@b.test", wrong); w.Code != 401 {
				t.Fatalf("try %d: got %d %s", i+1, w.Code, w.Body)
			}
		}
		for email, password := range map[string]string{"ANN@b.test": wrong, "ann@b.test": right} {
			w := attempt(app, "198.51.100.1", email, password)
			after, _ := strconv.Atoi(w.Header().Get("Retry-After"))
			if w.Code != 429 || after < 60 || after > 90 {
				t.Errorf("got %d, Retry-After %d: %s", w.Code, after, w.Body)
			}
		}
		if w := attempt(app, "198.51.100.1", "bob@b.test", wrong); w.Code != 401 {
			t.Errorf("another account from there: got %d %s", w.Code, w.Body)
		}
		if w := attempt(app, "198.51.100.2", "ann@b.test", right); w.Code != 200 {
			t.Errorf("the owner from elsewhere: got %d %s", w.Code, w.Body)
		}
		// P11.17: an account that is not there is throttled like one that is.
		for i := range 11 {
			if w := attempt(app, "198.51.100.3", "nobody@b.test", wrong); (w.Code == 429) != (i == 10) {
				t.Errorf("try %d of an unknown account: got %d", i+1, w.Code)
			}
		}
	})
}

// Tries side by side are counted before any of them is judged.
func TestThrottleCountsInACrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := office(t)
		var tried, stopped atomic.Int32
		try := func() (code int) {
			switch code = attempt(app, "198.51.100.1", "ann@b.test", wrong).Code; code {
			case http.StatusUnauthorized:
				tried.Add(1)
			case http.StatusTooManyRequests:
				stopped.Add(1)
			case http.StatusServiceUnavailable: // no capacity to hash: not tried
			default:
				t.Errorf("got %d", code)
			}
			return code
		}
		var crowd sync.WaitGroup
		for range 40 {
			crowd.Go(func() { try() })
		}
		crowd.Wait()
		for range 10 { // if some found no capacity, some are left
			if try() == http.StatusTooManyRequests {
				break
			}
		}
		if tried.Load() != 10 || stopped.Load() == 0 {
			t.Errorf("%d were tried and %d stopped", tried.Load(), stopped.Load())
		}
	})
}

// A success forgets the failures before it.
func TestThrottleForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := office(t)
		for round := range 3 {
			for range 9 {
				if w := attempt(app, "198.51.100.1", "ann@b.test", wrong); w.Code != 401 {
					t.Fatalf("round %d: got %d %s", round, w.Code, w.Body)
				}
			}
			if w := attempt(app, "198.51.100.1", "ann@b.test", right); w.Code != 200 {
				t.Fatalf("round %d: got %d %s", round, w.Code, w.Body)
			}
		}
	})
}
