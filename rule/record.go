package rule

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
)

// recorded is what one run of Rules said: constraints of the type itself, and
// of its fields by position. Where nothing was said it is nil.
type recorded struct {
	self   *Type
	fields []*Type
}

// ownRules runs the Rules of out against values that differ everywhere. Rules
// that do not record the same each time depend on a value.
func (d *describer) ownRules(out *Type) {
	if out.Go.Implements(ruledType) && out.Go.Kind() != reflect.Interface {
		d.fail("%s: Rules has a value receiver; make it a pointer, or it names the fields of a copy", out.Go)
		return
	}
	rec, errs := record(out, 0)
	for _, err := range errs {
		d.fail("%s: Rules: %w", out.Go, err)
	}
	if errs != nil {
		return
	}
	for _, n := range []int64{1, math.MaxInt64} {
		if again, errs := record(out, n); errs != nil || !rec.equal(again) {
			d.fail("%s: Rules depends on a value; it must record the same rules whatever the fields hold", out.Go)
			return
		}
	}
	rec.install(out)
}

// record runs the Rules of t on a value filled with n, whose pointers are
// allocated so that a rule can name what they point to.
func record(t *Type, n int64) (out recorded, errs []error) {
	value := reflect.New(t.Go)
	if n != 0 {
		fill(value.Elem(), n, 0)
	}
	set := &Set{of: t.Go, slots: map[slot]*Type{}}
	// Each rule changes a copy, so that two fields of one Go type can have
	// different rules.
	add := func(v reflect.Value, of *Type) *Type {
		own := *of
		set.slots[slot{v.Addr().Pointer(), v.Type()}] = &own
		return &own
	}
	out.self = add(value.Elem(), t)
	names := map[*Type]string{}
	if t.Kind == Object {
		for _, f := range t.Object.Fields {
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
			ft := add(v, f.Type)
			out.fields = append(out.fields, ft)
			names[ft] = f.GoName + ": "
		}
	}
	if err := run(value.Interface().(Ruled), set); err != nil {
		return recorded{}, append(set.errs, err)
	}
	for _, ft := range set.seen {
		if err := ft.settle(); err != nil {
			set.errs = append(set.errs, fmt.Errorf("%s%w", names[ft], err))
		}
	}
	if set.errs != nil {
		return recorded{}, set.errs
	}
	out.keep(set.seen)
	return out, nil
}

func run(ruled Ruled, set *Set) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	ruled.Rules(set)
	return nil
}

// keep forgets the types that no rule named.
func (rec *recorded) keep(named []*Type) {
	said := map[*Type]bool{}
	for _, t := range named {
		said[t] = true
	}
	if !said[rec.self] {
		rec.self = nil
	}
	for i, t := range rec.fields {
		if !said[t] {
			rec.fields[i] = nil
		}
	}
}

// install makes what was recorded part of t.
func (rec *recorded) install(t *Type) {
	if rec.self != nil {
		*t = *rec.self
	}
	for i, ft := range rec.fields {
		if ft != nil {
			t.Object.Fields[i].Type = ft
		}
	}
}

func (rec *recorded) equal(other recorded) bool {
	if !rec.self.sameRules(other.self) {
		return false
	}
	for i := range rec.fields {
		if !rec.fields[i].sameRules(other.fields[i]) {
			return false
		}
	}
	return true
}

func (t *Type) sameRules(other *Type) bool {
	if t == nil || other == nil {
		return t == other
	}
	x, y := t.Text, other.Text
	x.match, y.match = nil, nil
	return reflect.DeepEqual(x, y) && t.Number == other.Number && t.Size == other.Size &&
		t.Secret == other.Secret && t.Example == other.Example && reflect.DeepEqual(t.Enum, other.Enum)
}

// settle checks that the rules of t agree with each other, and prepares what
// the checks need.
func (t *Type) settle() error {
	l := t.Number
	if l.HasMin && l.HasMax && (t.Kind == Int && l.MinInt > l.MaxInt ||
		t.Kind == Uint && l.MinUint > l.MaxUint || t.Kind == Float && l.MinFloat > l.MaxFloat) {
		return errors.New("the least number is above the greatest")
	}
	if t.Enum != nil {
		if err := t.settleEnum(); err != nil {
			return err
		}
	}
	if broken := t.checkExample(); broken != nil {
		return fmt.Errorf("the example breaks the rules: it %s", broken.Detail)
	}
	return nil
}

func (t *Type) checkExample() Violated {
	if t.Example == nil {
		return nil
	}
	switch v := reflect.ValueOf(t.Example); t.Kind {
	case String:
		return t.CheckText(v.String())
	case Int:
		return t.CheckInt(v.Int())
	case Uint:
		return t.CheckUint(v.Uint())
	case Float:
		return t.CheckFloat(v.Float())
	default:
		return nil
	}
}

// fill sets everything in v, so that a Rules method which branches on a value
// takes another branch.
func fill(v reflect.Value, n int64, depth int) {
	if depth > 8 || !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(n >> (64 - v.Type().Bits()))
		if v.IsZero() {
			v.SetInt(n & 1)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(n) & (1<<v.Type().Bits() - 1))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(n))
	case reflect.String:
		v.SetString(strings.Repeat("7", int(min(n, DefaultMaxLen+1))))
	case reflect.Slice:
		length := 1
		if depth <= 1 {
			length = int(min(n, 100))
		}
		v.Set(reflect.MakeSlice(v.Type(), length, length))
		for i := range v.Len() {
			fill(v.Index(i), n, depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n, depth+1)
	case reflect.Struct:
		if v.Type() == timeType {
			v.Set(reflect.ValueOf(time.Unix(min(n, 1<<40), 0).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n, depth+1)
		}
	default:
	}
}
