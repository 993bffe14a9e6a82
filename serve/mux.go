package serve

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// maxTarget is the longest request target that is routed, in bytes: 8 KiB, the
// least that RFC 9110 asks of everyone on the way.
const maxTarget = 8 << 10

// Mux is a strict router on top of http.ServeMux: the same patterns, the same
// precedence, the same PathValue. What ServeMux answers itself becomes a
// problem document, and what it repairs is refused:
//
//   - an unknown path, and a path that is only right with a slash more: 404;
//   - an unclean path, as //x, /./x, /x/../y or with an encoded slash: 404,
//     never a redirect, since two readings of one path are a way around a gate;
//   - a path with a control character or broken UTF-8: 400;
//   - a known path with another method: 405 with Allow, TRACE and CONNECT
//     among them;
//   - a target above 8 KiB: 414.
//
// The zero Mux is ready to use. Fill it before it serves.
type Mux struct {
	routes http.ServeMux
	gates  sync.Pool // of *gate
}

// Handle registers the handler for a ServeMux pattern, as "GET /payments/{id}".
// It returns an error for a malformed pattern and for one that conflicts with
// an earlier pattern; the message names both.
func (m *Mux) Handle(pattern string, handler http.Handler) (err error) {
	if handler == nil {
		return fmt.Errorf("serve: pattern %q has no handler", pattern)
	}
	defer func() {
		if cause := recover(); cause != nil {
			err = errors.New("serve: " + withoutPlaces(fmt.Sprint(cause)))
		}
	}()
	m.routes.Handle(pattern, route{handler})
	return nil
}

// withoutPlaces drops " (registered at file:line)" from ServeMux's message: the
// place is always Handle above, which helps nobody.
func withoutPlaces(message string) string {
	for {
		before, rest, found := strings.Cut(message, " (registered at ")
		if !found {
			return message
		}
		_, after, _ := strings.Cut(rest, ")")
		message = before + after
	}
}

// ServeHTTP routes the request.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.RequestURI) > maxTarget {
		scope.Refuse(w, fault.ErrTooLong.Because("The request target is longer than %d bytes.", maxTarget))
		return
	}
	if err := checkPath(r.URL); err != nil {
		scope.Refuse(w, err)
		return
	}
	g, _ := m.gates.Get().(*gate)
	if g == nil {
		g = new(gate)
	}
	g.out = w
	if r.Method == http.MethodTrace || r.Method == http.MethodConnect {
		m.deny(g, r)
	} else {
		m.routes.ServeHTTP(g, r)
	}
	if g.status != 0 {
		m.answer(g, r)
	}
	*g = gate{}
	m.gates.Put(g)
}

// deny refuses a method that no resource here may have, even under a pattern
// without a method.
func (m *Mux) deny(g *gate, r *http.Request) {
	h, _ := m.routes.Handler(r)
	if _, hit := h.(route); !hit {
		h.ServeHTTP(g, r)
		return
	}
	g.Header().Set("Allow", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT") // whatever the pattern
	g.WriteHeader(http.StatusMethodNotAllowed)
}

// Methods returns the methods that are answered at the request's path,
// whatever its own is, in alphabetical order; none if nothing is there. It is
// what the Allow header of a 405 says, for [CORSConfig].
func (m *Mux) Methods(r *http.Request) []string {
	if len(r.RequestURI) > maxTarget || checkPath(r.URL) != nil {
		return nil
	}
	return m.answered([]string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}, r)
}

// route marks what was registered: it lets a request out through the gate.
type route struct{ next http.Handler }

func (t route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g, ok := w.(*gate); ok {
		w = g.out
	}
	t.next.ServeHTTP(w, r)
}

// gate stands for the response while ServeMux decides. A registered handler
// never sees it; what ServeMux answers of its own accord ends up here, so that
// a hit costs nothing and a miss needs no second look-up.
type gate struct {
	out    http.ResponseWriter
	header http.Header
	status int
}

func (g *gate) Header() http.Header {
	if g.header == nil {
		g.header = http.Header{}
	}
	return g.header
}

func (g *gate) WriteHeader(status int) { g.status = status }

func (g *gate) Write(b []byte) (int, error) { return len(b), nil }

// answer says in our words what ServeMux said: not here, or not so.
func (m *Mux) answer(g *gate, r *http.Request) {
	if g.status == http.StatusMethodNotAllowed {
		if allow := m.allowed(g.header.Get("Allow"), r); allow != "" {
			g.out.Header()["Allow"] = []string{allow}
			scope.Refuse(g.out, fault.ErrNotAllowed.Because("This path does not know the method; Allow lists those it knows."))
			return
		}
	}
	scope.Refuse(g.out, fault.ErrNotFound.Because("There is nothing at this path."))
}

// allowed keeps the methods that are really answered at the path: ServeMux
// also lists those that it would only redirect.
func (m *Mux) allowed(list string, r *http.Request) string {
	return strings.Join(m.answered(strings.Split(list, ", "), r), ", ")
}

// answered keeps those of the methods that a registered handler answers.
func (m *Mux) answered(methods []string, r *http.Request) []string {
	probe := *r
	return slices.DeleteFunc(methods, func(method string) bool {
		probe.Method = method
		h, _ := m.routes.Handler(&probe)
		_, hit := h.(route)
		return !hit
	})
}
