package ashlartest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/internal/input"
	"github.com/ashlar-go/ashlar/op"
)

// A Client calls operations as one principal. It is safe for concurrent use.
type Client struct {
	app     *App
	who     access.Principal
	headers map[string]string
	ctx     context.Context
}

// With returns a copy of the client that sends one more header.
func (c *Client) With(header, value string) *Client {
	d := *c
	d.headers = maps.Clone(c.headers)
	if d.headers == nil {
		d.headers = map[string]string{}
	}
	d.headers[http.CanonicalHeaderKey(header)] = value
	return &d
}

// Key returns a copy of the client whose calls carry this Idempotency-Key.
// Without it each call of an idempotent command gets a key of its own.
func (c *Client) Key(key string) *Client { return c.With("Idempotency-Key", key) }

// Context returns a copy of the client whose calls run under ctx instead of
// the test's context.
func (c *Client) Context(ctx context.Context) *Client {
	d := *c
	d.ctx = ctx
	return &d
}

// Do sends a request of the test's own making: for what a typed call cannot
// say, such as a malformed body. A body that is not empty is sent as JSON
// unless the client has another Content-Type. A stream is left as soon as it
// is open; [Listen] reads one.
func (c *Client) Do(method, target, body string) *httptest.ResponseRecorder {
	c.app.t.Helper()
	return c.serve(c.make(method, target, body))
}

func (c *Client) serve(r *http.Request) *httptest.ResponseRecorder {
	c.app.t.Helper()
	h := c.app.Handler()
	if !slices.ContainsFunc(c.app.Operations(), func(o op.Operation) bool { return o.Spec().Kind == op.IsStream }) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	ctx, leave := context.WithCancel(r.Context())
	defer leave()
	w, ended := newFlow(), make(chan any, 1)
	go func() {
		defer func() { ended <- recover() }()
		h.ServeHTTP(w, r.WithContext(ctx))
	}()
	select {
	case <-w.begun:
		if w.stream {
			leave()
		}
	case cause := <-ended:
		ended <- cause
	}
	if cause := <-ended; cause != nil {
		panic(cause) // where the test can see it
	}
	return w.ResponseRecorder
}

func (c *Client) make(method, target, body string) *http.Request {
	r := httptest.NewRequestWithContext(c.context(), method, target, strings.NewReader(body))
	r.Header.Set("Accept", "*/*, application/problem+json") // also where the app has failures in a form of its own
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.headers {
		r.Header.Set(name, value)
	}
	return r
}

func (c *Client) context() context.Context {
	ctx := c.ctx
	if ctx == nil {
		ctx = c.app.t.Context()
	}
	if !c.who.Anonymous() {
		ctx = access.With(ctx, c.who)
	}
	return ctx
}

func (c *Client) operation(name string) *op.Spec {
	c.app.t.Helper()
	var names []string
	for _, o := range c.app.Operations() {
		if o.Spec().Name == name {
			return o.Spec()
		}
		names = append(names, o.Spec().Name)
	}
	c.app.t.Fatalf("there is no operation %q; there are %s", name, strings.Join(names, ", "))
	return nil
}

func (c *Client) call(s *op.Spec, in any) *httptest.ResponseRecorder {
	c.app.t.Helper()
	return c.exchange(s, in).answer
}

func (c *Client) exchange(s *op.Spec, in any) exchange {
	c.app.t.Helper()
	r, body := c.request(s, in)
	return exchange{app: c.app, spec: s, request: r, sent: body, answer: c.serve(r)}
}

// request gives an operation its input the way its declaration says: members
// named in the path there, others in the query or body.
func (c *Client) request(s *op.Spec, in any) (r *http.Request, sent string) {
	c.app.t.Helper()
	members, err := membersOf(s, in)
	if err != nil {
		c.app.t.Fatalf("%s: input: %v", s.Name, err)
	}
	path, body, err := input.Place(s.Path, s.PathFields, s.Kind == op.IsCommand, members)
	if err != nil {
		c.app.t.Fatalf("%s: input: %v", s.Name, err)
	}
	if s.Idempotent > 0 && c.headers["Idempotency-Key"] == "" {
		c = c.Key(id.New("test_"))
	}
	return c.make(s.Method, path, string(body)), string(body)
}

// membersOf encodes an input, which may be the operation's own type, another
// struct or a map: a test of what is refused needs inputs that the type does
// not have. nil has no members.
func membersOf(s *op.Spec, in any) (map[string]json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	if in == nil {
		return members, nil
	}
	text, err := encode(s, in)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, fmt.Errorf("%T is not a struct or map: %w", in, err)
	}
	return members, nil
}

func encode(s *op.Spec, in any) ([]byte, error) {
	v := reflect.ValueOf(in)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Type() != s.In.Go {
		return json.Marshal(in)
	}
	encoder, err := codec.CompileEncoder(s.In)
	if err != nil {
		return nil, err
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return encoder.Append(nil, p.Interface())
}
