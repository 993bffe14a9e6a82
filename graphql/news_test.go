package graphql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/internal/sse"
	"github.com/ashlar-go/ashlar/live"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
	"github.com/ashlar-go/ashlar/rule"
	"github.com/ashlar-go/ashlar/serve"
)

// patience is how long a test waits for what has to come.
const patience = 2 * time.Minute

const (
	errNews  fault.NotFound    = "news_not_found"
	readNews access.Permission = "news:read"
)

// headline is an item with an id and a relation.
type headline struct {
	N      int    `json:"n"`
	Text   string `json:"text,omitzero"`
	Author string `json:"author_id"`
}

func (h headline) EventID() string { return fmt.Sprintf("news_%d", h.N) }

type author struct {
	Name string `json:"name"`
}

type follow struct {
	After string `json:"after,omitzero"`
	Upto  int    `json:"upto,omitzero"`
}

func (in *follow) Rules(r *rule.Set) { rule.Number(r, &in.Upto).Between(0, 1000) }

// news is a site with streams on a real socket: operations, the server of
// streams, and GraphQL in front.
type news struct {
	*httptest.Server

	t        testing.TB
	streams  *live.Server
	handlers map[string]*live.Handler
	log      *lines

	mu      sync.Mutex
	revoked error
	asked   int           // calls of the relation
	begun   chan struct{} // a silent stream is in place
	release chan struct{} // lets slow queries answer
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (s *news) authenticate(r *http.Request) (access.Principal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case name == "":
		return access.Principal{}, fault.ErrUnauthenticated
	case name == "ann" && s.revoked != nil:
		return access.Principal{}, s.revoked
	case name == "ann", name == "eve":
		who := access.Principal{ID: name, Account: "acc_" + name}
		if name == "ann" {
			who = policy.Holder(name, "acc_"+name, readNews)
		}
		return who, nil
	}
	return access.Principal{}, fault.ErrToken
}

var policy = func() *access.Policy {
	p := &access.Policy{}
	_, _ = p.Register(readNews)
	return p
}()

func (s *news) revoke(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = err
}

func (s *news) relations() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// headlines gives what comes after the last one that was seen.
func headlines(_ context.Context, in follow) iter.Seq2[headline, error] {
	return func(yield func(headline, error) bool) {
		from, upto := 0, 3
		if in.After != "" {
			_, _ = fmt.Sscanf(in.After, "news_%d", &from)
		}
		if in.Upto > 0 {
			upto = in.Upto
		}
		for n := from + 1; n <= upto; n++ {
			if !yield(headline{N: n, Text: "line\n\"two\" ☃", Author: "a"}, nil) {
				return
			}
		}
	}
}

func (s *news) operations() []op.Operation {
	return []op.Operation{
		op.Stream("news.follow", "GET /news", headlines, op.Allow(readNews)),
		op.Stream("news.open", "GET /open", headlines, op.Public()),
		op.Stream("news.silent", "GET /silent/{id}", func(ctx context.Context, _ byID) iter.Seq2[headline, error] {
			return func(func(headline, error) bool) {
				op.Opened(ctx)
				s.begun <- struct{}{}
				<-ctx.Done()
			}
		}, op.Allow(readNews)),
		op.Stream("news.brief", "GET /brief", func(ctx context.Context, _ struct{}) iter.Seq2[headline, error] {
			return func(func(headline, error) bool) {
				op.Opened(ctx)
				<-ctx.Done()
			}
		}, op.Allow(readNews), op.Timeout(time.Millisecond)),
		op.Stream("news.drip", "GET /drip", func(ctx context.Context, in follow) iter.Seq2[headline, error] {
			in.Upto = 4
			return func(yield func(headline, error) bool) {
				for h, err := range headlines(ctx, in) {
					if !yield(h, err) {
						return
					}
					if h.N != 2 {
						continue
					}
					s.begun <- struct{}{}
					<-ctx.Done() // the others are sent by another instance
					return
				}
			}
		}, op.Allow(readNews)),
		op.Stream("news.fail", "GET /fail", func(_ context.Context, in follow) iter.Seq2[headline, error] {
			return func(yield func(headline, error) bool) {
				if in.Upto == 0 || yield(headline{N: 1}, nil) {
					yield(headline{}, errNews.Because("There is no such news."))
				}
			}
		}, op.Allow(readNews), op.Fails(errNews)),
		op.Stream("news.flood", "GET /flood", func(ctx context.Context, _ struct{}) iter.Seq2[headline, error] {
			return func(yield func(headline, error) bool) {
				for n, on := 1, true; on && ctx.Err() == nil; n++ {
					on = yield(headline{N: n, Text: strings.Repeat("x", 10_000)}, nil)
				}
			}
		}, op.Allow(readNews)),
		op.Query("news.get", "GET /news/{id}", func(_ context.Context, in byID) (headline, error) {
			if in.ID == "none" {
				return headline{}, errNews.Because("There is no such news.")
			}
			return headline{N: 7, Text: in.ID, Author: "a"}, nil
		}, op.Allow(readNews), op.Fails(errNews)),
		op.Query("news.slow", "GET /slow", func(ctx context.Context, _ struct{}) (headline, error) {
			s.begun <- struct{}{}
			select {
			case <-s.release:
			case <-ctx.Done():
			}
			return headline{N: 1}, ctx.Err()
		}, op.Allow(readNews)),
		op.Command("news.write", "POST /news", func(ctx context.Context, in headline) (headline, error) {
			in.Author = access.From(ctx).ID
			return in, nil
		}, op.Allow(readNews)),
	}
}

func openNews(t testing.TB, cfg live.Config, own graphql.Config) *news {
	t.Helper()
	s := &news{t: t, log: &lines{}, handlers: map[string]*live.Handler{}, begun: make(chan struct{}, 1000), release: make(chan struct{})}
	cfg.Policy, cfg.Authenticate = policy, s.authenticate
	cfg.Credentials = []string{"Authorization"}
	cfg.Log = slog.New(slog.NewTextHandler(s.log, nil))
	s.streams = live.New(cfg)
	relation := op.RelateOne[headline]("news.headline.author", "author_id", func(ctx context.Context, keys []string) (map[string]author, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked++
		return map[string]author{"a": {Name: "Ada, for " + access.From(ctx).ID}}, nil
	}, op.Allow(readNews))
	mux, related := &serve.Mux{}, &serve.Mux{}
	restConfig := rest.Config{Policy: policy, Authenticate: s.authenticate, Log: cfg.Log}
	mount := func(mux *serve.Mux, pattern string, h http.Handler, err error) {
		if err == nil {
			err = mux.Handle(pattern, h)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range s.operations() {
		if spec := o.Spec(); spec.Kind == op.IsStream {
			h, err := s.streams.Handler(o)
			mount(mux, spec.Pattern(), h, err)
			s.handlers[spec.Name] = h
		} else {
			h, err := rest.New(o, restConfig)
			mount(mux, spec.Pattern(), h, err)
		}
	}
	h, err := rest.New(relation.Link().Operation, restConfig)
	mount(related, relation.Link().Operation.Spec().Pattern(), h, err)
	own.Sockets, own.Log = s.streams, cfg.Log
	own.Relations, own.Related = []op.Relation{relation}, serve.Observe(related, serve.Observer{})
	public := serve.Observe(mux, serve.Observer{Log: cfg.Log})
	endpoint, err := graphql.New(s.operations(), public, own)
	mount(mux, "GET /graphql", serve.WithScope(endpoint), err)
	mount(mux, "POST /graphql", serve.WithScope(endpoint), nil)
	mount(mux, "GET /graphql/try", graphql.Page(), nil)
	mount(mux, "GET /graphql/try/{asset}", graphql.Page(), nil)
	s.Server = httptest.NewServer(public)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.streams.Drain(ctx)
		s.Close()
		if n := s.streams.Open(); n > 0 {
			t.Errorf("%d streams are left", n)
		}
	})
	return s
}

// eventually waits until something holds.
func (s *news) eventually(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("never: %s\n%s", what, s.log)
		}
	}
}

// A feed is an answer of server-sent events.
type feed struct {
	t      testing.TB
	res    *http.Response
	events *sse.Reader
}

// post sends a document as ann, who takes events.
func (s *news) post(body any, headers ...string) *http.Response {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.URL+"/graphql", bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer ann")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	transport := &http.Transport{}
	s.t.Cleanup(transport.CloseIdleConnections)
	res, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// listen subscribes over server-sent events.
func (s *news) listen(query string, headers ...string) *feed {
	s.t.Helper()
	return s.feed(s.post(object{"query": query}, headers...))
}

// busy subscribes where that cannot be now, which a status says: who heard that
// the subscription is complete would not try again.
func (s *news) busy(query string, status int, code string) {
	s.t.Helper()
	res := s.post(object{"query": query})
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		s.t.Fatalf("answered %d %s, %v", res.StatusCode, body, err)
	}
	onlyError(s.t, body, code)
}

func (s *news) feed(res *http.Response) *feed {
	s.t.Helper()
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		body, _ := io.ReadAll(res.Body)
		s.t.Fatalf("answered %d %v\n%s", res.StatusCode, res.Header, body)
	}
	return &feed{t: s.t, res: res, events: sse.NewReader(res.Body)}
}

// expect reads events, each as "type id data".
func (f *feed) expect(want ...string) {
	f.t.Helper()
	for _, w := range want {
		e, err := f.events.Next()
		got := strings.TrimSpace(e.Type + " " + e.ID + " " + e.Data)
		if err != nil || got != w {
			f.t.Fatalf("got  %s (%v)\nwant %s", got, err, w)
		}
	}
}

// fails reads one result of nothing but an error.
func (f *feed) fails(code string) (extensions object) {
	f.t.Helper()
	e, err := f.events.Next()
	if err != nil || e.Type != "next" {
		f.t.Fatalf("got %+v, %v", e, err)
	}
	return onlyError(f.t, []byte(e.Data), code)
}

// closed reads the end of the connection.
func (f *feed) closed() {
	f.t.Helper()
	if e, err := f.events.Next(); err == nil {
		f.t.Fatalf("more: %+v", e)
	}
}

// onlyError is the extensions of the one error that a result has.
func onlyError(t testing.TB, result []byte, code string) (extensions object) {
	t.Helper()
	var got struct {
		Data   json.RawMessage `json:"data"`
		Errors []struct {
			Message    string `json:"message"`
			Extensions object `json:"extensions"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(result, &got); err != nil || got.Data != nil || len(got.Errors) != 1 || got.Errors[0].Message == "" || got.Errors[0].Extensions["code"] != code {
		t.Fatalf("got %s (%v), want the code %s", result, err, code)
	}
	return got.Errors[0].Extensions
}

// A wire is the client's end of a socket.
type wire struct {
	*websocket.Conn

	t testing.TB
}

// dial opens a socket as nobody.
func (s *news) dial(headers ...string) *wire {
	s.t.Helper()
	c, res, err := s.handshake("graphql-transport-ws", headers...)
	if err != nil {
		s.t.Fatalf("%v %+v", err, res)
	}
	return &wire{c, s.t}
}

func (s *news) handshake(protocol string, headers ...string) (*websocket.Conn, *http.Response, error) {
	s.t.Helper()
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	c, res, err := websocket.Dial(ctx, s.URL+"/graphql", &websocket.DialOptions{HTTPHeader: h, Subprotocols: []string{protocol}})
	if err == nil {
		c.SetReadLimit(4 << 20)
		s.t.Cleanup(func() { _ = c.CloseNow() })
	}
	return c, res, err
}

// greeted opens a socket as ann.
func (s *news) greeted() *wire {
	s.t.Helper()
	w := s.dial()
	w.send(`{"type":"connection_init","payload":{"Authorization":"Bearer ann"}}`)
	w.expect(`{"type":"connection_ack"}`)
	return w
}

func (w *wire) send(text string) {
	w.t.Helper()
	if err := w.Write(w.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		w.t.Fatal(err)
	}
}

// subscribe sends a document.
func (w *wire) subscribe(id, query string) {
	w.t.Helper()
	text, err := json.Marshal(object{"id": id, "type": "subscribe", "payload": object{"query": query}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.send(string(text))
}

func (w *wire) read() (string, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	_, text, err := w.Read(ctx)
	return string(text), err
}

func (w *wire) expect(want ...string) {
	w.t.Helper()
	for _, m := range want {
		if got, err := w.read(); err != nil || got != m {
			w.t.Fatalf("got  %s (%v)\nwant %s", got, err, m)
		}
	}
}

// fails reads the error of an operation.
func (w *wire) fails(id, code string) (extensions object) {
	w.t.Helper()
	text, err := w.read()
	var m struct {
		Type, ID string
		Payload  json.RawMessage
	}
	if err != nil || json.Unmarshal([]byte(text), &m) != nil || m.Type != "error" || m.ID != id {
		w.t.Fatalf("got %s (%v), want an error of %s", text, err, id)
	}
	return onlyError(w.t, fmt.Appendf(nil, `{"errors":%s}`, m.Payload), code)
}

// closed reads up to the close, which is to have a code and a reason.
func (w *wire) closed(code websocket.StatusCode, reason string) {
	w.t.Helper()
	for {
		text, err := w.read()
		if err == nil {
			continue // what was under way
		}
		var e websocket.CloseError
		if !asClose(err, &e) || e.Code != code || !strings.HasPrefix(e.Reason, reason) {
			w.t.Fatalf("closed with %v (%s), want %d %s", err, text, code, reason)
		}
		return
	}
}
