package op_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
)

func TestWhatWasDeclaredCanBeRead(t *testing.T) {
	t.Parallel()
	since, until := time.Unix(1, 0), time.Unix(2, 0)
	s := op.Command("notes.put", "PUT /notes/{id}", answer[byID, tagged],
		op.Options(op.Allow(read), op.Fails(errNoNote, errState, errNoNote), op.Timeout(time.Second), op.Deprecated(since, until)),
		op.Idempotent(time.Hour), op.Created("/notes/{ID}"), op.RequireIfMatch(), op.MaxBody(99)).Spec()
	for what, holds := range map[string]bool{
		"kind":        s.Kind == op.IsCommand && s.Kind.String() == "command",
		"name":        s.Name == "notes.put",
		"route":       s.Method == "PUT" && s.Path == "/notes/{id}" && s.Pattern() == "PUT /notes/{id}",
		"path fields": slices.Equal(s.PathFields, []string{"id"}),
		"access":      s.Access == op.ByPermission && slices.Equal(s.Permissions, []access.Permission{read}),
		"faults":      len(s.Fails) == 2 && s.Fails[0] == fault.Coded(errNoNote) && s.Fails[1] == fault.Coded(errState),
		"time-out":    s.Timeout == time.Second,
		"deprecation": s.Deprecated.Equal(since) && s.Sunset.Equal(until),
		"keys":        s.Idempotent == time.Hour,
		"status":      s.Status == 201 && s.Location == "/notes/{ID}",
		"match":       s.Match == op.DemandMatch && s.Tagged,
		"body":        s.MaxBody == 99,
		"cache":       !s.Cached && s.CacheFor == 0,
		"types":       s.In.Go.Name() == "byID" && s.Out.Go.Name() == "tagged" && s.Returns == op.JSON,
		"calls":       s.NewCall != nil && s.NewStream == nil,
	} {
		if !holds {
			t.Errorf("the declaration's %s is not what was declared: %+v", what, s)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		s       *op.Spec
		kind    string
		status  int
		returns op.Returns
		access  string
		pattern string
	}{
		"a query":                  {op.Query("a", "GET /", answer[byID, note], op.Public()).Spec(), "query", 200, op.JSON, "public", "GET /{$}"},
		"a command":                {op.Command("a", "POST /a", answer[byID, note], op.Authenticated()).Spec(), "command", 200, op.JSON, "authenticated", "POST /a"},
		"a command without answer": {op.Command("a", "POST /a", answer[byID, struct{}], op.Allow(read)).Spec(), "command", 204, op.Nothing, "permission", "POST /a"},
		"a file":                   {op.Query("a", "GET /a", answer[byID, op.File], op.Public()).Spec(), "query", 200, op.FileBytes, "public", "GET /a"},
		"a stream":                 {op.Stream("a", "GET /a", items[byID, note]).Spec(), "stream", 200, op.JSON, "undeclared", "GET /a"},
		"an accepted command":      {op.Command("a", "POST /a", answer[byID, note], op.Public(), op.Accepted("")).Spec(), "command", 202, op.JSON, "public", "POST /a"},
	} {
		if c.s.Kind.String() != c.kind || c.s.Status != c.status || c.s.Returns != c.returns || c.s.Access.String() != c.access || c.s.Pattern() != c.pattern {
			t.Errorf("%s: got %s %d %d %s %s", what, c.s.Kind, c.s.Status, c.s.Returns, c.s.Access, c.s.Pattern())
		}
		if c.s.Timeout != 0 || c.s.MaxBody != 0 || c.s.Match != op.NoMatch || c.s.Idempotent != 0 {
			t.Errorf("%s: an option is set that was not given: %+v", what, c.s)
		}
	}
}

func TestFaultsAreTheWholeContract(t *testing.T) {
	t.Parallel()
	always := []string{"malformed", "invalid", "rate_limited", "internal", "overloaded", "unavailable", "deadline_exceeded"}
	command := append(slices.Clone(always), "not_acceptable", "request_timeout", "body_too_large", "media_type_unsupported")
	keys := []string{"idempotency_key_missing", "idempotency_key_malformed", "idempotency_key_reused", "idempotency_key_in_flight"}
	fn := answer[byID, tagged]
	for what, c := range map[string]struct {
		o    op.Operation
		want []string
	}{
		"a public query":     {op.Query("a", "GET /a", fn, op.Public()), append([]string{"not_acceptable"}, always...)},
		"a signed-in query":  {op.Query("a", "GET /a", fn, op.Authenticated()), append([]string{"not_acceptable", "token_invalid", "unauthenticated", "permission_denied"}, always...)},
		"a permitted query":  {op.Query("a", "GET /a", fn, op.Allow(read)), append([]string{"not_acceptable", "token_invalid", "unauthenticated", "permission_denied"}, always...)},
		"a query of nothing": {op.Query("a", "GET /a", answer[struct{}, struct{}], op.Public()), always},
		"a list":             {op.Query("a", "GET /a", answer[lists, note], op.Public()), append([]string{"not_acceptable", "cursor_invalid"}, always...)},
		"a file":             {op.Query("a", "GET /a", answer[byID, op.File], op.Public()), always},
		"a public command":   {op.Command("a", "POST /a", fn, op.Public()), command},
		"keys":               {op.Command("a", "POST /a", fn, op.Authenticated(), op.Idempotent(time.Hour)), slices.Concat(command, keys, []string{"token_invalid", "unauthenticated", "permission_denied"})},
		"a match":            {op.Command("a", "POST /a", fn, op.Public(), op.IfMatch()), append([]string{"stale"}, command...)},
		"a demanded match":   {op.Command("a", "POST /a", fn, op.Public(), op.RequireIfMatch()), append([]string{"stale", "precondition_required"}, command...)},
		"a few at a time":    {op.Query("a", "GET /a", answer[byID, op.File], op.Public(), op.Concurrency(2)), append([]string{"operation_busy"}, always...)},
		"its own":            {op.Query("a", "GET /a", fn, op.Public(), op.Fails(errNoNote, fault.ErrTimeout)), append([]string{"not_acceptable", "note_not_found"}, always...)},
	} {
		var got []string
		for _, f := range c.o.Spec().Faults() {
			got = append(got, f.Code())
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v\nwant %v", what, got, c.want)
		}
	}
}

func TestACallRunsTheFunction(t *testing.T) {
	t.Parallel()
	newCall := op.Query("a", "GET /a", func(ctx context.Context, in byID) (note, error) {
		if in.ID == "" {
			return note{Text: "half"}, errNoNote
		}
		return note{ID: in.ID, Text: ctx.Value(textKey{}).(string)}, nil
	}, op.Public()).Spec().NewCall

	c := newCall()
	c.In().(*byID).ID = "n1"
	if err := c.Do(context.WithValue(t.Context(), textKey{}, "hello")); err != nil || *c.Out().(*note) != (note{ID: "n1", Text: "hello"}) {
		t.Errorf("got %v %v", c.Out(), err)
	}
	c.Release()

	c = newCall()
	if err := c.Do(t.Context()); !errors.Is(err, errNoNote) {
		t.Errorf("got %v", err)
	}
	c.Release()
}

type textKey struct{}

// TestNoCallSeesAnother runs calls on many goroutines: whatever call the pool
// gives out, its input and answer are zero.
func TestNoCallSeesAnother(t *testing.T) {
	t.Parallel()
	newCall := op.Command("a", "POST /a", func(_ context.Context, in lists) (note, error) {
		if len(in.Words) == 3 {
			return note{Text: "left by a failure"}, errState
		}
		return note{ID: "of " + in.Words[0]}, nil
	}, op.Public()).Spec().NewCall
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 500 {
				c := newCall()
				in, out := c.In().(*lists), c.Out().(*note)
				if in.Words != nil || in.Maybe != nil || in.Own != nil || in.Cursor != "" || *out != (note{}) {
					t.Errorf("a call begins with %+v %+v", in, out)
				}
				secret := fmt.Sprintf("%d/%d", worker, i)
				*in = lists{Words: make([]string, 1+i%3), Maybe: &i, Own: []ownText{{secret}}, Cursor: "x"}
				in.Words[0] = secret
				if err := c.Do(t.Context()); (err != nil) != (i%3 == 2) {
					t.Errorf("got %v", err)
				} else if err == nil && out.ID != "of "+secret {
					t.Errorf("got the answer %+v of another call than %s", out, secret)
				}
				c.Release()
			}
		})
	}
	all.Wait()
}

func TestAStreamGivesItemsUntilTheCallerLeaves(t *testing.T) {
	t.Parallel()
	ended := 0
	s := op.Stream("a", "GET /a", func(_ context.Context, in byID) iter.Seq2[note, error] {
		return func(yield func(note, error) bool) {
			defer func() { ended++ }()
			for i := range 3 {
				if !yield(note{ID: in.ID, Version: i}, nil) {
					return
				}
			}
			yield(note{}, errState)
		}
	}, op.Public()).Spec()
	if s.NewCall != nil {
		t.Error("a stream has a call")
	}
	in, open := s.NewStream()
	in.(*byID).ID = "n1"
	var got []string
	for item, err := range open(t.Context()) {
		got = append(got, fmt.Sprintf("%s %d %v", item.(*note).ID, item.(*note).Version, err))
	}
	if want := "n1 0 <nil>, n1 1 <nil>, n1 2 <nil>,  0 note_wrong_state"; strings.Join(got, ", ") != want {
		t.Errorf("got %s", strings.Join(got, ", "))
	}
	for range open(t.Context()) {
		break
	}
	if ended != 2 {
		t.Errorf("%d of 2 sequences ended", ended)
	}
	if other, _ := s.NewStream(); other.(*byID).ID != "" {
		t.Error("two streams share their input")
	}
}

type service struct{}

func (*service) Get(context.Context, byID) (note, error) { return note{}, nil }
func (service) Put(context.Context, byID) (note, error)  { return note{}, nil }

type store[T any] struct{}

func (*store[T]) Get(context.Context, byID) (out T, err error) { return out, nil }

type getter interface {
	Get(ctx context.Context, in byID) (note, error)
}

func plain(context.Context, byID) (note, error) { return note{}, nil }

func TestTheFunctionsName(t *testing.T) {
	t.Parallel()
	s := &service{}
	for want, fn := range map[string]func(context.Context, byID) (note, error){
		"plain":                      plain,
		"answer":                     answer[byID, note],
		"service.Get":                s.Get,
		"service.Put":                s.Put,
		"store.Get":                  (&store[note]{}).Get,
		"getter.Get":                 getter(s).Get,
		"TestTheFunctionsName.func1": func(context.Context, byID) (note, error) { return note{}, nil },
	} {
		spec := op.Query("a", "GET /a", fn, op.Public()).Spec()
		if spec.Package != "github.com/ashlar-go/ashlar/op_test" || spec.Handler != want {
			t.Errorf("%s is named %s of %s", want, spec.Handler, spec.Package)
		}
	}
	stream := op.Stream("a", "GET /a", items[byID, note], op.Public()).Spec()
	if stream.Handler != "items" {
		t.Errorf("a stream's function is named %s", stream.Handler)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	const name = "github.com/ashlar-go/ashlar/op_test.service.Get"
	for text, want := range map[string][2]string{
		"":                                  {"", ""},
		"Get returns a note.":               {"Returns a note", ""},
		"Get returns a note.\n":             {"Returns a note", ""},
		"Get returns a note":                {"Returns a note", ""},
		"Get returns\na note. It is fresh.": {"Returns a note", "It is fresh."},
		"Get returns a note.\nIt is fresh.": {"Returns a note", "It is fresh."},
		"Get returns a note\n\nIt is fresh.\n\nVery.": {"Returns a note", "It is fresh.\n\nVery."},
		"Get returns v1.2 of it. Then more":           {"Returns v1.2 of it", "Then more"},
		"Returns a note.":                             {"Returns a note", ""},
		"Getting a note.":                             {"Getting a note", ""},
		"Get":                                         {"Get", ""},
		"Get.":                                        {"Get", ""},
		"Get énumère. Puis":                           {"Énumère", "Puis"},
		"Get 3 notes.":                                {"3 notes", ""},
	} {
		o := op.Query("a", "GET /a", (&service{}).Get, op.Public())
		docs := op.Docs{name: text, "github.com/ashlar-go/ashlar/op_test.note": "note is a note."}
		op.Explain([]op.Operation{o}, docs)
		s := o.Spec()
		if s.Summary != want[0] || s.Description != want[1] || len(s.Docs) != 2 {
			t.Errorf("%q explains %q and %q", text, s.Summary, s.Description)
		}
	}
	o := op.Query("a", "GET /a", plain, op.Public())
	op.Explain([]op.Operation{{}, o}, nil)
	if s := o.Spec(); s.Summary != "" || s.Description != "" {
		t.Errorf("nothing explains %q and %q", s.Summary, s.Description)
	}
}
