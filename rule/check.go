package rule

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/fault"
)

// enumCheck finds a value among the valid ones without reflection.
type enumCheck struct {
	texts map[string]any
	ints  map[int64]bool
	uints map[uint64]bool
	bad   Violated
}

// compile prepares the checks that depend on what was recorded.
func (t *Type) compile() {
	if len(t.Enum) == 0 {
		return
	}
	e := enumCheck{}
	var names []string
	for _, v := range t.Enum {
		switch rv := reflect.ValueOf(v); t.Kind {
		case String:
			if e.texts == nil {
				e.texts = map[string]any{}
			}
			e.texts[rv.String()] = v
			names = append(names, strconv.Quote(rv.String()))
		case Int:
			if e.ints == nil {
				e.ints = map[int64]bool{}
			}
			e.ints[rv.Int()] = true
			names = append(names, strconv.FormatInt(rv.Int(), 10))
		case Uint:
			if e.uints == nil {
				e.uints = map[uint64]bool{}
			}
			e.uints[rv.Uint()] = true
			names = append(names, strconv.FormatUint(rv.Uint(), 10))
		default:
		}
	}
	e.bad = &fault.Violation{Code: "not_one_of", Detail: "must be one of " + strings.Join(names, ", ")}
	t.enum = e
}

// Interned returns the declared value of an enum that equals s, so that a
// decoder need not keep the request's bytes alive.
func (t *Type) Interned(s string) (string, bool) {
	v, ok := t.enum.texts[s]
	if !ok {
		return "", false
	}
	if own, plain := v.(string); plain {
		return own, true
	}
	return reflect.ValueOf(v).String(), true
}

// CheckText returns the first constraint that s breaks, or nil. s must be
// valid UTF-8.
func (t *Type) CheckText(s string) Violated {
	if t.enum.texts != nil {
		if _, ok := t.enum.texts[s]; !ok {
			return t.enum.bad
		}
		return nil
	}
	l := &t.Text
	if n := len(s); n > l.Max || n < l.Min*utf8.UTFMax {
		// Bytes do not settle it: fewer code points may fit.
		n = utf8.RuneCountInString(s)
		switch {
		case n > l.Max:
			return &fault.Violation{Code: "too_long", Detail: fmt.Sprintf("must have at most %s", counted(l.Max, "character"))}
		case n < l.Min && n == 0 && l.Min == 1:
			return emptyText
		case n < l.Min:
			return &fault.Violation{Code: "too_short", Detail: fmt.Sprintf("must have at least %s", counted(l.Min, "character"))}
		}
	}
	if l.Control != AnyControl && hasControl(s, l.Control) {
		return controlText
	}
	if l.match != nil && !l.match(s) {
		return &fault.Violation{Code: "pattern", Detail: "must match " + l.Pattern}
	}
	if l.Format != "" && !l.Format.Valid(s) {
		return &fault.Violation{Code: "format", Detail: "must be " + l.Format.describe()}
	}
	return nil
}

var (
	emptyText   = &fault.Violation{Code: "too_short", Detail: "must not be empty"}
	controlText = &fault.Violation{Code: "control_character", Detail: "must not hold control characters or bidirectional overrides"}
	notUnique   = &fault.Violation{Code: "not_unique", Detail: "must not hold an item twice"}
)

// hasControl looks for C0 and C1 controls, DEL, and the bidirectional
// embeddings, overrides and isolates that make a text read as another one.
func hasControl(s string, c Control) bool {
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b >= 0x20 && b < 0x7f {
			continue
		}
		if b < 0x80 {
			if c == LineControl && (b == '\t' || b == '\n' || b == '\r') {
				continue
			}
			return true
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return true
		}
		i += size - 1
	}
	return false
}

// CheckInt returns the first constraint that n breaks, or nil.
func (t *Type) CheckInt(n int64) Violated {
	if t.enum.ints != nil {
		if !t.enum.ints[n] {
			return t.enum.bad
		}
		return nil
	}
	l := &t.Number
	if l.HasMin && n < l.MinInt || l.HasMax && n > l.MaxInt {
		return outOfRange(l, l.MinInt, l.MaxInt)
	}
	return nil
}

// CheckUint returns the first constraint that n breaks, or nil.
func (t *Type) CheckUint(n uint64) Violated {
	if t.enum.uints != nil {
		if !t.enum.uints[n] {
			return t.enum.bad
		}
		return nil
	}
	l := &t.Number
	if l.HasMin && n < l.MinUint || l.HasMax && n > l.MaxUint {
		return outOfRange(l, l.MinUint, l.MaxUint)
	}
	return nil
}

// CheckFloat returns the first constraint that n breaks, or nil.
func (t *Type) CheckFloat(n float64) Violated {
	l := &t.Number
	if l.HasMin && n < l.MinFloat || l.HasMax && n > l.MaxFloat {
		return outOfRange(l, l.MinFloat, l.MaxFloat)
	}
	return nil
}

func outOfRange[N int64 | uint64 | float64](l *NumberLimits, least, most N) Violated {
	switch {
	case l.HasMin && l.HasMax:
		return &fault.Violation{Code: "out_of_range", Detail: fmt.Sprintf("must be between %v and %v", least, most)}
	case l.HasMin:
		return &fault.Violation{Code: "out_of_range", Detail: fmt.Sprintf("must be at least %v", least)}
	}
	return &fault.Violation{Code: "out_of_range", Detail: fmt.Sprintf("must be at most %v", most)}
}

// CheckSize returns the first bound that a count of items, entries or bytes
// breaks, or nil.
func (t *Type) CheckSize(n int) Violated {
	unit := map[Kind]string{List: "item", Map: "entry", Bytes: "byte"}[t.Kind]
	switch l := t.Size; {
	case l.Max > 0 && n > l.Max:
		return &fault.Violation{Code: "too_many", Detail: "must have at most " + counted(l.Max, unit)}
	case n < l.Min:
		return &fault.Violation{Code: "too_few", Detail: "must have at least " + counted(l.Min, unit)}
	}
	return nil
}

// NotUnique is the violation of a list that [SizeLimits.Unique] refuses.
func NotUnique() Violated { return notUnique }

func counted(n int, unit string) string {
	s := strconv.Itoa(n) + " " + unit
	switch {
	case n == 1:
		return s
	case strings.HasSuffix(unit, "y"):
		return s[:len(s)-1] + "ies"
	}
	return s + "s"
}
