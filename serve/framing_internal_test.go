package serve

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
)

// read feeds the input in the given pieces and returns where each message
// ended and what was refused.
func read(in []byte, pieces func(left int) int) (ends []int, why refusal) {
	var f framing
	for at := 0; at < len(in); {
		n := min(max(pieces(len(in)-at), 1), len(in)-at)
		// One byte at a time within the piece finds the ends; the piece as a
		// whole must agree, which the caller checks by comparing.
		for i := at; i < at+n; i++ {
			if _, why = f.feed(in[i : i+1]); why != "" {
				return ends, why
			}
			if f.phase == between {
				ends = append(ends, i+1)
			}
		}
		at += n
	}
	return ends, ""
}

// whole feeds the pieces as they are and returns what was refused, and how the
// parser stands at the end.
func whole(in []byte, pieces func(left int) int) (phase, uint64, refusal) {
	var f framing
	for at := 0; at < len(in); {
		n := min(max(pieces(len(in)-at), 1), len(in)-at)
		if _, why := f.feed(in[at : at+n]); why != "" {
			return 0, 0, why
		}
		at += n
	}
	return f.phase, f.left, ""
}

const (
	okGET     = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	okPOST    = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
	okChunked = "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n0a\r\n0123456789\r\n0\r\nX-T: v\r\n\r\n"
)

func TestFramingFollowsMessages(t *testing.T) {
	t.Parallel()
	in := []byte(okGET + okPOST + okChunked + okPOST + okGET)
	want := []int{len(okGET)}
	for _, m := range []string{okPOST, okChunked, okPOST, okGET} {
		want = append(want, want[len(want)-1]+len(m))
	}
	ends, why := read(in, func(left int) int { return left })
	if why != "" || len(ends) != len(want) {
		t.Fatalf("ends %v, want %v; refused %q", ends, want, why)
	}
	for i := range want {
		if ends[i] != want[i] {
			t.Fatalf("ends %v, want %v", ends, want)
		}
	}
}

func head(lines ...string) string {
	return "POST / HTTP/1.1\r\nHost: a\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func TestFramingRefuses(t *testing.T) {
	t.Parallel()
	chunked := head("Transfer-Encoding: chunked")
	for name, tc := range map[string]struct {
		in   string
		want refusal
	}{
		"length and chunked":             {head("Content-Length: 4", "Transfer-Encoding: chunked"), refusedBoth},
		"chunked and length":             {head("Transfer-Encoding: chunked", "content-length: 4"), refusedBoth},
		"two lengths":                    {head("Content-Length: 4", "Content-Length: 5"), refusedLengths},
		"the same length twice":          {head("Content-Length: 4", "Content-Length: 4"), refusedLengths},
		"a list of lengths":              {head("Content-Length: 4, 4"), refusedLength},
		"a signed length":                {head("Content-Length: +4"), refusedLength},
		"an empty length":                {head("Content-Length:"), refusedLength},
		"a hex length":                   {head("Content-Length: 0x4"), refusedLength},
		"a length beyond 64 bits":        {head("Content-Length: 9999999999999999999"), refusedLength},
		"another coding":                 {head("Transfer-Encoding: xchunked"), refusedCoding},
		"two codings":                    {head("Transfer-Encoding: gzip, chunked"), refusedCoding},
		"identity":                       {head("Transfer-Encoding: identity"), refusedCoding},
		"coding with a vertical tab":     {head("Transfer-Encoding: \vchunked"), refusedCoding},
		"chunked twice":                  {head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), refusedCodings},
		"chunked in HTTP/1.0":            {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", refusedOldChunked},
		"bare LF after the request line": {"GET / HTTP/1.1\nHost: a\r\n\r\n", refusedLineEnd},
		"bare LF after a field":          {"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", refusedLineEnd},
		"bare LF for the empty line":     {"GET / HTTP/1.1\r\nHost: a\r\n\n", refusedLineEnd},
		"stray CR in a field":            {head("X: a\rContent-Length: 4"), refusedLineEnd},
		"two CRs":                        {"GET / HTTP/1.1\r\r\n\r\n", refusedLineEnd},
		"folded field":                   {head("X: a", " b"), refusedFold},
		"folded with a tab":              {head("X: a", "\tContent-Length: 4"), refusedFold},
		"fold before any field":          {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", refusedFold},
		"leading empty line":             {"\r\n" + okGET, refusedEmptyLine},
		"empty line behind a body":       {okPOST + "\r\n" + okGET, refusedEmptyLine},
		"no version":                     {"GET /\r\n\r\n", refusedVersion},
		"HTTP/2 preface":                 {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", refusedVersion},
		"no chunk size":                  {chunked + "\r\nhello", refusedChunkSize},
		"chunk size with a sign":         {chunked + "+5\r\nhello\r\n", refusedChunkSize},
		"chunk size with a prefix":       {chunked + "0x5\r\nhello\r\n", refusedChunkSize},
		"chunk size with a space":        {chunked + "5 \r\nhello\r\n", refusedChunkSize},
		"chunk size not hex":             {chunked + "g\r\n", refusedChunkSize},
		"chunk size that overflows":      {chunked + "fffffffffffffffff\r\n", refusedChunkSize},
		"bare LF behind a chunk size":    {chunked + "5\nhello\r\n", refusedChunkSize},
		"CR without LF at a chunk size":  {chunked + "5\rXhello\r\n", refusedLineEnd},
		"LF in a chunk extension":        {chunked + "5;a\nb\r\nhello\r\n", refusedExtension},
		"endless chunk extension":        {chunked + "5;" + strings.Repeat("a", 300), refusedExtension},
		"chunk longer than its size":     {chunked + "5\r\nhello!\r\n", refusedChunkEnd},
		"chunk that ends in LF":          {chunked + "5\r\nhello\n0\r\n\r\n", refusedChunkEnd},
		"bare LF in the trailer":         {chunked + "0\r\nX: y\n\r\n", refusedLineEnd},
		"length in the trailer":          {chunked + "0\r\nContent-Length: 4\r\n\r\n", refusedTrailerName},
		"endless trailer":                {chunked + "0\r\n" + strings.Repeat("X: yyyyyyyyyyyyyyyy\r\n", 300), refusedTrailer},
		"second request at fault":        {okGET + head("Content-Length: 4", "Transfer-Encoding: chunked"), refusedBoth},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, _, why := whole([]byte(tc.in), func(left int) int { return left }); why != tc.want {
				t.Errorf("at once: refused %q, want %q", why, tc.want)
			}
			if _, why := read([]byte(tc.in), func(int) int { return 1 }); why != tc.want {
				t.Errorf("byte by byte: refused %q, want %q", why, tc.want)
			}
		})
	}
}

func TestFramingDeliversOnlyWhatIsWhole(t *testing.T) {
	t.Parallel()
	bad := head("Content-Length: 4", "Transfer-Encoding: chunked")
	var f framing
	if n, why := f.feed([]byte(okPOST + okGET + bad)); n != len(okPOST+okGET) || why != refusedBoth {
		t.Errorf("delivers %d bytes before %q", n, why)
	}
	f = framing{}
	badHead := head("Transfer-Encoding: chunked")
	badChunk := badHead + "5\r\nhello\r\nx\r\n"
	if n, why := f.feed([]byte(badChunk)); n != 0 || why != refusedChunkSize {
		t.Errorf("delivers %d bytes of a request with %q", n, why)
	}
	f = framing{}
	if n, why := f.feed([]byte(badHead)); n != len(badHead) || why != "" {
		t.Fatalf("delivers %d bytes, %q", n, why)
	}
	if n, why := f.feed([]byte(badChunk[len(badHead):])); n != len("5\r\nhello\r\n") || why != refusedChunkSize {
		t.Errorf("delivers %d bytes of the body before %q", n, why)
	}
}

// FuzzFraming holds the guard to net/http's own parser: whatever the guard
// lets through, net/http reads with the same ends of messages; and how the
// network cuts the bytes changes nothing.
func FuzzFraming(f *testing.F) {
	for _, seed := range []string{
		okGET + okPOST + okChunked + okGET,
		head("Content-Length: 4", "Transfer-Encoding: chunked") + "abcd" + okGET,
		head("Content-Length : 4") + "abcd", head("Content-Length: 4 ") + "abcd" + okGET,
		head("Transfer-Encoding:\tchunked\t") + "0\r\n\r\n" + okGET,
		head("X: y", "content-LENGTH:04") + "abcd" + okGET,
		"POST / HTTP/1.0\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nab" + okGET,
		head("Expect: 100-continue", "Content-Length: 1") + "a" + okGET,
		head("Transfer-Encoding: chunked", "Trailer: X") + "00\r\nX: y\r\n\r\n" + okGET,
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n" + okGET,
	} {
		f.Add([]byte(seed), uint64(len(seed)))
	}
	f.Fuzz(func(t *testing.T, in []byte, cuts uint64) {
		random := rand.New(rand.NewPCG(cuts, 1))
		pieces := func(left int) int { return 1 + random.IntN(min(left, 64)) }

		ends, why := read(in, pieces)
		phase1, left1, why1 := whole(in, pieces)
		phase2, left2, why2 := whole(in, func(left int) int { return left })
		if phase1 != phase2 || left1 != left2 || why1 != why2 || why1 != why {
			t.Fatalf("cuts matter: %v %v %q, %v %v %q, %q", phase1, left1, why1, phase2, left2, why2, why)
		}

		source := bytes.NewReader(in)
		br := bufio.NewReader(source)
		for i := 0; ; i++ {
			r, err := http.ReadRequest(br)
			if err != nil {
				return // net/http closes the connection: stricter is fine
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			at := len(in) - source.Len() - br.Buffered()
			if i >= len(ends) {
				if why == "" {
					t.Fatalf("net/http ends message %d at %d, the guard is still waiting", i, at)
				}
				return // refused before it was whole
			}
			if ends[i] != at {
				t.Fatalf("message %d ends at %d for the guard and %d for net/http", i, ends[i], at)
			}
			if r.Close {
				return
			}
		}
	})
}

// ordinary is a request as clients send them: nine fields and a body.
const ordinary = "POST /v1/payments HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: client/1.0\r\nAccept: application/json\r\n" +
	"Content-Type: application/json\r\nAuthorization: Bearer eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJl\r\n" +
	"Idempotency-Key: 0af7651916cd43dd8448eb211c80319c\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n" +
	"Content-Length: 24\r\n\r\n{\"amount\":5000,\"a\":true}"

func BenchmarkGuard(b *testing.B) {
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"plain":   func(c net.Conn) net.Conn { return c },
		"guarded": func(c net.Conn) net.Conn { return &guarded{Conn: c, guard: new(Guard)} },
	} {
		b.Run(name, func(b *testing.B) {
			c := wrap(endless{})
			buf := make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Read(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestGuardReadsWithoutAllocating(t *testing.T) {
	c := &guarded{Conn: endless{}, guard: new(Guard)}
	buf := make([]byte, 4096)
	if n := testing.AllocsPerRun(100, func() { _, _ = c.Read(buf) }); n != 0 {
		t.Errorf("a request costs the guard %v allocations", n)
	}
}

// endless sends the ordinary request again and again.
type endless struct{ net.Conn }

func (endless) Read(p []byte) (int, error) { return copy(p, ordinary), nil }

// sink is a connection that takes files the short way, as TCP does.
type sink struct {
	net.Conn
	took int64
}

func (s *sink) ReadFrom(r io.Reader) (n int64, err error) {
	n, err = io.Copy(io.Discard, r)
	s.took += n
	return n, err
}

func TestWrappersKeepSendfile(t *testing.T) {
	t.Parallel()
	tcp := new(sink)
	c := &guarded{Conn: &tracked{Conn: tcp, set: new(conns)}, guard: new(Guard)}
	if n, err := c.ReadFrom(strings.NewReader("content")); n != 7 || err != nil || tcp.took != 7 {
		t.Errorf("ReadFrom = %d, %v; %d bytes took the short way", n, err, tcp.took)
	}
}
