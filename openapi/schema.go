package openapi

import (
	"encoding"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/rule"
)

// schema describes the values of t. Types with a component become a reference
// to it.
func (d *document) schema(t *rule.Type, as role, hidden ...string) object {
	c, ok := componentOf(t, as, strings.Join(hidden, ","))
	if !ok {
		return d.inline(t, as, hidden)
	}
	name := d.names[c]
	if _, written := d.schemas[name]; !written {
		d.schemas[name] = nil // for a type that holds itself
		s := d.inline(t, as, hidden)
		if text := d.explain.Type(t.Go); text != "" {
			s = append(object{s[0], {"description", text}}, s[1:]...)
		}
		d.schemas[name] = s
	}
	return object{{"$ref", "#/components/schemas/" + name}}
}

// inline describes t in place. Its first member is the type, if there is one.
func (d *document) inline(t *rule.Type, as role, hidden []string) object {
	s := object{}
	switch t.Kind {
	case rule.Any:
		return d.unusual(t, as)
	case rule.Bool:
		s.set("type", "boolean")
	case rule.Int, rule.Uint:
		s.set("type", "integer")
		numberFormat(&s, t)
		if len(t.Enum) > 0 {
			s.set("enum", enumValues(t))
		} else if as == input {
			integerBounds(&s, t)
		}
	case rule.Float:
		s.set("type", "number")
		numberFormat(&s, t)
		if as == input && t.Number.HasMin {
			s.set("minimum", t.Number.MinFloat)
		}
		if as == input && t.Number.HasMax {
			s.set("maximum", t.Number.MaxFloat)
		}
	case rule.String:
		textSchema(&s, t, as)
	case rule.Bytes:
		bytesSchema(&s, t, as)
	case rule.Time:
		s.set("type", "string")
		s.set("format", "date-time")
	case rule.List:
		s.set("type", "array")
		s.set("items", d.schema(t.Elem, as))
		if as == input {
			sizeBounds(&s, t, "minItems", "maxItems")
			if t.Size.Unique {
				s.set("uniqueItems", true)
			}
		}
	case rule.Map:
		s.set("type", "object")
		if key := d.keySchema(t.Key, as); len(key) > 0 {
			s.set("propertyNames", key)
		}
		s.set("additionalProperties", d.schema(t.Elem, as))
		if as == input {
			sizeBounds(&s, t, "minProperties", "maxProperties")
		}
	case rule.Object:
		d.objectSchema(&s, t, as, hidden)
	}
	if t.Secret && as == input {
		s.set("writeOnly", true)
	}
	if t.Example != nil {
		s.set("examples", list{plain(reflect.ValueOf(t.Example))})
	}
	return s
}

var (
	textOut = reflect.TypeFor[encoding.TextMarshaler]()
	textIn  = reflect.TypeFor[encoding.TextUnmarshaler]()
	jsonOut = reflect.TypeFor[json.Marshaler]()
	jsonIn  = reflect.TypeFor[json.Unmarshaler]()
)

// unusual describes what is left to the fallback library, as far as its Go
// type tells.
func (d *document) unusual(t *rule.Type, as role) object {
	if t.Go.Kind() == reflect.Pointer {
		return nullable(d.schema(t.Elem, as))
	}
	p := reflect.PointerTo(t.Go)
	own, text := jsonOut, textOut
	if as == input {
		own, text = jsonIn, textIn
	}
	switch kind := t.Go.Kind(); {
	case p.Implements(own):
		return object{}
	case p.Implements(text):
		return object{{"type", "string"}}
	case kind == reflect.Array && t.Go.Elem().Kind() != reflect.Uint8:
		return object{{"type", "array"}}
	case kind == reflect.Map, kind == reflect.Struct:
		return object{{"type", "object"}}
	}
	return object{}
}

func numberFormat(s *object, t *rule.Type) {
	switch t.Go.Kind() {
	case reflect.Int32:
		s.set("format", "int32")
	case reflect.Int64, reflect.Int:
		s.set("format", "int64")
	case reflect.Float32:
		s.set("format", "float")
	case reflect.Float64:
		s.set("format", "double")
	default:
	}
}

// integerBounds gives the rule's bounds, and where it has none those of the
// Go type.
func integerBounds(s *object, t *rule.Type) {
	l, bits := t.Number, t.Go.Bits()
	if t.Kind == rule.Uint {
		least, most := uint64(0), uint64(math.MaxUint64)>>(64-bits)
		if l.HasMin {
			least = l.MinUint
		}
		if l.HasMax {
			most = l.MaxUint
		}
		s.set("minimum", least)
		s.set("maximum", most)
		return
	}
	least, most := int64(math.MinInt64)>>(64-bits), int64(math.MaxInt64)>>(64-bits)
	if l.HasMin {
		least = l.MinInt
	}
	if l.HasMax {
		most = l.MaxInt
	}
	s.set("minimum", least)
	s.set("maximum", most)
}

func textSchema(s *object, t *rule.Type, as role) {
	s.set("type", "string")
	switch {
	case t.Text.Format != "":
		s.set("format", string(t.Text.Format))
	case t.Secret && as == input:
		s.set("format", "password")
	}
	if len(t.Enum) > 0 {
		s.set("enum", enumValues(t))
		return
	}
	if as != input {
		return
	}
	if t.Text.Min > 0 {
		s.set("minLength", t.Text.Min)
	}
	s.set("maxLength", t.Text.Max)
	patterns(s, t)
}

// patterns gives what the decoder refuses in any text, control characters and
// bidirectional overrides, beside the text's own pattern.
func patterns(s *object, t *rule.Type) {
	all := t.Patterns()
	if len(all) == 0 {
		return
	}
	s.set("pattern", all[0])
	if len(all) > 1 {
		s.set("allOf", list{object{{"pattern", all[1]}}})
	}
}

func enumValues(t *rule.Type) list {
	values := make(list, len(t.Enum))
	for i, v := range t.Enum {
		values[i] = plain(reflect.ValueOf(v))
	}
	return values
}

// plain returns a text or number of any Go type as one that a tree holds.
func plain(v reflect.Value) any {
	switch {
	case v.Kind() == reflect.String:
		return v.String()
	case v.CanInt():
		return v.Int()
	case v.CanUint():
		return v.Uint()
	}
	return v.Float()
}

// strictBase64 is what the decoder reads: padded, without stray bits behind
// the last byte.
const strictBase64 = `^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$`

// bytesSchema bounds the text that the bytes are encoded to, which is exact up
// to two bytes.
func bytesSchema(s *object, t *rule.Type, as role) {
	s.set("type", "string")
	s.set("contentEncoding", "base64")
	if as != input {
		return
	}
	if t.Size.Min > 0 {
		s.set("minLength", (t.Size.Min+2)/3*4)
	}
	if t.Size.Max > 0 {
		s.set("maxLength", (t.Size.Max+2)/3*4)
	}
	s.set("pattern", strictBase64)
}

func sizeBounds(s *object, t *rule.Type, least, most string) {
	if t.Size.Min > 0 {
		s.set(least, t.Size.Min)
	}
	if t.Size.Max > 0 {
		s.set(most, t.Size.Max)
	}
}

// keySchema describes the names of a map. They are texts, which needs no
// saying.
func (d *document) keySchema(key *rule.Type, as role) object {
	s := d.schema(key, as)
	if s[0].name == "type" {
		return s[1:]
	}
	return s
}

func (d *document) objectSchema(s *object, t *rule.Type, as role, hidden []string) {
	s.set("type", "object")
	properties, required := object{}, list{}
	for _, f := range t.Object.Fields {
		if slices.Contains(hidden, f.Name) {
			continue
		}
		properties.set(f.Name, d.member(t, f, as))
		if as == input && f.Required || as != input && alwaysSent(f) {
			required = append(required, f.Name)
		}
	}
	if len(properties) > 0 {
		s.set("properties", properties)
	}
	if len(required) > 0 {
		s.set("required", required)
	}
	if as == input {
		s.set("additionalProperties", false)
	}
}

// member describes a field with its doc comment.
func (d *document) member(of *rule.Type, f *rule.Field, as role) object {
	s := d.schema(f.Type, as)
	if f.Nullable && (as == input || !f.OmitZero && !f.OmitEmpty) {
		s = nullable(s)
	}
	if text := d.explain.Field(of.Go, f); text != "" {
		s = append(slices.Clip(s), member{"description", text})
	}
	return s
}

func alwaysSent(f *rule.Field) bool {
	return !f.OmitZero && !f.OmitEmpty && f.Wrap != rule.Opt
}

// nullable adds null to what a schema accepts.
func nullable(s object) object {
	switch {
	case len(s) == 0: // accepts everything already
		return s
	case s[0].name == "type":
		kind, single := s[0].value.(string)
		if !single {
			return s // is nullable
		}
		s = slices.Clone(s)
		s[0].value = list{kind, "null"}
		for i, m := range s {
			if m.name == "enum" {
				s[i].value = append(slices.Clip(m.value.(list)), nil)
			}
		}
		return s
	case s[0].name == "anyOf":
		return s
	}
	return object{{"anyOf", list{s, object{{"type", "null"}}}}}
}
