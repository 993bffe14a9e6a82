package limit_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/limit"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	store, rate := limit.NewMemory(limit.MemoryConfig{}), limit.Per(1, time.Second)
	for why, open := range map[string]func() (*limit.Limiter, error){
		"no store":       func() (*limit.Limiter, error) { return limit.New(nil, "a", rate) },
		"no name":        func() (*limit.Limiter, error) { return limit.New(store, "", rate) },
		"a quote":        func() (*limit.Limiter, error) { return limit.New(store, `a"`, rate) },
		"a line end":     func() (*limit.Limiter, error) { return limit.New(store, "a\r\nSet-Cookie: b", rate) },
		"the zero rate":  func() (*limit.Limiter, error) { return limit.New(store, "a", limit.Rate{}) },
		"a rate of none": func() (*limit.Limiter, error) { return limit.New(store, "a", limit.Per(0, time.Second)) },
	} {
		if l, err := open(); err == nil || l != nil {
			t.Errorf("%s: got %v", why, l)
		}
	}
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	var c clock
	l, err := limit.New(limit.NewMemory(limit.MemoryConfig{Now: c.Now}), "calls", limit.Per(3, 3*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for want := 2; want >= 0; want-- {
		if got, err := l.Take(ctx, "ann"); err != nil || !got.OK || got.Remaining != want {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	if got, _ := l.Take(ctx, "ann"); got.OK {
		t.Errorf("a fourth: %+v", got)
	}
	if got, _ := l.TakeN(ctx, "bob", 3); !got.OK {
		t.Errorf("bob pays for ann: %+v", got)
	}
	if got, _ := l.TakeN(ctx, "carl", -3); !got.OK || got.Remaining != 3 {
		t.Errorf("a negative number is none: %+v", got)
	}
	if err := l.GiveBack(ctx, "ann", 1); err != nil {
		t.Fatal(err)
	}
	if err := l.GiveBack(ctx, "ann", -5); err != nil {
		t.Fatal(err)
	}
	if got, _ := l.Look(ctx, "ann"); !got.OK || got.Remaining != 1 {
		t.Errorf("one was given back: %+v", got)
	}
	if err := l.Forget(ctx, "bob"); err != nil {
		t.Fatal(err)
	}
	if got, _ := l.Look(ctx, "bob"); got.Remaining != 3 || got.Reset != 0 {
		t.Errorf("bob was forgotten: %+v", got)
	}
}

// P9.10: the fields are lists of items with parameters, r falls, and
// Retry-After is t at least.
func TestWrap(t *testing.T) {
	t.Parallel()
	var c clock
	h := limit.Per(5, time.Minute).Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}), limit.In(limit.NewMemory(limit.MemoryConfig{Now: c.Now})))
	call := func(addr string, header ...string) *httptest.ResponseRecorder {
		r, w := httptest.NewRequest("POST", "/", nil), httptest.NewRecorder()
		r.RemoteAddr = addr
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		h.ServeHTTP(w, r)
		return w
	}
	for want := 4; want >= 0; want-- {
		w := call("192.0.2.1:" + strconv.Itoa(1000+want))
		if w.Code != 204 || w.Header().Get("RateLimit-Policy") != `"default";q=5;w=60` ||
			w.Header().Get("RateLimit") != `"default";r=`+strconv.Itoa(want)+`;t=`+strconv.Itoa(60-12*want) {
			t.Errorf("got %d %v", w.Code, w.Header())
		}
	}
	c.step(2500 * time.Millisecond)
	// P12.7: what a client says of its own address changes nothing.
	w := call("192.0.2.1:999", "X-Forwarded-For", "198.51.100.9", "Forwarded", "for=198.51.100.9", "X-Real-Ip", "198.51.100.9")
	if w.Code != 429 || w.Header().Get("Retry-After") != "10" || w.Header().Get("RateLimit") != `"default";r=0;t=10` {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
	var p struct {
		Code, Detail, Type string
		Violated           []string `json:"violated-policies"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if p.Code != "rate_limited" || p.Type != "/problems/rate-limited" || !slices.Equal(p.Violated, []string{"default"}) ||
		p.Detail != "You ask too often: 5/1m is the limit. Come back in 10 s." {
		t.Errorf("got %+v", p)
	}
	if w := call("192.0.2.2:1"); w.Code != 204 {
		t.Errorf("one address pays for another: %d", w.Code)
	}
	c.step(10 * time.Second)
	if w := call("192.0.2.1:1"); w.Code != 204 {
		t.Errorf("it was too early to come back: %d", w.Code)
	}
}

func TestWrapByKey(t *testing.T) {
	t.Parallel()
	h := limit.Per(1, time.Minute).Wrap(http.NotFoundHandler(), limit.Named("key"), limit.By(func(r *http.Request) string { return r.Header.Get("Key") }))
	for _, c := range []struct {
		key  string
		want int
	}{{"a", 404}, {"a", 429}, {"b", 404}, {"", 404}, {"", 429}} {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Key", c.key)
		if h.ServeHTTP(w, r); w.Code != c.want || !strings.HasPrefix(w.Header().Get("RateLimit"), `"key";`) {
			t.Errorf("%q: %d %v", c.key, w.Code, w.Header())
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a mistaken rate is wrapped")
		}
	}()
	limit.Per(0, time.Second).Wrap(h)
}

func TestWrapOff(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	limit.Unlimited().Wrap(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 404 || w.Header().Get("RateLimit") != "" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
}

type broken struct{}

func (broken) Take(context.Context, limit.Key, limit.Rate, int) (limit.Result, error) {
	return limit.Result{}, errors.New("connection refused by 10.0.0.7")
}

func TestWrapWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	limit.Per(1, time.Second).Wrap(http.NotFoundHandler(), limit.In(broken{})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 503 || strings.Contains(w.Body.String(), "10.0.0.7") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestFieldsOfSeveralLimits(t *testing.T) {
	t.Parallel()
	store, h := limit.NewMemory(limit.MemoryConfig{}), http.Header{}
	hour, err := limit.New(store, "hour", limit.Per(1000, time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	fast, err := limit.New(store, "fast", limit.Per(100, time.Second).Burst(250))
	if err != nil {
		t.Fatal(err)
	}
	hour.SetFields(h, limit.Result{OK: true, Remaining: 998, Reset: 7*time.Second + 1})
	fast.SetFields(h, limit.Result{Remaining: 0, RetryAfter: time.Millisecond, Reset: time.Minute})
	if got := h.Get("RateLimit"); got != `"hour";r=998;t=8, "fast";r=0;t=1` {
		t.Errorf("got %s", got)
	}
	if got := h.Get("RateLimit-Policy"); got != `"hour";q=1000;w=3600, "fast";q=250;w=3` {
		t.Errorf("got %s", got)
	}
}

func TestRefusalIsAFault(t *testing.T) {
	t.Parallel()
	l, err := limit.New(limit.NewMemory(limit.MemoryConfig{}), "calls", limit.Per(1, time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	err = l.Refusal(limit.Result{RetryAfter: 1500 * time.Millisecond})
	if !errors.Is(err, limit.ErrLimited) {
		t.Errorf("got %v", err)
	}
	if p := fault.ProblemOf(err, ""); p.Status != 429 || p.RetryAfter != 2*time.Second {
		t.Errorf("got %+v", p)
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1":                    "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":         "2001:db8:1:2::",
		"2001:db8:1:2::":               "2001:db8:1:2::",
		"2001:db8::1":                  "2001:db8::",
		"2001:db8:0:0:ffff::":          "2001:db8::",
		"::1":                          "::",
		"::ffff:192.0.2.1":             "192.0.2.1",
		"fe80::1%eth0":                 "fe80::",
		"":                             "",
		"@":                            "@",
		"not:an:address":               "not:an:address",
		"2001:0db8:0001:0002:0:0:0:9f": "2001:db8:1:2::",
	} {
		if got := limit.Network(address); got != want {
			t.Errorf("%s is in %s, not %s", address, got, want)
		}
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/", nil)
	for remote, want := range map[string]string{"192.0.2.1:5": "192.0.2.1", "[2001:db8::7]:5": "2001:db8::", "@": "@", "": ""} {
		if r.RemoteAddr = remote; limit.Address(r) != want {
			t.Errorf("%s is %s, not %s", remote, limit.Address(r), want)
		}
	}
	r = r.WithContext(access.WithOrigin(r.Context(), access.Origin{Address: "198.51.100.7"}))
	if got := limit.Address(r); got != "198.51.100.7" {
		t.Errorf("the origin that was made out is not believed: %s", got)
	}
}
