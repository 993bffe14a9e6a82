package outbound_test

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/outbound"
	"github.com/ashlar-go/ashlar/outbound/outboundtest"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

// upstream serves on loopback and counts its connections.
func upstream(t testing.TB, h http.HandlerFunc) (s *httptest.Server, hits *atomic.Int32) {
	t.Helper()
	hits = new(atomic.Int32)
	s = httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			hits.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, hits
}

func get(t *testing.T, c *outbound.Client, url string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if res != nil {
		t.Cleanup(func() { _ = res.Body.Close() })
	}
	return res, err
}

// wantQuiet holds that a caller of the service learns nothing but that it
// failed (P6.20).
func wantQuiet(t *testing.T, err error, code fault.Upstream) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Fatalf("error %v, want %s", err, code)
	}
	problem := fault.ProblemOf(err, "")
	if problem.Status != http.StatusBadGateway || problem.Code != string(code) {
		t.Errorf("problem %d %s", problem.Status, problem.Code)
	}
	if text, _ := problem.MarshalJSON(); strings.Contains(string(text), "127.") || strings.Contains(string(text), "loopback") {
		t.Errorf("the problem says too much: %s", text)
	}
}

func TestCall(t *testing.T) {
	t.Parallel()
	s, _ := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, r.URL, body)
	})
	client := outbound.New(outbound.Config{Allow: loopback})
	res, err := client.HTTP().Post(s.URL+"/a?b=c", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "POST /a?b=c hello" {
		t.Errorf("%q, %v", body, err)
	}
}

// TestRebinding holds P10.11: a name that led to an allowed address when it was
// first called, and leads inside later.
func TestRebinding(t *testing.T) {
	t.Parallel()
	inside, hits := upstream(t, func(http.ResponseWriter, *http.Request) {})
	port := netip.MustParseAddrPort(inside.Listener.Addr().String()).Port()
	outside, err := net.Listen("tcp", fmt.Sprintf("127.0.0.2:%d", port))
	if err != nil {
		t.Skip("no second address of loopback here: ", err)
	}
	go func() {
		_ = http.Serve(outside, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
		}))
	}()
	t.Cleanup(func() { _ = outside.Close() })

	client := outbound.New(outbound.Config{
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")},
		Resolver: outboundtest.Names(t, func(question int) netip.Addr {
			if question == 0 {
				return netip.MustParseAddr("127.0.0.2")
			}
			return netip.MustParseAddr("127.0.0.1")
		}),
	})
	url := fmt.Sprintf("http://rebind.test:%d/", port)
	if _, err := get(t, client, url); err != nil {
		t.Fatalf("the first call: %v", err)
	}
	_, err = get(t, client, url)
	wantQuiet(t, err, outbound.ErrRefused)
	if refusal, ok := errors.AsType[*outbound.Refusal](err); !ok || refusal.Reason != "port" && refusal.Reason != "loopback" {
		t.Errorf("the log does not learn why: %v", err)
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d connections to the inside", n)
	}
}

// TestNameOfTheInside holds P10.11 for a name that is public in form only.
func TestNameOfTheInside(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0"} {
		client := outbound.New(outbound.Config{Resolver: outboundtest.Names(t, func(int) netip.Addr { return netip.MustParseAddr(addr) })})
		_, err := get(t, client, "http://inside.test/")
		wantQuiet(t, err, outbound.ErrRefused)
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	inside, hits := upstream(t, func(http.ResponseWriter, *http.Request) {})
	var s *httptest.Server
	seen := make(chan http.Header, 10)
	s, _ = upstream(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/inside":
			// The same server under an address that is not allowed.
			http.Redirect(w, r, strings.Replace(inside.URL, "127.0.0.1", "127.0.0.3", 1), http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/home":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/away":
			http.Redirect(w, r, inside.URL+"/end", http.StatusTemporaryRedirect)
		default:
			seen <- r.Header
		}
	})
	follow := outbound.New(outbound.Config{Allow: loopback, Redirects: 3})

	res, err := get(t, outbound.New(outbound.Config{Allow: loopback}), s.URL+"/home")
	if err != nil || res.StatusCode != http.StatusFound {
		t.Errorf("followed unasked: %v %v", res, err)
	}
	for path, reason := range map[string]string{"/inside": "port", "/file": "http", "/loop": "too many"} {
		_, err := get(t, follow, s.URL+path)
		wantQuiet(t, err, outbound.ErrRefused)
		if !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v, want %q", path, err, reason)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d connections to the inside", n)
	}

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/home", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", "k")
	if res, err = follow.Do(req); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", res, err)
	}
	_ = res.Body.Close()
	if got := <-seen; got.Get("X-Api-Key") != "k" {
		t.Error("a redirect on the same host lost a header")
	}
	_, err = follow.HTTP().Post(s.URL+"/away", "text/plain", strings.NewReader("secret"))
	wantQuiet(t, err, outbound.ErrRefused)
}

// TestKeysStayAtHome holds that no header that may be a key follows a redirect
// to another host, nor comes back from there.
func TestKeysStayAtHome(t *testing.T) {
	t.Parallel()
	type call struct {
		at  string
		key string
	}
	calls := make(chan call, 10)
	var home, away *httptest.Server
	home, _ = upstream(t, func(w http.ResponseWriter, r *http.Request) {
		calls <- call{"home" + r.URL.Path, r.Header.Get("X-Api-Key") + r.Header.Get("Authorization") + r.Header.Get("Referer")}
		if r.URL.Path == "/" {
			http.Redirect(w, r, away.URL+"/", http.StatusFound)
		}
	})
	away, _ = upstream(t, func(w http.ResponseWriter, r *http.Request) {
		calls <- call{"away", r.Header.Get("X-Api-Key") + r.Header.Get("Authorization") + r.Header.Get("Referer")}
		http.Redirect(w, r, home.URL+"/back", http.StatusFound)
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, home.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", "k")
	req.Header.Set("Authorization", "t")
	res, err := outbound.New(outbound.Config{Allow: loopback, Redirects: 5}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	for _, want := range []call{{"home/", "kt"}, {"away", ""}, {"home/back", ""}} {
		if got := <-calls; got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// TestHugeAnswer holds P10.12: 100 MB that come as fast as they can, announced
// or not, or packed.
func TestHugeAnswer(t *testing.T) {
	t.Parallel()
	const size = 100 << 20
	s, _ := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		var to io.Writer = w
		switch r.URL.Path {
		case "/announced":
			w.Header().Set("Content-Length", fmt.Sprint(size))
		case "/packed":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			defer z.Close()
			to = z
		case "/head":
			w.Header().Set("X-Long", strings.Repeat("a", 1<<20))
		}
		for piece, left := make([]byte, 64<<10), size; left > 0; left -= len(piece) {
			if _, err := to.Write(piece); err != nil {
				return
			}
		}
	})
	client := outbound.New(outbound.Config{Allow: loopback, MaxBody: 1 << 20})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for path, want := range map[string]fault.Upstream{
		"/chunked": outbound.ErrTooLarge, "/announced": outbound.ErrTooLarge,
		"/packed": outbound.ErrTooLarge, "/head": outbound.ErrUnreachable,
	} {
		res, err := get(t, client, s.URL+path)
		var n int64
		if err == nil {
			n, err = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
		wantQuiet(t, err, want)
		if n > 1<<20 {
			t.Errorf("%s: %d bytes were read", path, n)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 32<<20 {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
	exact, err := get(t, outbound.New(outbound.Config{Allow: loopback, MaxBody: size}), s.URL+"/announced")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, exact.Body); n != size || err != nil {
		t.Errorf("an answer of exactly the limit: %d bytes, %v", n, err)
	}
}

// TestDrip holds P10.12: an answer that comes byte by byte ends with the time
// limit, at each stage.
func TestDrip(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s, _ := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/silent" {
			<-release
			return
		}
		out := http.NewResponseController(w)
		for {
			if _, err := w.Write([]byte("a")); err != nil || out.Flush() != nil {
				return
			}
			select {
			case <-release:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() { close(release) })
	client := outbound.New(outbound.Config{Allow: loopback, Timeout: 200 * time.Millisecond})
	for _, path := range []string{"/drip", "/silent"} {
		began := time.Now()
		res, err := get(t, client, s.URL+path)
		if err == nil {
			_, err = io.ReadAll(res.Body)
		}
		wantQuiet(t, err, outbound.ErrSlow)
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%s took %v", path, took)
		}
	}

	// The caller's own deadline stays the caller's own: 504, not 502.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/silent", nil)
	if err != nil {
		t.Fatal(err)
	}
	patient := outbound.New(outbound.Config{Allow: loopback, Timeout: time.Hour})
	if _, err := patient.Do(req); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, outbound.ErrSlow) {
		t.Errorf("the caller's deadline is %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	_, err = get(t, outbound.New(outbound.Config{Allow: loopback}), "http://"+l.Addr().String())
	wantQuiet(t, err, outbound.ErrUnreachable)

	half, _ := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = w.Write([]byte("half"))
	})
	res, err := get(t, outbound.New(outbound.Config{Allow: loopback}), half.URL)
	if err == nil {
		_, err = io.ReadAll(res.Body)
	}
	wantQuiet(t, err, outbound.ErrUnreachable)

	upgrade, _ := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "raw")
		w.WriteHeader(http.StatusSwitchingProtocols)
	})
	_, err = get(t, outbound.New(outbound.Config{Allow: loopback}), upgrade.URL)
	wantQuiet(t, err, outbound.ErrUnreachable)
}

// TestCertificatesAreVerified holds P12.11, whatever the caller's tls.Config says.
func TestCertificatesAreVerified(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = quiet
	s.StartTLS()
	t.Cleanup(s.Close)
	careless := &tls.Config{InsecureSkipVerify: true}
	_, err := get(t, outbound.New(outbound.Config{Allow: loopback, TLS: careless}), s.URL)
	wantQuiet(t, err, outbound.ErrUnreachable)

	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	if _, err := get(t, outbound.New(outbound.Config{Allow: loopback, TLS: &tls.Config{RootCAs: roots}}), s.URL); err != nil {
		t.Error(err)
	}
}

// TestProxyOfTheEnvironment is not parallel: it sets the environment.
func TestProxyOfTheEnvironment(t *testing.T) {
	proxy, hits := upstream(t, func(http.ResponseWriter, *http.Request) {})
	t.Setenv("HTTP_PROXY", proxy.URL)
	client := outbound.New(outbound.Config{Resolver: outboundtest.Names(t, func(int) netip.Addr { return netip.MustParseAddr("10.0.0.1") })})
	_, err := get(t, client, "http://a.test/")
	wantQuiet(t, err, outbound.ErrRefused)
	if hits.Load() != 0 {
		t.Error("the proxy was asked")
	}
}
