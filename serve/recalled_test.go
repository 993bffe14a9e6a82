package serve_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/serve"
)

// turn is what a client writes, in that many writes, before it waits for that
// many answers.
type turn struct {
	writes  []string
	answers int
	method  string // if it bears on how the answers are read
}

// each is a conversation of requests that wait for each other's answers.
func each(requests ...string) (turns []turn) {
	for _, request := range requests {
		method, _, _ := strings.Cut(request, " ")
		turns = append(turns, turn{[]string{request}, 1, method})
	}
	return turns
}

// inWrites is one request that comes in several writes.
func inWrites(writes ...string) turn { return turn{writes, 1, ""} }

// asking is a request for that line and with these fields.
func asking(line string, fields ...string) string {
	return line + "\r\nHost: a\r\n" + strings.Join(append(fields, "\r\n"), "\r\n")
}

func getting(fields ...string) string { return asking("GET /a?b=c HTTP/1.1", fields...) }

// Fields that are worth to be remembered.
var (
	ofAnn     = "Authorization: Bearer " + strings.Repeat("a", 60)
	ofBob     = "Authorization: Bearer " + strings.Repeat("b", 60)
	session   = "Cookie: session=" + strings.Repeat("s", 60)
	browser   = "User-Agent: browser/" + strings.Repeat("1", 60)
	preferred = "Accept: text/html, text/plain;q=0." + strings.Repeat("9", 60)
)

// conversations are those in which a field could be lost, come twice, or go to
// somebody else.
func conversations() map[string][]turn {
	var (
		lower    = strings.ToLower(ofAnn[:13]) + ofAnn[13:]
		upper    = strings.ToUpper(ofBob[:13]) + ofBob[13:]
		value    = strings.TrimPrefix(ofAnn, "Authorization: ")
		post     = asking("POST / HTTP/1.1", ofAnn, "Content-Length: 4")
		chunked  = asking("POST / HTTP/1.1", ofAnn, "Trailer: X-Sum, Authorization", "Transfer-Encoding: chunked")
		chunks   = "4\r\nbody\r\n0\r\nX-Sum: 1\r\nAuthorization: trailing\r\n\r\n"
		expects  = asking("POST / HTTP/1.1", "Expect: 100-continue", ofAnn, "Content-Length: 4")
		old      = asking("GET / HTTP/1.0", "Connection: keep-alive", ofAnn)
		star     = asking("OPTIONS * HTTP/1.1", ofAnn, browser)
		headed   = asking("HEAD / HTTP/1.1", ofAnn, browser)
		ann, bob = getting(ofAnn), getting(ofBob)
		all      = getting(ofAnn, session, browser, preferred)
		long     = getting(ofAnn, "X-Long: "+strings.Repeat("x", 5000), session)
	)
	cases := map[string][]turn{
		"the same thrice":            each(all, all, all),
		"in another order":           each(all, getting(preferred, "X-A: b", browser, session, ofAnn), all),
		"nothing but":                each(asking("GET / HTTP/1.0", "Connection: keep-alive", ofAnn), "GET / HTTP/1.0\r\n"+ofAnn+"\r\n\r\n"),
		"the token changes":          each(ann, ann, bob, bob, ann, bob, ann),
		"the second has none":        each(ann, getting(), ann, getting(), getting()),
		"one of several is missing":  each(all, getting(ofAnn, browser), all, getting(session), all),
		"another case":               each(ann, getting(lower), getting(strings.ToUpper(ofAnn[:13])+ofAnn[13:]), ann),
		"first in another case":      each(getting(lower), ann, getting(lower)),
		"value in another case":      each(ann, getting("Authorization: "+strings.ToUpper(value)), ann),
		"spaces around it":           each(ann, getting("Authorization:"+value), getting("Authorization: \t "+value+"\t "), ann),
		"spaces within it":           each(getting(ofAnn+" x"), getting(ofAnn+"  x"), getting(ofAnn+" x"), getting(ofAnn+"\tx")),
		"twice, known first":         each(ann, ann, getting(ofAnn, ofBob), ann),
		"twice, known second":        each(ann, ann, getting(ofBob, ofAnn), ann),
		"twice, known both":          each(ann, ann, getting(ofAnn, ofAnn), ann),
		"twice, apart":               each(ann, ann, getting(ofAnn, session, "X-A: b", ofBob), ann),
		"twice, in other cases":      each(ann, ann, getting(ofAnn, upper), getting(upper, lower), ann),
		"twice, one of them empty":   each(ann, ann, getting(ofAnn, "Authorization:"), getting("Authorization: ", ofAnn), ann),
		"five times":                 each(ann, ann, getting(ofAnn, ofAnn, ofAnn, ofAnn, ofAnn), ann),
		"twice from the beginning":   each(getting(ofAnn, ofBob), ann, ann, bob, bob),
		"two cookies":                each(all, getting(session, "Cookie: b=c"), getting("Cookie: b=c", session), all),
		"short":                      each(getting("Authorization: a"), getting("Authorization: a"), getting("Authorization:"), ann, getting("Authorization: a"), ann),
		"too long to remember":       each(getting("Cookie: "+strings.Repeat("c", 3000)), getting("Cookie: "+strings.Repeat("c", 3000))),
		"of another field":           each(ann, getting("Cookie: "+value), getting("Proxy-Authorization: "+value), getting("X-Authorization: "+value), ann),
		"letters beyond ASCII":       each(getting(ofAnn+"\xc3\xa9\xff"), getting(ofAnn+"\xc3\xa9\xff"), getting(ofAnn+"\xc3\xa8\xff")),
		"a longer head than a read":  each(ann, ann, long, ann, long, long, ann),
		"two at once":                {each(ann)[0], {[]string{ann + ann}, 2, ""}, each(ann)[0]},
		"two at once, the first has": {each(ann)[0], {[]string{ann + getting()}, 2, ""}, each(getting())[0]},
		"two at once, other has":     {each(ann)[0], {[]string{getting() + ann}, 2, ""}, each(ann)[0]},
		"two at once, of two":        {each(ann)[0], {[]string{ann + bob}, 2, ""}, {[]string{bob + ann}, 2, ""}, each(bob)[0]},
		"one and a half":             {each(ann)[0], {[]string{ann + bob[:50], bob[50:]}, 2, ""}, {[]string{getting() + ann[:1], ann[1:]}, 2, ""}},
		"nobody waits":               {each(ann)[0], {[]string{ann, ann, getting(), ann, bob, getting(), ann}, 7, ""}},
		"a body at once":             each(ann, post+"body", post+"body", ann),
		"a body later":               {each(ann)[0], inWrites(post, "body"), inWrites(post, "bo", "dy"), each(ann)[0]},
		"a body that looks so":       each(ann, asking("POST / HTTP/1.1", ofAnn, "Content-Length: "+strconv.Itoa(len(ann)))+ann, ann),
		"a body and half a request":  {each(ann)[0], {[]string{post, "body" + ann[:40], ann[40:]}, 2, ""}, {[]string{post, "body" + ann}, 2, ""}},
		"chunks at once":             each(ann, chunked+chunks, chunked+chunks, ann),
		"chunks later":               {each(ann)[0], inWrites(chunked, chunks), inWrites(chunked, chunks[:6], chunks[6:]), each(ann)[0]},
		"OPTIONS *":                  each(star, star, getting(), star, ann),
		"100-continue":               {each(ann)[0], inWrites(expects, "body"), inWrites(expects + "body"), each(ann)[0]},
		"another expectation":        each(ann, ann, getting(ofAnn, "Expect: nothing")),
		"HTTP/1.0":                   each(old, old, ann, old, asking("GET / HTTP/1.0", ofAnn)),
		"HEAD":                       each(headed, headed, ann, headed),
		"CONNECT":                    each(asking("CONNECT a:1 HTTP/1.1", ofAnn), asking("CONNECT a:1 HTTP/1.1", ofAnn), ann),
		"the handler changes them":   each(getting("X-Case: change", ofAnn, session), getting("X-Case: change", ofAnn, session), getting(ofAnn, session), getting("X-Case: change"), getting()),
		"the handler keeps them":     each(ann, getting("X-Case: keep", ofAnn, session), bob, getting("X-Case: tell", ofBob), getting("X-Case: tell", session)),
		"the handler panics":         each(ann, getting("X-Case: panic", ofAnn), ann, getting("X-Case: panic", ofBob), getting()),
		"the handler reads nothing":  each(ann, asking("POST / HTTP/1.1", "X-Case: ignore", ofAnn, "Content-Length: 4")+"body", ann),
		"another goroutine reads":    {each(ann)[0], inWrites(asking("POST / HTTP/1.1", "X-Case: elsewhere", ofAnn, "Content-Length: 4"), "body"), {[]string{asking("POST / HTTP/1.1", "X-Case: elsewhere", ofAnn, "Content-Length: 4"), "body" + bob, ann}, 3, ""}},
		"the connection taken over":  {each(ann)[0], each(ann)[0], inWrites(getting("X-Case: hijack", "X-Raw: "+strconv.Itoa(len(ann)), ofAnn), ann)},
		"taken over at once":         {each(ann)[0], each(ann)[0], inWrites(getting("X-Case: hijack", "X-Raw: "+strconv.Itoa(len(ann)), ofAnn) + ann)},
		"no host":                    each(ann, ann, "GET / HTTP/1.1\r\n"+ofAnn+"\r\n\r\n"),
		"a bad field":                each(ann, ann, getting(ofAnn, "X: \x00")),
		"a bad value":                each(ann, ann, getting(ofAnn+"\x01")),
		"a bad name":                 each(ann, ann, getting(strings.Replace(ofAnn, ":", " :", 1))),
		"a bad second":               {each(ann)[0], {[]string{ann + "GET / HTTP/1.1\r\n\r\n"}, 2, ""}},
		"a bad frame behind":         {each(ann)[0], {[]string{ann + getting(ofAnn, "Content-Length: x")}, 2, ""}},
		"a bad frame":                each(ann, ann, getting(ofAnn, "Content-Length: x")),
		"bad from the beginning":     each("GET / HTTP/1.1\r\n" + ofAnn + "\r\n\r\n"),
		"too large":                  each(ann, ann, getting(ofAnn, "X-Long: "+strings.Repeat("x", 64<<10))),
	}
	var many []string
	for round := range 2 {
		for i := range 20 {
			many = append(many, getting(fmt.Sprintf("Authorization: Bearer %050d", i), session))
			if round > 0 {
				many = append(many, many[len(many)-1])
			}
		}
	}
	cases["many tokens"] = each(many...)

	var cut, lengths []turn
	for i := 1; i < len(all); i++ {
		cut = append(cut, inWrites(all[:i], all[i:]))
	}
	cases["cut at every byte"] = append(each(all), cut...)
	cases["byte by byte"] = append(each(all), inWrites(strings.Split(all, "")...), inWrites(strings.Split(getting(), "")...))
	for n := 4096 - 6; n < 4096+6; n++ {
		pad := n - len(getting(ofAnn, "X: ", session))
		lengths = append(lengths, each(getting(ofAnn, "X: "+strings.Repeat("x", pad), session))...)
	}
	cases["about as long as a read"] = append(each(getting(ofAnn, session)), lengths...)
	return cases
}

// mirror answers with what it sees of a request. It also does with the request
// what a handler may.
type mirror struct {
	mu   sync.Mutex
	kept http.Header
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	does := r.Header.Get("X-Case")
	var seen strings.Builder
	fmt.Fprintf(&seen, "%s %s %s at %s, %d bytes %v, close %t\n", r.Method, r.RequestURI, r.Proto, r.Host, r.ContentLength, r.TransferEncoding, r.Close)
	list := func(name string, h http.Header) {
		fmt.Fprintf(&seen, "%s: %t\n", name, h != nil)
		for _, field := range slices.Sorted(maps.Keys(h)) {
			fmt.Fprintf(&seen, "%s: %q\n", field, h[field])
		}
	}
	list("header", r.Header)
	read := func() {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(&seen, "body: %q, %v\n", body, err)
	}
	switch does {
	case "ignore":
	case "elsewhere":
		var reader sync.WaitGroup
		reader.Go(read)
		reader.Wait()
	default:
		read()
	}
	list("trailer", r.Trailer)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch does {
	case "change":
		for _, values := range r.Header {
			values[0] = "changed"
		}
		r.Header.Add("Authorization", "added")
		r.Header.Del("Cookie")
		r.Header["Accept"] = []string{"set"}
	case "keep":
		m.kept = r.Header
	case "tell":
		list("kept", m.kept)
	case "panic":
		panic("boom")
	case "hijack":
		n, err := strconv.Atoi(r.Header.Get("X-Raw"))
		raw := make([]byte, n)
		conn, buf, failed := http.NewResponseController(w).Hijack()
		if err != nil || failed != nil {
			panic(fmt.Sprint(err, failed))
		}
		defer conn.Close()
		_, err = io.ReadFull(buf, raw)
		fmt.Fprintf(&seen, "raw: %q, %v\n", raw, err)
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nX-Saw: %q\r\nContent-Length: 0\r\n\r\n", seen.String())
		return
	}
	w.Header().Set("X-Saw", strconv.Quote(seen.String()))
	_, _ = io.WriteString(w, "seen")
}

// answered is what a client learns of what a handler saw.
type answered struct {
	Status int
	Saw    string
	Close  bool
}

// talk holds a conversation and returns all answers. A 1xx is one as well.
func talk(t *testing.T, c net.Conn, turns []turn) (list []answered) {
	t.Helper()
	r := bufio.NewReader(c)
	for i, turn := range turns {
		// A pipe takes nothing that is not read, and a server that refuses
		// a request does not read all of it. The answers tell.
		var written sync.WaitGroup
		written.Go(func() {
			for _, text := range turn.writes {
				if _, err := io.WriteString(c, text); err != nil {
					return
				}
			}
		})
		for left := turn.answers; left > 0; {
			res, err := http.ReadResponse(r, &http.Request{Method: turn.method})
			if err != nil {
				t.Fatalf("turn %d: %v behind %v", i, err, list)
			}
			if turn.method != "CONNECT" { // whose answer has no body that ends
				if _, err := io.Copy(io.Discard, res.Body); err != nil {
					t.Fatalf("turn %d: %v", i, err)
				}
			} else if _, err := io.CopyN(io.Discard, r, res.ContentLength); err != nil {
				t.Fatalf("turn %d: %v", i, err)
			}
			saw, err := strconv.Unquote(res.Header.Get("X-Saw"))
			if err != nil {
				saw = ""
			}
			list = append(list, answered{res.StatusCode, saw, res.Close})
			if res.StatusCode >= 200 {
				left--
			}
		}
		if list[len(list)-1].Close {
			_ = c.Close()
		}
		written.Wait()
	}
	return list
}

// pipes is a listener whose connections are in memory: what is written at once
// is read at once, and nothing else with it.
type pipes struct{ *passage }

func (p pipes) dial(t *testing.T) net.Conn {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { _ = near.Close() })
	if err := near.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	select {
	case p.conns <- far:
	case <-p.done:
		t.Fatal("the listener is closed")
	}
	return near
}

// reached are the ways to one handler behind our server and behind net/http's.
type reached struct{ ours, theirs func(*testing.T) net.Conn }

// overPipes starts both servers for connections in memory.
func overPipes(t *testing.T, ours, theirs http.Handler) reached {
	t.Helper()
	our, their := pipes{newPassage()}, pipes{newPassage()}
	start(t, serve.Observe(ours, serve.Observer{}), serve.Config{Listener: our})
	plainly(t, their, theirs, nil)
	return reached{our.dial, their.dial}
}

// overTCP starts both servers for connections of the loopback, inside TLS if
// there is a configuration for it.
func overTCP(t *testing.T, ours, theirs http.Handler, server, client *tls.Config) reached {
	t.Helper()
	our := start(t, serve.Observe(ours, serve.Observer{}), serve.Config{TLS: server})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	plainly(t, l, theirs, server)
	their := &running{addr: l.Addr().String()}
	to := func(s *running) func(*testing.T) net.Conn {
		return func(t *testing.T) net.Conn {
			t.Helper()
			c := s.dial(t)
			if client != nil {
				c = tls.Client(c, client)
			}
			return c
		}
	}
	return reached{to(our), to(their)}
}

// plainly serves with nothing but net/http. A panic is answered as it is by
// Observe, and OPTIONS * is the handler's.
func plainly(t *testing.T, l net.Listener, h http.Handler, secured *tls.Config) {
	t.Helper()
	s := &http.Server{
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            time.Minute,
		MaxHeaderBytes:               16 << 10,
		TLSConfig:                    secured,
		Protocols:                    new(http.Protocols),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if recover() != nil {
					w.WriteHeader(http.StatusInternalServerError)
				}
			}()
			h.ServeHTTP(w, r)
		}),
	}
	s.Protocols.SetHTTP1(true)
	if secured == nil {
		go func() { _ = s.Serve(l) }()
	} else {
		go func() { _ = s.ServeTLS(l, "", "") }()
	}
	t.Cleanup(func() { _ = s.Close() })
}

// TestRecalledFieldsChangeNoRequest compares what a handler sees behind our
// server with what it sees behind plain net/http.
func TestRecalledFieldsChangeNoRequest(t *testing.T) {
	t.Parallel()
	own, pool := certificate(t)
	ways := map[string]reached{
		"pipe": overPipes(t, new(mirror), new(mirror)),
		"TCP":  overTCP(t, new(mirror), new(mirror), nil, nil),
		"TLS": overTCP(
			t, new(mirror), new(mirror),
			&tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12},
			&tls.Config{RootCAs: pool, ServerName: "127.0.0.1", NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12},
		),
	}
	for way, to := range ways {
		for name, turns := range conversations() {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				want := talk(t, to.theirs(t), turns)
				if diff := cmp.Diff(want, talk(t, to.ours(t), turns)); diff != "" {
					t.Errorf("net/http's handler (-), ours (+)\n%s", diff)
				}
			})
		}
	}
}

// TestAChangedHeaderIsOneRequestsOnly says it without a comparison: a handler
// owns the header that it gets, whichever way that has come.
func TestAChangedHeaderIsOneRequestsOnly(t *testing.T) {
	t.Parallel()
	var last http.Header // of the request before, as its handler left it
	seen := make(chan http.Header, 1)
	to := overPipes(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Clone()
		if last != nil && (last.Get("Authorization") != "changed" || len(last["Cookie"]) != 2 || last["User-Agent"] != nil) {
			t.Errorf("a header that was kept has become %v", last)
		}
		r.Header["Authorization"][0] = "changed"
		r.Header["Cookie"] = append(r.Header["Cookie"], "added")
		r.Header.Del("User-Agent")
		last = r.Header
	}), http.NotFoundHandler())
	want := http.Header{}
	for _, field := range []string{ofAnn, session, browser, preferred} {
		name, value, _ := strings.Cut(field, ": ")
		want.Set(name, value)
	}
	c := to.ours(t)
	r := bufio.NewReader(c)
	for i := range 4 {
		send(t, c, getting(ofAnn, session, browser, preferred))
		if diff := cmp.Diff(want, <-seen); diff != "" {
			t.Errorf("request %d (-want +got)\n%s", i, diff)
		}
		if res := receive(t, r); res.StatusCode != http.StatusOK {
			t.Fatalf("answers %d", res.StatusCode)
		}
	}
}

// TestAHeadBegunBesideAHandlerIsWhole sends the first byte of a request while
// the handler of the one before runs: net/http, which waits for the client to
// leave, reads it alone.
func TestAHeadBegunBesideAHandlerIsWhole(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]string{
		"the same": getting(ofAnn, session), "another": getting(ofBob), "none": getting(),
		"twice": getting(ofAnn, ofAnn), "two at once": getting() + getting(session),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			go1, go2 := make(chan struct{}), make(chan struct{})
			behind := func(gate chan struct{}) http.Handler {
				plain := new(mirror)
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("X-Wait") != "" {
						<-gate
					}
					plain.ServeHTTP(w, r)
				})
			}
			to := overPipes(t, behind(go1), behind(go2))
			hear := func(c net.Conn, gate chan struct{}) (list []answered) {
				first := getting(ofAnn, session)
				list = talk(t, c, each(first, first))
				r := bufio.NewReader(c)
				for range 3 {
					send(t, c, getting("X-Wait: yes", ofAnn, session))
					send(t, c, next[:1]) // returns when it was read
					gate <- struct{}{}
					rest := next[1:]
					answers := 1 + strings.Count(next, "Host")
					var written sync.WaitGroup
					written.Go(func() { _, _ = io.WriteString(c, rest) })
					for range answers {
						res := receive(t, r)
						_, _ = io.Copy(io.Discard, res.Body)
						list = append(list, answered{res.StatusCode, res.Header.Get("X-Saw"), res.Close})
					}
					written.Wait()
				}
				return list
			}
			if diff := cmp.Diff(hear(to.theirs(t), go2), hear(to.ours(t), go1)); diff != "" {
				t.Errorf("net/http's handler (-), ours (+)\n%s", diff)
			}
		})
	}
}

// TestAConnectionHandedOverForgets goes on with a conversation in another
// process, which knows nothing of what the first one knew.
func TestAConnectionHandedOverForgets(t *testing.T) {
	t.Parallel()
	between := newPassage()
	run := func(cfg serve.Config) (leave func(), addr net.Addr) {
		cfg.DrainTimeout = time.Minute
		s := serve.New(serve.Observe(new(mirror), serve.Observer{}), cfg)
		addr, err := s.Listen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancelCause(context.WithoutCancel(t.Context()))
		go func() { _ = s.Run(ctx) }()
		t.Cleanup(func() { end(nil); _ = s.Close() })
		return func() { end(serve.ErrSuccessor) }, addr
	}
	leave, addr := run(serve.Config{Addr: "127.0.0.1:0", HandOver: between.take})
	run(serve.Config{Addr: "127.0.0.1:0", Adopt: between})

	c := (&running{addr: addr.String()}).dial(t)
	ann, none := getting(ofAnn, session), getting()
	before, behind := each(ann, ann, ann), each(none, ann, getting(ofBob), ann, none, ann)
	got := talk(t, c, before)
	leave()
	for end := time.Now().Add(time.Minute); between.taken.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the connection was not handed over")
		}
	}
	got = append(got, talk(t, c, behind)...)

	plain := pipes{newPassage()}
	plainly(t, plain, new(mirror), nil)
	if diff := cmp.Diff(talk(t, plain.dial(t), append(before, behind...)), got); diff != "" {
		t.Errorf("net/http's handler (-), ours (+)\n%s", diff)
	}
}
