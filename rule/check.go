package rule

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/fault"
)

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
			return &fault.Violation{Code: "too_long", Detail: "must have at most " + counted(l.Max, "character")}
		case n < l.Min && n == 0 && l.Min == 1:
			return emptyText
		case n < l.Min:
			return &fault.Violation{Code: "too_short", Detail: "must have at least " + counted(l.Min, "character")}
		}
	}
	if !l.Control.allows(s) {
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

// Blank reports whether a violation is that there is nothing where something
// must be: the member is absent, null or an empty text. It is for contracts that
// have one sentence for the three.
func Blank(v fault.Violation) bool {
	return v.Code == "required" || v.Code == "null" || v.Code == emptyText.Code && v.Detail == emptyText.Detail
}

var (
	emptyText   = &fault.Violation{Code: "too_short", Detail: "must not be empty"}
	controlText = &fault.Violation{Code: "control_character", Detail: "must not hold control characters or bidirectional overrides"}
	notUnique   = &fault.Violation{Code: "not_unique", Detail: "must not hold an item twice"}
)

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
		return outOfRange(l, strconv.FormatInt(l.MinInt, 10), strconv.FormatInt(l.MaxInt, 10))
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
		return outOfRange(l, strconv.FormatUint(l.MinUint, 10), strconv.FormatUint(l.MaxUint, 10))
	}
	return nil
}

// CheckFloat returns the first constraint that n breaks, or nil.
func (t *Type) CheckFloat(n float64) Violated {
	l := &t.Number
	if l.HasMin && n < l.MinFloat || l.HasMax && n > l.MaxFloat {
		return outOfRange(l, strconv.FormatFloat(l.MinFloat, 'f', -1, 64), strconv.FormatFloat(l.MaxFloat, 'f', -1, 64))
	}
	return nil
}

func outOfRange(l *NumberLimits, least, most string) Violated {
	detail := "must be at most " + most
	switch {
	case l.HasMin && l.HasMax:
		detail = "must be between " + least + " and " + most
	case l.HasMin:
		detail = "must be at least " + least
	}
	return &fault.Violation{Code: "out_of_range", Detail: detail}
}

// CheckSize returns the first bound that a count of items, entries or bytes
// breaks, or nil.
func (t *Type) CheckSize(n int) Violated {
	l := &t.Size
	tooMany := l.Max > 0 && n > l.Max
	if !tooMany && n >= l.Min {
		return nil
	}
	unit := "item"
	switch t.Kind {
	case Map:
		unit = "entry"
	case Bytes:
		unit = "byte"
	default:
	}
	if tooMany {
		return &fault.Violation{Code: "too_many", Detail: "must have at most " + counted(l.Max, unit)}
	}
	return &fault.Violation{Code: "too_few", Detail: "must have at least " + counted(l.Min, unit)}
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
