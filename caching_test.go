package ashlar_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
)

const (
	readPages  access.Permission = "pages:read"
	writePages access.Permission = "pages:write"

	errNoPage fault.NotFound = "page_not_found"
	errTorn   fault.Conflict = "page_torn"
)

type page struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

type pageID struct {
	ID string `json:"id"`
}

type pageList struct {
	Author string `json:"author,omitzero"`
	Limit  int    `json:"limit,omitzero"`
}

// pages are kept in a table; what reads them counts how often it is asked.
type pages struct {
	db    *db.DB
	reads atomic.Int64
	slow  time.Duration
	fail  atomic.Pointer[error]
}

func (p *pages) get(ctx context.Context, in pageID) (page, error) {
	p.reads.Add(1)
	time.Sleep(p.slow)
	if err := p.fail.Load(); err != nil && *err != nil {
		return page{}, *err
	}
	got, err := db.One[page](ctx, p.db, `SELECT id, text FROM pages WHERE id = $1`, in.ID)
	if errors.Is(err, db.ErrNoRows) {
		return page{}, errNoPage.Because("There is no such page.")
	}
	return got, err
}

func (p *pages) list(ctx context.Context, in pageList) ([]page, error) {
	p.reads.Add(1)
	all, err := db.All[page](ctx, p.db, `SELECT id, text FROM pages ORDER BY id`)
	for _, one := range all {
		cache.Tag(ctx, "page/"+one.ID)
	}
	return all, err
}

// put writes a page. A text of "torn" rolls back, "kept" fails and commits.
func (p *pages) put(ctx context.Context, in page) (page, error) {
	return db.InTx(ctx, p.db, func(tx *db.Tx) (page, error) {
		if _, err := tx.Exec(ctx, `INSERT INTO pages (id, text) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET text = excluded.text`, in.ID, in.Text); err != nil {
			return page{}, err
		}
		switch in.Text {
		case "torn":
			return page{}, errTorn
		case "kept":
			return page{}, db.Keep(errTorn)
		}
		return in, nil
	})
}

// touch writes nothing that a transaction of this database would know of.
func (p *pages) touch(ctx context.Context, in pageID) (page, error) {
	return page{ID: in.ID}, nil
}

func (p *pages) module(more ...op.CacheOption) ashlar.Module {
	keep := append([]op.CacheOption{op.Keep(time.Hour), op.Tags("page/{id}")}, more...)
	return ashlar.Module{
		Name: "pages",
		Operations: []op.Operation{
			op.Query("pages.get", "GET /pages/{id}", p.get, op.Allow(readPages), op.Cache(0, keep...), op.Fails(errNoPage)),
			op.Query("pages.list", "GET /pages", p.list, op.Allow(readPages), op.Cache(time.Second, op.Keep(time.Hour), op.OneForAccount())),
			op.Query("pages.limited", "GET /limited/{id}", p.get, op.Allow(readPages), op.Cache(0, op.Keep(time.Hour)), op.Limit(2, time.Hour), op.Fails(errNoPage)),
			op.Command("pages.put", "PUT /pages/{id}", p.put, op.Allow(writePages), op.Invalidates("page/{id}"), op.Fails(errTorn)),
			op.Command("pages.once", "POST /pages/{id}", p.put, op.Allow(writePages), op.Idempotent(time.Hour), op.Invalidates("page/{id}"), op.Fails(errTorn)),
			op.Command("pages.touch", "PATCH /pages/{id}", p.touch, op.Allow(writePages), op.Invalidates("page/{id}")),
		},
		Migrations: fstest.MapFS{"1_pages.sql": {Data: []byte(
			"-- +goose Up\nCREATE TABLE pages (id TEXT PRIMARY KEY, text TEXT NOT NULL);\nINSERT INTO pages (id, text) VALUES ('a', 'first'), ('b', 'second');\n")}},
	}
}

func book(t *testing.T, more ...op.CacheOption) (*ashlartest.App, *pages, *ashlartest.Client) {
	t.Helper()
	app := ashlartest.Open(t)
	p := &pages{db: app.DB}
	app.Mount(p.module(more...))
	ann := app.As("ann", readPages, writePages)
	return app, p, ann
}

var (
	readPage  = ashlartest.Call[page]
	listPages = ashlartest.Call[[]page]
)

func TestKeptAnswersNeedNoFunction(t *testing.T) {
	t.Parallel()
	_, p, ann := book(t)
	first := readPage(ann, "pages.get", pageID{"a"})
	if got := first.OK(); got.Text != "first" {
		t.Fatalf("got %+v", got)
	}
	for range 3 {
		again := readPage(ann, "pages.get", pageID{"a"})
		if again.Body() != first.Body() || again.Header("ETag") != first.Header("ETag") || again.Header("ETag") == "" ||
			again.Header("Content-Type") != "application/json" || again.Header("Cache-Control") != "private, no-cache" || !strings.Contains(again.Header("Vary"), "Authorization") {
			t.Errorf("got %s with %v", again.Body(), again.Header("ETag"))
		}
	}
	if w := ann.With("If-None-Match", first.Header("ETag")).Do("GET", "/pages/a", ""); w.Code != 304 || w.Body.Len() != 0 || w.Header().Get("ETag") != first.Header("ETag") {
		t.Errorf("a tag that matches: %d %s", w.Code, w.Body)
	}
	if w := ann.With("If-None-Match", `"other"`).Do("GET", "/pages/a", ""); w.Code != 200 {
		t.Errorf("a tag that does not: %d", w.Code)
	}
	if w := ann.Do("HEAD", "/pages/a", ""); w.Code != 200 || w.Header().Get("ETag") != first.Header("ETag") {
		t.Errorf("HEAD: %d %v", w.Code, w.Header())
	}
	if n := p.reads.Load(); n != 1 {
		t.Errorf("the function ran %d times", n)
	}
}

// A long answer says its length, and comes whole.
func TestLongAnswersAreKeptWhole(t *testing.T) {
	t.Parallel()
	_, p, ann := book(t)
	long := strings.Repeat("x", 4000)
	readPage(ann, "pages.put", page{"a", long}).OK()
	for range 2 {
		got := readPage(ann, "pages.get", pageID{"a"})
		if got.OK().Text != long || got.Header("Content-Length") != fmt.Sprint(len(got.Body())) {
			t.Errorf("%d bytes came, %s were said", len(got.Body()), got.Header("Content-Length"))
		}
	}
	if n := p.reads.Load(); n != 1 {
		t.Errorf("the function ran %d times", n)
	}
}

// P14.17: 200 who ask at once of what is not kept are one load.
func TestColdRequestsRunTheFunctionOnce(t *testing.T) {
	t.Parallel()
	app, p, ann := book(t)
	app.Migrate()
	p.slow = 50 * time.Millisecond
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if got := readPage(ann, "pages.get", pageID{"a"}); got.Status() != 200 {
				t.Errorf("answers %d", got.Status())
			}
		})
	}
	all.Wait()
	if n := p.reads.Load(); n != 1 {
		t.Errorf("the function ran %d times", n)
	}
}

// Whatever way a query is written, it is one input; and another one is another.
func TestInputsAreToldApartByWhatTheySay(t *testing.T) {
	t.Parallel()
	_, p, ann := book(t)
	for _, c := range []struct {
		query string
		reads int64
	}{
		{"", 1},
		{"?author=x&limit=2", 2},
		{"?limit=2&author=x", 2},
		{"?limit=%32&author=%78", 2},
		{"?author=x", 3},
		{"?limit=2", 4},
		{"?author=x%26limit%3D2", 5},
		{"?author=2", 6},
		{"?author=", 7},
	} {
		if w := ann.Do("GET", "/pages"+c.query, ""); w.Code != 200 || p.reads.Load() != c.reads {
			t.Errorf("%s: %d, and the function ran %d times, not %d", c.query, w.Code, p.reads.Load(), c.reads)
		}
	}
	for _, bad := range []string{"?nope=1", "?limit=x", "?limit=2&limit=2", "?limit=%zz"} {
		if w := ann.Do("GET", "/pages"+bad, ""); w.Code < 400 {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
}

func TestCommandsDropWhatTheyInvalidate(t *testing.T) {
	t.Parallel()
	app, p, ann := book(t)
	read := func(want string, reads int64) {
		t.Helper()
		if got := readPage(ann, "pages.get", pageID{"a"}).OK(); got.Text != want || p.reads.Load() != reads {
			t.Errorf("got %q after %d reads, want %q after %d", got.Text, p.reads.Load(), want, reads)
		}
	}
	read("first", 1)
	readPage(ann, "pages.put", page{"b", "other"}).OK()
	read("first", 1)
	readPage(ann, "pages.put", page{"a", "new"}).OK()
	read("new", 2)
	readPage(ann, "pages.put", page{"a", "torn"}).Fails(errTorn)
	read("new", 2) // it was rolled back
	readPage(ann, "pages.put", page{"a", "kept"}).Fails(errTorn)
	read("kept", 3) // it was refused, and committed
	once := ann.Key("k")
	readPage(once, "pages.once", page{"a", "once"}).OK()
	read("once", 4)
	if again := readPage(once, "pages.once", page{"a", "once"}); !again.Replayed() {
		t.Error("the key was not kept")
	}
	read("once", 4) // a replay writes nothing
	readPage(ann, "pages.touch", pageID{"a"}).OK()
	read("once", 5) // without a transaction

	if _, err := db.InTx(t.Context(), app.DB, func(tx *db.Tx) (struct{}, error) {
		return struct{}{}, app.Cache.Invalidate(t.Context(), tx, "page/a")
	}); err != nil {
		t.Fatal(err)
	}
	read("once", 6)
}

// A list knows its members, which its function has named.
func TestFunctionsAddTags(t *testing.T) {
	t.Parallel()
	_, p, ann := book(t)
	listPages(ann, "pages.list", nil).OK()
	listPages(ann, "pages.list", nil).OK()
	if n := p.reads.Load(); n != 1 {
		t.Errorf("%d reads", n)
	}
	readPage(ann, "pages.put", page{"b", "new"}).OK()
	if got := listPages(ann, "pages.list", nil).OK(); len(got) != 2 || got[1].Text != "new" {
		t.Errorf("got %+v", got)
	}
}

// Whatever is kept, a request passes everything in front of the function.
func TestKeptAnswersPassEveryGate(t *testing.T) {
	t.Parallel()
	app, p, ann := book(t)
	for range 2 {
		readPage(ann, "pages.limited", pageID{"a"}).OK()
	}
	readPage(ann, "pages.limited", pageID{"a"}).Fails(fault.ErrLimited)
	readPage(ann, "pages.get", pageID{"a"}).OK()
	readPage(app.Anonymous(), "pages.get", pageID{"a"}).Fails(fault.ErrUnauthenticated)
	readPage(app.As("ann", writePages), "pages.get", pageID{"a"}).Denied()
	if w := ann.With("Accept", "text/html").Do("GET", "/pages/a", ""); w.Code != 406 {
		t.Errorf("what cannot be read: %d", w.Code)
	}
	if w := ann.Do("GET", "/pages/a?x=1", ""); w.Code != 422 {
		t.Errorf("a parameter that there is not: %d", w.Code)
	}
	if n := p.reads.Load(); n != 2 {
		t.Errorf("%d reads", n)
	}
}

func TestRefusalsAreKeptOnlyIfDeclared(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		more  []op.CacheOption
		reads int64
	}{"not": {nil, 2}, "declared": {[]op.CacheOption{op.Missing(time.Minute)}, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, p, ann := book(t, c.more...)
			var traces [2]string
			for i := range traces {
				got := readPage(ann, "pages.get", pageID{"c"})
				problem := got.Fails(errNoPage)
				traces[i] = problem.TraceID
				if got.Header("Cache-Control") != "no-store" || problem.Detail != "There is no such page." {
					t.Errorf("got %+v", problem)
				}
			}
			if p.reads.Load() != c.reads || traces[0] == traces[1] {
				t.Errorf("%d reads, traces %v", p.reads.Load(), traces)
			}
			readPage(ann, "pages.put", page{"c", "new"}).OK()
			if got := readPage(ann, "pages.get", pageID{"c"}).OK(); got.Text != "new" {
				t.Errorf("got %+v", got)
			}
			boom := errors.New("boom")
			p.fail.Store(&boom)
			readPage(ann, "pages.put", page{"c", "newer"}).OK()
			before := p.reads.Load()
			for range 2 {
				readPage(ann, "pages.get", pageID{"c"}).Fails(fault.ErrInternal)
			}
			if n := p.reads.Load() - before; n != 2 {
				t.Errorf("a failure was kept: %d reads", n)
			}
		})
	}
}

func TestAPanicIsOneRequestsFailure(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	app.Mount(ashlar.Module{Name: "m", Operations: []op.Operation{
		op.Query("greet", "GET /greet/{name}", greet, op.Public(), op.Cache(0, op.Keep(time.Hour), op.OneForEveryone())),
	}})
	for range 2 {
		if w := app.Anonymous().Do("GET", "/greet/panic", ""); w.Code != 500 || !strings.Contains(w.Body.String(), `"internal"`) {
			t.Errorf("answers %d %s", w.Code, w.Body)
		}
	}
	if log := app.Log(); strings.Count(log, "boom") < 2 || !strings.Contains(log, "ashlar_test.go") {
		t.Errorf("the log does not tell where it panicked:\n%s", log)
	}
}

// told is all that a function can find out about who asks.
type told struct {
	Principal  access.Principal
	Can        bool
	Origin     access.Origin
	Value      any
	Permission int
}

type secret struct{}

func whoAmI(ctx context.Context, _ pageID) (map[string]string, error) {
	me := access.From(ctx)
	text, err := json.Marshal(told{me, me.Can(readPages), access.OriginOf(ctx), ctx.Value(secret{}), len(me.Permissions())})
	return map[string]string{"told": string(text)}, err
}

// P9.9: A asks, then B, the same URL. Nothing of A is in B's answer, in the
// process and through the tier that instances share.
func TestNobodyGetsAnothersAnswer(t *testing.T) {
	t.Parallel()
	remote := &shared{values: map[string][]byte{}}
	open := func() *ashlartest.App {
		app := ashlartest.Open(t)
		c, err := cache.New(cache.Config{Remote: remote, Version: "1"})
		if err != nil {
			t.Fatal(err)
		}
		ashlar.UseCache(app.App, c)
		app.Grant("reader", readPages)
		app.Grant("writer", readPages, writePages)
		keep := op.Keep(time.Hour)
		app.Mount(ashlar.Module{Name: "who", Operations: []op.Operation{
			op.Query("who.each", "GET /each/{id}", whoAmI, op.Allow(readPages), op.Cache(0, keep)),
			op.Query("who.account", "GET /account/{id}", whoAmI, op.Allow(readPages), op.Cache(0, keep, op.OneForAccount())),
			op.Query("who.everyone", "GET /everyone/{id}", whoAmI, op.Allow(readPages), op.Cache(0, keep, op.OneForEveryone())),
			op.Query("who.public", "GET /public/{id}", whoAmI, op.Public(), op.Cache(0, keep, op.OneForEveryone())),
		}})
		return app
	}
	type person struct{ id, account, role, session string }
	people := []person{
		{"ann", "acme", "reader", "s1"},
		{"ann", "acme", "reader", "s2"},
		{"bob", "acme", "reader", "s3"},
		{"ann", "acme", "writer", "s4"},
		{"ann", "rival", "reader", "s5"},
		{"carl", "rival", "reader", "s6"},
		{"a", "nnacme", "reader", "s7"},
		{"staff", "", "reader", "s8"},
	}
	// what the function is told, and so all that may be in the answer
	tells := map[string]func(person) string{
		"each":     func(p person) string { return p.id + " " + p.account + " " + p.role },
		"account":  func(p person) string { return " " + p.account + " " + p.role },
		"everyone": func(person) string { return "  " },
		"public":   func(person) string { return "  " },
	}
	for range 2 { // instances
		app := open()
		for range 2 { // rounds
			for _, p := range people {
				who := app.Policy.Principal(p.id, p.account, p.role)
				who.Credential = p.session
				for path, tell := range tells {
					r := httptest.NewRequest("GET", "/"+path+"/x", nil)
					ctx := context.WithValue(access.With(r.Context(), who), secret{}, p.session)
					r.RemoteAddr = "192.0.2.7:1234"
					w := httptest.NewRecorder()
					app.Handler().ServeHTTP(w, r.WithContext(ctx))
					var answer struct{ Told string }
					var got told
					if err := errors.Join(json.Unmarshal(w.Body.Bytes(), &answer), json.Unmarshal([]byte(answer.Told), &got)); err != nil || w.Code != 200 {
						t.Fatalf("%d %s: %v", w.Code, w.Body, err)
					}
					me := got.Principal
					if is := me.ID + " " + me.Account + " " + me.Role; is != tell(p) {
						t.Errorf("%+v at /%s was told %q", p, path, is)
					}
					if me.Credential != "" || got.Origin != (access.Origin{}) || got.Value != nil {
						t.Errorf("/%s knows more of one request than its key: %+v", path, got)
					}
					if may := map[string]int{"reader": 1, "writer": 2}[me.Role]; got.Permission != may || got.Can != (may > 0) {
						t.Errorf("/%s: %+v may %d", path, p, got.Permission)
					}
				}
			}
		}
		for end := time.Now().Add(lost); remote.sets() < 14 && time.Now().Before(end); {
			time.Sleep(time.Millisecond) // the tier gets values after the caller
		}
	}
	// 7 of each (two sessions are one), 5 of accounts, everyone, public
	if n := remote.sets(); n != 14 {
		t.Errorf("two instances made %d answers", n)
	}
}

// shared is a tier in memory.
type shared struct {
	mu     sync.Mutex
	values map[string][]byte
	set    int
}

func (s *shared) sets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set
}

func (s *shared) Get(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]byte(nil), s.values[key]...), nil
}

func (s *shared) Set(_ context.Context, key string, value []byte, _ time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set++
	s.values[key] = append([]byte(nil), value...)
	return nil
}

// broken is a tier that is down.
type broken struct{}

func (broken) Get(context.Context, string) ([]byte, error) { return nil, errors.New("down") }
func (broken) Set(context.Context, string, []byte, time.Duration) error {
	return errors.New("down")
}

// P5.9: a cache failure is never a request's.
func TestRequestsDoNotFailWithTheCache(t *testing.T) {
	t.Parallel()
	c, err := cache.New(cache.Config{Remote: broken{}})
	if err != nil {
		t.Fatal(err)
	}
	app := ashlartest.Open(t)
	ashlar.UseCache(app.App, c)
	p := &pages{db: app.DB}
	app.Mount(p.module())
	ann := app.As("ann", readPages, writePages)
	for _, id := range []string{"a", "b", "a", "b"} {
		readPage(ann, "pages.get", pageID{id}).OK()
	}
	if p.reads.Load() != 2 || c.Stats().RemoteErrors == 0 {
		t.Errorf("%d reads, %+v", p.reads.Load(), c.Stats())
	}
}

// Who leaves does not end what others wait for.
func TestTheClientWhoLeavesEndsOnlyHisRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, p, ann := book(t)
		app.Migrate()
		p.slow = 100 * time.Millisecond
		ctx, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { readPage(ann.Context(ctx), "pages.get", pageID{"a"}) })
		synctest.Wait() // it reads
		all.Go(func() { readPage(ann, "pages.get", pageID{"a"}).OK() })
		synctest.Wait() // it waits for the other's
		leave()
		all.Wait()
		if n := p.reads.Load(); n != 1 {
			t.Errorf("%d reads", n)
		}
	})
}

func TestOperationsThatKeepNeedACache(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t, "ASHLAR_CACHE_SIZE", "1")
	for _, name := range []string{"twin", strings.Repeat("long", 30)} {
		app.Mount(ashlar.Module{Name: name, Operations: []op.Operation{
			op.Query(name, "GET /"+name, greet, op.Public(), op.Cache(0, op.Keep(time.Hour), op.OneForEveryone())),
		}})
	}
	_, err := app.App.Handler()
	if err == nil || !strings.Contains(err.Error(), "caching_test.go") || !strings.Contains(err.Error(), "at most") {
		t.Errorf("got %v", err)
	}
}

func TestKeptAnswersAreCounted(t *testing.T) {
	t.Parallel()
	app, _, ann := book(t)
	for range 3 {
		readPage(ann, "pages.get", pageID{"a"}).OK()
	}
	w := httptest.NewRecorder()
	app.Metrics().Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`ashlar_cache_answers_total{op="pages.get",result="hit"} 2`,
		`ashlar_cache_answers_total{op="pages.get",result="miss"} 1`,
		`ashlar_cache_answers_total{op="pages.list",result="hit"} 0`,
		`ashlar_cache_loads_total{outcome="loaded"} 1`,
		`ashlar_cache_entries 1`,
		`ashlar_cache_max_bytes 6.7108864e+07`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}
