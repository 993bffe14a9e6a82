package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Variable describes one setting, for documentation and --help.
type Variable struct {
	Name     string
	Type     string // in words: "duration", "list of IP prefix"
	Default  string // as written in the tag; empty means none
	Required bool
	Secret   bool   // also readable from the file named by Name + "_FILE"
	Doc      string // the doc tag
}

// Describe returns the variables that [Load] reads for T, in the order of its
// fields. Mistakes in the declaration of T are left for Load to report.
func Describe[T any]() []Variable {
	fields, _ := plan(reflect.TypeFor[T]())
	return flatten(nil, fields)
}

func flatten(out []Variable, fields []field) []Variable {
	for _, f := range fields {
		if f.within != nil {
			out = flatten(out, f.within)
		} else {
			out = append(out, f.Variable)
		}
	}
	return out
}

// field is one field of a struct: a variable, or a struct with fields within.
type field struct {
	Variable
	index  int
	kind   kind
	within []field
}

func (f field) want() string { return f.kind.want }

// plan reads the tags of t, and says what is wrong with them.
func plan(t reflect.Type) ([]field, Mistakes) {
	if t.Kind() != reflect.Struct {
		return nil, Mistakes{{t.String(), "is not a struct"}}
	}
	p := planner{seen: map[string]string{}}
	return p.fields(t), p.mistakes
}

type planner struct {
	seen     map[string]string // variable to the field that reads it
	mistakes Mistakes
}

func (p *planner) fields(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		where := t.String() + "." + f.Name
		tag, tagged := f.Tag.Lookup("env")
		switch {
		case tagged && !f.IsExported():
			p.blame(where, "has an env tag and is not exported")
		case tagged:
			if v, ok := p.variable(f, tag, where); ok {
				v.index = i
				out = append(out, v)
			}
		case (f.IsExported() || f.Anonymous) && f.Type.Kind() == reflect.Struct:
			if within := p.fields(f.Type); len(within) > 0 {
				out = append(out, field{index: i, within: within})
			}
		case f.IsExported() && f.Tag.Get("default") != "":
			p.blame(where, "has a default and no env tag")
		}
	}
	return out
}

// variable reads one field's tags: env:"NAME" or env:"NAME,required".
func (p *planner) variable(f reflect.StructField, tag, where string) (field, bool) {
	name, option, _ := strings.Cut(tag, ",")
	out := field{Variable: Variable{
		Name: name, Default: f.Tag.Get("default"), Doc: f.Tag.Get("doc"), Required: option == "required",
	}}
	var ok bool
	out.kind, ok = kindOf(f.Type)
	out.Type, out.Secret = out.kind.name, out.kind.secret

	switch first, taken := p.seen[name]; {
	case !validName(name):
		p.blame(where, fmt.Sprintf("has no usable variable name in its env tag: %q", tag))
	case option != "" && option != "required":
		p.blame(where, fmt.Sprintf("has an env tag with an unknown option: %q", option))
	case taken:
		p.blame(where, "reads "+name+", which "+first+" reads too")
	case !ok:
		p.blame(where, "has a type that a variable cannot fill: "+f.Type.String())
	case out.Required && out.Default != "":
		p.blame(where, "is required and has a default; it can only be one")
	case out.Secret && out.Default != "":
		p.blame(where, "is a secret with a default; everybody would know it")
	default:
		p.seen[name] = where
		if out.Default == "" {
			return out, true
		}
		problem := out.kind.set(reflect.New(f.Type).Elem(), out.Default)
		if problem == "" {
			return out, true
		}
		p.blame(where, "has a default that "+problem)
	}
	return field{}, false
}

func (p *planner) blame(where, problem string) {
	p.mistakes = append(p.mistakes, Mistake{where, problem})
}

// validName reports whether name can be a variable in every shell.
func validName(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
