package codec

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// MaxViolations is the greatest number of violations that one input reports.
const MaxViolations = 64

// maxSegment bounds what a pointer repeats of a submitted name, in bytes.
const maxSegment = 64

// maxDigits is how many digits a name may have to be repeated.
const maxDigits = 6

var (
	missing      = &fault.Violation{Code: "required", Detail: "must be present"}
	unknown      = &fault.Violation{Code: "unknown", Detail: "is not a member that is known here"}
	nullRefused  = &fault.Violation{Code: "null", Detail: "must not be null"}
	notThisType  = &fault.Violation{Code: "type", Detail: "must be of another type"}
	notThisForm  = &fault.Violation{Code: "format", Detail: "is not in the form that is read here"}
	notTime      = &fault.Violation{Code: "format", Detail: "must be a date and time of RFC 3339, such as 2006-01-02T15:04:05Z, of the years 0 to 9999 in UTC"}
	notBase64    = &fault.Violation{Code: "format", Detail: "must be base64 (RFC 4648, section 4) with padding"}
	notFloat     = &fault.Violation{Code: "out_of_range", Detail: "is too large a number"}
	notExact     = &fault.Violation{Code: "out_of_range", Detail: "must be between -9007199254740992 and 9007199254740992, or a text"}
	notUTF8      = &fault.Violation{Code: "encoding", Detail: "must be valid UTF-8"}
	givenTwice   = &fault.Violation{Code: "repeated", Detail: "must be given once"}
	typeMismatch = [...]*fault.Violation{ // by shape
		boolean: mistyped("true or false"),
		integer: mistyped("a whole number"),
		natural: mistyped("a whole number"),
		float:   mistyped("a number"),
		text:    mistyped("a text"),
		octets:  mistyped("a text in base64"),
		instant: mistyped("a text with a date and time"),
		list:    mistyped("a list"),
		mapping: mistyped("an object"),
		record:  mistyped("an object"),
	}
)

func mistyped(expected string) *fault.Violation {
	return &fault.Violation{Code: "type", Detail: "must be " + expected}
}

// violate notes a violation of the value at hand. Whoever reads the value that
// holds this one puts the pointer before it, see under.
func (r *Reading) violate(v rule.Violated) {
	if !r.full() {
		r.bad = append(r.bad, *v)
	}
}

func (r *Reading) violateAt(name string, v rule.Violated) {
	n := len(r.bad)
	r.violate(v)
	r.under(n, name)
}

// full reports that no more violations will be noted, so that the rest of the
// body need not be kept.
func (r *Reading) full() bool { return len(r.bad) >= MaxViolations }

// under puts a name before the pointers of the violations from the nth on.
func (r *Reading) under(n int, name string) {
	if n < len(r.bad) {
		prefix(r.bad[n:], Segment(name))
	}
}

// underItem does the same for the position in a list.
func (r *Reading) underItem(n, position int) {
	if n < len(r.bad) {
		prefix(r.bad[n:], "/"+strconv.Itoa(position))
	}
}

func prefix(bad fault.Violations, with string) {
	for i := range bad {
		bad[i].Pointer = with + bad[i].Pointer
	}
}

// Segment returns a name as part of a JSON Pointer (RFC 6901), cut to
// maxSegment bytes. A name with more digits than names have is most likely a
// value in the wrong place, such as a card number: the pointer then ends at
// what holds it.
func Segment(name string) string {
	digits := 0
	for i := range len(name) {
		if name[i]-'0' <= 9 {
			digits++
		}
	}
	if digits > maxDigits {
		return ""
	}
	if len(name) > maxSegment {
		n := maxSegment
		for !utf8.RuneStart(name[n]) {
			n--
		}
		name = name[:n]
	}
	return "/" + pointerEscapes.Replace(name) // never the name itself, which may alias the body
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")
