package goclient

import (
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/ashlar-go/ashlar/internal/typename"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// A role is the direction in which a value travels.
type role uint8

const (
	output role = iota
	input
)

// A declared is a Go type of the service in a role; an enumeration is the same
// in both.
type declared struct {
	of   reflect.Type
	role role
}

// exported finds what the runtime declares.
var exported = regexp.MustCompile(`(?m)^(?:type|func|var|const) (\w+)`)

// findNames names every type before the first is written, so that no name
// depends on the order in which they are.
func (w *writer) findNames() {
	w.names, w.types = map[declared]string{}, map[declared]*rule.Type{}
	taken := map[string]bool{}
	for _, m := range exported.FindAllStringSubmatch(runtime, -1) {
		taken[m[1]] = true
	}
	for _, s := range w.specs {
		taken[pascal(s.Name)+"Input"] = true
		for _, f := range s.Faults() {
			taken["Code"+pascal(f.Code())] = true
		}
		if s.Returns == op.JSON {
			w.find(s.Out, output)
		}
	}
	for _, s := range w.specs {
		for _, f := range s.In.Object.Fields {
			w.find(f.Type, input)
		}
	}
	sharers := map[string][]reflect.Type{}
	for _, d := range w.order {
		if name := pascal(typename.Of(d.of)); !slices.Contains(sharers[name], d.of) {
			sharers[name] = append(sharers[name], d.of)
		}
	}
	for _, d := range w.order {
		name := pascal(typename.Of(d.of))
		if len(sharers[name]) > 1 {
			name = pascal(path.Base(d.of.PkgPath())) + name
		}
		if w.types[declared{d.of, output}] != nil && d.role == input {
			name += "Input"
		}
		unique := name
		for i := 2; taken[unique]; i++ {
			unique = name + strconv.Itoa(i)
		}
		taken[unique] = true
		for _, v := range w.types[d].Enum {
			taken[unique+pascal(reflect.ValueOf(v).String())] = true
		}
		w.names[d] = unique
	}
}

func (w *writer) find(t *rule.Type, as role) {
	if t == nil {
		return
	}
	if d := declaredOf(t, as); d.of != nil {
		if w.types[d] != nil {
			return
		}
		w.types[d] = t
		w.order = append(w.order, d)
	}
	if item := op.ItemOf(t); item != nil {
		w.find(item, as)
		return
	}
	w.find(t.Elem, as)
	if t.Kind == rule.Object {
		for _, f := range t.Object.Fields {
			w.find(f.Type, as)
		}
	}
}

// declaredOf returns the declaration of t, which is zero if it has none.
func declaredOf(t *rule.Type, as role) declared {
	switch {
	case t.Go.Name() == "" || t.Go.PkgPath() == "" || op.ItemOf(t) != nil:
		return declared{}
	case t.Kind == rule.Object:
		return declared{t.Go, as}
	case len(t.Enum) > 0:
		if own, err := rule.Describe(t.Go); err == nil && slices.Equal(own.Enum, t.Enum) {
			return declared{of: t.Go}
		}
	}
	return declared{}
}

// initialisms are written as Go does.
const initialisms = " id url api totp jwks jwk cvc ip "

// pascal turns "api_keys.end_others" into APIKeysEndOthers.
func pascal(name string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if strings.Contains(initialisms, " "+word+" ") {
			b.WriteString(strings.ToUpper(word))
			continue
		}
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	s := b.String()
	if s == "" || s[0] <= '9' {
		return "N" + s
	}
	return s
}
