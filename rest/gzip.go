package rest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/ashlar-go/ashlar/fault"
)

// The codings of a body that are told apart.
type coding int

const (
	asItIs coding = iota
	packed        // gzip, once
	unread        // another, or several
)

// codingOf returns how a request's body is encoded. One coding on top of
// another is as good as unknown: nobody needs it but who builds a bomb.
func codingOf(header http.Header) coding {
	lines := header["Content-Encoding"]
	if len(lines) == 0 {
		return asItIs
	}
	switch strings.ToLower(strings.TrimSpace(listed(lines))) {
	case "", "identity":
		return asItIs
	case "gzip", "x-gzip": // RFC 9110, section 8.4.1.3: the same
		return packed
	}
	return unread
}

const (
	// unpackedFreely is how much a body may unpack to whatever its ratio.
	unpackedFreely = DefaultMaxBody
	// maxRatio is how many times a body may grow beyond that. JSON packs
	// 5:1 to 20:1, a bomb 1000:1.
	maxRatio = 100
	// packing is what gzip may add to a body that does not pack.
	packing = 1 << 10
)

// readPacked returns a body that comes as gzip, unpacked. The limit counts what
// it unpacks to, and what arrives too, so that a small bomb is found at the
// first byte too many and a large one is not read at all.
func (h *handler) readPacked(from io.Reader) ([]byte, error) {
	u, _ := unpackers.Get().(*unpacker)
	if u == nil {
		u = &unpacker{in: bufio.NewReader(nil)}
	}
	defer u.release()
	u.from = io.LimitedReader{R: from, N: h.maxBody + packing + 1}
	u.in.Reset(&u.from)
	body, err := u.unpack(h.maxBody)
	switch {
	case u.from.N <= 0, errors.Is(err, errBomb):
		return nil, h.tooLarge()
	case err == nil:
		return body, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, readError(err)
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, readError(err)
	}
	return nil, fault.ErrMalformed.Because("The body is not one complete piece of gzip.").Wrap(err)
}

// unpackers are kept, because one is 40 KiB of tables.
var unpackers sync.Pool // of *unpacker

type unpacker struct {
	from io.LimitedReader
	in   *bufio.Reader
	gzip gzip.Reader
}

// release lets go of the request, whose connection must not be kept alive by
// the pool.
func (u *unpacker) release() {
	u.from.R = nil
	u.in.Reset(nil)
	unpackers.Put(u)
}

var (
	errBomb  = errors.New("the body unpacks to more than it may")
	errAfter = errors.New("something follows the first member")
)

// unpack reads one member of gzip and nothing behind it. Members in a row are
// legal and nobody sends them, but for who hides a second document.
func (u *unpacker) unpack(limit int64) ([]byte, error) {
	if err := u.gzip.Reset(u.in); err != nil {
		return nil, err
	}
	u.gzip.Multistream(false)
	received := func() int64 { return limit + packing + 1 - u.from.N }
	body := make([]byte, 0, bytes.MinRead)
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := u.gzip.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch size := int64(len(body)); {
		case size > limit, size > unpackedFreely && size/maxRatio > received():
			return nil, errBomb
		case errors.Is(err, io.EOF):
			if _, err := u.in.ReadByte(); err != io.EOF {
				return nil, errors.Join(errAfter, err)
			}
			return body, nil
		case err != nil:
			return nil, err
		}
	}
}
