package live

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/fault"
)

// FuzzMessage: whatever a caller sends is a message that encoding/json reads
// alike, or a fault that says nothing of it.
func FuzzMessage(f *testing.F) {
	for _, text := range []string{
		`{"type":"token","token":"secret"}`,
		`{"type":"subscribe","id":"1","op":"a.b","input":{"a":[1,{"b":null}]},"after":"x"}`,
		`{"type":"unsubscribe","id":"\u00e9"}`,
		`{"type":"call","id":"1","op":"a","input":null,"key":"k","match":"*"}`,
		`{"type":"call","type":"call","id":"1"}`,
		`[]`, `{`, `nul`, "\xff",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parse([]byte(text))
		if err != nil {
			p := fault.ProblemOf(err, "")
			if p.Status != http.StatusBadRequest && p.Status != http.StatusUnprocessableEntity {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		var twin message
		if err := json.Unmarshal([]byte(text), &twin); err != nil {
			t.Fatalf("%q is a message, and to encoding/json %v", text, err)
		}
		if string(twin.Input) == "null" {
			twin.Input = nil
		}
		if m.Type != twin.Type || m.ID != twin.ID || m.Operation != twin.Operation || m.After != twin.After || m.Key != twin.Key ||
			m.Match != twin.Match || m.Token != twin.Token || string(m.Input) != string(twin.Input) {
			t.Fatalf("%q: %+v, and to encoding/json %+v", text, m, twin)
		}
		if (m.Type == toAuthenticate) == (m.ID != "") || len(m.ID) > 64 || len(m.After) > maxID {
			t.Fatalf("%q: %+v", text, m)
		}
		for _, b := range [][]byte{appendOpen(nil, m.ID), appendItem(nil, m.ID, []byte(`{"data":1}`)), final(m.ID, "end", []byte(`{}`)), appendAnswer(nil, m.ID, 200, nil, nil)} {
			var back struct{ ID string }
			if err := json.Unmarshal(b, &back); err != nil || back.ID != m.ID {
				t.Fatalf("%q is answered with %q: %v", text, b, err)
			}
		}
	})
}

// FuzzLastEventID: what comes in the header reaches the input as it is, or is
// refused; the rest of the query stays.
func FuzzLastEventID(f *testing.F) {
	f.Add("evt_1", "after=old&x=1")
	f.Add("a&b=c%20+", "%61fter=1&&after")
	f.Add("é\t", "x=%")
	f.Fuzz(func(t *testing.T, id, query string) {
		last, err := lastEventID(http.Header{"Last-Event-Id": {id}})
		if err != nil {
			if f, ok := fault.Of(err); !ok || f.Status() != http.StatusBadRequest || strings.Contains(err.Error(), id) && len(id) > 40 {
				t.Fatalf("%q: %v", id, err)
			}
			return
		}
		if last != id || !utf8.ValidString(last) || len(last) > maxID || strings.ContainsAny(last, "\r\n\x00") {
			t.Fatalf("%q became %q", id, last)
		}
		before, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		after, err := url.ParseQuery(replaced(query, "after", last))
		if err != nil || len(after["after"]) != 1 || after["after"][0] != last {
			t.Fatalf("%q in %q: %v, %v", id, query, after, err)
		}
		delete(before, "after")
		delete(after, "after")
		if before.Encode() != after.Encode() {
			t.Fatalf("%q in %q: %v became %v", id, query, before, after)
		}
	})
}

func TestBucket(t *testing.T) {
	t.Parallel()
	at := time.Unix(1000, 0)
	b := bucket{per: 5, level: 10, at: at}
	take := func(after time.Duration) (n int) {
		at = at.Add(after)
		for b.take(at) {
			n++
		}
		return n
	}
	for i, c := range []struct {
		after time.Duration
		want  int
	}{{0, 10}, {0, 0}, {time.Second, 5}, {200 * time.Millisecond, 1}, {time.Hour, 10}} {
		if got := take(c.after); got != c.want {
			t.Errorf("%d: %d messages, want %d", i, got, c.want)
		}
	}
}

var errAny = errors.New("any")

// Every end has a code that may stand on the wire, and a reason that fits.
func TestCloseCodes(t *testing.T) {
	t.Parallel()
	for reason := range Reasons {
		for _, err := range []error{errAny, fault.ErrToken, fault.ErrDenied, fault.ErrNotFound, fault.ErrLimited} {
			e := &ending{reason: reason, err: err, broken: &violation{1002, "protocol error"}}
			if c := int(e.closeCode()); c < 1000 || c == 1005 || c == 1006 || c > 4999 || len(e.code()) > 123 || e.code() == "" {
				t.Errorf("%s of %v closes with %d %q", reason, err, c, e.code())
			}
		}
	}
	if Reasons.String() != "unknown" {
		t.Error("a reason that is none has a name")
	}
}
