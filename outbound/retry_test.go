package outbound_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/outbound"
	"github.com/ashlar-go/ashlar/outbound/outboundtest"
)

// bank is a client of a dependency on loopback, in a hurry.
func bank(change ...func(*outbound.Config)) *outbound.Client {
	cfg := outbound.Config{Name: "bank", Allow: outboundtest.Loopback, Retry: outbound.Retry{Wait: time.Millisecond}}
	for _, c := range change {
		c(&cfg)
	}
	return outbound.New(cfg)
}

func request(t *testing.T, method, url, body string, header ...string) *http.Request {
	t.Helper()
	var from io.Reader
	if body != "" {
		from = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, from)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}

// TestRetries holds P14.8: at most three tries, and only of what is safe.
func TestRetries(t *testing.T) {
	t.Parallel()
	type answers = []outboundtest.Answer
	down, up := outboundtest.Status(503), outboundtest.JSON(`{}`)
	for name, c := range map[string]struct {
		method, body string
		header       []string
		answers      answers
		calls        int
		status       int // 0 for an error
	}{
		"a query":                                   {"GET", "", nil, answers{down}, 3, 503},
		"a query that succeeds in the end":          {"GET", "", nil, answers{outboundtest.Reset, outboundtest.Status(429), up}, 3, 200},
		"a replacement":                             {"PUT", "all of it", nil, answers{down}, 3, 503},
		"a removal":                                 {"DELETE", "", nil, answers{outboundtest.Status(502), outboundtest.Status(504), up}, 3, 200},
		"a command":                                 {"POST", "pay", nil, answers{down}, 1, 503},
		"a command whose answer is lost":            {"POST", "pay", nil, answers{outboundtest.Reset, up}, 1, 0},
		"a command with a key":                      {"POST", "pay", []string{"Idempotency-Key", "k1"}, answers{down}, 3, 503},
		"a change":                                  {"PATCH", "pay", nil, answers{down}, 1, 503},
		"a defect of theirs":                        {"GET", "", nil, answers{outboundtest.Status(500)}, 1, 500},
		"a mistake of ours":                         {"GET", "", nil, answers{outboundtest.Status(400)}, 1, 400},
		"a pause within bounds":                     {"GET", "", nil, answers{outboundtest.Busy(503, 0), up}, 2, 200},
		"a pause that is too long":                  {"GET", "", nil, answers{outboundtest.Busy(503, time.Hour)}, 1, 503},
		"a command that says GET where nobody asks": {"POST", "pay", []string{"X-HTTP-Method-Override", "GET"}, answers{down}, 1, 503},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := outboundtest.New(t, c.answers...)
			client := bank()
			res, err := client.Do(request(t, c.method, s.URL+"/a?b=c", c.body, c.header...))
			if (err != nil) != (c.status == 0) {
				t.Fatalf("%v, %v", res, err)
			}
			if err == nil {
				defer res.Body.Close()
				if res.StatusCode != c.status {
					t.Errorf("status %d, want %d", res.StatusCode, c.status)
				}
				if _, err := io.ReadAll(res.Body); err != nil {
					t.Errorf("the last answer cannot be read: %v", err)
				}
			}
			calls := s.Calls()
			if len(calls) != c.calls {
				t.Fatalf("%d calls, want %d", len(calls), c.calls)
			}
			for _, one := range calls {
				if one.Body != c.body || one.Method != c.method || one.Target != "/a?b=c" || one.Header.Get("Idempotency-Key") != calls[0].Header.Get("Idempotency-Key") {
					t.Errorf("asked %+v", one)
				}
			}
			if s := client.Policy().Stats(); s.Tries != int64(c.calls) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestABodyThatCannotBeHadAgain is sent once, whatever the method.
func TestABodyThatCannotBeHadAgain(t *testing.T) {
	t.Parallel()
	s := outboundtest.New(t, outboundtest.Status(503))
	req := request(t, "PUT", s.URL, "once")
	req.GetBody = nil
	res, err := bank().Do(req)
	if err != nil || res.StatusCode != 503 || len(s.Calls()) != 1 {
		t.Errorf("%v, %v after %d calls", res, err, len(s.Calls()))
	}
	_ = res.Body.Close()

	req = request(t, "PUT", s.URL, "once")
	req.GetBody = func() (io.ReadCloser, error) { return nil, errBroken }
	if _, err := bank().Do(req); !errors.Is(err, errBroken) || len(s.Calls()) != 2 {
		t.Errorf("%v after %d calls", err, len(s.Calls()))
	}
}

// TestRetryAfterIsWaitedFor: not a moment less than the other side asks for.
func TestRetryAfterIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := outboundtest.New(t, outboundtest.Busy(429, time.Second), outboundtest.JSON(`{}`))
	began := time.Now()
	res, err := bank().Do(request(t, "GET", s.URL, ""))
	if err != nil || res.StatusCode != 200 || time.Since(began) < time.Second {
		t.Errorf("%v, %v after %v", res, err, time.Since(began))
	}
	_ = res.Body.Close()
}

// TestSent holds what a caller needs to know of a failure: whether it is
// certain that nothing happened.
func TestSent(t *testing.T) {
	t.Parallel()
	gone := outboundtest.New(t)
	away := strings.Replace(gone.URL, "127.0.0.1", "127.0.0.2", 1)
	nobody := closed(t)
	for name, c := range map[string]struct {
		answer  outboundtest.Answer
		url     string
		sent    bool
		cause   fault.Coded
		retries bool
	}{
		"a reset":           {outboundtest.Reset, "", true, outbound.ErrUnreachable, true},
		"garbage":           {outboundtest.Garbage, "", true, outbound.ErrUnreachable, true},
		"silence":           {outboundtest.Hang, "", true, outbound.ErrSlow, true},
		"nobody there":      {nil, nobody, false, outbound.ErrUnreachable, true},
		"a refused target":  {nil, away, false, outbound.ErrRefused, false},
		"a refused address": {nil, "http://10.0.0.1/", false, outbound.ErrRefused, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.answer != nil {
				c.url = outboundtest.New(t, c.answer).URL
			}
			client := bank(func(cfg *outbound.Config) { cfg.Timeout = time.Second; cfg.HeadTimeout = 100 * time.Millisecond })
			_, err := client.Do(request(t, "GET", c.url+"/hooks/secret-path?key=secret-query", "", "Authorization", "secret-header"))
			failure, ok := errors.AsType[*outbound.Failure](err)
			if !ok || !errors.Is(err, c.cause) || failure.Sent != c.sent || failure.Name != "bank" {
				t.Fatalf("%v: %+v", err, failure)
			}
			if (failure.Tries > 1) != c.retries {
				t.Errorf("%d tries", failure.Tries)
			}
			if text := err.Error(); strings.Contains(text, "secret") || !strings.HasPrefix(text, "bank: GET ") {
				t.Errorf("it says %q", text)
			}
		})
	}
}

// closed is the URL of a port that nobody listens on.
func closed(t *testing.T) string {
	t.Helper()
	s := outboundtest.New(t)
	s.Close()
	return s.URL
}

// TestBreakerOverHTTP holds P14.9 at a socket: an open breaker answers in no
// time and asks nothing; the other side is asked again after the rest.
func TestBreakerOverHTTP(t *testing.T) {
	t.Parallel()
	s := outboundtest.New(t, outboundtest.Status(500))
	client := bank(func(cfg *outbound.Config) { cfg.Breaker.Rest = 5 * time.Second })
	get := func() (int, error) {
		res, err := client.Do(request(t, "GET", s.URL, ""))
		if err != nil {
			return 0, err
		}
		return res.StatusCode, res.Body.Close()
	}
	for range 20 {
		_, _ = get()
	}
	asked := len(s.Calls())
	fastest := time.Hour
	for range 5 {
		began := time.Now()
		_, err := get()
		fastest = min(fastest, time.Since(began))
		if errors.Is(err, outbound.ErrOpen) && fault.ProblemOf(err, "").Status != 503 {
			t.Errorf("got %v", err)
		}
	}
	if asked > 12 || fastest > 10*time.Millisecond {
		t.Errorf("%d calls, then refused within %v", asked, fastest)
	}
	s.Script(outboundtest.JSON(`{}`))
	eventually(t, func() bool { status, _ := get(); return status == 200 })
	if state := client.Policy().Stats().State; state != outbound.Closed {
		t.Errorf("it is %v", state)
	}
}

// TestABodyThatBreaksOffIsHeldAgainstTheDependency, as much as a bad status.
func TestABodyThatBreaksOffIsHeldAgainstTheDependency(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]outboundtest.Answer{
		"cut": outboundtest.Cut, "drip": outboundtest.Drip, "too large": outboundtest.Huge(2 << 20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := outboundtest.New(t, answer)
			client := bank(func(cfg *outbound.Config) { cfg.Timeout = 200 * time.Millisecond; cfg.Breaker.Minimum = 1 })
			res, err := client.Do(request(t, "GET", s.URL, ""))
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
			if s := client.Policy().Stats(); err == nil || s.State != outbound.Open || s.Failed != 1 || s.Inside != 0 {
				t.Errorf("%v, %+v", err, s)
			}
		})
	}
}

// TestAForgottenBodyGivesItsPlaceBack, when its time is over.
func TestAForgottenBodyGivesItsPlaceBack(t *testing.T) {
	t.Parallel()
	s := outboundtest.New(t, outboundtest.Drip)
	client := bank(func(cfg *outbound.Config) { cfg.Timeout = 3 * time.Second; cfg.Bulkhead.Calls = 1 })
	res, err := client.Do(request(t, "GET", s.URL, ""))
	if err != nil {
		t.Fatal(err)
	}
	if s := client.Policy().Stats(); s.Inside != 1 {
		t.Errorf("%+v", s)
	}
	eventually(t, func() bool { return client.Policy().Stats().Inside == 0 })
	_ = res.Body.Close()
	if s := client.Policy().Stats(); s.Inside != 0 || s.Failed != 1 {
		t.Errorf("%+v", s)
	}
}

// TestAClientOfManyTargets has neither breaker nor bulkhead nor retries.
func TestAClientOfManyTargets(t *testing.T) {
	t.Parallel()
	s := outboundtest.New(t, outboundtest.Status(503))
	client := outbound.New(outbound.Config{Allow: outboundtest.Loopback, Breaker: outbound.Breaker{Minimum: 1}})
	for range 30 {
		res, err := client.Do(request(t, "GET", s.URL, ""))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
	if n := len(s.Calls()); n != 30 {
		t.Errorf("%d calls", n)
	}
}

// TestCheckLooksNamesUp: what leads inside is refused early, what leads nowhere
// is not.
func TestCheckLooksNamesUp(t *testing.T) {
	t.Parallel()
	for host, refused := range map[string]bool{"localhost": true, "127.0.0.1": true, "no-such-name.invalid": false, "93.184.215.14": false} {
		u := request(t, "GET", "http://"+host+"/", "").URL
		if err := outbound.New(outbound.Config{}).Check(context.Background(), u); (err != nil) != refused {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatal("it never comes true")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
