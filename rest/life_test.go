package rest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
)

// keys notes that it was asked, and refuses or replays.
type keys struct {
	asked  *bool
	replay *rest.Answer
	err    error
}

func (k keys) Begin(ctx context.Context, a rest.Attempt) (rest.Run, error) {
	*k.asked = true
	if len(a.Header) == 0 {
		return nil, fault.ErrKeyMissing
	}
	return run{k, ctx, a}, k.err
}

type run struct {
	keys
	ctx     context.Context
	attempt rest.Attempt
}

func (r run) Replay() *rest.Answer     { return r.replay }
func (r run) Context() context.Context { return r.ctx }

func (r run) End(_ context.Context, out any, err error) (*rest.Answer, error) {
	a, ok := r.attempt.Encode(out, err)
	if !ok {
		return nil, err
	}
	return &a, nil
}

// TestTheStepsOfARequest holds the table of the package comment. Each request
// has everything wrong from some step on, and that step answers; nothing
// behind it is reached.
func TestTheStepsOfARequest(t *testing.T) {
	t.Parallel()
	type edit struct {
		ID      string `json:"id"`
		Text    string `json:"text"`
		Version int    `json:"version,omitzero"`
	}
	// The spoils are in the order of the steps: a case has its own and all
	// that follow.
	spoils := []struct {
		step   string
		spoil  func(*http.Request)
		status int
		code   string
	}{
		{"who is asking", func(r *http.Request) { r.Header.Set("Authorization", "Bearer forged") }, 401, "token_invalid"},
		{"may they", func(r *http.Request) { r.Header.Set("Authorization", "Bearer reader") }, 403, "permission_denied"},
		{"what do they accept", func(r *http.Request) { r.Header.Set("Accept", "text/html") }, 406, "not_acceptable"},
		{"how much is it", func(r *http.Request) { r.ContentLength = 1 << 20 }, 413, "body_too_large"},
		{"what is it", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415, "media_type_unsupported"},
		{"can it be read", func(r *http.Request) { r.URL.RawQuery = "x=%" }, 400, "malformed"},
		{"is it valid", func(r *http.Request) { r.URL.RawQuery = "x=1" }, 422, "invalid"},
		{"does the precondition stand", func(r *http.Request) { r.Header.Del("If-Match") }, 428, "precondition_required"},
		{"is there a key", func(r *http.Request) { r.Header.Del("Idempotency-Key") }, 400, "idempotency_key_missing"},
		{"does it match", func(r *http.Request) { r.Header.Set("If-Match", `"1"`) }, 412, "stale"},
	}
	for first := range len(spoils) + 1 {
		var asked, ran bool
		h, policy := http.Handler(nil), &access.Policy{}
		if err := policy.Grant("writer", read, write); err != nil {
			t.Fatal(err)
		}
		h, err := rest.New(op.Command("notes.edit", "PUT /notes/{id}", func(ctx context.Context, in edit) (note, error) {
			ran = true
			return note{ID: in.ID, Version: 3}, op.Match(ctx, note{Version: 3})
		}, op.Allow(write), op.RequireIfMatch(), op.Idempotent(time.Hour), op.MaxBody(64)), rest.Config{
			Policy:      policy,
			Idempotency: keys{asked: &asked},
			Authenticate: func(r *http.Request) (access.Principal, error) {
				switch r.Header.Get("Authorization") {
				case "Bearer writer":
					return policy.Principal("u1", "a1", "writer"), nil
				case "Bearer reader":
					return policy.Holder("u2", "a1", read), nil
				}
				return access.Principal{}, fault.Unauthenticated("token_invalid")
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		spoiled := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for _, s := range slices.Backward(spoils[first:]) { // an earlier step's spoil replaces a later one's
				s.spoil(r)
			}
			h.ServeHTTP(w, r)
		})
		step, status, code := "the answer", 200, ""
		if first < len(spoils) {
			step, status, code = spoils[first].step, spoils[first].status, spoils[first].code
		}
		mux := http.NewServeMux()
		mux.Handle("PUT /notes/{id}", spoiled)
		a := send(t, mux, "PUT", "/notes/n1", `{"text":"a"}`, "If-Match", `"3"`, "Idempotency-Key", "k1")
		if a.Code != status || a.problem.Code != code {
			t.Errorf("%s: got %d %s", step, a.Code, a.Body)
		}
		if wantRun := first >= len(spoils)-1; ran != wantRun {
			t.Errorf("%s: the function ran: %v", step, ran)
		}
		if wantAsk := first >= len(spoils)-2; asked != wantAsk {
			t.Errorf("%s: the key was looked up: %v", step, asked)
		}
	}
}

func TestNobodyReadsTheBodyOfAStranger(t *testing.T) {
	t.Parallel()
	h := api(t, nil, create())
	for _, credential := range []string{"", "Bearer forged", "Bearer reader"} {
		body := &counting{}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/notes", body)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = 100
		r.Header.Set("Authorization", credential)
		if credential == "" {
			r.Header.Del("Authorization")
		}
		w := newRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 401 && w.Code != 403 || body.reads > 0 {
			t.Errorf("%q: got %d after %d reads", credential, w.Code, body.reads)
		}
	}
}

type counting struct{ reads int }

func (c *counting) Read(p []byte) (int, error) { c.reads++; return len(p), nil }

func TestAReplayRunsNothing(t *testing.T) {
	t.Parallel()
	var asked, ran bool
	stored := rest.Answer{Status: 201, ContentType: "application/json", Location: "/notes/1", ETag: `"9"`, Body: []byte(`{"stored":true}`), Replayed: true}
	h, err := rest.New(op.Command("notes.once", "POST /notes", func(context.Context, newNote) (note, error) {
		ran = true
		return note{}, nil
	}, op.Authenticated(), op.Idempotent(time.Hour)), rest.Config{
		Idempotency:  keys{asked: &asked, replay: &stored},
		Authenticate: func(*http.Request) (access.Principal, error) { return access.Principal{ID: "u1"}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	a := send(t, h, "POST", "/notes", `{"text":"a"}`, "Idempotency-Key", "k1")
	if a.Code != 201 || a.Body.String() != `{"stored":true}` || a.Header().Get("Idempotency-Replayed") != "true" ||
		a.Header().Get("Location") != "/notes/1" || a.Header().Get("ETag") != `"9"` || ran || !asked {
		t.Errorf("got %d %v %s, ran: %v", a.Code, a.Header(), a.Body, ran)
	}
	invalid := send(t, h, "POST", "/notes", `{}`, "Idempotency-Key", "k1")
	if invalid.Code != 422 {
		t.Errorf("an invalid request was replayed: %d %s", invalid.Code, invalid.Body)
	}
}

// TestOnlyTheFunctionIsHeldToTheContract: what the framework's surroundings
// refuse with, such as a token's own fault, is not the operation's to declare.
func TestOnlyTheFunctionIsHeldToTheContract(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	h := api(t, &log, create(), op.Command("notes.odd", "POST /odd",
		func(context.Context, struct{}) (note, error) { return note{}, errRefused }, op.Public()),
		op.Query("notes.none", "GET /none", func(context.Context, struct{}) (note, error) { return note{}, nil }, op.Public()))
	if a := send(t, h, "POST", "/notes", `{}`, "Authorization", "Bearer forged"); a.Code != 401 || log.Len() > 0 {
		t.Errorf("got %d, logged %s", a.Code, &log)
	}
	if a := send(t, h, "GET", "/none?x=1", ""); a.Code != 422 || log.Len() > 0 {
		t.Errorf("got %d, logged %s", a.Code, &log)
	}
	if a := send(t, h, "POST", "/odd", ""); a.Code != 402 || !strings.Contains(log.String(), "does not declare") || !strings.Contains(log.String(), "rest/life_test.go:") {
		t.Errorf("got %d, logged %s", a.Code, &log)
	}
}

// TestTheCauseOfAKeptRefusalIsLogged: what is stored under a key is sent as any
// answer is, but whoever runs the service reads why.
func TestTheCauseOfAKeptRefusalIsLogged(t *testing.T) {
	t.Parallel()
	const refused fault.Conflict = "refused"
	var log strings.Builder
	var asked bool
	o := op.Command("notes.add", "POST /", func(context.Context, struct{}) (note, error) {
		return note{}, refused.Wrap(errors.New("the cause"))
	}, op.Authenticated(), op.Idempotent(time.Hour), op.Fails(refused))
	h, err := rest.New(o, rest.Config{
		Idempotency: keys{asked: &asked}, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Authenticate: func(*http.Request) (access.Principal, error) { return access.Principal{ID: "u1"}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	a := send(t, h, "POST", "/", "", "Idempotency-Key", "k1")
	if a.Code != 409 || strings.Contains(a.Body.String(), "the cause") || strings.Count(log.String(), "the cause") != 1 {
		t.Errorf("got %d %s, logged %q", a.Code, a.Body, &log)
	}
}

// TestAStoredRefusalIsObserved: the access line of a refusal names its code,
// when the refusal is made and when it is sent again.
func TestAStoredRefusalIsObserved(t *testing.T) {
	t.Parallel()
	const refused fault.Conflict = "refused"
	for what, replay := range map[string]*rest.Answer{
		"made": nil,
		"sent again": {
			Status: 409, ContentType: fault.MediaType, Replayed: true,
			Body: []byte(`{"type":"/problems/refused","title":"Refused","status":409,"code":"refused"}`),
		},
	} {
		var asked bool
		o := op.Command("notes.add", "POST /", func(context.Context, struct{}) (note, error) { return note{}, refused },
			op.Authenticated(), op.Idempotent(time.Hour), op.Fails(refused))
		h, err := rest.New(o, rest.Config{
			Idempotency:  keys{asked: &asked, replay: replay},
			Authenticate: func(*http.Request) (access.Principal, error) { return access.Principal{ID: "u1"}, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		s := scope.New(t.Context())
		observed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(scoped{w, s}, r) })
		if a := send(t, observed, "POST", "/", "", "Idempotency-Key", "k1"); a.Code != 409 || s.Code != "refused" {
			t.Errorf("%s: got %d %s, observed as %q", what, a.Code, a.Body, s.Code)
		}
	}
}

// TestARefusalIsLoggedForItsCause: callers can make any number of refusals, and
// a line for each is worth it only if it says more than the access line.
func TestARefusalIsLoggedForItsCause(t *testing.T) {
	t.Parallel()
	const refused fault.NotFound = "nothing_there"
	for what, c := range map[string]struct {
		err   error
		lines int
	}{
		"bare":                 {refused, 0},
		"with a detail":        {refused.Because("There is no such note."), 0},
		"passed on":            {fmt.Errorf("read a note: %w", refused), 0},
		"with a cause":         {refused.Wrap(errors.New("the cause")), 1},
		"with a cause, passed": {fmt.Errorf("read a note: %w", refused.Wrap(errors.New("the cause"))), 1},
	} {
		var log strings.Builder
		h := api(t, &log, op.Query("notes.read", "GET /", func(context.Context, struct{}) (note, error) { return note{}, c.err },
			op.Public(), op.Fails(refused)))
		if a := send(t, h, "GET", "/", ""); a.Code != 404 || strings.Count(log.String(), "\n") != c.lines {
			t.Errorf("%s: got %d, logged %q, want %d lines", what, a.Code, &log, c.lines)
		}
	}
}
