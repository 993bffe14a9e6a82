package scope

import (
	"net/http"
	"strconv"
)

// Answer is an answer of which all is known before any of it is sent.
type Answer struct {
	Status       int
	ContentType  string
	ETag         string // with its quotes; empty for none
	Location     string // empty for none
	CacheControl string // empty for what every response says
	Lines        []byte // further fields as they stand on the wire, each with its line end
	Body         []byte
	// Tail, if there is one, is what [Answer.AppendTail] has made of ETag,
	// Location, ContentType and Body, for an answer that is sent again and again.
	Tail []byte
}

// AppendTail appends the end of the message as it stands on the wire: the fields
// that only this answer has, an empty line, and the body.
func (a *Answer) AppendTail(b []byte) []byte {
	if a.Tail != nil {
		return append(b, a.Tail...)
	}
	if a.ETag != "" {
		b = appendField(b, "Etag", a.ETag)
	}
	if a.Location != "" {
		b = appendField(b, "Location", a.Location)
	}
	b = appendField(b, "Content-Type", a.ContentType)
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(a.Body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, a.Body...)
}

func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), '\r', '\n')
}

// InOrder reports whether no field of the answer could be read as two.
func (a *Answer) InOrder() bool {
	return a.Tail != nil ||
		(a.ContentType == "application/json" || oneLine(a.ContentType)) && oneLine(a.ETag) && oneLine(a.Location)
}

func oneLine(value string) bool {
	for i := range len(value) {
		if c := value[i]; c == '\r' || c == '\n' || c == 0 {
			return false
		}
	}
	return true
}

// Send has w send the answer of r, and reports whether it takes it. A w that
// does not is to be written to field by field: it is not the server's own, or
// somebody has asked for its header. One that does has no more to say, and
// keeps nothing of the answer.
func Send(w http.ResponseWriter, r *http.Request, a Answer) bool {
	sender, ok := w.(interface {
		Send(r *http.Request, a Answer) bool
	})
	return ok && sender.Send(r, a)
}
