package op_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

const (
	read  access.Permission = "notes:read"
	write access.Permission = "notes:write"

	errNoNote fault.NotFound = "note_not_found"
	errState  fault.Conflict = "note_wrong_state"
)

type (
	note struct {
		ID      string    `json:"id"`
		Text    string    `json:"text"`
		Version int       `json:"version"`
		Pinned  *string   `json:"pinned"`
		At      time.Time `json:"at"`
	}
	byID struct {
		ID string `json:"id"`
	}
	tagged    struct{ ID, Tag string }
	tagged2   struct{ ID string }
	point     struct{ X, Y int }
	shapes    struct{ Point point }
	manyKinds struct {
		Point    point             `json:"point"`
		Points   []point           `json:"points"`
		Map      map[string]string `json:"map"`
		Pointer  *string           `json:"pointer"`
		Optional rule.Optional[string]
		List     []string  `json:"list"`
		Bytes    []byte    `json:"bytes"`
		Any      any       `json:"any"`
		Own      ownText   `json:"own"`
		Time     time.Time `json:"time"`
		Float    float64   `json:"float"`
		Bool     bool      `json:"bool"`
	}
	ownText  struct{ s string }
	ownJSON  struct{}
	fickle   struct{ A, B int }
	badRule  struct{ A string }
	twoNames struct {
		byID
		Other string `json:"id"`
	}
)

func (t tagged) ETag() string                   { return t.Tag }
func (t *tagged2) ETag() string                 { return t.ID }
func (o *ownText) UnmarshalText(b []byte) error { o.s = string(b); return nil }
func (o ownText) MarshalText() ([]byte, error)  { return []byte(o.s), nil }
func (ownJSON) UnmarshalJSON([]byte) error      { return nil }
func (in *badRule) Rules(r *rule.Set)           { rule.Text(r, &in.A).Match("(") }
func (in *fickle) Rules(r *rule.Set) {
	if in.A > 0 {
		rule.Number(r, &in.B).Min(1)
	}
}

func answer[In, Out any](context.Context, In) (out Out, err error) { return out, nil }

func items[In, Out any](context.Context, In) iter.Seq2[Out, error] {
	return func(func(Out, error) bool) {}
}

// here is the place in the test that calls it, as a mistake names it.
func here() string {
	return placeOf(2, 0)
}

// placeOf is the place that many callers up and that many lines on.
func placeOf(callers, lines int) string {
	_, file, line, _ := runtime.Caller(callers)
	return fmt.Sprintf("op/%s:%d", path.Base(file), line+lines)
}

// A mistaken operation, with the place of its declaration and what Check must
// say about it, and nothing else.
type mistaken struct {
	what  string
	o     op.Operation
	place string
	want  []string
}

func mistakes() []mistaken {
	var (
		fn     = answer[byID, note]
		public = op.Public()
		noFunc func(context.Context, byID) (note, error)
		noSeq  func(context.Context, byID) iter.Seq2[note, error]
	)
	return []mistaken{
		// Who may call.
		{"a query without access", op.Query("a.a", "GET /a", fn), here(), []string{"does not say who may call it"}},
		{"a command without access", op.Command("a.b", "POST /a", fn), here(), []string{"does not say who may call it"}},
		{"a stream without access", op.Stream("a.c", "GET /c", items[byID, note]), here(), []string{"does not say who may call it"}},
		{"access twice", op.Query("a.d", "GET /d", fn, public, op.Allow(read)), here(), []string{"says twice who may call it"}},
		{"access twice, joined", op.Query("a.e", "GET /e", fn, op.Options(public, op.Authenticated())), here(), []string{"says twice who may call it"}},
		{"no permission", op.Query("a.f", "GET /f", fn, op.Allow()), here(), []string{"names no permission"}},
		{"an empty permission", op.Query("a.g", "GET /g", fn, op.Allow(read, "")), here(), []string{"a permission without a name"}},

		// Files.
		{"media of no file", op.Query("files.a", "GET /files/a", fn, public, op.Media("text/csv")), here(), []string{"the answer is none"}},
		{"media of a stream", op.Stream("files.b", "GET /files/b", items[byID, note], public, op.Media("text/csv")), here(), []string{"the answer is none"}},
		{"no media", op.Query("files.c", "GET /files/c", answer[byID, op.File], public, op.Media()), here(), []string{"names no type"}},
		{"media with a parameter", op.Query("files.d", "GET /files/d", answer[byID, op.File], public, op.Media("text/csv; charset=utf-8")), here(), []string{`not of the form "text/csv"`}},
		{"any media", op.Query("files.e", "GET /files/e", answer[byID, op.File], public, op.Media("*/*")), here(), []string{`not of the form "text/csv"`}},
		{"media in capitals", op.Query("files.f", "GET /files/f", answer[byID, op.File], public, op.Media("Text/CSV")), here(), []string{`not of the form "text/csv"`}},

		// The name and the function.
		{"no name", op.Query("", "GET /n1", fn, public), here(), []string{`name "" is not of the form`}},
		{"a name with capitals", op.Query("Notes.get", "GET /n2", fn, public), here(), []string{`name "Notes.get" is not of the form`}},
		{"a name that ends in a dot", op.Query("notes.", "GET /n3", fn, public), here(), []string{`name "notes." is not of the form`}},
		{"a name with a newline", op.Query("notes.get\n", "GET /n4", fn, public), here(), []string{`name "notes.get\n" is not of the form`}},
		{"no function", op.Query("b.a", "GET /b", noFunc, public), here(), []string{"has no function"}},
		{"no function of a command", op.Command("b.b", "POST /b", noFunc, public), here(), []string{"has no function"}},
		{"no sequence", op.Stream("b.c", "GET /bc", noSeq, public), here(), []string{"has no function"}},

		// The route.
		{"no method", op.Query("c.a", "/c", fn, public), here(), []string{`route "/c" is not of the form "METHOD /path"`}},
		{"no path", op.Query("c.b", "GET", fn, public), here(), []string{`route "GET" is not of the form`}},
		{"a relative path", op.Query("c.c", "GET c", fn, public), here(), []string{`route "GET c" is not of the form`}},
		{"two spaces", op.Query("c.d", "GET  /c", fn, public), here(), []string{`route "GET  /c" is not of the form`}},
		{"a host", op.Query("c.e", "GET example.com/c", fn, public), here(), []string{`is not of the form`}},
		{"a query that posts", op.Query("c.f", "POST /c", fn, public), here(), []string{`a query cannot have method "POST"; use GET`}},
		{"a command that gets", op.Command("c.g", "GET /c", fn, public), here(), []string{`a command cannot have method "GET"; use POST, PUT, PATCH, DELETE`}},
		{"a stream that posts", op.Stream("c.h", "POST /c", items[byID, note], public), here(), []string{`a stream cannot have method "POST"; use GET`}},
		{"a method in small letters", op.Query("c.i", "get /c", fn, public), here(), []string{`cannot have method "get"`}},
		{"an unclean path", op.Query("c.j", "GET /c/../d", fn, public), here(), []string{"path /c/../d: non-CONNECT pattern with unclean path can never match"}},
		{"an empty segment", op.Query("c.k", "GET //c", fn, public), here(), []string{"unclean path"}},
		{"a trailing slash", op.Query("c.l", "GET /c/", fn, public), here(), []string{"ends in a slash"}},
		{"a query string", op.Query("c.m", "GET /c?x=1", fn, public), here(), []string{`path "/c?x=1" holds a character that needs an escape`}},
		{"a space", op.Query("c.n", "GET /c d", fn, public), here(), []string{"needs an escape"}},
		{"a letter that needs an escape", op.Query("c.o", "GET /é", fn, public), here(), []string{"needs an escape"}},
		{"an open brace", op.Query("c.p", "GET /{id", fn, public), here(), []string{"bad wildcard segment (must end with '}')"}},
		{"text before a field", op.Query("c.q", "GET /x{id}", fn, public), here(), []string{"bad wildcard segment (must start with '{')"}},

		// What the path names.
		{"an unknown field", op.Query("d.a", "GET /d/{nope}", fn, public), here(), []string{"names {nope}, which the input op_test.byID has no field for"}},
		{"the Go name of a field", op.Query("d.b", "GET /d/{ID}/b", fn, public), here(), []string{"names {ID}, which the input"}},
		{"a field twice", op.Query("d.c", "GET /d/{id}/{id}", fn, public), here(), []string{"names {id} twice"}},
		{"the rest of the path", op.Query("d.d", "GET /dd/{id...}", fn, public), here(), []string{"{id...} is not supported"}},
		{"the end of the path", op.Query("d.e", "GET /de/{$}", fn, public), here(), []string{"{$} is not supported"}},
		{"an object", op.Command("d.f", "PUT /d/{point}/f", answer[manyKinds, note], public), here(), []string{"path field {point} is a op_test.point"}},
		{"a list", op.Command("d.g", "PUT /d/{list}/g", answer[manyKinds, note], public), here(), []string{"path field {list} is a []string"}},
		{"a map", op.Command("d.h", "PUT /d/{map}/h", answer[manyKinds, note], public), here(), []string{"path field {map} is a map[string]string"}},
		{"a pointer", op.Command("d.i", "PUT /d/{pointer}/i", answer[manyKinds, note], public), here(), []string{"path field {pointer} is a string; only plain"}},
		{"an optional", op.Command("d.j", "PUT /d/{Optional}/j", answer[manyKinds, note], public), here(), []string{"path field {Optional} is a string; only plain"}},
		{"bytes", op.Command("d.k", "PUT /d/{bytes}/k", answer[manyKinds, note], public), here(), []string{"path field {bytes} is a []uint8"}},
		{"anything", op.Command("d.l", "PUT /d/{any}/l", answer[manyKinds, note], public), here(), []string{"path field {any} is a interface {}"}},
		{"a field of no input", op.Query("d.m", "GET /d/{id}/m", answer[struct{}, note], public), here(), []string{"names {id}, which the input struct {} has no field for"}},

		// The input and the answer.
		{"an object in a query", op.Query("e.a", "GET /ea", answer[shapes, note], public), here(), []string{"field Point is a op_test.point, which a query string cannot hold"}},
		{"an object in a stream's query", op.Stream("e.b", "GET /eb", items[shapes, note], public), here(), []string{"field Point is a op_test.point"}},
		{"a text for an input", op.Query("e.c", "GET /ec", answer[string, note], public), here(), []string{"input string is not a struct"}},
		{"a pointer for an input", op.Query("e.d", "GET /ed", answer[*byID, note], public), here(), []string{"input *op_test.byID is not a struct"}},
		{"an input that reads itself", op.Command("e.e", "POST /ee", answer[ownJSON, note], public), here(), []string{"input op_test.ownJSON reads its JSON itself"}},
		{"a pointer for an answer", op.Query("e.f", "GET /ef", answer[byID, *note], public), here(), []string{"answer *op_test.note is a pointer, which could be nil; answer with op_test.note"}},
		{"an answer that is no JSON", op.Query("e.g", "GET /eg", answer[byID, chan int], public), here(), []string{"answer: chan int cannot be sent as JSON"}},
		{"a rule that depends on a value", op.Command("e.h", "POST /eh", answer[fickle, note], public), here(), []string{"input: op_test.fickle"}},
		{"a pattern that is none", op.Command("e.i", "POST /ei", answer[badRule, note], public), here(), []string{"input: op_test.badRule"}},
		{"two members of one name", op.Command("e.j", "POST /ej", answer[twoNames, note], public), here(), []string{`fields ID and Other are both named "id"`}},

		// The options.
		{"a location with an unknown field", op.Command("f.a", "POST /fa", fn, public, op.Created("/f/{nope}")), here(), []string{"Location /f/{nope} names {nope}, which is no text or whole number that the answer op_test.note always has"}},
		{"a location with a pointer", op.Command("f.b", "POST /fb", fn, public, op.Created("/f/{pinned}")), here(), []string{"names {pinned}"}},
		{"a location with a time", op.Command("f.c", "POST /fc", fn, public, op.Accepted("/f/{at}")), here(), []string{"names {at}"}},
		{"a location with an open brace", op.Command("f.d", "POST /fd", fn, public, op.Created("/f/{id")), here(), []string{`Location "/f/{id" is not of the form`}},
		{"a relative location", op.Command("f.e", "POST /fe", fn, public, op.Created("f/{id}")), here(), []string{`Location "f/{id}" is not of the form`}},
		{"a location of nothing", op.Command("f.f", "POST /ff", answer[byID, []note], public, op.Created("/f/{id}")), here(), []string{"needs an answer with fields"}},
		{"created, but nothing to show", op.Command("f.g", "POST /fg", answer[byID, struct{}], public, op.Created("")), here(), []string{"answers 201 without a body"}},
		{"keys kept too shortly", op.Command("f.h", "POST /fh", fn, op.Authenticated(), op.Idempotent(time.Minute-1)), here(), []string{"at least a minute"}},
		{"keys of nobody", op.Command("f.i", "POST /fi", fn, public, op.Idempotent(time.Hour)), here(), []string{"cannot be Public"}},
		{"keys of files", op.Command("f.j", "POST /fj", answer[byID, op.File], op.Authenticated(), op.Idempotent(time.Hour)), here(), []string{"cannot keep a File"}},
		{"a match without a version", op.Command("f.k", "POST /fk", fn, public, op.IfMatch()), here(), []string{"IfMatch needs an answer with an ETag() string method"}},
		{"no rank", op.Query("f.rank", "GET /frank", fn, public, op.Priority(op.Unranked)), here(), []string{"Priority takes one of"}},
		{"nobody at a time", op.Query("f.seats", "GET /fseats", fn, public, op.Concurrency(0)), here(), []string{"Concurrency(0) lets nobody in"}},
		{"no time", op.Query("f.l", "GET /fl", fn, public, op.Timeout(0)), here(), []string{"Timeout(0s) leaves no time"}},
		{"a cache in the past", op.Query("f.m", "GET /fm", fn, public, op.Cache(-1)), here(), []string{"Cache(-1ns) is in the past"}},
		{"no room", op.Command("f.n", "POST /fn", fn, public, op.MaxBody(0)), here(), []string{"MaxBody(0) leaves no room"}},
		{"gone before it was deprecated", op.Query("f.o", "GET /fo", fn, public, op.Deprecated(time.Unix(2, 0), time.Unix(1, 0))), here(), []string{"the sunset is before the deprecation"}},
		{"deprecated at no time", op.Query("f.p", "GET /fp", fn, public, op.Deprecated(time.Time{}, time.Time{})), here(), []string{"does not say since when"}},
		{"a nil fault", op.Query("f.q", "GET /fq", fn, public, op.Fails(errNoNote, nil)), here(), []string{"Fails lists nil"}},

		// More than one at once.
		{"everything", op.Command("G", "GET /g/{nope}", answer[byID, struct{}], op.Created("/{a}"), op.MaxBody(-1), op.Timeout(-1)), here(), []string{
			"MaxBody(-1)", "Timeout(-1ns)", `name "G"`, "does not say who", `cannot have method "GET"`, "names {nope}", "names {a}", "answers 201 without a body",
		}},
	}
}

func TestCheckReportsEachMistake(t *testing.T) {
	t.Parallel()
	for _, c := range mistakes() {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			holdMistakes(t, op.Check([]op.Operation{c.o}), c)
		})
	}
}

// TestCheckReportsAllMistakesTogether checks the whole list in one call: none
// hides another, and the places are those of the declarations.
func TestCheckReportsAllMistakesTogether(t *testing.T) {
	t.Parallel()
	var operations []op.Operation
	byPlace := map[string]mistaken{}
	for _, c := range mistakes() {
		operations = append(operations, c.o)
		byPlace[c.place] = c
	}
	err := op.Check(operations)
	for place, c := range byPlace {
		var own []error
		for _, one := range parts(err) {
			if m, ok := errors.AsType[op.Mistake](one); ok && m.Source == place {
				own = append(own, one)
			}
		}
		holdMistakes(t, errors.Join(own...), c)
	}
	if got, want := len(parts(err)), len(mistakes())+7; got != want {
		t.Errorf("%d mistakes were reported, not %d", got, want)
	}
}

func holdMistakes(t *testing.T, err error, c mistaken) {
	t.Helper()
	found := parts(err)
	if len(found) != len(c.want) {
		t.Errorf("%s: %d mistakes were reported, not %d: %v", c.what, len(found), len(c.want), err)
	}
	for _, one := range found {
		if !strings.HasPrefix(one.Error(), c.place+": ") {
			t.Errorf("%s: declared at %s, reported as %v", c.what, c.place, one)
		}
		if !slices.ContainsFunc(c.want, func(want string) bool { return strings.Contains(one.Error(), want) }) {
			t.Errorf("%s: reported as %v", c.what, one)
		}
	}
	for _, want := range c.want {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: nothing says %q: %v", c.what, want, err)
		}
	}
}

func parts(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return nil
}

func TestADeclarationOverSeveralLinesIsNamedByItsFirst(t *testing.T) {
	t.Parallel()
	place := placeOf(1, 1)
	o := op.Query("notes.get",
		"GET /notes/{id}",
		answer[byID, note],
		op.Public(),
	)
	if got := o.Spec().Source; got != place {
		t.Errorf("declared at %s, named as %s", place, got)
	}
}

func TestOperationsThatDoNotGoTogether(t *testing.T) {
	t.Parallel()
	first := op.Query("notes.get", "GET /notes/{id}", answer[byID, note], op.Public())
	firstAt := placeOf(1, -1)
	same := op.Query("notes.get", "GET /other", answer[byID, note], op.Public())
	route := op.Query("notes.find", "GET /notes/{text}", answer[note2, note], op.Public())
	routeAt := placeOf(1, -1)
	crossing := op.Query("latest.get", "GET /{id}/latest", answer[byID, note], op.Public())
	method := op.Command("notes.put", "PUT /notes/{id}", answer[byID, note], op.Public())
	special := op.Query("notes.mine", "GET /notes/mine", answer[byID, note], op.Public())
	for what, c := range map[string]struct {
		with op.Operation
		want []string
	}{
		"the same name":       {same, []string{"the name is already taken by the operation at " + firstAt}},
		"the same route":      {route, []string{routeAt + ": notes.find: route GET /notes/{text} conflicts with that of notes.get at " + firstAt, "matches the same requests"}},
		"routes that cross":   {crossing, []string{"route GET /{id}/latest conflicts with that of notes.get at " + firstAt, "both match"}},
		"another method":      {method, nil},
		"a more special path": {special, nil},
		"the zero Operation":  {op.Operation{}, []string{"the zero Operation"}},
		"one operation twice": {first, []string{"the name is already taken", "conflicts with that of notes.get"}},
	} {
		err := op.Check([]op.Operation{first, c.with})
		if (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", what, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: nothing says %q: %v", what, want, err)
			}
		}
	}
	if err := op.Check(nil); err != nil {
		t.Errorf("no operation is mistaken: %v", err)
	}
}

type note2 struct {
	Text string `json:"text"`
}

func TestDeclarationsThatAreRight(t *testing.T) {
	t.Parallel()
	if err := op.Check([]op.Operation{
		op.Query("a", "GET /", answer[struct{}, note], op.Public()),
		op.Query("a1.b_2.c", "GET /a/{own}/{time}/{float}/{bool}", answer[texts, note], op.Public()),
		op.Query("b", "GET /b", answer[lists, []note], op.Authenticated(), op.Cache(0)),
		op.Command("c", "DELETE /c", answer[manyKinds, struct{}], op.Allow(read, write)),
		op.Command("d", "PATCH /d/{id}", answer[byID, tagged], op.Authenticated(), op.RequireIfMatch(), op.Idempotent(time.Minute)),
		op.Command("e", "PUT /e/{id}", answer[byID, tagged2], op.Authenticated(), op.IfMatch(), op.Created("/e/{ID}?full")),
		op.Command("f", "POST /f", answer[byID, located], op.Public(), op.Accepted("/f/{own}/{n}")),
		op.Query("g", "GET /g.csv", answer[byID, op.File], op.Public()),
		op.Stream("h", "GET /h/{id}", items[byID, note], op.Public(), op.Timeout(time.Hour)),
		op.Query("i", "GET /i", answer[struct{}, any], op.Public(), op.Deprecated(time.Unix(1, 0), time.Time{})),
	}); err != nil {
		t.Error(err)
	}
}

type (
	texts struct {
		Own   ownText   `json:"own"`
		Time  time.Time `json:"time"`
		Float float64   `json:"float"`
		Bool  bool      `json:"bool"`
	}
	lists struct {
		Words  []string  `json:"words"`
		Own    []ownText `json:"own"`
		Maybe  *int      `json:"maybe"`
		Cursor op.Cursor `json:"cursor,omitzero"`
	}
	located struct {
		Own ownText `json:"own"`
		N   uint8   `json:"n"`
	}
)

func TestAnOperationExplainsWhatDerivesFromIt(t *testing.T) {
	t.Parallel()
	o, place := op.Query("notes.get", "GET /notes/{id}", answer[byID, note], op.Public()), here()
	cause := errors.New("no room")
	err := o.Mistakef("cannot be drawn: %w", cause)
	if err.Error() != place+": notes.get: cannot be drawn: no room" || !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}
