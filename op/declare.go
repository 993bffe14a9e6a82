package op

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"path"
	"reflect"
	"runtime"
	"strings"
	"sync"

	"github.com/ashlar-go/ashlar/rule"
)

// Query declares an operation that reads: a GET whose answer may be cached
// and whose call may be repeated without harm. The route is "GET /path".
func Query[In, Out any](name, route string, fn func(context.Context, In) (Out, error), options ...QueryOption) Operation {
	s := declare[In, Out](IsQuery, name, route, fn == nil, reflect.ValueOf(fn))
	s.NewCall = newCall(fn)
	for _, o := range options {
		o.query(s)
	}
	return s.finish()
}

// Command declares an operation that changes something. The route's method is
// POST, PUT, PATCH or DELETE.
func Command[In, Out any](name, route string, fn func(context.Context, In) (Out, error), options ...CommandOption) Operation {
	s := declare[In, Out](IsCommand, name, route, fn == nil, reflect.ValueOf(fn))
	s.NewCall = newCall(fn)
	for _, o := range options {
		o.command(s)
	}
	return s.finish()
}

// Stream declares an operation that sends items until the caller leaves or
// the sequence ends. The route is "GET /path".
func Stream[In, Out any](name, route string, fn func(context.Context, In) iter.Seq2[Out, error], options ...StreamOption) Operation {
	s := declare[In, Out](IsStream, name, route, fn == nil, reflect.ValueOf(fn))
	s.describeItem(reflect.TypeFor[Out]())
	s.NewStream = func() (any, func(context.Context) iter.Seq2[any, error]) {
		in := new(In)
		return in, func(ctx context.Context) iter.Seq2[any, error] {
			return func(yield func(any, error) bool) {
				for item, err := range fn(ctx, *in) {
					if !yield(&item, err) {
						return
					}
				}
			}
		}
	}
	for _, o := range options {
		o.stream(s)
	}
	return s.finish()
}

func declare[In, Out any](kind Kind, name, route string, missing bool, fn reflect.Value) *Spec {
	s := &Spec{Kind: kind, Name: name}
	// Query, Command or Stream was called by the declaration itself.
	if _, file, line, ok := runtime.Caller(2); ok {
		s.Source = fmt.Sprintf("%s:%d", path.Join(path.Base(path.Dir(file)), path.Base(file)), line)
	}
	if missing {
		s.mistake("has no function")
	} else {
		s.Package, s.Handler = functionName(runtime.FuncForPC(fn.Pointer()).Name())
	}
	s.route(route)
	s.describeIn(reflect.TypeFor[In]())
	s.describeOut(reflect.TypeFor[Out]())
	return s
}

// functionName splits the runtime's name of a method value or function,
// "host/pkg.(*Service).Capture-fm", into "host/pkg" and "Service.Capture".
func functionName(full string) (pkg, name string) {
	dir, base := "", full
	if i := strings.LastIndexByte(full, '/'); i >= 0 {
		dir, base = full[:i+1], full[i+1:]
	}
	pkg, name, _ = strings.Cut(base, ".")
	name = strings.TrimSuffix(name, "-fm")
	name = strings.NewReplacer("(*", "", ")", "", "[...]", "").Replace(name)
	pkg = strings.ReplaceAll(pkg, "%2e", ".") // the linker's spelling of gopkg.in/yaml.v3
	return dir + pkg, name
}

func (s *Spec) describeIn(t reflect.Type) {
	if t.Kind() != reflect.Struct {
		s.mistake("input %s is not a struct", t)
		return
	}
	in, err := rule.Describe(t)
	switch {
	case err != nil:
		s.mistake("input: %w", err)
	case in.Kind != rule.Object:
		s.mistake("input %s reads its JSON itself; it must be a struct of fields", t)
	default:
		s.In = in
	}
}

func (s *Spec) describeOut(t reflect.Type) {
	s.Status = http.StatusOK
	switch t {
	case reflect.TypeFor[struct{}]():
		s.Returns, s.Status = Nothing, http.StatusNoContent
	case reflect.TypeFor[File]():
		s.Returns = FileBytes
		s.Out = &rule.Type{Go: t}
		return
	}
	if t.Kind() == reflect.Pointer {
		s.mistake("answer %s is a pointer, which could be nil; answer with %s", t, t.Elem())
		return
	}
	out, err := rule.Describe(t)
	if err != nil {
		s.mistake("answer: %w", err)
		return
	}
	s.Out = out
	s.Tagged = reflect.PointerTo(t).Implements(reflect.TypeFor[Tagged]())
	s.SetsCookies = reflect.PointerTo(t).Implements(reflect.TypeFor[CookieSetter]())
	if s.SetsCookies && t.Kind() == reflect.Struct && t.NumField() == 0 {
		s.Returns, s.Status = Nothing, http.StatusNoContent
	}
}

type call[In, Out any] struct {
	in   In
	out  Out
	fn   func(context.Context, In) (Out, error)
	pool *sync.Pool
}

func newCall[In, Out any](fn func(context.Context, In) (Out, error)) func() Call {
	pool := &sync.Pool{}
	pool.New = func() any { return &call[In, Out]{fn: fn, pool: pool} }
	return func() Call { return pool.Get().(*call[In, Out]) }
}

func (c *call[In, Out]) In() any  { return &c.in }
func (c *call[In, Out]) Out() any { return &c.out }

func (c *call[In, Out]) Do(ctx context.Context) (err error) {
	c.out, err = c.fn(ctx, c.in)
	return err
}

func (c *call[In, Out]) Release() {
	var in In
	var out Out
	c.in, c.out = in, out
	c.pool.Put(c)
}
