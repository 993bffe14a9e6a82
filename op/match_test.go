package op_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
)

func TestMatchesTag(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		header, tag  string
		strong, weak bool
	}{
		// RFC 9110, section 8.8.3.2: the table of comparisons.
		{`W/"1"`, "1", false, true},
		{`W/"1"`, "2", false, false},
		{`"1"`, "1", true, true},
		// Section 13.1.1 and 13.1.2: the examples.
		{`"xyzzy"`, "xyzzy", true, true},
		{`"xyzzy", "r2d2xxxx", "c3piozzzz"`, "c3piozzzz", true, true},
		{`W/"xyzzy", W/"r2d2xxxx", W/"c3piozzzz"`, "r2d2xxxx", false, true},
		{`*`, "anything", true, true},
		// Lists.
		{`"a","b"`, "b", true, true},
		{`"a" , "b"`, "b", true, true},
		{"\"a\",\t\"b\"", "b", true, true},
		{`, "a",, "b" ,`, "b", true, true}, // section 5.6.1: empty elements are ignored
		{`W/"a", "a"`, "a", true, true},
		{`"a", W/"b"`, "b", false, true},
		{` * `, "a", true, true},
		// What a tag may hold.
		{`""`, "", true, true},
		{`"a,b"`, "a,b", true, true},
		{`"a,b"`, "a", false, false},
		{`"W/"`, "W/", true, true},
		{`"\"`, `\`, true, true}, // a backslash escapes nothing
		{"\"\xe9\"", "\xe9", true, true},
		// What is no list of tags names nothing.
		{``, "", false, false},
		{`a`, "a", false, false},
		{`'a'`, "a", false, false},
		{`"a`, "a", false, false},
		{`a"`, "a", false, false},
		{`"`, "", false, false},
		{`w/"a"`, "a", false, false}, // case counts
		{`W/ "a"`, "a", false, false},
		{`W/`, "", false, false},
		{`W/*`, "a", false, false},
		{`"b", *`, "a", false, false}, // * stands alone
		{`"b" garbage "a"`, "a", false, false},
		{`"A"`, "a", false, false},
		{`"aa"`, "a", false, false},
	} {
		if got := op.MatchesTag(c.header, c.tag, false); got != c.strong {
			t.Errorf("If-Match: %s names %q: %v", c.header, c.tag, got)
		}
		if got := op.MatchesTag(c.header, c.tag, true); got != c.weak {
			t.Errorf("If-None-Match: %s names %q: %v", c.header, c.tag, got)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	current := tagged{Tag: "3"}
	for header, fresh := range map[string]bool{`"3"`: true, `"2", "3"`: true, "*": true, `"2"`: false, `W/"3"`: false, "3": false} {
		err := op.Match(op.WithMatch(t.Context(), header), current)
		if fresh && err != nil || !fresh && !errors.Is(err, fault.ErrStale) {
			t.Errorf("If-Match: %s gives %v", header, err)
		}
	}
	if err := op.Match(t.Context(), current); err != nil {
		t.Errorf("without the header: %v", err)
	}
}

func FuzzMatchesTag(f *testing.F) {
	f.Add(`"a", W/"b"`, "b")
	f.Add(`*`, "")
	f.Add(`W/"`, `"`)
	f.Fuzz(func(t *testing.T, header, tag string) {
		strong, weak := op.MatchesTag(header, tag, false), op.MatchesTag(header, tag, true)
		if strong && !weak {
			t.Errorf("%q matches %q strongly, not weakly", header, tag)
		}
		if strings.TrimSpace(header) != "*" && weak && !strings.Contains(header, `"`+tag+`"`) {
			t.Errorf("%q matches %q, which it does not hold", header, tag)
		}
		if !strings.Contains(tag, `"`) {
			if one := `"` + tag + `"`; !op.MatchesTag(one, tag, false) || op.MatchesTag("W/"+one, tag, false) || !op.MatchesTag("W/"+one, tag, true) {
				t.Errorf("%q does not match itself", tag)
			}
		}
	})
}
