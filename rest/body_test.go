package rest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
)

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

type blob struct {
	Text string `json:"text"`
}

func length(_ context.Context, in blob) (int, error) { return len(in.Text), nil }

// limited takes bodies of up to 64 bytes.
func limited(t *testing.T) http.Handler {
	t.Helper()
	return api(t, nil, op.Command("blobs.put", "POST /blobs", length, op.Public(), op.MaxBody(64)),
		op.Query("blobs.get", "GET /blobs", func(context.Context, struct{}) (int, error) { return 1, nil }, op.Public()))
}

// blobOf returns a body of exactly so many bytes.
func blobOf(size int) string {
	const frame = len(`{"text":""}`)
	return `{"text":"` + strings.Repeat("a", size-frame) + `"}`
}

// talk sends raw bytes to a real server and returns the answer's status and
// body.
func talk(t *testing.T, h http.Handler, request string, leave bool) (status int, body string) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if leave {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

const jsonPost = "POST /blobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

func chunked(head string, chunks ...string) string {
	var b strings.Builder
	b.WriteString(head + "Transfer-Encoding: chunked\r\n\r\n")
	for _, c := range chunks {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(c), c)
	}
	return b.String()
}

func TestBodiesOnTheWire(t *testing.T) {
	t.Parallel()
	const end = "0\r\n\r\n"
	plainPost := strings.ReplaceAll(jsonPost, "Content-Type: application/json\r\n", "")
	get := strings.Replace(plainPost, "POST", "GET", 1)
	sized := func(promised int, body string) string {
		return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", jsonPost, promised, body)
	}
	for what, c := range map[string]struct {
		request string
		leave   bool
		status  int
		answer  string
	}{
		"a length at the limit":            {sized(64, blobOf(64)), false, 200, "53"},
		"a length above it":                {sized(65, blobOf(65)), false, 413, "body_too_large"},
		"a length far above, nothing sent": {sized(1<<40, ""), false, 413, "body_too_large"},
		"a length that is not sent":        {sized(60, blobOf(30)), true, 400, "The body could not be read to its end."},
		"chunks at the limit":              {chunked(jsonPost, blobOf(64)[:10], blobOf(64)[10:]) + end, false, 200, "53"},
		"chunks above it":                  {chunked(jsonPost, blobOf(65)[:60], blobOf(65)[60:]) + end, false, 413, "body_too_large"},
		"chunks without end":               {chunked(jsonPost, strings.Repeat(" ", 64), " "), false, 413, "body_too_large"},
		"chunks that break off":            {chunked(jsonPost, blobOf(30)), true, 400, "could not be read to its end"},
		"a chunk that breaks off":          {chunked(jsonPost) + "20\r\n{\"text\"", true, 400, "could not be read to its end"},
		"a malformed chunk":                {chunked(jsonPost) + "zz\r\n", false, 400, "could not be read to its end"},
		"chunks of nothing":                {chunked(plainPost) + end, false, 422, `"/text"`},
		"untyped chunks":                   {chunked(plainPost, blobOf(30)) + end, false, 415, "media_type_unsupported"},
		"no length at all":                 {plainPost + "\r\n", false, 422, `"/text"`},
		"a query with a length":            {get + "Content-Length: 2\r\n\r\n{}", false, 400, "takes no body"},
		"a query with chunks":              {chunked(get, "{}") + end, false, 400, "takes no body"},
		"a query with chunks of nothing":   {chunked(get) + end, false, 200, "1"},
		"a query with length zero":         {get + "Content-Length: 0\r\n\r\n", false, 200, "1"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			status, answer := talk(t, limited(t), c.request, c.leave)
			if status != c.status || !strings.Contains(answer, c.answer) {
				t.Errorf("got %d %s", status, answer)
			}
		})
	}
}

// TestALengthAloneTakesNoMemory reads a large body that never comes: only what
// arrives is paid for.
func TestALengthAloneTakesNoMemory(t *testing.T) {
	t.Parallel()
	h := api(t, nil, op.Command("blobs.put", "POST /blobs", length, op.Public(), op.MaxBody(1<<40)))
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/blobs", io.NopCloser(broken{}))
	r.ContentLength = 1 << 40
	r.Header.Set("Content-Type", "application/json")
	w := newRecorder()
	h.ServeHTTP(w, r) // would not return if a tebibyte were asked for
	if w.Code != 400 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

type broken struct{}

var errReset = errors.New("connection reset by peer")

func (broken) Read([]byte) (int, error) { return 0, errReset }

func TestBodiesOfEverySize(t *testing.T) {
	t.Parallel()
	h := api(t, nil, op.Command("blobs.put", "POST /blobs", func(_ context.Context, in pieces) (int, error) { return len(in.Pieces), nil },
		op.Public(), op.MaxBody(1<<20)))
	for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 256 << 10, 300_000, 1<<20 - 13} {
		body := `{"pieces":"` + strings.Repeat("0", size) + `"}`
		for _, known := range []bool{true, false} {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/blobs", strings.NewReader(body))
			if !known {
				r.ContentLength = -1
			}
			r.Header.Set("Content-Type", "application/json")
			w := newRecorder()
			h.ServeHTTP(w, r)
			if w.Code != 200 || w.Body.String() != fmt.Sprint(size) {
				t.Errorf("%d bytes, length known: %v: got %d %s", size, known, w.Code, w.Body)
			}
		}
	}
}

// pieces holds a text of its own reading, which has no greatest length.
type pieces struct {
	Pieces raw `json:"pieces"`
}

type raw string

func (r *raw) UnmarshalText(b []byte) error { *r = raw(b); return nil }

func TestALimitInFrontIsNamed(t *testing.T) {
	t.Parallel()
	h := limited(t)
	front := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 20)
		h.ServeHTTP(w, r)
	})
	for _, request := range []string{
		fmt.Sprintf("%sContent-Length: 40\r\n\r\n%s", jsonPost, blobOf(40)),
		chunked(jsonPost, blobOf(40)) + "0\r\n\r\n",
	} {
		status, answer := talk(t, front, request, false)
		if status != 413 || !strings.Contains(answer, "at most 20 bytes") {
			t.Errorf("got %d %s", status, answer)
		}
	}
}

func TestTheDefaultLimitHolds(t *testing.T) {
	t.Parallel()
	for limit, cfg := range map[int]rest.Config{rest.DefaultMaxBody: {}, 100: {MaxBody: 100}} {
		h, err := rest.New(op.Command("blobs.put", "POST /blobs", length, op.Public()), cfg)
		if err != nil {
			t.Fatal(err)
		}
		body := `{"text":"` + strings.Repeat("a", 30) + `"}`
		fits := body + strings.Repeat(" ", limit-len(body))
		if a := send(t, h, "POST", "/blobs", fits); a.Code != 200 {
			t.Errorf("%d bytes: got %d %s", len(fits), a.Code, a.Body)
		}
		if a := send(t, h, "POST", "/blobs", fits+" "); a.Code != 413 || !strings.Contains(a.problem.Detail, fmt.Sprint(limit)) {
			t.Errorf("%d bytes: got %d %s", len(fits)+1, a.Code, a.Body)
		}
	}
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	h := limited(t)
	for media, want := range map[string]int{
		"application/json":                    200,
		"Application/JSON":                    200,
		"application/json;charset=utf-8":      200,
		"application/json; charset=\"UTF-8\"": 200,
		"application/json; profile=x":         200,
		"application/json; charset=utf-16":    415,
		"application/json, text/plain":        415,
		"application/json;":                   200,
		"application/json; =":                 415,
		"application/jsonp":                   415,
		"application/merge-patch+json":        415,
		"text/json":                           415,
		"json":                                415,
		"*/*":                                 415,
	} {
		a := send(t, h, "POST", "/blobs", blobOf(30), "Content-Type", media)
		if a.Code != want {
			t.Errorf("%s: got %d %s", media, a.Code, a.Body)
		}
		if got := a.Header().Get("Accept"); (got == "application/json") != (want == 415) || a.Header().Get("Accept-Encoding") != "" {
			t.Errorf("%s: %d with Accept: %s", media, a.Code, got)
		}
	}
	for encoding, want := range map[string]int{
		"identity": 200, "Identity": 200, "br": 415, "deflate": 415, "zstd": 415, "identity, gzip": 415, "gzip, gzip": 415, "gzip;q=1": 415,
	} {
		a := send(t, h, "POST", "/blobs", blobOf(30), "Content-Encoding", encoding)
		if a.Code != want {
			t.Errorf("Content-Encoding: %s: got %d", encoding, a.Code)
		}
		if got := a.Header().Get("Accept-Encoding"); (got == "gzip") != (want == 415) || a.Header().Get("Accept") != "" {
			t.Errorf("Content-Encoding: %s: %d with Accept-Encoding: %s", encoding, a.Code, got)
		}
	}
}

// TestHeadersGivenTwice holds that no two readers of a request can take its
// body for different things.
func TestHeadersGivenTwice(t *testing.T) {
	t.Parallel()
	h := limited(t)
	for _, lines := range []string{
		"Content-Type: application/json\r\nContent-Type: text/plain",
		"Content-Type: text/plain\r\nContent-Type: application/json",
		"Content-Type: application/json\r\nContent-Type: application/json",
		"Content-Type: application/json\r\nContent-Type:",
		"Content-Type: application/json; x=\"\r\nContent-Type: text/plain\"", // one valid type, if they were joined
		"Content-Type: application/json\r\nContent-Encoding: identity\r\nContent-Encoding: gzip",
		"Content-Type: application/json\r\nContent-Encoding:\r\nContent-Encoding: gzip",
	} {
		request := fmt.Sprintf("POST /blobs HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: 30\r\n\r\n%s", lines, blobOf(30))
		if status, answer := talk(t, h, request, false); status != 415 {
			t.Errorf("%q: got %d %s", lines, status, answer)
		}
	}
}

// TestASlowBody holds back what was promised until the server gives up.
func TestASlowBody(t *testing.T) {
	t.Parallel()
	h := limited(t)
	impatient := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Error(err)
		}
		h.ServeHTTP(w, r)
	})
	for what, request := range map[string]string{
		"a length":           jsonPost + "Content-Length: 60\r\n\r\n" + blobOf(30),
		"a length, nothing":  jsonPost + "Content-Length: 60\r\n\r\n",
		"chunks":             chunked(jsonPost, blobOf(30)),
		"a part of a chunk":  chunked(jsonPost) + "20\r\n{",
		"chunks without one": chunked(jsonPost),
	} {
		if status, answer := talk(t, impatient, request, false); status != 408 || !strings.Contains(answer, "request_timeout") {
			t.Errorf("%s: got %d %s", what, status, answer)
		}
	}

	r := httptest.NewRequestWithContext(t.Context(), "POST", "/blobs", late{})
	r.ContentLength = -1
	w := newRecorder()
	if h.ServeHTTP(w, r); w.Code != 408 || w.Header().Get("Connection") != "close" {
		t.Errorf("got %d, Connection: %s", w.Code, w.Header().Get("Connection"))
	}
}

type late struct{}

func (late) Read([]byte) (int, error) { return 0, fmt.Errorf("read tcp: %w", os.ErrDeadlineExceeded) }
