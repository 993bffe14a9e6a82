package graphql

import (
	"path"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/rule"
)

// fieldOf is the field of an operation: its name without dots and underscores,
// the words after the first with a capital.
func fieldOf(operation string) string {
	first, rest, _ := strings.Cut(strings.ReplaceAll(operation, "_", "."), ".")
	var b strings.Builder
	b.WriteString(first)
	for word := range strings.SplitSeq(rest, ".") {
		b.WriteString(upperFirst(word))
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
	base := baseName(t)
	if base == "" {
		base = fallback
	}
	suffix := ""
	if input {
		suffix = "Input"
	}
	name := base + suffix
	if b.taken[name] && t.PkgPath() != "" {
		name = upperFirst(unfit.ReplaceAllString(path.Base(t.PkgPath()), "")) + base + suffix
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

// argument finds the innermost type arguments in a name such as
// "Box[host/path/payments.Payment]".
var argument = regexp.MustCompile(`\[([^\[\]]*)\]`)

// baseName is the Go name of a type. Those of type arguments go in front, as in
// PaymentBox.
func baseName(t reflect.Type) string {
	name := t.Name()
	for {
		at := argument.FindStringSubmatchIndex(name)
		if at == nil {
			break
		}
		start := strings.LastIndexAny(name[:at[0]], ",[") + 1
		generic := name[start:at[0]]
		generic = generic[strings.LastIndexByte(generic, '.')+1:]
		var whole strings.Builder
		whole.WriteString(name[:start])
		for arg := range strings.SplitSeq(name[at[2]:at[3]], ",") {
			whole.WriteString(upperFirst(unfit.ReplaceAllString(arg[strings.LastIndexByte(arg, '.')+1:], "")))
		}
		whole.WriteString(generic + name[at[1]:])
		name = whole.String()
	}
	return upperFirst(unfit.ReplaceAllString(name, ""))
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// typeKey and fieldKey are the keys of [op.Docs].
func typeKey(t reflect.Type) string {
	name, _, _ := strings.Cut(t.Name(), "[")
	return t.PkgPath() + "." + name
}

// fieldKey names the struct that declares the field, which may be embedded.
func fieldKey(t reflect.Type, f *rule.Field) string {
	for _, i := range f.Index[:len(f.Index)-1] {
		t = t.Field(i).Type
	}
	return typeKey(t) + "." + f.GoName
}
