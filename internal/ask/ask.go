// Package ask has a handler answer requests that no connection of their own
// brought: a call on a socket, a field of a GraphQL document.
package ask

import (
	"bytes"
	"net/http"
	"sync"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// An Answer is what was answered. It is an [http.ResponseWriter].
type Answer struct {
	Status int
	Body   bytes.Buffer

	header http.Header
	asking *scope.Scope
	taker  Taker
}

// Asking returns the scope of the request that asks, if it has one: whoever
// observes this one finds its trace, its id and its origin there.
func (a *Answer) Asking() *scope.Scope { return a.asking }

// A Taker makes what it needs of an answer, which is given by a pointer that is
// no good after the call. It is false if it wants the answer as JSON; else n is
// how many bytes it made.
type Taker interface {
	Take(answer any) (n int, taken bool)
}

// Takes implements [scope.Taker].
func (a *Answer) Takes() bool { return a.taker != nil }

// Take implements [scope.Taker].
func (a *Answer) Take(answer any) (n int, taken bool) { return a.taker.Take(answer) }

// Header implements [http.ResponseWriter].
func (a *Answer) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

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
	if a.Body.Cap() == 0 {
		a.Body = *bytes.NewBuffer(*rooms.Get().(*[]byte))
	}
	return a.Body.Write(b)
}

// Release gives the room of the body back. Whoever calls it has nothing left
// that lies in the body; whoever does not costs the next answer some room.
func (a *Answer) Release() {
	room := a.Body.Bytes()[:0]
	a.Body = bytes.Buffer{}
	if cap(room) > 0 && cap(room) <= maxPooled {
		rooms.Put(&room)
	}
}

// rooms are for the bodies of answers.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled is the size above which a room is left to the collector.
const maxPooled = 64 << 10

// accept has failures come as problem documents, whose codes who asks here
// passes on, also where the API has a form of its own for them.
var accept = []string{"application/json, " + fault.MediaType}[:1:1]

// Handler returns what h answers, and what it panicked with, which is answered
// as an internal error. Whoever observes h has logged a panic, and panics on with
// [http.ErrAbortHandler] for the connection that an HTTP request has of its own.
func Handler(h http.Handler, r *http.Request) (a *Answer, panicked any) {
	return Taken(h, r, nil, nil)
}

// Taken is the same for a request with a scope, or nil, and for who would rather
// have the answer as a value, if that can be: t is nil, or takes it, and then
// there is no body.
func Taken(h http.Handler, r *http.Request, asking *scope.Scope, t Taker) (a *Answer, panicked any) {
	a = &Answer{asking: asking, taker: t}
	return answered(h, r, a, a)
}

// Wrapped is Handler for who looks at what is written.
func Wrapped(h http.Handler, r *http.Request, wrap func(http.ResponseWriter) http.ResponseWriter) (a *Answer, panicked any) {
	a = &Answer{}
	return answered(h, r, a, wrap(a))
}

func answered(h http.Handler, r *http.Request, to *Answer, w http.ResponseWriter) (a *Answer, panicked any) {
	a, r.Header["Accept"] = to, accept
	defer func() {
		if panicked = recover(); panicked != nil {
			a = Refusal(fault.ErrInternal)
		}
	}()
	h.ServeHTTP(w, r)
	a.WriteHeader(http.StatusOK)
	return a, nil
}

// Refusal is an answer that nobody was asked for.
func Refusal(err error) *Answer {
	a := &Answer{header: make(http.Header, 2)}
	_ = fault.Write(a, fault.ProblemOf(err, "")) // it is kept in memory
	return a
}
