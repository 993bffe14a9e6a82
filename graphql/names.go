package graphql

import (
	"path"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/internal/typename"
)

// fieldOf is the field of an operation: its name without dots and underscores,
// the words after the first with a capital.
func fieldOf(operation string) string {
	first, rest, _ := strings.Cut(strings.ReplaceAll(operation, "_", "."), ".")
	var b strings.Builder
	b.WriteString(first)
	for word := range strings.SplitSeq(rest, ".") {
		b.WriteString(typename.Upper(word))
	}
	return b.String()
}

var unfit = regexp.MustCompile(`[^A-Za-z0-9_]+`)

// memberOf is the name of a member: as it is on the wire, wherever GraphQL
// admits that.
func memberOf(wire string) string {
	name := unfit.ReplaceAllString(wire, "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	if strings.HasPrefix(name, "__") { // those are introspection's
		name = "x" + name
	}
	return name
}

// fits reports whether a text can be the value of an enum.
func fits(text string) bool {
	return memberOf(text) == text && text != "true" && text != "false" && text != "null"
}

// A named is a Go type in a direction, which gets a name of its own.
type named struct {
	of    reflect.Type
	input bool
}

// nameOf names a type after its Go type: with its package in front or a number
// behind where the name is taken, and Input behind where it is one.
func (b *builder) nameOf(t reflect.Type, input bool, fallback string) string {
	key := named{t, input}
	if name, known := b.names[key]; known {
		return name
	}
	base := typename.Of(t)
	if base == "" {
		base = fallback
	}
	suffix := ""
	if input {
		suffix = "Input"
	}
	name := base + suffix
	if b.taken[name] && t.PkgPath() != "" {
		name = typename.Identifier(path.Base(t.PkgPath())) + base + suffix
	}
	name = b.unique(name)
	b.names[key] = name
	return name
}

func (b *builder) unique(name string) string {
	free := name
	for n := 2; b.taken[free]; n++ {
		free = name + strconv.Itoa(n)
	}
	b.taken[free] = true
	return free
}
