package ashlar_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/op"
)

// limited is an app with operations of every kind of limit, and of none.
func limited(t *testing.T, env ...string) *ashlartest.App {
	t.Helper()
	app := ashlartest.Open(t, env...)
	app.Grant("clerk", "greetings:read")
	app.Mount(ashlar.SignIn(app.App))
	byName := op.PerKey(func(_ context.Context, in name) string { return in.Name })
	slow := func(n int, options ...op.LimitOption) op.Option { return op.Limit(n, time.Hour, options...) }
	app.Mount(ashlar.Module{Name: "limited", Operations: []op.Operation{
		op.Query("open", "GET /open/{name}", greet, op.Public()),
		op.Query("mine", "GET /mine/{name}", greet, op.Allow("greetings:read"), slow(2)),
		op.Query("ours", "GET /ours/{name}", greet, op.Allow("greetings:read"), slow(2, op.PerAccount())),
		op.Query("here", "GET /here/{name}", greet, op.Allow("greetings:read"), slow(2, op.PerAddress())),
		op.Query("all", "GET /all/{name}", greet, op.Allow("greetings:read"), slow(2, op.PerOperation())),
		op.Query("named", "GET /named/{name}", greet, op.Allow("greetings:read"), slow(2, byName)),
		op.Query("many", "GET /many/{name}", greet, op.Allow("greetings:read"), slow(4), slow(2, op.PerOperation()), slow(1, byName)),
		op.Query("twin_a", "GET /twin_a/{name}", greet, op.Allow("greetings:read"), slow(2, op.Shared("twins"))),
		op.Query("twin_b", "GET /twin_b/{name}", greet, op.Allow("greetings:read"), slow(2, op.Shared("twins"))),
		op.Command("post", "POST /post", greet, op.Public(), slow(1)),
	}})
	app.Migrate()
	return app
}

// from sends a request as it arrives from an address.
func from(app *ashlartest.App, addr, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RemoteAddr = addr
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	app.Handler().ServeHTTP(w, r)
	return w
}

// Who shares a quota with whom, by each way of counting. P6.2, P10.13.
func TestLimitsCountAsDeclared(t *testing.T) {
	t.Parallel()
	app := limited(t)
	ann, bob := app.AsRole("ann", "one", "clerk"), app.AsRole("bob", "one", "clerk")
	carl := app.AsRole("carl", "two", "clerk")
	call := func(c *ashlartest.Client, op, arg string) int {
		return ashlartest.Call[greeting](c, op, name{arg}).Status()
	}
	for _, c := range []struct {
		op, arg string
		who     *ashlartest.Client
		want    int
	}{
		{"mine", "a", ann, 200},
		{"mine", "b", ann, 200},
		{"mine", "c", ann, 429},
		{"mine", "a", bob, 200},
		{"ours", "a", ann, 200},
		{"ours", "a", bob, 200},
		{"ours", "a", ann, 429},
		{"ours", "a", carl, 200},
		{"here", "a", ann, 200},
		{"here", "a", carl, 200},
		{"here", "a", bob, 429},
		{"all", "a", ann, 200},
		{"all", "a", carl, 200},
		{"all", "a", bob, 429},
		{"named", "a", ann, 200},
		{"named", "a", carl, 200},
		{"named", "a", bob, 429},
		{"named", "b", bob, 200},
		{"twin_a", "a", ann, 200},
		{"twin_b", "a", ann, 200},
		{"twin_a", "a", ann, 429},
		{"twin_b", "a", bob, 200},
		// A call that the second limit refuses is given back to the first.
		{"many", "a", ann, 200},
		{"many", "a", ann, 429},
		{"many", "b", ann, 429},
		{"many", "c", ann, 429},
		{"many", "d", ann, 429},
	} {
		if got := call(c.who, c.op, c.arg); got != c.want {
			t.Errorf("%s: got %d, want %d", c.op, got, c.want)
		}
	}
}

// Who may not call an operation does not spend what those may who do.
func TestTheDeniedSpendNothing(t *testing.T) {
	t.Parallel()
	app := limited(t)
	for range 5 {
		ashlartest.Call[greeting](app.As("eve"), "all", name{"a"}).Denied()
		ashlartest.Call[greeting](app.Anonymous(), "all", name{"a"}).Fails(fault.ErrUnauthenticated)
	}
	ashlartest.Call[greeting](app.AsRole("ann", "one", "clerk"), "all", name{"a"}).OK()
}

// P9.10: an operation with a limit of its own always says where its callers
// stand, others when it matters; and a refusal is a problem that says when to
// come back, to the second: time stands still meanwhile.
func TestLimitFields(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := limited(t, "ASHLAR_LIMIT_ADDRESS", "4/1h")
		ann := app.AsRole("ann", "one", "clerk")
		first := ashlartest.Call[greeting](ann, "mine", name{"a"})
		if first.Header("RateLimit") != `"mine";r=1;t=1800` || first.Header("RateLimit-Policy") != `"mine";q=2;w=3600` {
			t.Errorf("got %q, %q", first.Header("RateLimit"), first.Header("RateLimit-Policy"))
		}
		ashlartest.Call[greeting](ann, "mine", name{"a"}).OK()
		third := ashlartest.Call[greeting](ann, "mine", name{"a"}).Fails(fault.ErrLimited)
		if third.Status != 429 || !strings.Contains(third.Detail, "2/1h is the limit") {
			t.Errorf("got %+v", third)
		}
		w := ashlartest.Call[greeting](ann, "mine", name{"a"})
		if w.Header("RateLimit") != `"mine";r=0;t=1800` || w.Header("Retry-After") != "1800" || !strings.Contains(w.Body(), `"violated-policies":["mine"]`) {
			t.Errorf("got %q, %q, %s", w.Header("RateLimit"), w.Header("Retry-After"), w.Body())
		}
		for i, want := range []string{"", "", `"address";r=1;t=2700`, `"address";r=0;t=3600`, `"address";r=0;t=900`} {
			w := from(app, "192.0.2.77:1", "GET", "/open/a", "")
			if got := w.Header().Get("RateLimit"); got != want {
				t.Errorf("call %d: got %q, want %q", i, got, want)
			}
			if limited := w.Code == 429; limited != (i == 4) || limited && w.Header().Get("Retry-After") != "900" {
				t.Errorf("call %d: got %d, Retry-After %q", i, w.Code, w.Header().Get("Retry-After"))
			}
		}
	})
}

// A limit refuses before the body is read.
func TestLimitsComeBeforeTheBody(t *testing.T) {
	t.Parallel()
	app := limited(t)
	if w := from(app, "192.0.2.1:1", "POST", "/post", "not JSON"); w.Code != 400 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	r := httptest.NewRequest("POST", "/post", unread{t})
	r.RemoteAddr = "192.0.2.1:2"
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if app.Handler().ServeHTTP(w, r); w.Code != 429 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body of a refused request was read")
	return 0, http.ErrBodyReadAfterClose
}

// P12.7: the address is the one that serve makes out. What a client says of
// itself changes nothing, a trusted proxy is believed, and whoever has an IPv6
// network has one address.
func TestLimitsFollowTheAddress(t *testing.T) {
	t.Parallel()
	const twoAnHour = "2/1h"
	app := limited(t, "ASHLAR_LIMIT_ADDRESS", twoAnHour, "ASHLAR_TRUSTED_PROXIES", "10.0.0.0/8")
	for _, c := range []struct {
		peer, forwarded string
		want            int
	}{
		{"192.0.2.1:1", "", 200},
		{"192.0.2.1:2", "198.51.100.1", 200},
		{"192.0.2.1:3", "198.51.100.2", 429},
		{"192.0.2.1:4", "10.0.0.1, 198.51.100.3", 429},
		{"192.0.2.2:1", "192.0.2.1", 200},
		{"192.0.2.2:1", "", 200},
		{"192.0.2.2:1", "192.0.2.3", 429},
		{"10.0.0.1:1", "203.0.113.1", 200},
		{"10.0.0.2:1", "203.0.113.1", 200},
		{"10.0.0.3:1", "198.51.100.9, 203.0.113.1", 429},
		{"10.0.0.1:1", "203.0.113.2", 200},
		{"[2001:db8:1:2::1]:1", "", 200},
		{"[2001:db8:1:2:ffff::9]:1", "", 200},
		{"[2001:db8:1:2:3:4:5:6]:1", "", 429},
		{"[2001:db8:1:3::1]:1", "", 200},
	} {
		header := []string{"Forwarded", "for=198.51.100.77", "X-Real-Ip", "198.51.100.78", "True-Client-Ip", "198.51.100.79"}
		if c.forwarded != "" {
			header = append(header, "X-Forwarded-For", c.forwarded)
		}
		if w := from(app, c.peer, "GET", "/open/a", "", header...); w.Code != c.want {
			t.Errorf("%s by way of %q: got %d, want %d", c.peer, c.forwarded, w.Code, c.want)
		}
	}
}

// P6.2: exactly as many pass as there are, however many ask at once.
func TestLimitsHoldInACrowd(t *testing.T) {
	t.Parallel()
	app := limited(t, "ASHLAR_LIMIT_ADDRESS", "100/1h")
	var passed atomic.Int64
	var all sync.WaitGroup
	for side := range 15 {
		all.Go(func() {
			for range 7 {
				if w := from(app, fmt.Sprint("192.0.2.1:", 1000+side), "GET", "/open/a", ""); w.Code == 200 {
					passed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if passed.Load() != 100 {
		t.Errorf("%d of 105 passed, not 100", passed.Load())
	}
}

// Whoever sends one bad credential after the other is not heard any more, not
// even with a good one, until some have been forgotten; others are. Time stands
// still, so that a slow machine forgets none meanwhile.
func TestBadCredentialsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := limited(t)
		app.Untraced()
		bad := func(addr string) int {
			return from(app, addr, "GET", "/mine/a", "", "Authorization", "Bearer x.y.z").Code
		}
		const burst = 5000
		refused := 0
		for range burst + 100 {
			if bad("192.0.2.1:1") == 429 {
				refused++
			}
		}
		if refused == 0 {
			t.Errorf("none of %d bad credentials was refused unread", burst+100)
		}
		if got := bad("192.0.2.2:1"); got != 401 {
			t.Errorf("one address pays for another: %d", got)
		}
		if got := from(app, "192.0.2.1:1", "GET", "/open/a", "").Code; got != 200 {
			t.Errorf("what needs no credential is refused for a bad one: %d", got)
		}
	})
}

// The defaults hold where the configuration was made in code, too.
func TestLimitsAreOnByDefault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		loaded, err := config.Load[ashlar.Config](config.Map(map[string]string{}))
		if err != nil {
			t.Fatal(err)
		}
		if loaded.PerPrincipal != limit.Per(5000, time.Second) || loaded.PerAddress != limit.Per(200, 2*time.Second) || loaded.PerSignIn != limit.Per(60, time.Minute) {
			t.Errorf("got %v, %v, %v", loaded.PerPrincipal, loaded.PerAddress, loaded.PerSignIn)
		}
		loaded.DatabaseURL, loaded.DataDir = config.NewSecret("sqlite::memory:"), t.TempDir()
		loaded.PerPrincipal, loaded.PerAddress, loaded.PerSignIn = limit.Rate{}, limit.Rate{}, limit.Rate{}
		app, err := ashlar.Open(t.Context(), loaded)
		if err != nil {
			t.Fatal(err)
		}
		defer app.Close()
		app.Mount(ashlar.Module{Name: "open", Operations: []op.Operation{op.Query("open", "GET /open/{name}", greet, op.Public())}})
		h, err := app.Handler()
		if err != nil {
			t.Fatal(err)
		}
		for range 10_000 {
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, httptest.NewRequest("GET", "/open/a", nil)); w.Code == 429 {
				return
			}
		}
		t.Error("ten thousand calls of one address were answered")
	})
}

func TestLimitSettings(t *testing.T) {
	t.Parallel()
	_, err := config.Load[ashlar.Config](config.Map(map[string]string{
		"ASHLAR_LIMIT_PRINCIPAL": "5000", "ASHLAR_LIMIT_ADDRESS": "0/1s", "ASHLAR_LIMIT_SIGN_IN": "none",
	}))
	for _, want := range []string{
		`ASHLAR_LIMIT_PRINCIPAL is "5000": expected a rate such as 100/1s`, `ASHLAR_LIMIT_ADDRESS is "0/1s": a rate of 0 in 1s grants nothing`, `ASHLAR_LIMIT_SIGN_IN is "none": expected a rate`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not among the mistakes: %v", want, err)
		}
	}
	loose := limited(t, "ASHLAR_LIMIT_PRINCIPAL", "off", "ASHLAR_LIMIT_ADDRESS", "off", "ASHLAR_LIMIT_SIGN_IN", "off")
	for range 300 {
		if w := from(loose, "192.0.2.1:1", "GET", "/open/a", ""); w.Code != 200 || w.Header().Get("RateLimit") != "" {
			t.Fatalf("got %d %v", w.Code, w.Header())
		}
	}
}

// A limit that cannot be counted, or that nothing counts, is a mistake of the
// declaration.
func TestLimitMistakesSurfaceAtTheStart(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	app.Mount(ashlar.Module{Name: "m", Operations: []op.Operation{
		op.Query("ages", "GET /ages/{name}", greet, op.Public(), op.Limit(1, 1000*time.Hour, op.Burst(10_000_000))),
	}})
	if _, err := app.App.Handler(); err == nil || !strings.Contains(err.Error(), "longer than a lifetime") || !strings.Contains(err.Error(), "limits_test.go") {
		t.Errorf("got %v", err)
	}
}

// Signing in has a limit of its own, for all its operations together.
func TestSignInHasALimit(t *testing.T) {
	t.Parallel()
	app := limited(t, "ASHLAR_LIMIT_SIGN_IN", "3/1h")
	signIn := func(addr, email string) *httptest.ResponseRecorder {
		return from(app, addr, "POST", "/v1/auth/login", `{"email":"`+email+`","password":"square-and-false"}`)
	}
	for i := range 3 {
		if w := signIn("192.0.2.1:1", fmt.Sprint("a", i, "@b.test")); w.Code != 401 || !strings.HasPrefix(w.Header().Get("RateLimit"), `"sign_in";r=`) {
			t.Errorf("got %d %v", w.Code, w.Header())
		}
	}
	if w := signIn("192.0.2.1:1", "a4@b.test"); w.Code != 429 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := signIn("192.0.2.2:1", "a4@b.test"); w.Code != 401 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
