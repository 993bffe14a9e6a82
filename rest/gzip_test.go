package rest_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
)

func pack(body string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, body)
	_ = z.Close()
	return b.String()
}

// sendPacked sends a body as gzip, with its length or in chunks.
func sendPacked(h http.Handler, body string, chunked bool) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/blobs", strings.NewReader(body))
	if chunked {
		r.ContentLength = -1
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Content-Encoding", "gzip")
	w := newRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestPackedBodies holds P6.14: the limit of 64 bytes counts what a body
// unpacks to.
func TestPackedBodies(t *testing.T) {
	t.Parallel()
	h := limited(t)
	good := blobOf(30)
	noise := make([]byte, 4<<10) // which does not pack
	for i, source := 0, rand.NewChaCha8([32]byte{}); i < len(noise); i++ {
		noise[i] = byte('a' + source.Uint64()%26)
	}
	flipped := []byte(pack(good))
	flipped[len(flipped)-6]++ // of the checksum
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"in order":                   {pack(good), 200},
		"exactly the limit":          {pack(blobOf(64)), 200},
		"one byte above":             {pack(blobOf(65)), 413},
		"a bomb":                     {pack(strings.Repeat("a", 64<<20)), 413},
		"large as it arrives":        {pack(string(noise)), 413},
		"a bomb in a bomb":           {pack(pack(strings.Repeat(pack(strings.Repeat("a", 1<<20)), 100))), 413},
		"packed twice":               {pack(pack(good)), 400}, // it unpacks to gzip, which is no JSON
		"two members":                {pack(good) + pack(good), 400},
		"a member split in two":      {pack(good[:10]) + pack(good[10:]), 400},
		"thousands of empty members": {strings.Repeat(pack(""), 40), 400},
		"something behind":           {pack(good) + "{}", 400},
		"a NUL behind":               {pack(good) + "\x00", 400},
		"no gzip":                    {good, 400},
		"nothing":                    {"", 0},
		"nothing in it":              {pack(""), 422},
		"cut off":                    {pack(good)[:20], 400},
		"cut off in the trailer":     {pack(good)[:len(pack(good))-1], 400},
		"a wrong checksum":           {string(flipped), 400},
		"no JSON in it":              {pack("{"), 400},
	} {
		for _, chunked := range []bool{false, true} {
			got := sendPacked(h, c.body, chunked)
			want := c.want
			if c.body == "" {
				want = map[bool]int{false: 422, true: 400}[chunked]
			}
			if got.Code != want {
				t.Errorf("%s, chunked %v: %d, want %d: %s", name, chunked, got.Code, want, got.Body)
			}
			if (got.Code == 413) != (got.Header().Get("Connection") == "close") {
				t.Errorf("%s: Connection: %q", name, got.Header().Get("Connection"))
			}
		}
	}
}

// TestBombsCostNoMemory holds P6.14 for an operation that takes large bodies:
// 64 MiB if they are honest, and a bomb of 64 MiB not at all.
func TestBombsCostNoMemory(t *testing.T) { //nolint:paralleltest // it counts the process's memory
	h := api(t, nil, op.Command("blobs.put", "POST /blobs", length, op.Public(), op.MaxBody(64<<20)))
	bomb := pack(blobOf(64 << 20))
	if len(bomb) > 80<<10 {
		t.Fatalf("a bomb of %d bytes", len(bomb))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 20 {
		if got := sendPacked(h, bomb, true); got.Code != 413 {
			t.Fatalf("got %d %s", got.Code, got.Body)
		}
	}
	runtime.ReadMemStats(&after)
	// The reader is ahead by its 4 KiB and a window when the ratio is seen.
	if each := (after.TotalAlloc - before.TotalAlloc) / 20; each > 12<<20 {
		t.Errorf("a bomb costs %d KiB", each>>10)
	}
	// What packs well and is no bomb passes: lines of a report, about 50:1.
	var report strings.Builder
	for i := 0; report.Len() < 2<<20; i++ {
		fmt.Fprintf(&report, `\"2026-11-%02d\",\"settled and paid out to the merchant's account\",%d\n`, i%30, i)
	}
	honest := `{"text":"` + report.String() + `"}`
	if got := sendPacked(h, pack(honest), false); got.Code == 413 {
		t.Errorf("a report of %d bytes in %d is refused: %s", len(honest), len(pack(honest)), got.Body)
	}
}

// TestUnpackedRequestsShareNothing holds that a body taken from the pool's
// reader is its request's own.
func TestUnpackedRequestsShareNothing(t *testing.T) {
	t.Parallel()
	h := api(t, nil, op.Command("blobs.put", "POST /blobs", length, op.Public()))
	for i := range 200 {
		size := 12 + i*19
		if got := sendPacked(h, pack(blobOf(size)), i%2 == 0); strings.TrimSpace(got.Body.String()) != fmt.Sprint(size-11) {
			t.Fatalf("a body of %d: %d %s", size, got.Code, got.Body)
		}
		if got := sendPacked(h, pack(blobOf(size))[:size%20], i%2 == 0); i%20 > 0 && got.Code == 200 {
			t.Fatalf("a piece: %d %s", got.Code, got.Body)
		}
	}
}

// FuzzPackedBody compares with the library's reader: what is taken is what
// the library finds in the one and only member, and nothing else is taken.
func FuzzPackedBody(f *testing.F) {
	for _, seed := range []string{pack(blobOf(30)), pack(""), pack("{}") + pack("{}"), "\x1f\x8b", pack(strings.Repeat("a", 1000))} {
		f.Add([]byte(seed))
	}
	pattern, h := rest.Handler(op.Command("blobs.put", "POST /blobs", length, op.Public(), op.MaxBody(256)))
	mux := http.NewServeMux()
	mux.Handle(pattern, h)
	f.Fuzz(func(t *testing.T, body []byte) {
		got := sendPacked(mux, string(body), true)
		in := bytes.NewReader(body)
		var plain []byte
		z, err := gzip.NewReader(in)
		if err == nil {
			z.Multistream(false)
			plain, err = io.ReadAll(io.LimitReader(z, 257))
		}
		switch {
		case err == nil && len(plain) <= 256 && in.Len() == 0 && len(body) <= 256+1024:
			r := httptest.NewRequest("POST", "/blobs", bytes.NewReader(plain))
			r.Header.Set("Content-Type", "application/json")
			want := newRecorder()
			mux.ServeHTTP(want, r)
			if got.Code != want.Code || got.Body.String() != want.Body.String() {
				t.Fatalf("packed %d %s\nplain  %d %s", got.Code, got.Body, want.Code, want.Body)
			}
		case got.Code != 400 && got.Code != 413:
			t.Fatalf("%d for %q, which is %v with %d behind", got.Code, body, err, in.Len())
		}
	})
}

// BenchmarkPackedPost is BenchmarkTypedPost with the body as gzip.
func BenchmarkPackedPost(b *testing.B) {
	c := newCaller(pack(paymentBody))
	c.request.Header.Set("Content-Encoding", "gzip")
	benchmark(b, typed(b), c)
}
