package serve

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/trace"
)

// What net/http writes when it gives up on a connection before any handler:
// one write, with exactly these headers. A handler's response has a Date.
const (
	plainStatus  = "HTTP/1.1 "
	plainHeaders = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
)

// preRouting recognises such a write and returns its status.
func preRouting(p []byte) (status int, ok bool) {
	if len(p) < len(plainStatus)+3 || len(p) > 512 || p[len(plainStatus)] < '4' {
		return 0, false
	}
	line := bytes.IndexByte(p, '\r')
	if line < 0 || string(p[:len(plainStatus)]) != plainStatus || !bytes.HasPrefix(p[line:], []byte(plainHeaders)) {
		return 0, false
	}
	status, err := strconv.Atoi(string(p[len(plainStatus) : len(plainStatus)+3]))
	return status, err == nil && status >= 400
}

// detailOf says for the caller what net/http objected to.
func detailOf(status int) string {
	switch status {
	case http.StatusRequestHeaderFieldsTooLarge:
		return "The request head is too large."
	case http.StatusHTTPVersionNotSupported:
		return string(refusedVersion)
	}
	return "The request head cannot be read."
}

// codeOf is the stable code of a refusal that has no kind of its own in fault:
// no operation can answer with it.
func codeOf(status int) string {
	switch status {
	case http.StatusRequestHeaderFieldsTooLarge:
		return "head_too_large"
	case http.StatusHTTPVersionNotSupported:
		return "version_unsupported"
	}
	return fault.ErrMalformed.Code()
}

// lastWords is the whole last response of a connection.
func lastWords(r Refused) (answer []byte, traceID string) {
	traceID = trace.New().TraceIDString()
	p := fault.Problem{Status: r.Status, Code: codeOf(r.Status), Detail: r.Detail, TraceID: traceID}
	body, err := p.MarshalJSON()
	if err != nil {
		body = []byte("{}") // only extension members can fail, and there are none
	}
	b := make([]byte, 0, 512)
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(r.Status)...)
	b = append(b, "\r\nContent-Type: "+fault.MediaType+"\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\nX-Request-Id: "...)
	b = append(b, traceID...)
	b = append(b, "\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"...)
	return append(b, body...), traceID
}
