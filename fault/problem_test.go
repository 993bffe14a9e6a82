package fault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/fault"
)

func TestProblemDocuments(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err   error
		trace string
		want  string
	}{
		"a constant": {
			errNotFound, "",
			`{"type":"/problems/payment-not-found","title":"Payment not found","status":404,"code":"payment_not_found"}`,
		},
		"a detail and members": {
			errDeclined.Because("Insufficient %s.", "funds").With("decline_code", "insufficient_funds").With("retry", false), "4bf9",
			`{"type":"/problems/payment-declined","title":"Payment declined","status":402,"code":"payment_declined",` +
				`"detail":"Insufficient funds.","trace_id":"4bf9","decline_code":"insufficient_funds","retry":false}`,
		},
		"one violation": {
			fault.At("/a~1b", "required", "is required"), "",
			`{"type":"/problems/invalid","title":"Invalid","status":422,"code":"invalid","detail":"The input breaks a rule.",` +
				`"errors":[{"pointer":"/a~1b","code":"required","detail":"is required"}]}`,
		},
		"two violations": {
			fault.At("", "odd", "is odd").And("/b", "even", "is even"), "",
			`{"type":"/problems/invalid","title":"Invalid","status":422,"code":"invalid","detail":"The input breaks 2 rules.",` +
				`"errors":[{"pointer":"","code":"odd","detail":"is odd"},{"pointer":"/b","code":"even","detail":"is even"}]}`,
		},
		"no violation": {
			fault.Violations{},
			"",
			`{"type":"/problems/invalid","title":"Invalid","status":422,"code":"invalid"}`,
		},
		"no fault": {
			io.EOF, "4bf9",
			`{"type":"/problems/internal","title":"Internal","status":500,"code":"internal",` +
				`"detail":"Something failed on our side. Quote the trace id when you ask about it.","trace_id":"4bf9"}`,
		},
		"texts that need an escape": {
			errState.Because(`"quoted" \ %s`, "\x00\n\xff"), "",
			`{"type":"/problems/payment-wrong-state","title":"Payment wrong state","status":409,"code":"payment_wrong_state",` +
				`"detail":"\"quoted\" \\ \u0000\n\ufffd"}`,
		},
		"a member's name that needs one": {
			errState.With(`a"b`, nil), "",
			`{"type":"/problems/payment-wrong-state","title":"Payment wrong state","status":409,"code":"payment_wrong_state","a\"b":null}`,
		},
	} {
		got, err := json.Marshal(fault.ProblemOf(c.err, c.trace))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s %v\nwant %s", name, got, err, c.want)
		}
	}
}

func TestMembersThatADocumentCannotHave(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"type", "title", "status", "detail", "instance", "code", "trace_id", "errors"} {
		if _, err := (fault.Problem{Status: 409, Code: "x", Members: []fault.Member{{Name: name, Value: 1}}}).MarshalJSON(); err == nil {
			t.Errorf("a member took the name %s", name)
		}
		for _, with := range []func(string, any) *fault.Error{errState.With, errState.Because("Why.").With} {
			if said := panicOf(func() { with(name, 1) }); !strings.Contains(said, `payment_wrong_state has a member named "`+name+`"`) {
				t.Errorf("With(%q) panics with %q", name, said)
			}
		}
	}
	for name, members := range map[string][]fault.Member{
		"a channel":    {{Name: "a", Value: make(chan int)}},
		"a name twice": {{Name: "a", Value: 1}, {Name: "b", Value: 1}, {Name: "a", Value: 1}},
		"a failure":    {{Name: "a", Value: failing{}}},
	} {
		if b, err := (fault.Problem{Status: 409, Code: "x", Members: members}).MarshalJSON(); err == nil {
			t.Errorf("%s was encoded: %s", name, b)
		}
	}
	if _, err := fault.ProblemOf(errState.With("Type", 1), "").MarshalJSON(); err != nil {
		t.Errorf("names are told apart by case: %v", err)
	}
}

func panicOf(f func()) (said string) {
	defer func() { said = fmt.Sprint(recover()) }()
	f()
	return ""
}

type failing struct{}

func (failing) MarshalJSON() ([]byte, error) { return nil, errors.New("no") }

func TestTitle(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"card_declined": "Card declined", "x": "X", "Done": "Done", "3ds_failed": "3ds failed", "état": "état", "": "Conflict",
	} {
		if got := (fault.Problem{Status: 409, Code: code}).Title(); got != want {
			t.Errorf("the title of %q is %q, want %q", code, got, want)
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	if err := fault.Write(w, fault.ProblemOf(errState, "")); err != nil {
		t.Fatal(err)
	}
	if w.Code != 409 || w.Header().Get("Content-Type") != fault.MediaType || w.Header().Get("Content-Length") != strconv.Itoa(w.Body.Len()) || !json.Valid(w.Body.Bytes()) {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	// The shared header value must not be written through.
	w.Header().Add("Content-Type", "text/plain")
	second := httptest.NewRecorder()
	_ = fault.Write(second, fault.ProblemOf(errState, ""))
	if got := second.Header()["Content-Type"]; len(got) != 1 {
		t.Errorf("Content-Type is %v", got)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a second":                  {errState.After(time.Second), "1"},
		"less":                      {errState.After(1), "1"},
		"a part counts whole":       {errState.After(time.Second + 1), "2"},
		"the longest":               {errState.After(math.MaxInt64), "9223372037"},
		"of an error":               {errState.Because("Why.").After(time.Minute).With("a", 1).Wrap(io.EOF), "60"},
		"the last word":             {errState.After(time.Hour).After(time.Minute), "60"},
		"wrapped":                   {fmt.Errorf("ask: %w", fault.ErrLimited.After(7*time.Second)), "7"},
		"no time at all":            {errState.After(0), ""},
		"the past":                  {errState.After(-time.Second), ""},
		"nothing said":              {errState, ""},
		"nothing said of a limit":   {fault.ErrLimited, "1"},
		"nothing said of a service": {fault.ErrUnavailable.Wrap(io.EOF), "1"},
		"a service says":            {fault.ErrUnavailable.After(30 * time.Second), "30"},
		"a limit without end":       {fault.ErrLimited.After(-1), "1"},
		"a time-out":                {context.DeadlineExceeded, ""},
		"a cause's":                 {errState.Wrap(fault.ErrLimited.After(time.Hour)), ""},
	} {
		w := httptest.NewRecorder()
		if err := fault.Write(w, fault.ProblemOf(c.err, "")); err != nil {
			t.Error(err)
		}
		if got := strings.Join(w.Header()["Retry-After"], "|"); got != c.want || strings.Contains(w.Body.String(), "fter") {
			t.Errorf("%s: Retry-After is %q, want %q: %s", name, got, c.want, w.Body)
		}
	}
	shared := fault.ErrLimited.After(time.Second)
	if _ = shared.After(time.Hour); fault.ProblemOf(shared, "").RetryAfter != time.Second {
		t.Error("After changed the error that it was called on")
	}
}

func TestWriteWithoutTheMembersThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	err := fault.Write(w, fault.ProblemOf(errState.Because("Why.").With("good", 1).With("bad", func() {}), ""))
	if err == nil || !strings.Contains(err.Error(), `"bad"`) {
		t.Errorf("the log gets %v", err)
	}
	want := `{"type":"/problems/payment-wrong-state","title":"Payment wrong state","status":409,"code":"payment_wrong_state","detail":"Why."}`
	if w.Code != 409 || w.Body.String() != want {
		t.Errorf("the caller gets %d %s", w.Code, w.Body)
	}
}

func TestWriteToAClientThatIsGone(t *testing.T) {
	t.Parallel()
	if err := fault.Write(gone{httptest.NewRecorder()}, fault.ProblemOf(errState, "")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

type gone struct{ http.ResponseWriter }

func (gone) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

var kept error

func TestConstantsNeedNoAllocation(t *testing.T) {
	refuse := func() error { return errNotFound }
	if n := testing.AllocsPerRun(100, func() {
		kept = refuse()
		if !errors.Is(kept, errNotFound) {
			t.Fatal("not itself")
		}
		if c, ok := fault.Of(kept); !ok || c.Status() != 404 {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Errorf("a constant costs %v allocations", n)
	}
}
