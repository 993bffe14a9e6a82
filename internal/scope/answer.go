package scope

import "net/http"

// Answer is an answer of which all is known before any of it is sent.
type Answer struct {
	Status       int
	ContentType  string
	ETag         string // with its quotes; empty for none
	Location     string // empty for none
	CacheControl string // empty for what every response says
	Lines        []byte // further fields as they stand on the wire, each with its line end
	Body         []byte
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
