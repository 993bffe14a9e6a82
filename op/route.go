package op

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Pattern returns the route as [http.ServeMux] takes it: of exactly this path,
// where a bare "/" there would take every path that is not known.
func (s *Spec) Pattern() string {
	if s.Path == "/" {
		return s.Method + " /{$}"
	}
	return s.Method + " " + s.Path
}

// plainPath is what a path consists of, its {fields} aside. What would need an
// escape is refused: it would be one path to a router and another to a proxy.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9/._~!$&'()*+,;=:@{}-]*$`)

func (s *Spec) route(route string) {
	method, path, ok := strings.Cut(route, " ")
	if !ok || !strings.HasPrefix(path, "/") {
		s.mistake("route %q is not of the form %q", route, "METHOD /path")
		return
	}
	s.Method, s.Path = method, path
}

func (s *Spec) checkRoute() {
	if s.Path == "" {
		return // already refused
	}
	fits := []string{http.MethodGet}
	if s.Kind == IsCommand {
		fits = []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	}
	if !slices.Contains(fits, s.Method) {
		s.mistake("a %s cannot have method %q; use %s", s.Kind, s.Method, strings.Join(fits, ", "))
		return
	}
	switch {
	case strings.HasSuffix(s.Path, "/") && s.Path != "/":
		s.mistake("path %s ends in a slash; an operation has one exact path", s.Path)
	case !plainPath.MatchString(s.Path):
		s.mistake("path %q holds a character that needs an escape; use A-Z a-z 0-9 - . _ ~", s.Path)
	case s.oddWildcard():
		// checkPath says more about it.
	default:
		err := register(&http.ServeMux{}, s)
		if err != nil {
			s.mistake("path %s: %w", s.Path, err)
		}
		s.routed = err == nil
	}
}

// oddWildcard reports whether the path has fields that ServeMux understands
// and an operation does not, or would refuse with less to say than checkPath.
func (s *Spec) oddWildcard() bool {
	seen := map[string]bool{}
	for _, m := range wildcard.FindAllStringSubmatch(s.Path, -1) {
		if m[1] == "$" || strings.HasSuffix(m[1], "...") || seen[m[1]] {
			return true
		}
		seen[m[1]] = true
	}
	return false
}

// A router knows the routes so far, and finds those that conflict.
type router struct {
	mux   http.ServeMux
	specs []*Spec
}

func (r *router) add(s *Spec) error {
	reason := register(&r.mux, s)
	if reason == nil {
		r.specs = append(r.specs, s)
		return nil
	}
	for _, twin := range r.specs {
		var pair http.ServeMux
		if register(&pair, twin) == nil && register(&pair, s) != nil {
			return fmt.Errorf("route %s %s conflicts with that of %s at %s: %w", s.Method, s.Path, twin.Name, twin.Source, reason)
		}
	}
	return reason
}

// register adds the route to mux, whose panic it returns: the reason without
// the pattern and the place, which is always here.
func register(mux *http.ServeMux, s *Spec) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			message := strings.TrimSpace(fmt.Sprint(cause))
			if _, after, found := strings.Cut(message, ":\n"); found {
				message = after
			} else if i := strings.LastIndex(message, ": "); i >= 0 {
				message = message[i+2:]
			}
			err = errors.New(strings.ReplaceAll(message, "\n", " "))
		}
	}()
	mux.Handle(s.Pattern(), http.NotFoundHandler())
	return nil
}
