package tsclient

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// brands know which texts name which things, so that the id of a refund cannot
// be given where that of a payment is wanted. A collection in a path, /payments/{id},
// makes PaymentId; whatever is read from it has such an id, and a member payment_id
// is one wherever it stands.
type brands struct {
	byName map[string]string       // "payment" is PaymentId
	byType map[reflect.Type]string // whose member id is which
}

func findBrands(specs []*op.Spec) brands {
	b := brands{map[string]string{}, map[reflect.Type]string{}}
	for _, s := range specs {
		for i, segment := range segments(s) {
			if f := pathField(segment); f != "" && i > 0 && isText(s.In.Object.Field(f).Type) {
				thing := singular(segments(s)[i-1])
				b.byName[thing] = pascal(thing) + "Id"
			}
		}
	}
	// What a path with the thing's id answers says it best, then a list, then
	// whatever makes one.
	for _, rank := range []func(*op.Spec) (string, *rule.Type){readBy, listedBy, madeBy} {
		for _, s := range specs {
			collection, t := rank(s)
			if t == nil || t.Kind != rule.Object || b.byType[t.Go] != "" {
				continue
			}
			if f := t.Object.Field("id"); f == nil || !isText(f.Type) {
				continue
			}
			thing := singular(collection)
			b.byName[thing] = pascal(thing) + "Id"
			b.byType[t.Go] = b.byName[thing]
		}
	}
	return b
}

// all returns the names, in order.
func (b brands) all() []string { return slices.Compact(slices.Sorted(maps.Values(b.byName))) }

// of returns the brand of a member, or "".
func (b brands) of(t *rule.Type, f *rule.Field) string {
	switch {
	case !isText(f.Type):
		return ""
	case f.Name == "id":
		return b.byType[t.Go]
	}
	thing, ok := strings.CutSuffix(f.Name, "_id")
	if !ok {
		return ""
	}
	return b.byName[thing]
}

// inPath returns the brand of a parameter.
func (b brands) inPath(s *op.Spec, name string) string {
	all := segments(s)
	for i, segment := range all {
		if i > 0 && pathField(segment) == name {
			return b.byName[singular(all[i-1])]
		}
	}
	return ""
}

func readBy(s *op.Spec) (collection string, of *rule.Type) {
	all := segments(s)
	if n := len(all); s.Kind == op.IsQuery && n > 1 && pathField(all[n-1]) != "" {
		return all[n-2], s.Out
	}
	return "", nil
}

func listedBy(s *op.Spec) (collection string, of *rule.Type) {
	if s.Kind != op.IsQuery || s.Out == nil || s.Out.Kind != rule.Object {
		return "", nil
	}
	f := s.Out.Object.Field("data")
	if f == nil || f.Type.Kind != rule.List {
		return "", nil
	}
	return last(s), f.Type.Elem
}

func madeBy(s *op.Spec) (collection string, of *rule.Type) {
	if s.Kind == op.IsCommand && s.Status == 201 {
		return last(s), s.Out
	}
	return "", nil
}

func segments(s *op.Spec) []string { return strings.Split(strings.Trim(s.Path, "/"), "/") }

func last(s *op.Spec) string {
	all := segments(s)
	return all[len(all)-1]
}

// pathField is the name in a segment {name}, or "".
func pathField(segment string) string {
	if strings.HasPrefix(segment, "{") {
		return strings.Trim(segment, "{}")
	}
	return ""
}

// singular turns "payments" into "payment" and "api-keys" into "api_key".
func singular(plural string) string {
	s := strings.Join(words(plural), "_")
	switch {
	case strings.HasSuffix(s, "ies"):
		return strings.TrimSuffix(s, "ies") + "y"
	case strings.HasSuffix(s, "sses"), strings.HasSuffix(s, "xes"), strings.HasSuffix(s, "ches"):
		return strings.TrimSuffix(s, "es")
	case strings.HasSuffix(s, "ss"):
		return s
	}
	return strings.TrimSuffix(s, "s")
}

func isText(t *rule.Type) bool { return t.Kind == rule.String && len(t.Enum) == 0 }
