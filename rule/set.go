package rule

import (
	"cmp"
	"fmt"
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

func field[T any](r *Set, p *T) *Type {
	t := reflect.TypeFor[T]()
	if p == nil {
		r.fail("a rule names a nil pointer of type *%s; only direct fields of %s can have rules", t, r.of)
		return &Type{Go: t}
	}
	ft, ok := r.slots[slot{reflect.ValueOf(p).Pointer(), t}]
	if !ok {
		r.fail("a rule names a %s that is not a field of %s; give the field's own type a Rules method", t, r.of)
		return &Type{Go: t}
	}
	if slices.Contains(r.seen, ft) {
		return ft // a second rule adds to the first
	}
	r.seen = append(r.seen, ft)
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

// Number starts the rules of a number field.
func Number[N Numeric](r *Set, p *N) NumberRules[N] {
	return NumberRules[N]{r, field(r, p)}
}

// Between accepts least … most, both included.
func (n NumberRules[N]) Between(least, most N) NumberRules[N] {
	if least > most {
		n.r.fail("Between(%v, %v): the lower bound is above the upper", least, most)
	}
	return n.Min(least).Max(most)
}

// Min accepts least and everything above.
func (n NumberRules[N]) Min(least N) NumberRules[N] {
	l := &n.t.Number
	l.HasMin, l.MinInt, l.MinUint, l.MinFloat = true, int64(least), uint64(least), float64(least)
	return n
}

// Max accepts most and everything below.
func (n NumberRules[N]) Max(most N) NumberRules[N] {
	l := &n.t.Number
	l.HasMax, l.MaxInt, l.MaxUint, l.MaxFloat = true, int64(most), uint64(most), float64(most)
	return n
}

// Secret keeps the value out of logs and documents' examples.
func (n NumberRules[N]) Secret() NumberRules[N] { n.t.Secret = true; return n }

// TextRules are the rules of a text. Make them with [Text].
type TextRules struct {
	r *Set
	t *Type
}

// Text starts the rules of a text field.
func Text[S ~string](r *Set, p *S) TextRules {
	return TextRules{r, field(r, p)}
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
// and $ to match the whole text. It must also be a valid JavaScript
// expression, because API documents publish it: flags such as (?i) and \A, \z
// and \Q are refused.
func (x TextRules) Match(expression string) TextRules {
	match, err := compilePattern(expression)
	if err != nil {
		x.r.fail("Match: %w", err)
		return x
	}
	x.t.Text.Pattern, x.t.Text.match = expression, match
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
	t := field(r, p)
	if len(values) == 0 {
		r.fail("OneOf without a value accepts nothing")
	}
	t.Enum = nil
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

// Items starts the rules of a list field. Rules of its elements come from the
// element type's own Rules.
func Items[E any](r *Set, p *[]E) SizeRules { return SizeRules{r, field(r, p)} }

// Entries starts the rules of a map field.
func Entries[V any](r *Set, p *map[string]V) SizeRules { return SizeRules{r, field(r, p)} }

// Len accepts least … most items, entries or bytes.
func (s SizeRules) Len(least, most int) SizeRules {
	if least < 0 || most < max(least, 1) {
		s.r.fail("Len(%d, %d) accepts nothing", least, most)
	}
	s.t.Size.Min, s.t.Size.Max = least, most
	return s
}

// Unique refuses a list in which two items are equal. Items must be of a
// comparable type.
func (s SizeRules) Unique() SizeRules {
	if s.t.Kind == List && !s.t.Elem.Go.Comparable() {
		s.r.fail("Unique: items of type %s cannot be compared", s.t.Elem.Go)
	}
	s.t.Size.Unique = true
	return s
}
