package pact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config says which provider is verified, and how.
type Config struct {
	// Provider is its name, as the pacts write it.
	Provider string

	// Sources are where its pacts are: a [Folder], a [Broker], or several.
	Sources []Source

	// Handler is the provider; or URL is where it listens, as in
	// http://127.0.0.1:8080. One that has Messages alone needs neither.
	Handler http.Handler
	URL     string

	// States bring the provider into a state, by the state's name. An
	// interaction whose state is not among them fails.
	States map[string]Setup

	// Messages make what the provider would publish, by the description of the
	// message's interaction.
	Messages map[string]func(ctx context.Context) (Message, error)

	// Prepare may change a request before it is sent, such as to sign it with
	// credentials that hold here. Nil changes nothing.
	Prepare func(*http.Request) error

	// Timeout is for one interaction with its states. Zero means 30s.
	Timeout time.Duration
}

// Setup brings the provider into a state, with the values that the consumer
// gave. What it returns fills the request where the pact says so. The next
// interaction does not undo it: a setup makes what it needs.
type Setup func(ctx context.Context, params map[string]any) (map[string]any, error)

// A Source has pacts.
type Source interface {
	// Pacts returns those with the provider. None is an error: a provider that
	// is verified against nothing has a source that is mistaken.
	Pacts(ctx context.Context, provider string) ([]*Pact, error)

	// Publish takes the results of one pact that came from it, where it wants
	// them.
	Publish(ctx context.Context, p *Pact, results []Result) error
}

// A Result is what came of one interaction.
type Result struct {
	Pact        *Pact
	Interaction *Interaction
	Mismatches  []Mismatch
	Err         error // why it could not be tried, ErrUnsupported among others
}

// Passed reports whether the provider did what was expected.
func (r Result) Passed() bool { return r.Err == nil && len(r.Mismatches) == 0 }

// Pending reports whether a failure is only to be told of: the consumer asks
// for what the provider has never had.
func (r Result) Pending() bool { return r.Pact.pending || r.Interaction.Pending }

// String is the result for people, a line for each thing that is wrong.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", r.Pact.Consumer, r.Interaction)
	switch {
	case r.Passed():
		return b.String() + ": as expected"
	case r.Pending():
		b.WriteString(" (pending)")
	}
	if r.Err != nil {
		fmt.Fprintf(&b, "\n\tcannot be verified: %v", r.Err)
	}
	for _, m := range r.Mismatches {
		b.WriteString("\n\t" + m.String())
	}
	return b.String()
}

// Verify tries every interaction of every pact and publishes the results where
// a source wants them. An error means that the pacts could not be had or the
// results not be published; what the provider did is in the results.
func Verify(ctx context.Context, c Config) ([]Result, error) {
	if c.Handler != nil && c.URL != "" || c.Handler == nil && c.URL == "" && c.Messages == nil {
		return nil, errors.New("pact: a provider is a Handler or a URL, or has Messages")
	}
	if len(c.Sources) == 0 {
		return nil, errors.New("pact: no source of pacts is given")
	}
	v := verifier{Config: c, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if c.Handler != nil {
		v.client.Transport = inside{c.Handler}
		v.URL = "http://provider.test"
	}
	if v.Timeout == 0 {
		v.Timeout = 30 * time.Second
	}
	var all []Result
	for _, source := range c.Sources {
		pacts, err := source.Pacts(ctx, c.Provider)
		if err != nil {
			return all, fmt.Errorf("pact: %w", err)
		}
		for _, p := range pacts {
			results := make([]Result, len(p.Interactions))
			for i := range p.Interactions {
				results[i] = v.try(ctx, p, &p.Interactions[i])
			}
			all = append(all, results...)
			if err := source.Publish(ctx, p, results); err != nil {
				return all, fmt.Errorf("pact: publish the results of %s: %w", p.Consumer, err)
			}
		}
	}
	return all, nil
}

// T is what of a test [Test] uses: *testing.T is one.
type T interface {
	Helper()
	Context() context.Context
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Test verifies a provider in a test, which fails with every interaction that
// did. Those that are pending are only logged.
func Test(t T, c Config) {
	t.Helper()
	results, err := Verify(t.Context(), c)
	for _, r := range results {
		if r.Passed() || r.Pending() {
			t.Logf("%s", r)
		} else {
			t.Errorf("%s", r)
		}
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
}

type verifier struct {
	Config

	client *http.Client
}

func (v *verifier) try(ctx context.Context, p *Pact, i *Interaction) (r Result) {
	r = Result{Pact: p, Interaction: i, Err: i.refused}
	if r.Err != nil {
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, v.Timeout)
	defer cancel()
	states := map[string]any{}
	for _, s := range i.States {
		if r.Err = v.enter(ctx, s, states); r.Err != nil {
			return r
		}
	}
	if i.message != nil {
		r.Mismatches, r.Err = v.listen(ctx, i)
	} else {
		r.Mismatches, r.Err = v.exchange(ctx, i, states)
	}
	return r
}

// enter brings the provider into a state.
func (v *verifier) enter(ctx context.Context, s State, states map[string]any) (err error) {
	setup, ok := v.States[s.Name]
	if !ok {
		return fmt.Errorf("no setup is given for the state %q", s.Name)
	}
	values, err := setup(ctx, s.Params)
	if err != nil {
		return fmt.Errorf("the state %q: %w", s.Name, err)
	}
	for name, value := range s.Params { // a state that names nothing hands its parameters on
		if _, ok := states[name]; !ok {
			states[name] = value
		}
	}
	maps.Copy(states, values)
	return nil
}

func (v *verifier) listen(ctx context.Context, i *Interaction) ([]Mismatch, error) {
	produce, ok := v.Messages[i.Description]
	if !ok {
		return nil, fmt.Errorf("nothing makes the message %q", i.Description)
	}
	m, err := produce(ctx)
	if err != nil {
		return nil, fmt.Errorf("the message %q: %w", i.Description, err)
	}
	return i.message.compare(m), nil
}

// mostBytes is the largest answer that is read.
const mostBytes = 16 << 20

func (v *verifier) exchange(ctx context.Context, i *Interaction, states map[string]any) ([]Mismatch, error) {
	if v.Handler == nil && v.URL == "" {
		return nil, errors.New("a request needs a provider that answers: give its Handler or URL")
	}
	sent, err := i.request.generate(states, time.Now())
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	request, err := sent.to(ctx, v.URL)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if v.Prepare != nil {
		if err := v.Prepare(request); err != nil {
			return nil, fmt.Errorf("prepare the request: %w", err)
		}
	}
	answer, err := v.client.Do(request)
	if err != nil {
		if where, ok := errors.AsType[*url.Error](err); ok {
			err = where.Err // its address may hold secrets
		}
		return nil, fmt.Errorf("the provider did not answer: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	content, err := io.ReadAll(io.LimitReader(answer.Body, mostBytes))
	if err != nil {
		return nil, fmt.Errorf("the provider's answer ended: %w", err)
	}
	return i.response.compare(answer.StatusCode, answer.Header, content), nil
}

// to is the request as it is sent to a provider.
func (r *request) to(ctx context.Context, base string) (*http.Request, error) {
	if !strings.HasPrefix(r.path, "/") {
		return nil, fmt.Errorf("the path %q does not start with a slash", r.path)
	}
	where := r.path
	if _, err := url.ParseRequestURI(where); err != nil || strings.ContainsAny(where, " ?#") {
		where = (&url.URL{Path: r.path}).EscapedPath()
	}
	if len(r.query) > 0 {
		where += "?" + r.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, strings.ToUpper(r.method), strings.TrimSuffix(base, "/")+where, bytes.NewReader(r.body.bytes()))
	if err != nil {
		return nil, err
	}
	for name, values := range r.header {
		request.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	if host := request.Header.Get("Host"); host != "" {
		request.Host = host
		request.Header.Del("Host")
	}
	if request.ContentLength > 0 && request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", r.body.kind())
	}
	return request, nil
}

// inside hands requests to a handler in this process.
type inside struct{ http.Handler }

// RoundTrip answers when the handler has returned.
func (in inside) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			answer, err = nil, fmt.Errorf("its handler panicked: %v", p)
		}
	}()
	r = r.Clone(r.Context())
	r.RequestURI = r.URL.RequestURI()
	r.RemoteAddr = "192.0.2.1:1234"
	if r.Body == nil {
		r.Body = http.NoBody
	}
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	a := &written{header: http.Header{}}
	in.ServeHTTP(a, r)
	a.WriteHeader(http.StatusOK)
	return &http.Response{
		StatusCode: a.status, Header: a.sent, Body: io.NopCloser(&a.content), ContentLength: int64(a.content.Len()),
		Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// written is an answer as a handler writes it.
type written struct {
	header, sent http.Header
	status       int
	content      bytes.Buffer
}

func (w *written) Header() http.Header { return w.header }

func (w *written) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status, w.sent = status, w.header.Clone()
}

func (w *written) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.content.Write(b)
}
