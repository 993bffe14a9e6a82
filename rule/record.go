package rule

import (
	"errors"
	"fmt"
	"reflect"
	"time"
)

// recorded is what one run of Rules said: constraints of the type itself, and
// of its fields by position.
type recorded struct {
	self   *Type
	fields []*Type // nil where the field has no rule
}

// record runs the Rules of t on a fresh value, whose pointers are allocated so
// that a rule can name what they point to.
func record(t *Type, filled bool) (out recorded, err error) {
	value := reflect.New(t.Go)
	if filled {
		fill(value.Elem(), 0)
	}
	set := &Set{of: t.Go, slots: map[slot]*Type{}}
	add := func(v reflect.Value, of *Type) *Type {
		own := *of
		set.slots[slot{v.Addr().Pointer(), v.Type()}] = &own
		return &own
	}
	self := add(value.Elem(), t)
	var fields []*Type
	if t.Kind == Object {
		fields = make([]*Type, len(t.Object.Fields))
		for i, f := range t.Object.Fields {
			v := value.Elem().FieldByIndex(f.Index)
			switch f.Wrap {
			case Pointer:
				if v.IsNil() {
					v.Set(reflect.New(v.Type().Elem()))
				}
				v = v.Elem()
			case Opt:
				v = v.Field(0)
			case Plain:
			}
			fields[i] = add(v, f.Type)
		}
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	value.Interface().(Ruled).Rules(set)
	if len(set.errs) > 0 {
		return recorded{}, errors.Join(set.errs...)
	}
	out.fields = make([]*Type, len(fields))
	for _, t := range set.seen {
		if t == self {
			out.self = t
		}
		for i, f := range fields {
			if t == f {
				out.fields[i] = t
			}
		}
	}
	return out, nil
}

// install makes what was recorded part of t. Fields get their own copy of
// their type, so that two fields of one Go type can have different rules.
func (rec recorded) install(t *Type) {
	if rec.self != nil {
		rec.self.compile()
		t.Text, t.Number, t.Size, t.Enum, t.Secret, t.enum =
			rec.self.Text, rec.self.Number, rec.self.Size, rec.self.Enum, rec.self.Secret, rec.self.enum
	}
	for i, ft := range rec.fields {
		if ft != nil {
			ft.compile()
			t.Object.Fields[i].Type = ft
		}
	}
}

func sameRules(a, b recorded) bool {
	if !sameType(a.self, b.self) || len(a.fields) != len(b.fields) {
		return false
	}
	for i := range a.fields {
		if !sameType(a.fields[i], b.fields[i]) {
			return false
		}
	}
	return true
}

func sameType(a, b *Type) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := a.Text, b.Text
	x.match, y.match = nil, nil
	return reflect.DeepEqual(x, y) && a.Number == b.Number && a.Size == b.Size &&
		a.Secret == b.Secret && reflect.DeepEqual(a.Enum, b.Enum)
}

// fill sets everything in v that is zero, so that a Rules method which
// branches on a value takes its other branch.
func fill(v reflect.Value, depth int) {
	if depth > 8 || !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(7)
	case reflect.String:
		v.SetString("seven")
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 7, 7))
		for i := range v.Len() {
			fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Struct:
		if v.Type() == timeType {
			v.Set(reflect.ValueOf(time.Unix(7, 0).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), depth+1)
		}
	default:
	}
}
