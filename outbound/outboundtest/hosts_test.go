package outboundtest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/outbound"
	"github.com/ashlar-go/ashlar/outbound/outboundtest"
)

// TestPlayedHosts does what a script says without a socket, and in the time of
// a bubble: what an answer does to a client, and how long the client bears it.
func TestPlayedHosts(t *testing.T) {
	t.Parallel()
	ok := outboundtest.JSON(`{}`)
	for name, c := range map[string]struct {
		script []outboundtest.Answer
		fails  fault.Coded // of the call, or of reading its answer
		status int
		body   string
		calls  int
		least  time.Duration
		most   time.Duration
	}{
		"a status":                      {script: []outboundtest.Answer{outboundtest.Status(418)}, status: 418, calls: 1},
		"a text":                        {script: []outboundtest.Answer{ok}, status: 200, body: `{}`, calls: 1},
		"a delay":                       {script: []outboundtest.Answer{outboundtest.After(4*time.Second, ok)}, status: 200, body: `{}`, calls: 1, least: 4 * time.Second, most: 4 * time.Second},
		"a delay that is too long":      {script: []outboundtest.Answer{outboundtest.After(time.Hour, ok)}, fails: outbound.ErrSlow, calls: 2, least: 10 * time.Second, most: 10 * time.Second},
		"no answer, and then one":       {script: []outboundtest.Answer{outboundtest.Hang, ok}, status: 200, body: `{}`, calls: 2, least: 5 * time.Second, most: 5100 * time.Millisecond},
		"a reset":                       {script: []outboundtest.Answer{outboundtest.Reset}, fails: outbound.ErrUnreachable, calls: 3},
		"a reset, and then an answer":   {script: []outboundtest.Answer{outboundtest.Reset, ok}, status: 200, body: `{}`, calls: 2},
		"garbage":                       {script: []outboundtest.Answer{outboundtest.Garbage}, fails: outbound.ErrUnreachable, calls: 3},
		"half an answer":                {script: []outboundtest.Answer{outboundtest.Cut}, fails: outbound.ErrUnreachable, status: 200, body: "half", calls: 1},
		"more than there may be":        {script: []outboundtest.Answer{outboundtest.Huge(8 << 20)}, fails: outbound.ErrTooLarge, status: 200, calls: 1},
		"more than there may be, zip":   {script: []outboundtest.Answer{outboundtest.Bomb(8 << 20)}, fails: outbound.ErrTooLarge, status: 200, calls: 1},
		"a drip":                        {script: []outboundtest.Answer{outboundtest.Drip}, fails: outbound.ErrSlow, status: 200, calls: 1, least: 10 * time.Second, most: 10 * time.Second},
		"busy, and then an answer":      {script: []outboundtest.Answer{outboundtest.Busy(503, 2*time.Second), ok}, status: 200, body: `{}`, calls: 2, least: 2 * time.Second, most: 2 * time.Second},
		"busy for longer than is worth": {script: []outboundtest.Answer{outboundtest.Busy(503, time.Minute), ok}, status: 503, calls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var hosts outboundtest.Hosts
				bank := hosts.Play(t, "https://bank.example", c.script...)
				client := outbound.New(outbound.Config{Name: "bank", Within: hosts.Within})
				began := time.Now()
				status, body, err := get(t, client, bank.URL+"/accounts?of=ann")
				if c.fails == nil && err != nil || c.fails != nil && !errors.Is(err, c.fails) {
					t.Errorf("fails with %v, want %v", err, c.fails)
				}
				if status != c.status || c.body != "" && body != c.body {
					t.Errorf("answers %d %.20q, want %d %q", status, body, c.status, c.body)
				}
				if took := time.Since(began); c.most > 0 && (took < c.least || took > c.most) {
					t.Errorf("took %s, want %s to %s", took, c.least, c.most)
				}
				calls := bank.Calls()
				if len(calls) != c.calls || calls[0].Target != "/accounts?of=ann" || !calls[0].At.Equal(began) {
					t.Errorf("was called %d times, want %d: %+v", len(calls), c.calls, calls)
				}
			})
		})
	}
}

func get(t *testing.T, client *outbound.Client, target string) (status int, body string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

// TestHostsAreTold apart by host and port, and one that has closed refuses
// connections.
func TestHostsAreToldApart(t *testing.T) {
	t.Parallel()
	var hosts outboundtest.Hosts
	client := outbound.New(outbound.Config{Within: hosts.Within, Redirects: 1, Ports: []uint16{80, 443, 8443}, Timeout: 2 * time.Minute})
	other := hosts.Play(t, "https://Bank.example:8443", outboundtest.JSON("other"))
	hosts.Play(t, "http://bank.example", outboundtest.Redirect("https://bank.example/new"))
	hosts.Play(t, "https://bank.example", outboundtest.JSON("first"))
	for target, want := range map[string]string{
		"http://bank.example/old": "first", "https://bank.example": "first", "https://bank.EXAMPLE:443/": "first", "https://bank.example:8443/": "other",
	} {
		if status, body, err := get(t, client, target); status != http.StatusOK || body != want || err != nil {
			t.Errorf("%s answers %d %q, %v; want %s", target, status, body, err, want)
		}
	}
	hosts.Play(t, "https://bank.example", outboundtest.JSON("second")) // for connections from here on
	client.CloseIdleConnections()
	if _, body, err := get(t, client, "https://bank.example"); body != "second" || err != nil {
		t.Errorf("the new one answers %q, %v", body, err)
	}
	other.Close()
	_, _, err := get(t, client, other.URL)
	failure, ok := errors.AsType[*outbound.Failure](err)
	if !ok || failure.Sent || !errors.Is(err, outbound.ErrUnreachable) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("the closed one: %v", err)
	}
}

// TestPlayedHostsAreJudged by their URLs like any other, and their names are not
// looked up.
func TestPlayedHostsAreJudged(t *testing.T) {
	t.Parallel()
	var hosts outboundtest.Hosts
	inside := hosts.Play(t, "http://169.254.169.254", outboundtest.JSON("secrets"))
	hosts.Play(t, "https://shop.example", outboundtest.Status(204))
	asked := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("a name is looked up")
		return nil, errors.New("no name server")
	}}
	client := outbound.New(outbound.Config{Within: hosts.Within, Resolver: asked})
	if _, _, err := get(t, client, inside.URL); !errors.Is(err, outbound.ErrRefused) {
		t.Errorf("what is inside: %v", err)
	}
	if len(inside.Calls()) > 0 {
		t.Error("it was called")
	}
	for target, may := range map[string]bool{"https://shop.example/hooks": true, "http://169.254.169.254": false} {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Check(t.Context(), u); (err == nil) != may {
			t.Errorf("%s: %v", target, err)
		}
	}
}
