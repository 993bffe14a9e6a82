package rule

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
)

// A Set records the rules of one type while its Rules method runs. Functions
// of this package add to it; it has no use after the method returned.
type Set struct {
	of    reflect.Type
	slots map[slot]*Type
	seen  []*Type
	errs  []error
}

// slot finds a field by its address. The type is part of the key because a
// struct and its first field share one.
type slot struct {
	at uintptr
	of reflect.Type
}

// Ruled is what types implement to have rules.
type Ruled interface{ Rules(r *Set) }

// Validator is what types implement for truths about several fields. It runs
// last, only if every rule held. To name fields it returns
// [fault.Violations]; another error becomes a violation of the whole value
// with the error's text.
type Validator interface{ Validate() error }

// field returns the type that p's rules change: one of a kind listed.
func field[T any](r *Set, p *T, rule string, kinds ...Kind) *Type {
	t := reflect.TypeFor[T]()
	nowhere := &Type{Go: t}
	if p == nil {
		r.fail("%s names a nil pointer of type *%s", rule, t)
		return nowhere
	}
	ft, ok := r.slots[slot{reflect.ValueOf(p).Pointer(), t}]
	switch {
	case !ok:
		r.fail("%s names a %s that is not a field of %s; give the field's own type a Rules method", rule, t, r.of)
		return nowhere
	case ft.Kind == Any:
		r.fail("%s names a %s, which reads its JSON itself; it must check itself there", rule, t)
		return nowhere
	case !slices.Contains(kinds, ft.Kind):
		r.fail("%s is no rule for a %s", rule, ft.Kind)
		return nowhere
	}
	if !slices.Contains(r.seen, ft) {
		r.seen = append(r.seen, ft)
	}
	return ft
}

func (r *Set) fail(format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf(format, args...))
}

// Numeric is any type of numbers.
type Numeric interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 |
		~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 |
		~float32 | ~float64
}

// NumberRules are the rules of a number. Make them with [Number].
type NumberRules[N Numeric] struct {
	r *Set
	t *Type
}

// Number starts the rules of a number.
func Number[N Numeric](r *Set, p *N) NumberRules[N] {
	return NumberRules[N]{r, field(r, p, "Number", Int, Uint, Float)}
}

// Between accepts least … most, both included.
func (n NumberRules[N]) Between(least, most N) NumberRules[N] {
	return n.Min(least).Max(most)
}

// Min accepts least and everything above.
func (n NumberRules[N]) Min(least N) NumberRules[N] {
	l := &n.t.Number
	l.HasMin = n.bound("Min", least, &l.MinInt, &l.MinUint, &l.MinFloat)
	return n
}

// Max accepts most and everything below.
func (n NumberRules[N]) Max(most N) NumberRules[N] {
	l := &n.t.Number
	l.HasMax = n.bound("Max", most, &l.MaxInt, &l.MaxUint, &l.MaxFloat)
	return n
}

// bound stores a bound where the kind of number is looked for.
func (n NumberRules[N]) bound(rule string, to N, i *int64, u *uint64, f *float64) bool {
	switch n.t.Kind {
	case Int:
		*i = int64(to)
	case Uint:
		*u = uint64(to)
	case Float:
		*f = float64(to)
		if math.IsNaN(*f) || math.IsInf(*f, 0) {
			n.r.fail("%s(%v) is no bound", rule, to)
			*f = 0
		}
	default: // was refused
	}
	return true
}

// Secret keeps the value out of logs and documents' examples.
func (n NumberRules[N]) Secret() NumberRules[N] { n.t.Secret = true; return n }

// Example is a valid value for documents and forms to show.
func (n NumberRules[N]) Example(value N) NumberRules[N] { n.t.Example = value; return n }

// TextRules are the rules of a text. Make them with [Text].
type TextRules struct {
	r *Set
	t *Type
}

// Text starts the rules of a text.
func Text[S ~string](r *Set, p *S) TextRules {
	return TextRules{r, field(r, p, "Text", String)}
}

// Len accepts texts of least … most code points.
func (x TextRules) Len(least, most int) TextRules {
	if least < 0 || most < least {
		x.r.fail("Len(%d, %d) accepts nothing", least, most)
	}
	x.t.Text.Min, x.t.Text.Max = least, most
	return x
}

// Match accepts texts in which the RE2 expression matches; anchor it with ^
// and $ to match the whole text. API documents and clients read it as a
// JavaScript expression, so it may use only what means the same there; the
// exceptions are . and \s, which are published as the classes that RE2 takes
// them for.
func (x TextRules) Match(expression string) TextRules {
	portable, match, err := compilePattern(expression)
	if err != nil {
		x.r.fail("Match(`%s`): %w", expression, err)
		return x
	}
	x.t.Text.Pattern, x.t.Text.match = portable, match
	return x
}

// Format accepts texts of a well-known format.
func (x TextRules) Format(f Format) TextRules {
	if !f.known() {
		x.r.fail("Format(%q) is not known; the formats are %v", string(f), Formats())
	}
	x.t.Text.Format = f
	return x
}

// Secret keeps the value out of logs and documents' examples.
func (x TextRules) Secret() TextRules { x.t.Secret = true; return x }

// Example is a valid value for documents and forms to show, even of a secret:
// give one that opens nothing.
func (x TextRules) Example(value string) TextRules { x.t.Example = value; return x }

// Multiline accepts tabs and line ends.
func (x TextRules) Multiline() TextRules { x.t.Text.Control = LineControl; return x }

// Raw accepts all valid UTF-8, control characters and bidirectional
// overrides included. Escape such a text wherever it is shown.
func (x TextRules) Raw() TextRules { x.t.Text.Control = AnyControl; return x }

// OneOf accepts the listed values and no others.
func OneOf[T interface {
	cmp.Ordered
	~string | ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64
}](r *Set, p *T, values ...T) {
	t := field(r, p, "OneOf", String, Int, Uint)
	if len(values) == 0 {
		r.fail("OneOf without a value accepts nothing")
	}
	t.Enum = nil // the list of a field replaces that of its type
	for i, v := range values {
		if slices.Contains(values[:i], v) {
			r.fail("OneOf lists %v twice", v)
		}
		t.Enum = append(t.Enum, v)
	}
}

// SizeRules are the rules of a list, map or byte string.
type SizeRules struct {
	r *Set
	t *Type
}

// Items starts the rules of a list, or of a []byte, whose items are bytes.
// Rules of the items come from their type's own Rules.
func Items[S ~[]E, E any](r *Set, p *S) SizeRules {
	return SizeRules{r, field(r, p, "Items", List, Bytes)}
}

// Entries starts the rules of a map. Rules of the values come from their
// type's own Rules.
func Entries[M ~map[K]V, K ~string, V any](r *Set, p *M) SizeRules {
	return SizeRules{r, field(r, p, "Entries", Map)}
}

// Len accepts least … most items, entries or bytes.
func (s SizeRules) Len(least, most int) SizeRules {
	if least < 0 || most < 1 || most < least {
		s.r.fail("Len(%d, %d) leaves no room for an item", least, most)
	}
	s.t.Size.Min, s.t.Size.Max = least, most
	return s
}

// Unique refuses a list in which two items are equal. Items must be texts,
// numbers or booleans.
func (s SizeRules) Unique() SizeRules {
	switch {
	case s.t.Kind == Any: // was refused
	case s.t.Kind != List:
		s.r.fail("Unique is no rule for a %s", s.t.Kind)
	case !slices.Contains([]Kind{Bool, Int, Uint, Float, String}, s.t.Elem.Kind):
		s.r.fail("Unique: items of type %s cannot be compared as their JSON can", s.t.Elem.Go)
	}
	s.t.Size.Unique = true
	return s
}

// Secret keeps the value out of logs and documents' examples.
func (s SizeRules) Secret() SizeRules { s.t.Secret = true; return s }
