package ashlartest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// A Neighbour is an input at the edge of what is valid: a valid one in which a
// single value was moved to just inside or just outside of one of its rules.
type Neighbour struct {
	// Pointer is that of the value: what a violation has to name.
	Pointer string
	// Rule is what the value was moved to the edge of: "min", "max", "min_len",
	// "max_len", "pattern", "format", "control", "enum", "min_items", "max_items",
	// "unique", "required", "null", "type", "range" (of the Go type) or "unknown".
	Rule string
	// Code is that of the violation, "out_of_range"; empty inside.
	Code string
	// Inside says that the input is valid.
	Inside bool
	// In is the input, for [Call]: types cannot hold most of what is invalid.
	In map[string]any
}

func (n Neighbour) String() string {
	if n.Inside {
		return n.Pointer + " just inside of " + n.Rule
	}
	return n.Pointer + " just outside of " + n.Rule
}

// Neighbours returns the neighbours of a valid input for each rule of each of
// its members, as the input stands in a body.
func (f *Factory[In]) Neighbours() []Neighbour {
	f.t.Helper()
	return f.neighbours(nil)
}

// Hold calls an operation with every neighbour, and fails the test for each that
// is outside and not refused with 422, its pointer and its code, and for each that is
// inside and refused for what it is. What the operation answers otherwise is
// not looked at: it may know nothing of what the input names.
func (f *Factory[In]) Hold(c *Client, operation string) {
	f.t.Helper()
	s := c.operation(operation)
	all := f.neighbours(s)
	if len(all) == 0 {
		f.t.Errorf("%s: its input has no rule to hold", s.Name)
	}
	bad := 0
	complain := func(e exchange, what string, n Neighbour) {
		f.t.Helper()
		f.t.Errorf("%s %s %s\n%s", s.Name, what, n, e.report())
		if bad++; bad == mostComplaints {
			f.t.Fatalf("%s: and perhaps more", s.Name)
		}
	}
	for _, n := range all {
		e := c.exchange(s, n.In)
		if e.answer.Code < http.StatusBadRequest {
			if !n.Inside {
				complain(e, "accepts what is", n)
			}
			continue
		}
		p := e.problem()
		refused := p.Code == fault.ErrInvalid.Code()
		switch {
		case p.Code == fault.ErrLimited.Code():
			f.t.Fatalf("%s is called more often than its limits allow: open the app with ASHLAR_LIMIT_PRINCIPAL and ASHLAR_LIMIT_ADDRESS off", s.Name)
		case n.Inside && (refused || p.Code == fault.ErrMalformed.Code()):
			complain(e, "refuses what is", n)
		case !n.Inside && (!refused || len(p.Errors) != 1 || p.Errors[0].Pointer != n.Pointer || p.Errors[0].Code != n.Code):
			complain(e, "does not refuse with "+n.Code+" alone what is", n)
		}
	}
}

// mostComplaints are enough to see what is wrong.
const mostComplaints = 5

func (f *Factory[In]) neighbours(s *op.Spec) []Neighbour {
	f.t.Helper()
	if s != nil {
		f.g.inPath(s.PathFields)
	}
	before, in := f.pinned(every)
	members, err := f.g.members(in)
	if err != nil {
		f.t.Fatal(err)
	}
	w := &walk{g: f.g, before: before, members: members, spec: s}
	w.object(f.g.of, members, nil)
	return w.found
}

// walk goes through an input and notes the neighbours of each value.
type walk struct {
	g       *generator
	before  map[string]any // the factory's base changed it
	members map[string]any
	spec    *op.Spec // nil for a body
	found   []Neighbour
}

// missing in place of a value means that there is none.
type missing struct{}

// asText reports whether a value is sent as text: in the path or the query.
func (w *walk) asText(path []any) bool {
	if w.spec == nil {
		return false
	}
	return w.spec.Kind != op.IsCommand || w.inPath(path)
}

func (w *walk) inPath(path []any) bool {
	return w.spec != nil && len(path) > 0 && slices.Contains(w.spec.PathFields, path[0].(string))
}

// outside notes that the value at path is refused if it is changed to this.
func (w *walk) outside(rule string, path []any, value any) {
	n := Neighbour{Pointer: pointer(path), Rule: rule}
	var said fault.Violations
	if text, err := json.Marshal(with(w.members, path, value)); err == nil && errors.As(w.g.check(text), &said) {
		n.Code = said[0].Code
	}
	w.note(n, path, value)
}

// inside notes that it is not, unless some Validate method refuses it: values
// are tried until none does, and a rule of which none passes is left out.
func (w *walk) inside(rule string, path []any, value func() (any, bool)) {
	if !reflect.DeepEqual(at(w.before, path), at(w.members, path)) {
		return // the base says what the value has to be
	}
	for range mostTries / 10 {
		v, ok := value()
		if !ok {
			return
		}
		text, err := json.Marshal(with(w.members, path, v))
		if err == nil && w.g.check(text) == nil {
			w.note(Neighbour{Pointer: pointer(path), Rule: rule, Inside: true}, path, v)
			return
		}
	}
}

func (w *walk) note(n Neighbour, path []any, value any) {
	if text, ok := value.(string); w.inPath(path) && ok && strings.Trim(text, ".") == "" {
		return // no path has such a segment
	}
	n.In = with(w.members, path, value).(map[string]any)
	w.found = append(w.found, n)
}

func always(v any) func() (any, bool) { return func() (any, bool) { return v, true } }

// with returns a copy of a value in which the one at path is another.
func with(in any, path []any, value any) any {
	if len(path) == 0 {
		return value
	}
	switch in := in.(type) {
	case map[string]any:
		out := maps.Clone(in)
		inner := with(in[path[0].(string)], path[1:], value)
		if _, none := inner.(missing); none {
			delete(out, path[0].(string))
		} else {
			out[path[0].(string)] = inner
		}
		return out
	case []any:
		out := slices.Clone(in)
		out[path[0].(int)] = with(in[path[0].(int)], path[1:], value)
		return out
	}
	return in
}

// at returns the value at path, or nil.
func at(in any, path []any) any {
	for _, step := range path {
		switch now := in.(type) {
		case map[string]any:
			in = now[step.(string)]
		case []any:
			if in = nil; step.(int) < len(now) {
				in = now[step.(int)]
			}
		}
	}
	return in
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1") // RFC 6901

func pointer(path []any) string {
	var out strings.Builder
	for _, step := range path {
		out.WriteString("/" + pointerEscapes.Replace(fmt.Sprint(step)))
	}
	return out.String()
}

func (w *walk) object(t *rule.Type, value map[string]any, path []any) {
	const stranger = "a_member_that_nobody_knows"
	w.outside("unknown", below(path, stranger), "x")
	for _, f := range t.Object.Fields {
		to := below(path, f.Name)
		inner, present := value[f.Name]
		switch {
		case w.inPath(to): // it is always there
		case f.Required:
			w.outside("required", to, missing{})
		default:
			w.inside("required", to, always(missing{}))
		}
		if !w.asText(to) && f.Type.Kind != rule.Any {
			if f.Nullable {
				w.inside("null", to, always(nil))
			} else {
				w.outside("null", to, nil)
			}
		}
		w.value(f.Type, inner, present, to)
	}
}

func below(path []any, step any) []any { return append(slices.Clip(slices.Clone(path)), step) }

// value notes the neighbours of the value at path. Of what is not present none
// is valid: whoever left it out had a reason.
func (w *walk) value(t *rule.Type, value any, present bool, path []any) {
	inside := func(rule string, v func() (any, bool)) {
		if present {
			w.inside(rule, path, v)
		}
	}
	if wrong := wrongType(t.Kind, w.asText(path)); wrong != nil {
		w.outside("type", path, wrong)
	}
	switch {
	case len(t.Enum) > 0:
		for _, v := range t.Enum {
			inside("enum", always(v))
		}
		w.outside("enum", path, noneOf(t))
		return
	case t.Kind == rule.String:
		w.text(t, value, inside, path)
	case t.Kind == rule.Int:
		w.int(t, inside, path)
	case t.Kind == rule.Uint:
		w.uint(t, inside, path)
	case t.Kind == rule.Float:
		w.float(t, inside, path)
	case t.Kind == rule.Bytes:
		w.bytes(t, inside, path)
	case t.Kind == rule.List && present:
		w.list(t, value, path)
	case t.Kind == rule.Map && present:
		w.entries(t, value, path)
	case t.Kind == rule.Object && present:
		if members, ok := value.(map[string]any); ok {
			w.object(t, members, path)
		}
	}
}

// wrongType returns a value of another type of JSON, or nil where every text is
// one of the right type.
func wrongType(k rule.Kind, asText bool) any {
	switch k {
	case rule.Any:
		return nil
	case rule.String, rule.Bytes:
		if asText {
			return nil
		}
		return true
	case rule.Time:
		return "yesterday"
	case rule.List, rule.Map, rule.Object:
		if asText {
			return nil
		}
		return 1
	default:
		return "x"
	}
}

// noneOf returns a value that an enum does not list.
func noneOf(t *rule.Type) any {
	switch t.Kind {
	case rule.Int, rule.Uint:
		for n := int64(0); ; n++ {
			if t.Kind == rule.Int && t.CheckInt(n) != nil || t.Kind == rule.Uint && t.CheckUint(uint64(n)) != nil {
				return n
			}
		}
	default:
		return "none_of_them"
	}
}

func (w *walk) text(t *rule.Type, value any, inside func(string, func() (any, bool)), path []any) {
	l := t.Text
	long := func(n int) func() (any, bool) {
		return func() (any, bool) { return w.g.text(t, n) }
	}
	if l.Min > 0 {
		inside("min_len", long(l.Min))
		loose := *t
		loose.Text.Min = 0
		w.outside("min_len", path, w.oddText(&loose, l.Min-1))
	}
	inside("max_len", long(l.Max))
	if t.Text.Pattern == "" && t.Text.Format == "" && !w.asText(path) {
		inside("max_len", always(strings.Repeat("é", l.Max))) // it counts characters, not bytes
	}
	loose := *t
	loose.Text.Max = math.MaxInt32
	w.outside("max_len", path, w.oddText(&loose, l.Max+1))

	s, ok := value.(string)
	if !ok || t.CheckText(s) != nil {
		if s, ok = w.g.text(t, -1); !ok {
			return
		}
	}
	for rule, code := range map[string]string{"pattern": "pattern", "format": "format", "control": "control_character"} {
		if rule == "control" && w.inPath(path) {
			continue // it is refused before anybody knows whose path it is
		}
		if odd, ok := spoiled(t, s, code); ok {
			w.outside(rule, path, odd)
		}
	}
}

// oddText returns a text of n code points that keeps the other rules if it can.
func (w *walk) oddText(loose *rule.Type, n int) string {
	if s, ok := w.g.text(loose, n); ok {
		return s
	}
	return strings.Repeat("x", n)
}

func (w *walk) int(t *rule.Type, inside func(string, func() (any, bool)), path []any) {
	l := t.Number
	least, most := intRange(t.Go)
	if l.HasMin {
		inside("min", always(l.MinInt))
		if l.MinInt > least {
			w.outside("min", path, l.MinInt-1)
		}
	}
	if l.HasMax {
		inside("max", always(l.MaxInt))
		if l.MaxInt < most {
			w.outside("max", path, l.MaxInt+1)
		}
	}
	w.outside("range", path, json.Number(next(uint64(most))))
	w.outside("type", path, json.Number("1.5"))
}

func (w *walk) uint(t *rule.Type, inside func(string, func() (any, bool)), path []any) {
	l := t.Number
	if l.HasMin {
		inside("min", always(l.MinUint))
		if l.MinUint > 0 {
			w.outside("min", path, l.MinUint-1)
		}
	}
	if l.HasMax {
		inside("max", always(l.MaxUint))
		if l.MaxUint < uintMost(t.Go) {
			w.outside("max", path, l.MaxUint+1)
		}
	}
	w.outside("range", path, -1)
	w.outside("range", path, json.Number(next(uintMost(t.Go))))
}

// next is the number after n, which need not fit.
func next(n uint64) string {
	if n == math.MaxUint64 {
		return "18446744073709551616"
	}
	return strconv.FormatUint(n+1, 10)
}

func (w *walk) float(t *rule.Type, inside func(string, func() (any, bool)), path []any) {
	l := t.Number
	if l.HasMin {
		inside("min", always(l.MinFloat))
		w.outside("min", path, math.Nextafter(l.MinFloat, math.Inf(-1)))
	}
	if l.HasMax {
		inside("max", always(l.MaxFloat))
		w.outside("max", path, math.Nextafter(l.MaxFloat, math.Inf(1)))
	}
}

func (w *walk) bytes(t *rule.Type, inside func(string, func() (any, bool)), path []any) {
	l := t.Size
	if l.Min > 0 {
		inside("min_items", always(make([]byte, l.Min)))
		w.outside("min_items", path, make([]byte, l.Min-1))
	}
	if l.Max > 0 {
		inside("max_items", always(make([]byte, l.Max)))
		w.outside("max_items", path, make([]byte, l.Max+1))
	}
}

// mostItems bounds the lists that are made: the default bound of a list is of
// the app's safety, and its neighbours are large.
const mostItems = 1000

func (w *walk) list(t *rule.Type, value any, path []any) {
	items, ok := value.([]any)
	if !ok || len(items) == 0 {
		return
	}
	w.value(t.Elem, items[0], true, below(path, 0))
	sized := func(n int) func() (any, bool) {
		return func() (any, bool) { return w.g.manyItems(t, n) }
	}
	w.sizes(t.Size, sized, path)
	if t.Size.Unique {
		twice := append(slices.Clone(items[:max(1, min(len(items), t.Size.Max-1))]), items[0])
		w.outside("unique", path, twice)
	}
}

// sizes notes the neighbours of the bounds of a list or map.
func (w *walk) sizes(l rule.SizeLimits, sized func(int) func() (any, bool), path []any) {
	if l.Min > 0 {
		w.inside("min_items", path, sized(l.Min))
		if few, ok := sized(l.Min - 1)(); ok && (l.Min > 1 || !w.asText(path)) { // no query says that a list is empty
			w.outside("min_items", path, few)
		}
	}
	if l.Max > 0 && l.Max <= mostItems {
		w.inside("max_items", path, sized(l.Max))
		if many, ok := sized(l.Max + 1)(); ok {
			w.outside("max_items", path, many)
		}
	}
}

func (w *walk) entries(t *rule.Type, value any, path []any) {
	entries, ok := value.(map[string]any)
	if !ok {
		return
	}
	w.sizes(t.Size, func(n int) func() (any, bool) {
		return func() (any, bool) { return w.g.manyItems(t, n) }
	}, path)
	for _, name := range slices.Sorted(maps.Keys(entries))[:min(1, len(entries))] {
		if utf8.ValidString(name) {
			w.value(t.Elem, entries[name], true, below(path, name))
		}
	}
}
