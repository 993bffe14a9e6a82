package serve

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// pieces is a connection that brings one piece with each read.
type pieces struct {
	net.Conn
	left []string
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.left[0])
	if p.left[0] = p.left[0][n:]; p.left[0] == "" {
		p.left = p.left[1:]
	}
	return n, nil
}

// receiver reads a guarded connection as net/http does: through a buffer, and
// with a single byte where it waits for the client to leave.
type receiver struct {
	conn   *guarded
	buffer *bufio.Reader
	ahead  []byte // what came while it waited
	got    int    // bytes
}

func receiverOf(c *guarded) *receiver {
	r := &receiver{conn: c}
	r.buffer = bufio.NewReader(r)
	return r
}

func (r *receiver) Read(p []byte) (int, error) {
	if len(r.ahead) > 0 {
		n := copy(p, r.ahead)
		r.ahead = nil
		return n, nil
	}
	n, err := r.conn.Read(p)
	r.got += n
	return n, err
}

// watch waits for the client to leave, and hears more from him instead.
func (r *receiver) watch() {
	var one [1]byte
	if len(r.ahead) > 0 {
		return
	}
	if n, _ := r.conn.Read(one[:]); n == 1 {
		r.ahead = one[:]
		r.got++
	}
}

// next returns the next request as a handler sees it, and how many bytes
// net/http had to read for it.
func (r *receiver) next(t *testing.T) (http.Header, int) {
	t.Helper()
	before := r.got
	request, err := http.ReadRequest(r.buffer)
	if err != nil {
		t.Fatal(err)
	}
	r.conn.fields.putBack(request.Header)
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		t.Fatal(err)
	}
	return request.Header, r.got - before
}

// asked is a GET with these fields, each of them and the head ended by a line
// end.
func asked(fields ...string) string {
	return "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Join(append(fields, "\r\n"), "\r\n")
}

var (
	token   = "Authorization: Bearer " + strings.Repeat("t", 60)
	other   = "Authorization: Bearer " + strings.Repeat("o", 60)
	cookie  = "Cookie: session=" + strings.Repeat("c", 60)
	browser = "User-Agent: browser/" + strings.Repeat("1", 60)
	accepts = "Accept: text/html;q=0." + strings.Repeat("9", 60)
)

func TestAKnownFieldIsLeftOut(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		request string
		less    int
	}{
		"one":               {asked(token), len(token) + 2},
		"all":               {asked(token, cookie, browser, accepts), len(token+cookie+browser+accepts) + 8},
		"among others":      {asked("X-A: b", token, "X-B: c", cookie, "X-C: d"), len(token+cookie) + 4},
		"in another case":   {asked(strings.ToUpper(token[:13]) + token[13:]), len(token) + 2},
		"in other spaces":   {asked(strings.Replace(token, " ", "\t ", 1) + " \t"), len(token) + 5},
		"before a body":     {"POST / HTTP/1.1\r\nHost: a\r\n" + token + "\r\nContent-Length: 4\r\n\r\nbody", len(token) + 2},
		"without its space": {asked(strings.Replace(token, ": ", ":", 1)), len(token) + 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := asked(token, cookie, browser, accepts)
			r := receiverOf(&guarded{guard: new(Guard), fields: new(recalled), Conn: &pieces{left: []string{first, tc.request, tc.request}}})
			if _, n := r.next(t); n != len(first) {
				t.Fatalf("of the first request net/http reads %d bytes, want all %d", n, len(first))
			}
			for i := range 2 {
				if _, n := r.next(t); n != len(tc.request)-tc.less {
					t.Errorf("time %d: net/http reads %d bytes of %d, want %d less", i, n, len(tc.request), tc.less)
				}
			}
		})
	}
}

func TestAnUncommonHeadIsLeftWhole(t *testing.T) {
	t.Parallel()
	const refusable = "no request\r\n"
	long := asked(token, "X-Long: "+strings.Repeat("x", 5000))
	for name, in := range map[string][]string{
		"split":                      {asked(token)[:40], asked(token)[40:]},
		"split before its last byte": {asked(token)[:len(asked(token))-1], "\n"},
		"with another behind it":     {asked(token) + asked(token)},
		"with half of another":       {asked(token) + asked(token)[:20], asked(token)[20:]},
		"with a refused one behind":  {asked(token) + refusable},
		"behind the end of another":  {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo", "dy" + asked(token)},
		"the field twice":            {asked(token, token)},
		"known first, then not":      {asked(token, other)},
		"known, but not first":       {asked(other, token)},
		"twice, in cases":            {asked(token, strings.ToUpper(other[:13])+other[13:])},
		"twice, the other short":     {asked(token, "Authorization: x")},
		"another value":              {asked(other)},
		"a value that goes on":       {asked(token + "t")},
		"a value that ends early":    {asked(token[:len(token)-1])},
		"a name that goes on":        {asked("Proxy-" + token)},
		"a value of another field":   {asked("Cookie" + strings.TrimPrefix(token, "Authorization"))},
		"longer than a read":         {long},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := receiverOf(&guarded{guard: new(Guard), fields: new(recalled), Conn: &pieces{left: append([]string{asked(token)}, in...)}})
			r.next(t)
			before, all := r.got, strings.Join(in, "")
			for len(r.conn.Conn.(*pieces).left) > 0 || r.buffer.Buffered() > 0 {
				r.next(t)
			}
			if got := r.got - before; got != len(strings.TrimSuffix(all, refusable)) {
				t.Errorf("net/http reads %d bytes of %d", got, len(all))
			}
		})
	}
}

// TestNobodyGetsAnothersField holds that what a head was left without goes to
// its own handler or to nobody: not to the handler of the next one, even if
// there was none for it.
func TestNobodyGetsAnothersField(t *testing.T) {
	t.Parallel()
	var f recalled
	leave := func(head string) int { return f.leaveOut([]byte(head), true) }
	h := http.Header{}
	leave(asked(token)) // which nobody handles: net/http may have refused it
	if n := leave(asked(token)); n != len(asked(token)) {
		t.Fatalf("%d bytes remain of a head that nobody has approved of", n)
	}
	h.Set("Authorization", strings.TrimPrefix(token, "Authorization: "))
	f.putBack(h)
	if n := leave(asked(token)); n != len(asked()) {
		t.Fatalf("%d bytes remain, want %d", n, len(asked()))
	}
	for name, head := range map[string]string{
		"none":      asked(),
		"two":       asked(token, token),
		"not whole": asked(token)[:40],
	} {
		leave(asked(token)) // which nobody handles
		leave(head)
		h := http.Header{}
		if f.putBack(h); len(h) > 0 {
			t.Errorf("%s: the next request is given %v", name, h)
		}
	}
	leave(asked(token))
	f.leaveOut([]byte(asked()+asked()), false)
	h = http.Header{}
	if f.putBack(h); len(h) > 0 {
		t.Errorf("the next of two is given %v", h)
	}
	leave(asked(token))
	f.putBack(http.Header{})
	h = http.Header{}
	if f.putBack(h); len(h) > 0 {
		t.Errorf("what was given back is given once more: %v", h)
	}
}

// TestWaitingTouchesNoField holds what lets the goroutine that waits for the
// client to leave read beside the handler.
func TestWaitingTouchesNoField(t *testing.T) {
	t.Parallel()
	r := receiverOf(&guarded{guard: new(Guard), fields: new(recalled), Conn: &pieces{left: []string{asked(token), asked(token), asked(), asked()}}})
	r.next(t)
	request, err := http.ReadRequest(r.buffer)
	if err != nil || len(request.Header["Authorization"]) != 0 {
		t.Fatalf("net/http reads %v, %v", request.Header, err)
	}
	known := *r.conn.fields
	r.watch()
	if *r.conn.fields != known {
		t.Error("the read of one byte changed what is known")
	}
	r.conn.fields.putBack(request.Header)
	if len(request.Header["Authorization"]) != 1 {
		t.Errorf("the handler sees %v", request.Header)
	}
	for range 2 {
		if h, _ := r.next(t); len(h["Authorization"]) != 0 {
			t.Errorf("the next handler sees %v", h)
		}
	}
}

func TestAConnectionOfManyLearnsNoMore(t *testing.T) {
	t.Parallel()
	var in []string
	of := func(i int) string { return asked(fmt.Sprintf("Authorization: Bearer %040d", i)) }
	for i := range mostVain + 2 {
		in = append(in, of(i))
	}
	last := of(mostVain - 1) // that it has learned
	in = append(in, of(mostVain+1), of(mostVain+1), last, of(0), of(0))
	r := receiverOf(&guarded{guard: new(Guard), fields: new(recalled), Conn: &pieces{left: in}})
	for i := range mostVain + 4 {
		if _, n := r.next(t); n != len(last) {
			t.Fatalf("request %d: %d bytes of %d are read", i, n, len(last))
		}
	}
	if _, n := r.next(t); n != len(asked()) {
		t.Errorf("%d bytes of %d are read, though it knew this value", n, len(last))
	}
	// That it came again is worth to go on.
	r.next(t)
	if _, n := r.next(t); n != len(asked()) {
		t.Errorf("%d bytes of %d are read, though it may learn again", n, len(last))
	}
}

func TestOnlyWhatPaysIsRemembered(t *testing.T) {
	t.Parallel()
	for length, kept := range map[int]bool{
		0: false, leastRecall - 1: false, leastRecall: true, mostRecall: true, mostRecall + 1: false,
	} {
		var f recalled
		value := strings.Repeat("v", length)
		head := asked("Cookie: " + value)
		f.leaveOut([]byte(head), true)
		f.putBack(http.Header{"Cookie": {value}})
		if n := f.leaveOut([]byte(head), true); (n < len(head)) != kept {
			t.Errorf("of a head with %d bytes of cookie remain %d of %d", length, n, len(head))
		}
	}
}

// again sends the same request with each read.
type again struct {
	net.Conn
	request string
}

func (a again) Read(p []byte) (int, error) { return copy(p, a.request), nil }

func TestRecallReadsWithoutAllocating(t *testing.T) {
	request := asked(token, cookie, browser, accepts)
	r := receiverOf(&guarded{guard: new(Guard), fields: new(recalled), Conn: again{request: request}})
	r.next(t)
	buf := make([]byte, 4096)
	n := 0
	if allocs := testing.AllocsPerRun(100, func() { n, _ = r.conn.Read(buf) }); allocs != 0 {
		t.Errorf("a head costs %v allocations", allocs)
	}
	if n != len(asked()) {
		t.Errorf("%d bytes are read, want %d", n, len(asked()))
	}
}

// TestTheServerRecalls holds that the parts are put together: the fields come
// back on a connection of our own server.
func TestTheServerRecalls(t *testing.T) {
	t.Parallel()
	left := make(chan fieldSet, 1) // which are known and have come again
	s := New(Observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, set := wireOf(r).conn.fields, fieldSet(0)
		for i := range f.known {
			if bit := fieldSet(1) << i; f.known[i].value != "" && f.known[i].vain == 0 {
				set |= bit
			}
		}
		left <- set
	}), Observer{}), Config{Addr: "127.0.0.1:0", DrainDelay: -1})
	addr, err := s.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Run(t.Context()) }()
	t.Cleanup(func() { _ = s.Close() })
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answers := bufio.NewReader(c)
	for i, want := range []fieldSet{0, 1<<len(recallable) - 1} {
		if _, err := io.WriteString(c, asked(token, cookie, browser, accepts)); err != nil {
			t.Fatal(err)
		}
		if got := <-left; got != want {
			t.Errorf("request %d was left without %b, want %b", i, got, want)
		}
		if _, err := http.ReadResponse(answers, nil); err != nil {
			t.Fatal(err)
		}
	}
}
