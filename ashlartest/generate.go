package ashlartest

import (
	"encoding/json"
	"math"
	"reflect"
	"time"

	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/rule"
)

// deepest bounds how far types that contain themselves are followed.
const deepest = 5

// fill sets v, a zero value of the type t, to one that keeps its rules.
func (g *generator) fill(v reflect.Value, t *rule.Type, members presence, depth int) {
	if len(t.Enum) > 0 {
		v.Set(reflect.ValueOf(t.Enum[g.rand.IntN(len(t.Enum))]).Convert(v.Type()))
		return
	}
	switch t.Kind {
	case rule.Bool:
		v.SetBool(g.rand.IntN(2) == 0)
	case rule.Int:
		least, most := intBounds(t)
		v.SetInt(between(g, least, most))
	case rule.Uint:
		least, most := uintBounds(t)
		v.SetUint(least + g.rand.Uint64N(max(most-least, most-least+1))) // which may be all numbers
	case rule.Float:
		least, most := floatBounds(t)
		v.SetFloat(least + g.rand.Float64()*(most-least))
	case rule.String:
		text, _ := g.text(t, -1) // if there is none, it will be refused and said so
		v.SetString(text)
	case rule.Bytes:
		b := make([]byte, g.count(t.Size, 16))
		for i := range b {
			b[i] = byte(g.rand.Uint32())
		}
		v.SetBytes(b)
	case rule.Time:
		v.Set(reflect.ValueOf(time.UnixMilli(946684800000 + g.rand.Int64N(40*365*24*3600*1000)).UTC()))
	case rule.List:
		g.list(v, t, members, depth)
	case rule.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for tries, n := 0, g.items(t.Size, members, depth); v.Len() < n && tries < mostTries; tries++ {
			name, entry := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			g.fill(name, t.Key, members, depth+1)
			g.fill(entry, t.Elem, members, depth+1)
			v.SetMapIndex(name, entry)
		}
	case rule.Object:
		for _, f := range t.Object.Fields {
			if f.Required || members == every && depth < deepest || depth < deepest && g.rand.IntN(2) == 0 {
				g.field(v.FieldByIndex(f.Index), f, members, depth+1)
			}
		}
	case rule.Any:
		if v.Kind() == reflect.Pointer && t.Elem != nil && depth < deepest {
			v.Set(reflect.New(v.Type().Elem()))
			g.fill(v.Elem(), t.Elem, members, depth+1)
		}
	}
}

func (g *generator) field(v reflect.Value, f *rule.Field, members presence, depth int) {
	switch f.Wrap {
	case rule.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	case rule.Opt:
		v.FieldByName("Set").SetBool(true)
		v = v.FieldByName("Value")
	case rule.Plain:
	}
	g.fill(v, f.Type, members, depth)
}

func (g *generator) list(v reflect.Value, t *rule.Type, members presence, depth int) {
	n := g.items(t.Size, members, depth)
	met := map[any]bool{}
	v.Set(reflect.MakeSlice(v.Type(), 0, n))
	for tries := 0; v.Len() < n && tries < mostTries; tries++ {
		item := reflect.New(v.Type().Elem()).Elem()
		g.fill(item, t.Elem, members, depth+1)
		if t.Size.Unique {
			if met[item.Interface()] {
				continue
			}
			met[item.Interface()] = true
		}
		v.Set(reflect.Append(v, item))
	}
}

// items is how many items a list gets, and count how many bytes: few, and one at
// least where every member is wanted.
func (g *generator) items(l rule.SizeLimits, members presence, depth int) int {
	if depth >= deepest {
		return l.Min
	}
	n := g.count(l, 3)
	if members == every {
		n = max(n, 1)
	}
	return n
}

func (g *generator) count(l rule.SizeLimits, usual int) int {
	most := l.Min + usual
	if l.Max > 0 {
		most = min(most, l.Max)
	}
	return l.Min + g.rand.IntN(most-l.Min+1)
}

func between(g *generator, least, most int64) int64 {
	if span := uint64(most-least) + 1; span != 0 {
		return least + int64(g.rand.Uint64N(span))
	}
	return int64(g.rand.Uint64())
}

// usual bounds numbers that no rule bounds.
const usual = 1_000_000

func intBounds(t *rule.Type) (least, most int64) {
	low, high := intRange(t.Go)
	least, most = max(low, -usual), min(high, usual)
	l := t.Number
	switch {
	case l.HasMin && l.HasMax:
		return l.MinInt, l.MaxInt
	case l.HasMin:
		return l.MinInt, max(l.MinInt, most)
	case l.HasMax:
		return min(l.MaxInt, least), l.MaxInt
	}
	return least, most
}

// intRange is what a type of Go can hold.
func intRange(t reflect.Type) (least, most int64) {
	return math.MinInt64 >> (64 - t.Bits()), math.MaxInt64 >> (64 - t.Bits())
}

func uintBounds(t *rule.Type) (least, most uint64) {
	least, most = 0, min(usual, uintMost(t.Go))
	l := t.Number
	if l.HasMin {
		least = l.MinUint
	}
	if l.HasMax {
		return least, l.MaxUint
	}
	return least, max(least, most)
}

func uintMost(t reflect.Type) uint64 { return math.MaxUint64 >> (64 - t.Bits()) }

func floatBounds(t *rule.Type) (least, most float64) {
	l := t.Number
	switch {
	case l.HasMin && l.HasMax:
		return l.MinFloat, l.MaxFloat
	case l.HasMin:
		return l.MinFloat, max(l.MinFloat, usual)
	case l.HasMax:
		return min(l.MaxFloat, -usual), l.MaxFloat
	}
	return -usual, usual
}

// manyItems returns a list or map of n valid items, as it is sent.
func (g *generator) manyItems(t *rule.Type, n int) (any, bool) {
	switch {
	case n == 0 && t.Kind == rule.List:
		return []any{}, true
	case n == 0:
		return map[string]any{}, true
	}
	sized := *t
	sized.Size.Min, sized.Size.Max = n, n
	v := reflect.New(t.Go).Elem()
	g.fill(v, &sized, some, deepest-1)
	if v.Len() != n {
		return nil, false
	}
	encoder, err := codec.CompileEncoder(t)
	if err != nil {
		return nil, false
	}
	p := reflect.New(t.Go)
	p.Elem().Set(v)
	text, err := encoder.Append(nil, p.Interface())
	if err != nil {
		return nil, false
	}
	return json.RawMessage(text), true
}
