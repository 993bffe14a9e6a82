// Package typename gives Go types names for documents and clients that are made
// from them.
package typename

import (
	"reflect"
	"regexp"
	"strings"
)

// argument finds the innermost type arguments in a name such as
// "Page[host/path/payments.Payment]".
var argument = regexp.MustCompile(`\[([^\[\]]*)\]`)

var unfit = regexp.MustCompile(`[^A-Za-z0-9_]+`)

// Of is the Go name of a type. Those of type arguments go in front, as in
// PaymentPage. A type without a name has none.
func Of(t reflect.Type) string {
	name := t.Name()
	for {
		at := argument.FindStringSubmatchIndex(name)
		if at == nil {
			return Identifier(name)
		}
		start := strings.LastIndexAny(name[:at[0]], ",[") + 1
		generic := name[start:at[0]]
		generic = generic[strings.LastIndexByte(generic, '.')+1:]
		var whole strings.Builder
		whole.WriteString(name[:start])
		for arg := range strings.SplitSeq(name[at[2]:at[3]], ",") {
			whole.WriteString(Identifier(arg[strings.LastIndexByte(arg, '.')+1:]))
		}
		name = whole.String() + Upper(generic) + name[at[1]:]
	}
}

// Identifier leaves out of a text what is no letter, digit or underscore of
// ASCII, and begins it with a capital.
func Identifier(s string) string { return Upper(unfit.ReplaceAllString(s, "")) }

// Upper begins a text of ASCII with a capital.
func Upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
