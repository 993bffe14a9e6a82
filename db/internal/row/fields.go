package row

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// field is one place a column may go to.
type field struct {
	name   string // as written in Go, for messages
	typ    reflect.Type
	offset uintptr
	depth  int
}

// isRecord reports whether a value of t takes a whole row, by field names.
func isRecord(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != timeType && !reflect.PointerTo(t).Implements(scannerType)
}

// fieldsOf lists the fields of t by column name. As in Go, a field hides those
// of the same name deeper inside embedded structs; two at one depth are a
// mistake.
func fieldsOf(t reflect.Type) (map[string]field, error) {
	fields := make(map[string]field, t.NumField())
	if err := collect(t, t, field{}, fields); err != nil {
		return nil, err
	}
	return fields, nil
}

func collect(root, t reflect.Type, at field, fields map[string]field) error {
	for sf := range t.Fields() {
		tag := sf.Tag.Get("db")
		if tag == "-" {
			continue
		}
		f := field{name: join(at.name, sf.Name), typ: sf.Type, offset: at.offset + sf.Offset, depth: at.depth}
		if sf.Anonymous && tag == "" && isRecord(sf.Type) {
			f.depth++
			if err := collect(root, sf.Type, f, fields); err != nil {
				return err
			}
			continue
		}
		if !sf.IsExported() {
			continue
		}
		column := columnOf(sf, tag)
		other, taken := fields[column]
		switch {
		case !taken || f.depth < other.depth:
			fields[column] = f
		case f.depth == other.depth:
			return fmt.Errorf("db: fields %s and %s of %s both are column %q", other.name, f.name, root, column)
		}
	}
	return nil
}

func join(outer, inner string) string {
	if outer == "" {
		return inner
	}
	return outer + "." + inner
}

func columnOf(sf reflect.StructField, tag string) string {
	if tag != "" {
		return tag
	}
	if name, _, _ := strings.Cut(sf.Tag.Get("json"), ","); name != "" && name != "-" {
		return name
	}
	return snake(sf.Name)
}

// snake turns MerchantID into merchant_id and HTTPStatus into http_status.
func snake(name string) string {
	runes := []rune(name)
	var b strings.Builder
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) && runes[i-1] != '_' {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
