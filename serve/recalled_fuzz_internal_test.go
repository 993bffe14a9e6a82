package serve

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// script makes choices of a fuzzer's bytes; of none it chooses 0.
type script struct{ left []byte }

func (s *script) choose(n int) int {
	if len(s.left) == 0 {
		return 0
	}
	b := s.left[0]
	s.left = s.left[1:]
	return int(b) % n
}

func choice[T any](s *script, of ...T) T { return of[s.choose(len(of))] }

// dialogue is what a client sends on one connection, and how.
type dialogue struct {
	pieces []string
	watch  []int // before a request is handled, behind its body, or never
	spoil  []bool
}

const (
	watchNever = iota
	watchBefore
	watchBehind
)

var spoken = []string{
	strings.Repeat("t", 60), strings.Repeat("t", 59) + "u", strings.Repeat("u", 60), strings.Repeat("ab cd\t", 9) + "z",
	strings.Repeat("l", leastRecall), strings.Repeat("s", leastRecall-1), strings.Repeat("m", mostRecall), strings.Repeat("n", mostRecall+1),
	strings.Repeat("\xc3\xa9", 30), "", "x", strings.Repeat("t", 40) + "\x01", strings.Repeat("t", 40) + "\x7f",
}

// field is one of a head. The first choices are the common ones, and what
// net/http refuses is rare: it ends the conversation.
func (s *script) field() string {
	name := choice(s, "Authorization", "Cookie", "User-Agent", "Accept", "Authorization", "Cookie", "X-Other", "Accept-Encoding", "Cookie2", "Proxy-Authorization")
	switch s.choose(8) {
	case 1:
		name = strings.ToLower(name)
	case 2:
		name = strings.ToUpper(name)
	case 3:
		name = strings.ToLower(name[:2]) + strings.ToUpper(name[2:])
	}
	colon := ": "
	switch s.choose(16) {
	case 1, 2:
		colon = ":"
	case 3, 4:
		colon = ":\t \t"
	case 5:
		if s.choose(8) == 7 {
			colon = " : "
		}
	}
	value := spoken[0]
	switch n := s.choose(32); {
	case n < 11:
		value = spoken[n]
	case n == 31:
		value = spoken[11+s.choose(2)]
	}
	return name + colon + value + choice(s, "", "", "", " ", "\t", " \t ") + "\r\n"
}

// request is a whole message.
func (s *script) request() string {
	var b strings.Builder
	b.WriteString(choice(s, "GET", "POST", "HEAD", "OPTIONS", "PUT"))
	line := choice(s, " / HTTP/1.1\r\n", " /a?b=c HTTP/1.1\r\n", " http://a/ HTTP/1.1\r\n", " * HTTP/1.1\r\n", " / HTTP/1.0\r\nConnection: keep-alive\r\n")
	b.WriteString(line)
	if s.choose(64) != 63 {
		b.WriteString("Host: a\r\n")
	}
	for range s.choose(5) {
		b.WriteString(s.field())
	}
	if n := s.choose(16); n > 12 {
		b.WriteString("X-Filler: " + strings.Repeat("x", 3000+s.choose(256)*8) + "\r\n")
	}
	kind := s.choose(8)
	if strings.Contains(line, "/1.0") {
		kind %= 4 // it knows no chunks
	}
	switch kind {
	case 1, 2:
		body := strings.Repeat("body\r\n", s.choose(8))
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	case 3:
		body := strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", s.choose(256))
		fmt.Fprintf(&b, "Expect: 100-continue\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	case 4, 5:
		b.WriteString("Trailer: Authorization, X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n")
		for range s.choose(4) {
			n := 1 + s.choose(40)
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, strings.Repeat("c", n))
		}
		b.WriteString("0\r\n" + choice(s, "", "", "Authorization: "+spoken[0]+"\r\n", "X-Sum: 1\r\n") + "\r\n")
	default:
		b.WriteString("\r\n")
	}
	return b.String()
}

func (s *script) dialogue() (d dialogue) {
	joined := "" // to what comes next
	for range 24 {
		if len(s.left) == 0 {
			break
		}
		d.watch = append(d.watch, choice(s, watchNever, watchNever, watchNever, watchNever, watchBefore, watchBehind))
		d.spoil = append(d.spoil, s.choose(2) == 1)
		message := joined + s.request()
		joined = ""
		switch s.choose(12) {
		default:
			d.pieces = append(d.pieces, message)
		case 7:
			joined = message
		case 10:
			cut := 1 + s.choose(min(256, len(message)-1))
			d.pieces = append(d.pieces, message[:cut])
			joined = message[cut:]
		case 9:
			cut := max(1, len(message)-1-s.choose(min(256, len(message)-1)))
			d.pieces = append(d.pieces, message[:cut], message[cut:])
		case 11:
			step := 1 + s.choose(16)
			for piece := range slices.Chunk([]byte(message), step) {
				d.pieces = append(d.pieces, string(piece))
			}
		}
	}
	if joined != "" {
		d.pieces = append(d.pieces, joined)
	}
	return d
}

// approved reports whether net/http gives the request to a handler.
func approved(r *http.Request) bool {
	if r.ProtoAtLeast(1, 1) && r.Host == "" {
		return false
	}
	for name, values := range r.Header {
		if strings.Contains(name, " ") {
			return false
		}
		for _, value := range values {
			if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
				return false
			}
		}
	}
	return true
}

// hold compares what handlers see behind a guard with what net/http makes of
// the same bytes, and returns how many requests they saw and how many fields
// were recalled.
func (d dialogue) hold(t *testing.T) (seen, again int) {
	t.Helper()
	var (
		all   = strings.Join(d.pieces, "")
		plain = bufio.NewReader(strings.NewReader(all))
		c     = &guarded{guard: new(Guard), fields: new(recalled), Conn: &pieces{left: slices.Clone(d.pieces)}}
		r     = receiverOf(c)
	)
	for i := 0; ; i++ {
		want, wantErr := http.ReadRequest(plain)
		got, err := http.ReadRequest(r.buffer)
		if err != nil {
			if wantErr == nil && c.why.Load() == nil {
				t.Fatalf("request %d: net/http reads it of the whole, and not behind the guard: %v\n%q", i, err, d.pieces)
			}
			return seen, again
		}
		if wantErr != nil {
			t.Fatalf("request %d: net/http reads it behind the guard only; else %v\n%q", i, wantErr, d.pieces)
		}
		if a, b := approved(want), approved(got); a != b {
			t.Fatalf("request %d: net/http approves of it: %t, behind the guard %t\n%q", i, a, b, d.pieces)
		} else if !a {
			return seen, again
		}
		before := maps.Clone(got.Header)
		watch := watchNever
		if i < len(d.watch) {
			watch = d.watch[i]
		}
		if watch == watchBefore && got.Body == http.NoBody {
			r.watch()
		}
		c.fields.putBack(got.Header)
		seen++
		for name, values := range got.Header {
			if _, read := before[name]; !read {
				again += len(values)
			}
		}
		sent, wantErr := io.ReadAll(want.Body)
		body, err := io.ReadAll(got.Body)
		if (err == nil) != (wantErr == nil) && c.why.Load() == nil {
			t.Fatalf("request %d: the body ends with %v, behind the guard with %v\n%q", i, wantErr, err, d.pieces)
		}
		if err != nil {
			return seen, again
		}
		type view struct {
			Method, Target, Proto, Host, Body string
			Header, Trailer                   http.Header
			Length                            int64
			Coding                            []string
		}
		see := func(r *http.Request, body []byte) view {
			return view{r.Method, r.RequestURI, r.Proto, r.Host, string(body), r.Header, r.Trailer, r.ContentLength, r.TransferEncoding}
		}
		if diff := cmp.Diff(see(want, sent), see(got, body)); diff != "" {
			t.Fatalf("request %d: net/http (-), behind the guard (+)\n%s\n%q", i, diff, d.pieces)
		}
		if i < len(d.spoil) && d.spoil[i] {
			for _, values := range got.Header {
				values[0] = "spoiled"
			}
			got.Header["Cookie"] = append(got.Header["Cookie"], "spoiled")
			delete(got.Header, "Accept")
		}
		if watch == watchBehind {
			r.watch()
		}
		if got.Close {
			return seen, again
		}
	}
}

// scripts are conversations by chance, always the same ones.
func scripts() (list [][]byte) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		in := make([]byte, 100+i*2)
		for at := range in {
			in[at] = byte(random.Uint32())
		}
		list = append(list, in)
	}
	return list
}

// TestTheSeedsRecall holds that FuzzRecalled starts from conversations that
// are long enough, and in which there is something to be recalled.
func TestTheSeedsRecall(t *testing.T) {
	t.Parallel()
	var requests, fields, recalling int
	for _, in := range scripts() {
		s := script{in}
		seen, recalled := s.dialogue().hold(t)
		requests += seen
		fields += recalled
		if recalled > 0 {
			recalling++
		}
	}
	if requests < 1500 || fields < 150 || recalling < 75 {
		t.Errorf("%d requests, %d fields recalled in %d conversations", requests, fields, recalling)
	}
}

// FuzzRecalled holds the guard to what net/http makes of the same bytes, for
// any conversation and however it is cut.
func FuzzRecalled(f *testing.F) {
	for _, in := range scripts() {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		s := script{in}
		s.dialogue().hold(t)
	})
}
