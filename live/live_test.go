package live_test

import (
	"bufio"
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

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/sse"
	"github.com/ashlar-go/ashlar/live"
	"github.com/ashlar-go/ashlar/op"
)

const (
	read access.Permission = "notes:read"

	errNoNote fault.NotFound = "note_not_found"
)

// note is an item with everything that an item can have.
type note struct {
	N    int    `json:"n"`
	Text string `json:"text,omitzero"`
	Kind string `json:"-"`
}

func (n note) EventID() string   { return fmt.Sprintf("note_%d", n.N) }
func (n note) EventType() string { return n.Kind }

// after is the input of a stream that can be resumed.
type after struct {
	After string `json:"after,omitzero"`
}

// people authenticates by the name in the header, as long as it is not revoked.
type people struct {
	mu      sync.Mutex
	policy  access.Policy
	revoked map[string]error
	may     map[string][]access.Permission
	names   map[string]string // of tokens that are not called as their holder
	counts  map[string]int
	seen    func(*http.Request)
}

func newPeople() *people {
	p := &people{revoked: map[string]error{}, names: map[string]string{}, counts: map[string]int{}, may: map[string][]access.Permission{"ann": {read}, "bob": {read}, "eve": {}}}
	_, _ = p.policy.Register(read, "notes:write")
	return p
}

func (p *people) authenticate(r *http.Request) (access.Principal, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if who := access.From(r.Context()); !who.Anonymous() {
		return who, nil
	}
	if p.seen != nil {
		p.seen(r)
	}
	name := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if name == "" {
		return access.Principal{}, fault.ErrUnauthenticated
	}
	p.counts[name]++
	if err := p.revoked[name]; err != nil {
		return access.Principal{}, err
	}
	if whose := p.names[name]; whose != "" {
		name = whose
	}
	may, known := p.may[name]
	if !known {
		return access.Principal{}, fault.ErrToken
	}
	return p.policy.Holder(name, "acc_"+name, may...), nil
}

func (p *people) revoke(name string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revoked[name] = err
}

// rename has a token stand for somebody.
func (p *people) rename(token, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names[token] = name
}

// asked is how often somebody has come with a token.
func (p *people) asked(token string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[token]
}

func (p *people) grant(name string, may ...access.Permission) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.may[name] = may
}

// site is a server with streams on a real socket.
type site struct {
	*httptest.Server

	t        *testing.T
	people   *people
	cfg      live.Config
	streams  *live.Server
	handlers []*live.Handler
	log      *lines
	mux      *http.ServeMux
}

func newSite(t *testing.T, cfg live.Config, operations ...op.Operation) *site {
	t.Helper()
	s := &site{t: t, people: newPeople(), log: &lines{}, mux: http.NewServeMux()}
	cfg.Policy, cfg.Authenticate = &s.people.policy, s.people.authenticate
	cfg.Log = slog.New(slog.NewTextHandler(s.log, nil))
	s.cfg, s.streams = cfg, live.New(cfg)
	for _, o := range operations {
		h, err := s.streams.Handler(o)
		if err != nil {
			t.Fatal(err)
		}
		s.handlers = append(s.handlers, h)
		s.mux.Handle(o.Spec().Pattern(), h)
	}
	s.Server = httptest.NewServer(s.mux)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		s.streams.Drain(ctx)
		s.Close()
		if n := s.streams.Open(); n > 0 {
			t.Errorf("%d streams are left", n)
		}
	})
	return s
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

// event is one as a client reads it.
type event struct{ id, kind, data string }

// listener reads a stream.
type listener struct {
	t    *testing.T
	res  *http.Response
	in   *bufio.Reader
	last string

	events *sse.Reader
}

// listen opens a stream of ann's.
func (s *site) listen(path string, header ...string) *listener {
	s.t.Helper()
	res := s.get(path, header...)
	l := &listener{t: s.t, res: res, in: bufio.NewReader(res.Body)}
	l.events = sse.NewReader(l.in)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != live.MediaType {
		body, _ := io.ReadAll(res.Body)
		s.t.Fatalf("%s answered %d %v: %s", path, res.StatusCode, res.Header, body)
	}
	return l
}

func (s *site) get(path string, header ...string) *http.Response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "ann")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
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

// next returns the next event, or false at the end.
func (l *listener) next() (e event, ok bool) {
	l.t.Helper()
	got, err := l.events.Next()
	if err != nil {
		return event{}, false
	}
	l.last = got.ID
	return event{got.ID, strings.TrimSuffix(got.Type, "message"), got.Data}, true
}

// expect reads events and holds them against what they should be.
func (l *listener) expect(want ...event) {
	l.t.Helper()
	for i, w := range want {
		got, ok := l.next()
		if !ok || got != w {
			l.t.Fatalf("event %d is %+v (%t), want %+v", i+1, got, ok, w)
		}
	}
}

// ends reads the event that ends a stream, and the end.
func (l *listener) ends(kind, code string) map[string]any {
	l.t.Helper()
	e, ok := l.next()
	var data map[string]any
	if err := json.Unmarshal([]byte(e.data), &data); !ok || err != nil || e.kind != kind || data["code"] != code {
		l.t.Fatalf("the stream ends with %+v (%t, %v), want %s %s", e, ok, err, kind, code)
	}
	if e, ok := l.next(); ok {
		l.t.Fatalf("after its end the stream sends %+v", e)
	}
	return data
}

// counting gives n notes after the one that the input names.
func counting(n int) func(context.Context, after) iter.Seq2[note, error] {
	return func(_ context.Context, in after) iter.Seq2[note, error] {
		return func(yield func(note, error) bool) {
			from := 0
			if in.After != "" {
				_, _ = fmt.Sscanf(in.After, "note_%d", &from)
			}
			for i := from + 1; i <= n; i++ {
				if !yield(note{N: i, Kind: "note"}, nil) {
					return
				}
			}
		}
	}
}

// silent is open and sends nothing.
func silent(ctx context.Context, _ struct{}) iter.Seq2[note, error] {
	return func(yield func(note, error) bool) {
		op.Opened(ctx)
		<-ctx.Done()
	}
}

func TestAStreamSendsItsItems(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{}, op.Stream("notes.watch", "GET /notes", counting(3), op.Allow(read)))
	l := s.listen("/notes")
	l.expect(event{"note_1", "note", `{"n":1}`}, event{"note_2", "note", `{"n":2}`}, event{"note_3", "note", `{"n":3}`})
	l.ends("end", "completed")
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Accel-Buffering": "no"} {
		if got := l.res.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if !l.res.Close || l.res.Header.Get("Date") == "" {
		t.Errorf("the head is %v", l.res.Header)
	}
}
