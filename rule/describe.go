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

// Describe returns the description of a Go type, running the Rules of it and
// of every type it holds. The error joins everything that is wrong with the
// declaration: a rule for what is no field, a rule that depends on a value, a
// bad pattern, two members of one name. Describe is meant for start-up; its
// result is safe for concurrent use.
func Describe(t reflect.Type) (*Type, error) {
	d := describer{memo: map[reflect.Type]*Type{}}
	out := d.describe(t)
	return out, errors.Join(d.errs...)
}

type describer struct {
	memo map[reflect.Type]*Type
	errs []error
}

var (
	timeType        = reflect.TypeFor[time.Time]()
	ruledType       = reflect.TypeFor[Ruled]()
	validatorType   = reflect.TypeFor[Validator]()
	optionalType    = reflect.TypeFor[interface{ optional() }]()
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
	d.shape(out)
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
		out.Kind = Any
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
			return
		}
		out.Kind, out.Elem = List, d.element(t)
	case reflect.Map:
		if t.Key().Kind() != reflect.String || hasJSON(t.Key()) {
			return // Any
		}
		out.Kind, out.Elem = Map, d.element(t)
	case reflect.Struct:
		out.Kind, out.Object = Object, &Struct{
			Validates: t.Implements(validatorType) || reflect.PointerTo(t).Implements(validatorType),
		}
		d.fields(out, t, nil)
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		d.fail("%s cannot be sent as JSON", t)
	default: // interfaces and arrays
	}
}

// element describes what a list or map holds. Elements that are pointers are
// left to the fallback library, because they may be null.
func (d *describer) element(t reflect.Type) *Type {
	if t.Elem().Kind() == reflect.Pointer {
		return &Type{Go: t.Elem(), Kind: Any}
	}
	return d.describe(t.Elem())
}

// hasJSON reports whether the type reads or writes JSON in its own way.
func hasJSON(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(marshalerType) || p.Implements(unmarshalerType) ||
		p.Implements(textOutType) || p.Implements(textInType)
}

func (d *describer) fields(out *Type, t reflect.Type, path []int) {
	for i := range t.NumField() {
		sf := t.Field(i)
		index := append(path[:len(path):len(path)], i)
		name, option, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if name == "-" && option == "" {
			continue
		}
		if sf.Anonymous && name == "" && sf.Type.Kind() == reflect.Struct && !hasJSON(sf.Type) {
			d.fields(out, sf.Type, index)
			continue
		}
		if !sf.IsExported() {
			continue
		}
		if name == "" {
			name = sf.Name
		}
		f := d.field(sf, index, name, option)
		if twin := out.Object.Field(name); twin != nil {
			d.fail("%s: fields %s and %s are both named %q", out.Go, twin.GoName, f.GoName, name)
			continue
		}
		out.Object.Fields = append(out.Object.Fields, f)
	}
}

func (d *describer) field(sf reflect.StructField, index []int, name, options string) *Field {
	f := &Field{Name: name, GoName: sf.Name, Index: index, Required: true}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitzero":
			f.OmitZero, f.Required = true, false
		case "omitempty":
			f.OmitEmpty, f.Required = true, false
		case "":
		default:
			d.fail("%s: json tag option %q is not known", sf.Name, option)
		}
	}
	t := sf.Type
	switch {
	case t.Implements(optionalType):
		f.Wrap, f.Nullable, f.Required = Opt, true, false
		t = t.Field(0).Type
	case t.Kind() == reflect.Pointer:
		f.Wrap, f.Nullable, f.Required = Pointer, true, false
		t = t.Elem()
	}
	if t.Kind() == reflect.Pointer {
		f.Type = &Type{Go: t, Kind: Any}
		return f
	}
	f.Type = d.describe(t)
	return f
}

func (d *describer) fail(format string, args ...any) {
	d.errs = append(d.errs, fmt.Errorf(format, args...))
}

// ownRules runs the type's Rules, if it has any, against two values that
// differ everywhere. Rules that record something else the second time depend
// on a value.
func (d *describer) ownRules(out *Type) {
	if !reflect.PointerTo(out.Go).Implements(ruledType) {
		return
	}
	if out.Kind == Any || out.Kind == Time {
		d.fail("%s has Rules, but reads its JSON itself; it must check itself there", out.Go)
		return
	}
	first, err := record(out, false)
	if err != nil {
		d.fail("%s: Rules: %w", out.Go, err)
		return
	}
	second, err := record(out, true)
	if err != nil || !sameRules(first, second) {
		d.fail("%s: Rules depends on a value; it must record the same rules whatever the fields hold", out.Go)
		return
	}
	first.install(out)
}
