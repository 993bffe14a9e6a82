package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
	"github.com/ashlar-go/ashlar/rule"
)

const (
	read  access.Permission = "notes:read"
	write access.Permission = "notes:write"

	errNoNote  fault.NotFound = "note_not_found"
	errRefused fault.Refused  = "card_declined"
)

type note struct {
	ID      string `json:"id"`
	Text    string `json:"text"`
	Version int    `json:"version"`
}

func (n note) ETag() string { return string(rune('0' + n.Version)) }

type byID struct {
	ID string `json:"id"`
}

type newNote struct {
	Text   string   `json:"text"`
	Tags   []string `json:"tags,omitzero"`
	Secret string   `json:"secret,omitzero"`
}

func (n *newNote) Rules(r *rule.Set) {
	rule.Text(r, &n.Text).Len(1, 5)
	rule.Items(r, &n.Tags).Len(0, 2)
	rule.Text(r, &n.Secret).Len(3, 8).Secret()
}

type search struct {
	Words []string  `json:"word,omitzero"`
	Limit int       `json:"limit,omitzero"`
	Since time.Time `json:"since,omitzero"`
	Cur   op.Cursor `json:"cursor,omitzero"`
}

func (s *search) Rules(r *rule.Set) { rule.Number(r, &s.Limit).Between(1, 100) }

// api serves the given operations with two users: "writer" holds both
// permissions, "reader" only one.
func api(t *testing.T, log *strings.Builder, operations ...op.Operation) http.Handler {
	t.Helper()
	policy := &access.Policy{}
	cfg := rest.Config{
		Policy: policy,
		Log:    slog.New(slog.DiscardHandler),
		Authenticate: func(r *http.Request) (access.Principal, error) {
			switch r.Header.Get("Authorization") {
			case "":
				return access.Principal{}, fault.ErrUnauthenticated
			case "Bearer writer":
				return policy.Holder("writer", "a1", read, write), nil
			case "Bearer reader":
				return policy.Holder("reader", "a1", read), nil
			}
			return access.Principal{}, fault.Unauthenticated("token_invalid")
		},
		Challenge: func(err error) string { return "Bearer" },
	}
	if log != nil {
		cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	}
	mux := http.NewServeMux()
	for _, o := range operations {
		h, err := rest.New(o, cfg)
		if err != nil {
			t.Fatal(err)
		}
		mux.Handle(o.Spec().Method+" "+o.Spec().Path, h)
	}
	return mux
}

type answer struct {
	*httptest.ResponseRecorder
	problem struct {
		Type, Title, Code, Detail string
		Status                    int
		Errors                    []fault.Violation
	}
}

func send(t *testing.T, h http.Handler, method, target, body string, headers ...string) answer {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer writer")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	a := answer{ResponseRecorder: httptest.NewRecorder()}
	h.ServeHTTP(a, r)
	if a.Code >= 400 {
		if got := a.Header().Get("Content-Type"); got != fault.MediaType {
			t.Errorf("%s %s: a failure has Content-Type %q", method, target, got)
		}
		if err := json.Unmarshal(a.Body.Bytes(), &a.problem); err != nil {
			t.Errorf("%s %s: a problem is not JSON: %v: %s", method, target, err, a.Body)
		}
		if a.problem.Status != a.Code {
			t.Errorf("%s %s: the problem says %d, the status line %d", method, target, a.problem.Status, a.Code)
		}
	}
	return a
}

func createNote(_ context.Context, in newNote) (note, error) {
	return note{ID: "n 1", Text: in.Text, Version: 1}, nil
}

func getNote(_ context.Context, in byID) (note, error) {
	if in.ID != "n1" {
		return note{}, errNoNote
	}
	return note{ID: in.ID, Text: "hello", Version: 3}, nil
}

func create(options ...op.CommandOption) op.Operation {
	return op.Command("notes.create", "POST /notes", createNote,
		slices.Concat([]op.CommandOption{op.Allow(write), op.Created("/notes/{id}")}, options)...)
}

func get() op.Operation {
	return op.Query("notes.get", "GET /notes/{id}", getNote, op.Allow(read), op.Cache(0), op.Fails(errNoNote))
}

func TestSuccess(t *testing.T) {
	t.Parallel()
	a := send(t, api(t, nil, create()), "POST", "/notes", `{"text":"hé"}`)
	if a.Code != 201 || a.Body.String() != `{"id":"n 1","text":"hé","version":1}` {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json",
		"Location":     "/notes/n%201",
		"ETag":         `"1"`,
	} {
		if got := a.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestWhatIsRefusedBeforeTheFunctionRuns(t *testing.T) {
	t.Parallel()
	h := api(t, nil, create(op.MaxBody(64)), get())
	for name, c := range map[string]struct {
		method, target, body string
		headers              []string
		status               int
		code                 string
		pointers             string
	}{
		"no credential":          {"POST", "/notes", `{`, []string{"Authorization", ""}, 401, "unauthenticated", ""},
		"a bad credential":       {"POST", "/notes", `{`, []string{"Authorization", "Bearer x"}, 401, "token_invalid", ""},
		"no permission":          {"POST", "/notes", `{`, []string{"Authorization", "Bearer reader"}, 403, "permission_denied", ""},
		"an answer not accepted": {"GET", "/notes/n1", "", []string{"Accept", "application/xml"}, 406, "not_acceptable", ""},
		"JSON at weight zero":    {"GET", "/notes/n1", "", []string{"Accept", "*/*, application/json;q=0.0"}, 406, "not_acceptable", ""},
		"a form":                 {"POST", "/notes", `text=a`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "media_type_unsupported", ""},
		"no media type":          {"POST", "/notes", `{"text":"a"}`, []string{"Content-Type", ""}, 415, "media_type_unsupported", ""},
		"another charset":        {"POST", "/notes", `{"text":"a"}`, []string{"Content-Type", "application/json; charset=latin1"}, 415, "media_type_unsupported", ""},
		"a compressed body":      {"POST", "/notes", `{"text":"a"}`, []string{"Content-Encoding", "br"}, 415, "media_type_unsupported", ""},
		"a large body":           {"POST", "/notes", `{"text":"` + strings.Repeat("a", 99) + `"}`, nil, 413, "body_too_large", ""},
		"no body":                {"POST", "/notes", ``, nil, 422, "invalid", "/text"},
		"half a body":            {"POST", "/notes", `{"text":`, nil, 400, "malformed", ""},
		"a body and a half":      {"POST", "/notes", `{"text":"a"}{}`, nil, 400, "malformed", ""},
		"a member twice":         {"POST", "/notes", `{"text":"a","text":"b"}`, nil, 400, "malformed", ""},
		"a list":                 {"POST", "/notes", `[]`, nil, 422, "invalid", ""},
		"null":                   {"POST", "/notes", `null`, nil, 422, "invalid", ""},
		"an unknown member":      {"POST", "/notes", `{"text":"a","x":1}`, nil, 422, "invalid", "/x"},
		"another case":           {"POST", "/notes", `{"Text":"a"}`, nil, 422, "invalid", "/Text /text"},
		"everything wrong":       {"POST", "/notes", `{"text":"123456","tags":[1,"a","b"],"secret":"hush-hush"}`, nil, 422, "invalid", "/secret /tags /tags/0 /text"},
		"a parameter":            {"POST", "/notes?x=1", `{"text":"a"}`, nil, 422, "invalid", "/x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := send(t, h, c.method, c.target, c.body, c.headers...)
			var pointers []string
			for _, v := range a.problem.Errors {
				if v.Pointer != "" {
					pointers = append(pointers, v.Pointer)
				}
			}
			slices.Sort(pointers)
			if a.Code != c.status || a.problem.Code != c.code || strings.Join(pointers, " ") != c.pointers {
				t.Errorf("got %d %s %v: %s", a.Code, a.problem.Code, pointers, a.Body)
			}
			if strings.Contains(a.Body.String(), "hush") || strings.Contains(a.Body.String(), "123456") {
				t.Errorf("a submitted value is echoed: %s", a.Body)
			}
			if want := c.status == 401 || c.status == 403; (a.Header().Get("WWW-Authenticate") != "") != want {
				t.Errorf("WWW-Authenticate is %q", a.Header().Get("WWW-Authenticate"))
			}
		})
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	type echo struct {
		Words []string  `json:"words"`
		Limit int       `json:"limit"`
		Since time.Time `json:"since"`
	}
	h := api(t, nil, op.Query("notes.list", "GET /notes", func(_ context.Context, in search) (echo, error) {
		if _, err := in.Cur.Key(); err != nil {
			return echo{}, err
		}
		return echo{in.Words, in.Limit, in.Since}, nil
	}, op.Public()))
	for target, want := range map[string]string{
		"/notes":                                           `200 {"words":[],"limit":0,"since":"0001-01-01T00:00:00.000Z"}`,
		"/notes?word=a%20b&word=c%2Bd&limit=5":             `200 {"words":["a b","c+d"],"limit":5,"since":"0001-01-01T00:00:00.000Z"}`,
		"/notes?since=2026-11-22T10:00:00%2B01:00":         `200 {"words":[],"limit":0,"since":"2026-11-22T09:00:00.000Z"}`,
		"/notes?limit=1&limit=2":                           `400 malformed`,
		"/notes?limit=1;word=x":                            `400 malformed`,
		"/notes?limit=%zz":                                 `400 malformed`,
		"/notes?cursor=" + string(op.NewCursor("k")) + "A": `400 cursor_invalid`,
		"/notes?cursor=" + string(op.NewCursor("k")):       `200 {"words":[],"limit":0,"since":"0001-01-01T00:00:00.000Z"}`,
		"/notes?limit=101":                                 `422 invalid /limit`,
		"/notes?limit=x&since=yesterday&a=1":               `422 invalid /a /limit /since`,
		"/notes?limit=":                                    `422 invalid /limit`,
		"/notes?LIMIT=1":                                   `422 invalid /LIMIT`,
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			a := send(t, h, "GET", target, "")
			var got string
			if a.Code == 200 {
				got = "200 " + a.Body.String()
			} else {
				parts := []string{}
				for _, v := range a.problem.Errors {
					parts = append(parts, v.Pointer)
				}
				slices.Sort(parts)
				got = strings.TrimSpace(strings.Join(append([]string{map[int]string{400: "400", 422: "422"}[a.Code], a.problem.Code}, parts...), " "))
			}
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestConditionalRead(t *testing.T) {
	t.Parallel()
	h := api(t, nil, get())
	for header, want := range map[string]int{
		"": 200, `"3"`: 304, `W/"3"`: 304, `"1", "3"`: 304, "*": 304, `"1"`: 200, `3`: 200,
	} {
		a := send(t, h, "GET", "/notes/n1", "", "If-None-Match", header)
		if a.Code != want {
			t.Errorf("If-None-Match: %s answers %d, want %d", header, a.Code, want)
		}
		if a.Header().Get("ETag") != `"3"` || a.Header().Get("Cache-Control") != "private, no-cache" || a.Header().Get("Vary") != "Authorization" {
			t.Errorf("%d lacks a validator: %v", a.Code, a.Header())
		}
		if want == 304 && a.Body.Len() > 0 {
			t.Error("304 has a body")
		}
	}
	missing := send(t, h, "GET", "/notes/n2", "")
	if missing.Code != 404 || missing.problem.Code != "note_not_found" || missing.Header().Get("Cache-Control") == "private, no-cache" {
		t.Errorf("got %d %s %v", missing.Code, missing.Body, missing.Header())
	}
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	edit := func(ctx context.Context, in byID) (note, error) {
		current := note{ID: in.ID, Version: 3}
		if err := op.Match(ctx, current); err != nil {
			return note{}, err
		}
		current.Version++
		return current, nil
	}
	h := api(t, nil,
		op.Command("notes.edit", "PUT /notes/{id}", edit, op.Allow(write), op.IfMatch()),
		op.Command("notes.swap", "POST /notes/{id}/swap", edit, op.Allow(write), op.RequireIfMatch()),
		op.Command("notes.drop", "DELETE /notes/{id}", edit, op.Allow(write)))
	for _, c := range []struct {
		method, target, header string
		want                   int
	}{
		{"PUT", "/notes/1", "", 200},
		{"PUT", "/notes/1", `"3"`, 200},
		{"PUT", "/notes/1", `"2"`, 412},
		{"PUT", "/notes/1", `W/"3"`, 412}, // a weak tag never matches (RFC 9110, section 13.1.1)
		{"POST", "/notes/1/swap", "", 428},
		{"POST", "/notes/1/swap", `"3"`, 200},
		{"DELETE", "/notes/1", "", 200},
		{"DELETE", "/notes/1", `"3"`, 400}, // whoever sends it means the call to depend on it
		{"DELETE", "/notes/1", "*", 400},
	} {
		if a := send(t, h, c.method, c.target, "", "If-Match", c.header); a.Code != c.want {
			t.Errorf("%s %s If-Match: %s answers %d, want %d", c.method, c.target, c.header, a.Code, c.want)
		}
	}
	for target, method := range map[string]string{"/notes/1": "DELETE", "/notes/1/swap": "POST"} {
		if a := send(t, h, method, target, "", "If-None-Match", "*", "If-Match", `"3"`); a.Code != 400 || a.problem.Code != "malformed" {
			t.Errorf("%s %s If-None-Match: * answers %d %s", method, target, a.Code, a.Body)
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	secret := errors.New(`pq: duplicate key "users_email" at db.go:17`)
	for name, c := range map[string]struct {
		err    error
		status int
		code   string
		logged bool
	}{
		"a declared fault":       {errRefused.Because("Insufficient funds.").With("decline_code", "insufficient_funds"), 402, "card_declined", false},
		"a fault with its cause": {errRefused.Wrap(secret), 402, "card_declined", true},
		"no fault at all":        {secret, 500, "internal", true},
		"a rule of the business": {fault.At("/amount", "too_much", "must not exceed the balance"), 422, "invalid", false},
		"an ended deadline":      {context.DeadlineExceeded, 504, "deadline_exceeded", true},
		"a service that is down": {fault.ErrUnavailable.Wrap(secret), 503, "unavailable", true},
		"a fault not declared":   {fault.Gone("note_gone"), 410, "note_gone", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			h := api(t, &log, op.Command("notes.fail", "POST /fail",
				func(context.Context, struct{}) (note, error) { return note{}, c.err },
				op.Public(), op.Fails(errRefused)))
			a := send(t, h, "POST", "/fail", "")
			if a.Code != c.status || a.problem.Code != c.code {
				t.Errorf("got %d %s", a.Code, a.Body)
			}
			if strings.Contains(a.Body.String(), "pq:") || strings.Contains(a.Body.String(), ".go") {
				t.Errorf("the cause reached the caller: %s", a.Body)
			}
			if got := log.Len() > 0; got != c.logged {
				t.Errorf("logged: %s", log.String())
			}
			if errors.Is(c.err, secret) && !strings.Contains(log.String(), "users_email") {
				t.Errorf("the cause did not reach the log: %s", log.String())
			}
		})
	}
	if !strings.Contains(send(t, api(t, nil, op.Command("notes.fail", "POST /fail",
		func(context.Context, struct{}) (note, error) { return note{}, errRefused.With("decline_code", "x") },
		op.Public(), op.Fails(errRefused))), "POST", "/fail", "").Body.String(), `"type":"/problems/card-declined"`) {
		t.Error("the problem's type does not end in its code")
	}
}

func TestTimeoutReachesTheFunction(t *testing.T) {
	t.Parallel()
	h := api(t, nil, op.Query("notes.slow", "GET /slow", func(ctx context.Context, _ struct{}) (note, error) {
		<-ctx.Done()
		return note{}, ctx.Err()
	}, op.Public(), op.Timeout(time.Millisecond)))
	if a := send(t, h, "GET", "/slow", ""); a.Code != 504 {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	h := api(t, nil, op.Query("notes.export", "GET /export", func(context.Context, struct{}) (op.File, error) {
		return op.File{Name: "notes – 1.csv", Type: "text/csv; charset=utf-8", Size: 3, Body: strings.NewReader("a,b")}, nil
	}, op.Public()))
	a := send(t, h, "GET", "/export", "", "Accept", "text/csv")
	if a.Code != 200 || a.Body.String() != "a,b" || a.Header().Get("Content-Length") != "3" ||
		!strings.HasPrefix(a.Header().Get("Content-Disposition"), "attachment; filename*=utf-8''notes%20") {
		t.Errorf("got %d %v %s", a.Code, a.Header(), a.Body)
	}
}

// TestMediaIsHeld: a file of a type that the contract does not name is a
// failure, before a byte of it is sent.
func TestMediaIsHeld(t *testing.T) {
	t.Parallel()
	for media, want := range map[string]int{"text/csv; charset=utf-8": 200, "image/svg+xml": 200, "text/html": 500, "": 500, "text/csv;": 200, "nonsense/": 500} {
		h := api(t, nil, op.Query("notes.export", "GET /export", func(context.Context, struct{}) (op.File, error) {
			return op.File{Type: media, Body: strings.NewReader("a,b")}, nil
		}, op.Public(), op.Media("text/csv", "image/svg+xml")))
		a := send(t, h, "GET", "/export", "")
		if a.Code != want || want == 200 && (a.Body.String() != "a,b" || a.Header().Get("Content-Type") != media) || want == 500 && strings.Contains(a.Body.String(), "a,b") {
			t.Errorf("%q: got %d %v %s", media, a.Code, a.Header(), a.Body)
		}
	}
}

func TestNothing(t *testing.T) {
	t.Parallel()
	h := api(t, nil, op.Command("notes.delete", "DELETE /notes/{id}",
		func(context.Context, byID) (struct{}, error) { return struct{}{}, nil }, op.Public()))
	a := send(t, h, "DELETE", "/notes/1", "")
	if a.Code != 204 || a.Body.Len() > 0 || a.Header().Get("Content-Type") != "" {
		t.Errorf("got %d %v %q", a.Code, a.Header(), a.Body)
	}
}

func TestDeprecation(t *testing.T) {
	t.Parallel()
	since, until := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	h := api(t, nil, op.Query("notes.old", "GET /old", func(context.Context, struct{}) (note, error) { return note{}, nil },
		op.Public(), op.Deprecated(since, until)))
	a := send(t, h, "GET", "/old", "")
	if a.Header().Get("Deprecation") != "@1767225600" || a.Header().Get("Sunset") != "Fri, 01 Jan 2027 00:00:00 GMT" {
		t.Errorf("got %v", a.Header())
	}
}

func TestMistakesOfADeclaration(t *testing.T) {
	t.Parallel()
	_, err := rest.New(create(op.Idempotent(time.Hour)), rest.Config{})
	if err == nil {
		t.Fatal("an operation that nothing can serve was accepted")
	}
	for _, want := range []string{"nothing authenticates requests", "no store for keys", "rest_test.go:", "notes.create"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}

func TestPlainMux(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.Handle(rest.Handler(op.Query("hello.say", "GET /hello/{id}", func(_ context.Context, in byID) (note, error) {
		return note{ID: in.ID}, nil
	}, op.Public())))
	if a := send(t, mux, "GET", "/hello/a%20b", ""); a.Code != 200 || !strings.Contains(a.Body.String(), `"a b"`) {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
	defer func() {
		if recover() == nil {
			t.Error("Handler accepted an operation that needs a principal")
		}
	}()
	rest.Handler(get())
}
