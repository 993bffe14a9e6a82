// Package ask has a handler answer requests that no connection of their own
// brought: a call on a socket, a field of a GraphQL document.
package ask

import (
	"bytes"
	"net/http"

	"github.com/ashlar-go/ashlar/fault"
)

// An Answer is what was answered. It is an [http.ResponseWriter].
type Answer struct {
	Status int
	Body   bytes.Buffer

	header http.Header
}

// Header implements [http.ResponseWriter].
func (a *Answer) Header() http.Header { return a.header }

// WriteHeader implements [http.ResponseWriter]. What comes before the answer,
// such as 103, is left out.
func (a *Answer) WriteHeader(status int) {
	if a.Status == 0 && status >= http.StatusOK {
		a.Status = status
	}
}

// Write implements [http.ResponseWriter].
func (a *Answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.Body.Write(b)
}

// Handler returns what h answers, and what it panicked with, which is answered
// as an internal error. Whoever observes h has logged a panic, and panics on with
// [http.ErrAbortHandler] for the connection that an HTTP request has of its own.
func Handler(h http.Handler, r *http.Request) (a *Answer, panicked any) {
	return Wrapped(h, r, func(w http.ResponseWriter) http.ResponseWriter { return w })
}

// Wrapped is the same for who looks at what is written.
func Wrapped(h http.Handler, r *http.Request, wrap func(http.ResponseWriter) http.ResponseWriter) (a *Answer, panicked any) {
	a = &Answer{header: make(http.Header, 8)}
	defer func() {
		if panicked = recover(); panicked != nil {
			a = Refusal(fault.ErrInternal)
		}
	}()
	h.ServeHTTP(wrap(a), r)
	a.WriteHeader(http.StatusOK)
	return a, nil
}

// Refusal is an answer that nobody was asked for.
func Refusal(err error) *Answer {
	a := &Answer{header: make(http.Header, 2)}
	_ = fault.Write(a, fault.ProblemOf(err, "")) // it is kept in memory
	return a
}
