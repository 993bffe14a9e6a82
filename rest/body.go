package rest

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/input"
	"github.com/ashlar-go/ashlar/op"
)

// readBody returns the request's body, or nil if it is empty. It is a fresh
// buffer that nothing will write to again, because decoded texts point into
// it.
func (h *handler) readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if h.spec.IgnoresBody {
		return nil, nil
	}
	if h.spec.Kind != op.IsCommand {
		return nil, input.RefuseBody(r)
	}
	coding, most := codingOf(r.Header), h.maxBody
	if coding == packed {
		most += packing
	}
	if r.ContentLength > most {
		return nil, h.tooLarge()
	}
	if r.ContentLength > 0 || coding != asItIs {
		if err := checkMedia(r.Header, coding); err != nil {
			return nil, err
		}
		if coding == packed {
			return h.readPacked(r.Body)
		}
		return readKnown(r.Body, int(r.ContentLength))
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, h.maxBody+1))
	switch {
	case err != nil:
		return nil, readError(err)
	case int64(len(body)) > h.maxBody:
		return nil, h.tooLarge()
	case len(body) == 0:
		return nil, nil // nothing was sent, so it has no type either
	}
	return body, checkMedia(r.Header, asItIs)
}

// promised is how much memory a Content-Length alone is worth. The rest of a
// greater body gets its memory as it arrives.
const promised = 64 << 10

func readKnown(from io.Reader, size int) ([]byte, error) {
	body := make([]byte, 0, min(size, promised))
	for {
		n, err := io.ReadFull(from, body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err != nil {
			return nil, readError(err)
		}
		if len(body) == size {
			return body, nil
		}
		body = append(make([]byte, 0, min(size, 4*len(body))), body...)
	}
}

func (h *handler) tooLarge() error {
	return fault.ErrTooLarge.Because("The body may have at most %d bytes.", h.maxBody)
}

// readError says what a body that ended early means. The cause may be the
// client's or the connection's; either way the request cannot be read.
func readError(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.ErrTooLarge.Because("The body may have at most %d bytes.", tooLarge.Limit)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fault.ErrSlow.Because("The body did not arrive in time.").Wrap(err)
	}
	return fault.ErrMalformed.Because("The body could not be read to its end.").Wrap(err)
}

func checkMedia(header http.Header, coding coding) error {
	if coding == unread {
		return fault.ErrUnsupported.Because("The body may be compressed with gzip, once, and in no other way.")
	}
	if len(header["Content-Type"]) > 1 {
		// Somebody in front of us may have gone by the other one.
		return fault.ErrUnsupported.Because("The request has more than one Content-Type.")
	}
	value := header.Get("Content-Type")
	if value == jsonType {
		return nil
	}
	media, params, err := mime.ParseMediaType(value)
	charset := params["charset"]
	if err != nil || media != jsonType || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return fault.ErrUnsupported.Because("The body must be JSON in UTF-8, with Content-Type: application/json.")
	}
	return nil
}

// sayReadable adds to a 415 what would have been read (RFC 9110, section
// 15.5.16).
func sayReadable(answer, request http.Header) {
	if codingOf(request) == unread {
		answer["Accept-Encoding"] = []string{"gzip"}
	} else {
		answer["Accept"] = jsonValue
	}
}
