package rule

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// DefaultMaxLen is the greatest length of a text, in code points, whose rules
// give none.
const DefaultMaxLen = 4096

// DefaultMaxItems is the greatest number of items of a list, or entries of a
// map, whose rules give none: a small body must not become a large value.
const DefaultMaxItems = 10_000

// Describe returns the description of a Go type, running the Rules of it and
// of every type it holds. The error joins everything that is wrong with the
// declaration: a rule for what is no field, a rule that depends on a value, a
// bad pattern, two members of one name. Describe is meant for start-up; its
// result is safe for concurrent use.
func Describe(t reflect.Type) (*Type, error) {
	d := describer{memo: map[reflect.Type]*Type{}, open: map[reflect.Type]bool{}}
	out := d.describe(t)
	return out, errors.Join(d.errs...)
}

type describer struct {
	memo map[reflect.Type]*Type
	open map[reflect.Type]bool // begun, and not all fields known
	errs []error
}

var (
	timeType        = reflect.TypeFor[time.Time]()
	ruledType       = reflect.TypeFor[Ruled]()
	validatorType   = reflect.TypeFor[Validator]()
	marshalerType   = reflect.TypeFor[json.Marshaler]()
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
	textOutType     = reflect.TypeFor[encoding.TextMarshaler]()
	textInType      = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func (d *describer) describe(t reflect.Type) *Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if known, ok := d.memo[t]; ok {
		return known
	}
	out := &Type{Go: t}
	d.memo[t] = out
	d.open[t] = true
	d.shape(out)
	delete(d.open, t)
	if !has(t, ruledType) {
		return out
	}
	if out.Kind == Any || out.Kind == Time {
		d.fail("%s has Rules, but reads its JSON itself; it must check itself there", t)
		return out
	}
	d.ownRules(out)
	return out
}

func (d *describer) shape(out *Type) {
	t := out.Go
	switch {
	case t == timeType:
		out.Kind = Time
		return
	case hasJSON(t):
		return // Any
	case isOptional(t):
		d.fail("%s: an Optional can only be a field of a struct", t)
		return
	}
	switch t.Kind() {
	case reflect.Bool:
		out.Kind = Bool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		out.Kind = Int
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		out.Kind = Uint
	case reflect.Float32, reflect.Float64:
		out.Kind = Float
	case reflect.String:
		out.Kind = String
		out.Text.Max = DefaultMaxLen
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			out.Kind = Bytes
			break
		}
		out.Kind, out.Elem = List, d.value(t.Elem())
		out.Size.Max = DefaultMaxItems
	case reflect.Map:
		if t.Key().Kind() != reflect.String || hasJSON(t.Key()) {
			d.unchecked(t, t.Elem())
			return // Any
		}
		out.Kind, out.Key, out.Elem = Map, d.describe(t.Key()), d.value(t.Elem())
		out.Size.Max = DefaultMaxItems
	case reflect.Struct:
		if embedsPointer(t) {
			d.unchecked(t, t)
			return // Any
		}
		out.Kind, out.Object = Object, &Struct{Validates: has(t, validatorType)}
		d.fields(out)
		return
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		d.fail("%s cannot be sent as JSON", t)
	case reflect.Array:
		d.unchecked(t, t.Elem())
	default: // an interface
	}
	if out.Kind != Any && has(t, validatorType) {
		d.fail("%s has a Validate method, but only those of structs are called; give it Rules, or check it in the Validate of the struct that holds it", t)
	}
}

// value describes what stands in a list, in a map or behind a pointer. It may
// be null if it is a pointer again.
func (d *describer) value(t reflect.Type) *Type {
	if t.Kind() == reflect.Pointer {
		return &Type{Go: t, Kind: Any, Elem: d.value(t.Elem())}
	}
	return d.describe(t)
}

// has reports whether t or *t implements the interface.
func has(t, method reflect.Type) bool { return reflect.PointerTo(t).Implements(method) }

// hasJSON reports whether the type reads or writes JSON in its own way.
func hasJSON(t reflect.Type) bool {
	return has(t, marshalerType) || has(t, unmarshalerType) || has(t, textOutType) || has(t, textInType)
}

// isOptional goes by the name, because a marker method would be promoted to
// structs that embed an Optional.
func isOptional(t reflect.Type) bool {
	return t.PkgPath() == ruledType.PkgPath() && strings.HasPrefix(t.Name(), "Optional[")
}

// flattened reports whether the members of a field's type take the place of
// the field.
func flattened(sf reflect.StructField, t reflect.Type) bool {
	name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
	return sf.Anonymous && name == "" && t.Kind() == reflect.Struct && !hasJSON(t) && t != timeType && !isOptional(t)
}

func embedsPointer(t reflect.Type) bool {
	for sf := range t.Fields() {
		if sf.Type.Kind() == reflect.Pointer && flattened(sf, sf.Type.Elem()) {
			return true
		}
	}
	return false
}

// fields lists the members of out. Those of an embedded struct come from its
// own description, so that its Rules hold even where the outer type's Rules
// hides them.
func (d *describer) fields(out *Type) {
	for i := range out.Go.NumField() {
		sf := out.Go.Field(i)
		tag := sf.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-":
		case flattened(sf, sf.Type):
			d.embed(out, sf, i)
		case sf.IsExported():
			if name == "" {
				name = sf.Name
			}
			d.add(out, d.field(out, sf, name, options))
		}
	}
}

func (d *describer) embed(out *Type, sf reflect.StructField, i int) {
	if d.open[sf.Type] {
		d.fail("%s embeds %s, which holds it again; name the field", out.Go, sf.Type)
		return
	}
	inner := d.describe(sf.Type).Object
	if inner == nil {
		return // embeds a pointer itself, and was refused for its rules if it has some
	}
	if inner.Validates && !out.Object.Validates {
		d.fail("%s embeds several structs with a Validate method; give it one that calls them all", out.Go)
	}
	for _, f := range inner.Fields {
		own := *f
		own.Index = append([]int{i}, f.Index...)
		d.add(out, &own)
	}
}

func (d *describer) add(out *Type, f *Field) {
	if twin := out.Object.Field(f.Name); twin != nil {
		d.fail("%s: fields %s and %s are both named %q", out.Go, twin.GoName, f.GoName, f.Name)
		return
	}
	out.Object.Fields = append(out.Object.Fields, f)
}

func (d *describer) field(out *Type, sf reflect.StructField, name, options string) *Field {
	f := &Field{Name: name, GoName: sf.Name, Index: sf.Index, Required: true}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitzero":
			f.OmitZero, f.Required = true, false
		case "omitempty":
			f.OmitEmpty, f.Required = true, false
		case "":
		default:
			d.fail("%s.%s: json tag option %q is not known; the options are omitzero and omitempty", out.Go, sf.Name, option)
		}
	}
	t := sf.Type
	switch {
	case isOptional(t):
		f.Wrap, f.Nullable, f.Required = Opt, true, false
		t = t.Field(0).Type
		if t.Kind() == reflect.Pointer {
			d.fail("%s.%s: an Optional says itself that it is null; let it hold %s", out.Go, sf.Name, t.Elem())
		}
	case t.Kind() == reflect.Pointer:
		f.Wrap, f.Nullable, f.Required = Pointer, true, false
		t = t.Elem()
	}
	f.Type = d.value(t)
	return f
}

// unchecked refuses rules that would never be looked at: those of types held
// in a way that only the fallback library reads.
func (d *describer) unchecked(holder, t reflect.Type) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		if seen[t] || hasJSON(t) {
			return
		}
		seen[t] = true
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			walk(t.Elem())
		case reflect.Struct:
			for i := range t.NumField() {
				walk(t.Field(i).Type)
			}
		default:
		}
		if t.Kind() != reflect.Pointer && (has(t, ruledType) || has(t, validatorType)) {
			d.fail("%s: the rules of %s are not checked there; hold it in a named field, a slice, or a map with text keys", holder, t)
		}
	}
	walk(t)
}

func (d *describer) fail(format string, args ...any) {
	d.errs = append(d.errs, fmt.Errorf(format, args...))
}
