package op

import (
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/rule"
)

// Docs holds doc comments by the full name of what they explain: "path/to/
// payments.Service.Capture", "path/to/payments.Payment",
// "path/to/payments.Payment.Amount". The ashlar command writes it from the
// source, because a running program has no comments.
type Docs map[string]string

// Type is the comment of a type, whatever its type arguments.
func (d Docs) Type(t reflect.Type) string { return d[typeKey(t)] }

// Field is the comment of a field of a struct, which may be one that the struct
// embeds.
func (d Docs) Field(of reflect.Type, f *rule.Field) string {
	for _, i := range f.Index[:len(f.Index)-1] {
		of = of.Field(i).Type
	}
	return d[typeKey(of)+"."+f.GoName]
}

func typeKey(t reflect.Type) string {
	name, _, _ := strings.Cut(t.Name(), "[")
	return t.PkgPath() + "." + name
}

// Explain gives operations their summaries and descriptions. The first
// sentence of the handler's comment, without the function's name, becomes the
// summary. Call it before anything is derived.
func Explain(operations []Operation, docs Docs) {
	for _, o := range operations {
		s := o.spec
		if s == nil {
			continue // Check refuses it
		}
		s.Docs = docs
		text := docs[s.Package+"."+s.Handler]
		if text == "" {
			continue
		}
		s.Summary, s.Description = split(text, s.Handler[strings.LastIndexByte(s.Handler, '.')+1:])
	}
}

// split cuts a doc comment into its first sentence and the rest, and turns
// "Capture takes a payment." into "Takes a payment".
func split(text, name string) (summary, rest string) {
	text = strings.TrimSpace(text)
	end := len(text)
	for _, stop := range []string{". ", ".\n", "\n\n"} {
		if i := strings.Index(text, stop); i >= 0 && i < end {
			end = i
		}
	}
	summary = strings.Join(strings.Fields(strings.TrimSuffix(text[:end], ".")), " ")
	rest = strings.TrimSpace(strings.TrimPrefix(text[end:], "."))
	if after, ok := strings.CutPrefix(summary, name+" "); ok && after != "" {
		first, size := utf8.DecodeRuneInString(after)
		summary = string(unicode.ToUpper(first)) + after[size:]
	}
	return summary, rest
}
