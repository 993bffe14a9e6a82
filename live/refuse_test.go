package live_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/live"
	"github.com/ashlar-go/ashlar/op"
)

// how is the input of a stream that does as it is told.
type how struct {
	How   string `json:"how,omitzero"`
	After string `json:"after,omitzero"`
}

// obedient fails in the way that its input names.
func obedient(ctx context.Context, in how) iter.Seq2[note, error] {
	return func(yield func(note, error) bool) {
		switch in.How {
		case "unknown":
			yield(note{}, errNoNote.Because("There is no such note."))
		case "breaks":
			yield(note{}, errors.New("the disk is full of secrets"))
		case "panics":
			panic("a secret")
		case "undeclared":
			yield(note{}, fault.ErrStale)
		case "late":
			if yield(note{N: 1}, nil) {
				yield(note{}, errNoNote.Because("It has gone."))
			}
		case "late breaks":
			op.Opened(ctx)
			yield(note{}, errors.New("the disk is full of secrets"))
		case "late panics":
			if yield(note{N: 1}, nil) {
				panic("a secret")
			}
		case "bad type":
			yield(note{N: 1, Kind: "a\nb"}, nil)
		case "end":
			yield(note{N: 1, Kind: "end"}, nil)
		}
	}
}

// P9.1: what goes wrong before the first byte is the answer of any operation.
func TestRefusalsBeforeAStreamBegins(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{Grace: 10 * time.Second},
		op.Stream("notes.watch", "GET /notes", obedient, op.Allow(read), op.Fails(errNoNote)))
	for name, c := range map[string]struct {
		path   string
		header []string
		want   int
		code   string
	}{
		"nobody":              {"/notes", []string{"Authorization", ""}, 401, "unauthenticated"},
		"a bad token":         {"/notes", []string{"Authorization", "mallory"}, 401, "token_invalid"},
		"a token in the URL":  {"/notes?access_token=ann", []string{"Authorization", ""}, 401, "unauthenticated"},
		"no permission":       {"/notes", []string{"Authorization", "eve"}, 403, "permission_denied"},
		"not acceptable":      {"/notes", []string{"Accept", "application/json"}, 406, "not_acceptable"},
		"an unknown member":   {"/notes?what=1", nil, 422, "invalid"},
		"a bad query":         {"/notes?how=%", nil, 400, "malformed"},
		"an id with a tab":    {"/notes", []string{"Last-Event-ID", "a\tb"}, 400, "malformed"},
		"an id of bad UTF-8":  {"/notes", []string{"Last-Event-ID", "a\xffb"}, 400, "malformed"},
		"an id too long":      {"/notes", []string{"Last-Event-ID", strings.Repeat("a", 257)}, 400, "malformed"},
		"a declared fault":    {"/notes?how=unknown", nil, 404, "note_not_found"},
		"a failure":           {"/notes?how=breaks", nil, 500, "internal"},
		"a panic":             {"/notes?how=panics", nil, 500, "internal"},
		"an undeclared fault": {"/notes?how=undeclared", nil, 412, "stale"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res := s.get(c.path, c.header...)
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.want || res.Header.Get("Content-Type") != fault.MediaType || !strings.Contains(string(body), `"code":"`+c.code+`"`) {
				t.Errorf("answered %d %s %s", res.StatusCode, res.Header.Get("Content-Type"), body)
			}
			if strings.Contains(string(body), "secret") {
				t.Errorf("the answer shows the inside: %s", body)
			}
		})
	}
}

// P9.1, P12.8: what goes wrong later is an event, with nothing of the inside.
func TestFailuresOfAStreamThatHasBegun(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{}, op.Stream("notes.watch", "GET /notes", obedient, op.Allow(read), op.Fails(errNoNote)))
	for name, c := range map[string]struct {
		items int
		code  string
		log   string
	}{
		"late":        {1, "note_not_found", ""},
		"late breaks": {0, "internal", "the disk is full of secrets"},
		"late panics": {1, "internal", "a secret"},
		"bad type":    {0, "internal", "EventType returns a name that has a control character"},
		"end":         {0, "internal", "EventType returns \\\"end\\\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := s.listen("/notes?how=" + strings.ReplaceAll(name, " ", "+"))
			for range c.items {
				l.expect(event{"note_1", "", `{"n":1}`})
			}
			p := l.ends("error", c.code)
			if p["status"] == nil || strings.Contains(l.res.Status, "secret") {
				t.Errorf("the problem is %v", p)
			}
			for _, v := range p {
				if text, _ := v.(string); strings.Contains(text, "secret") || strings.Contains(text, "EventType") {
					t.Errorf("the problem shows the inside: %v", p)
				}
			}
			if !strings.Contains(s.log.String(), c.log) {
				t.Errorf("the log has no %q:\n%s", c.log, s.log)
			}
		})
	}
}

func TestHeadOfAStream(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{}, op.Stream("notes.watch", "GET /notes", silent, op.Public()))
	res, err := http.Head(s.URL + "/notes")
	if err != nil || res.StatusCode != 200 || res.Header.Get("Content-Type") != live.MediaType || s.streams.Open() != 0 {
		t.Errorf("%v, %v, %d open", res, err, s.streams.Open())
	}
}

// P15.3: a bound for each, and one for all.
func TestHowManyStreamsMayBeOpen(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{Most: 3, MostEach: 2}, op.Stream("notes.watch", "GET /notes", silent, op.Allow(read)))
	refused := func(who string, status int, code string) {
		t.Helper()
		res := s.get("/notes", "Authorization", who)
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != status || !strings.Contains(string(body), code) || res.Header.Get("Retry-After") == "" {
			t.Errorf("answered %d %s", res.StatusCode, body)
		}
	}
	first := s.listen("/notes")
	s.listen("/notes")
	refused("ann", 429, "too_many_streams")
	s.listen("/notes", "Authorization", "bob")
	refused("bob", 503, "streams_full")
	_ = first.res.Body.Close()
	s.eventually("a place is free", func() bool { return s.streams.Open() == 2 })
	s.listen("/notes", "Authorization", "bob")
	refused("bob", 503, "streams_full")
}

// Where nobody is signed in, an address counts, and a network of IPv6 as one.
func TestStreamsOfAnAddress(t *testing.T) {
	t.Parallel()
	streams := live.New(live.Config{MostEach: 1, Log: slog.New(slog.DiscardHandler)})
	h, err := streams.Handler(op.Stream("notes.watch", "GET /notes", silent, op.Public()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	try := func(address string) int {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/notes", nil)
		w := newRecorder()
		go observed(h, address).ServeHTTP(w, r)
		return w.status()
	}
	for _, c := range []struct {
		address string
		want    int
	}{
		{"192.0.2.1", 200},
		{"192.0.2.1", 429},
		{"192.0.2.2", 200},
		{"2001:db8::1", 200},
		{"2001:db8::ffff:1", 429},
		{"2001:db8:0:1::1", 200},
		{"fe80::1%eth0", 200},
		{"fe80::2%eth1", 429},
		{"", 200},
		{"", 429},
	} {
		if got := try(c.address); got != c.want {
			t.Errorf("a stream of %q: answered %d, want %d", c.address, got, c.want)
		}
	}
	cancel()
	streams.Drain(t.Context())
}

// counter is a room that counts.
type counter struct {
	full error
	n    chan int
}

func newCounter() *counter {
	c := &counter{n: make(chan int, 1)}
	c.n <- 0
	return c
}

func (c *counter) Enter(context.Context) error {
	if c.full == nil {
		c.n <- <-c.n + 1
	}
	return c.full
}

func (c *counter) Leave() { c.n <- <-c.n - 1 }

func (c *counter) inside() int {
	n := <-c.n
	c.n <- n
	return n
}

// An open stream is no load for the gate, and takes a place where places are
// counted.
func TestRoomsOfAStream(t *testing.T) {
	t.Parallel()
	gate, places := newCounter(), newCounter()
	s := newSite(t, live.Config{
		Gate:   func(*op.Spec) live.Room { return gate },
		Places: func(*op.Spec) live.Room { return places },
	}, op.Stream("notes.watch", "GET /notes", silent, op.Allow(read), op.Concurrency(1)))
	l := s.listen("/notes")
	s.eventually("it has left the gate", func() bool { return gate.inside() == 0 })
	if places.inside() != 1 {
		t.Errorf("%d places taken", places.inside())
	}
	_ = l.res.Body.Close()
	s.eventually("the place is free", func() bool { return places.inside() == 0 })

	places.full = fault.ErrBusy
	if res := s.get("/notes"); res.StatusCode != 503 || s.streams.Open() != 0 {
		t.Errorf("answered %d, %d open", res.StatusCode, s.streams.Open())
	}
	gate.full = fault.ErrOverloaded
	if res := s.get("/notes", "Authorization", ""); res.StatusCode != 503 {
		t.Errorf("answered %d before anything is looked at", res.StatusCode)
	}
}

func TestMistakesOfAStream(t *testing.T) {
	t.Parallel()
	query := op.Query("a", "GET /a", func(context.Context, struct{}) (int, error) { return 1, nil }, op.Public())
	for name, c := range map[string]struct {
		o    op.Operation
		want string
	}{
		"a query":            {query, "a query is not served by this package"},
		"nobody asks":        {op.Stream("a", "GET /a", silent), "does not say who may call it"},
		"no authentication":  {op.Stream("a", "GET /a", silent, op.Authenticated()), "nothing authenticates requests"},
		"no places":          {op.Stream("a", "GET /a", silent, op.Public(), op.Concurrency(1)), "there is nothing that does"},
		"nobody counts":      {op.Stream("a", "GET /a", silent, op.Public(), op.Limit(1, time.Second)), "nothing counts its calls"},
		"nothing is sent":    {op.Stream("a", "GET /a", func(context.Context, struct{}) iter.Seq2[struct{}, error] { return nil }, op.Public()), "sends nothing"},
		"it would compute":   {op.Stream("a", "GET /a", silent, op.Public(), op.CPU()), "would hold a processor"},
		"an item of no JSON": {op.Stream("a", "GET /a", func(context.Context, struct{}) iter.Seq2[op.File, error] { return nil }, op.Public()), "sends nothing"},
	} {
		if _, err := live.New(live.Config{}).Handler(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	authenticate := func(*http.Request) (access.Principal, error) { return access.Principal{}, nil }
	_, err := live.New(live.Config{Authenticate: authenticate}).Handler(op.Stream("a", "GET /a", silent, op.Allow(read)))
	if err == nil || !strings.Contains(err.Error(), "there is no policy") {
		t.Errorf("without a policy: %v", err)
	}
}
