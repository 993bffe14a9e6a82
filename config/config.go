// Package config reads a process's settings from its environment into one
// typed struct, and reports every mistake at once, before anything starts.
//
//	type Config struct {
//		Addr    string        `env:"ADDR" default:"127.0.0.1:8080" doc:"where to listen"`
//		Timeout time.Duration `env:"TIMEOUT" default:"30s"`
//		BankKey config.Secret `env:"BANK_KEY,required"`
//	}
//
//	cfg, err := config.Load[Config](os.LookupEnv)
//
// A field with an env tag is read from that variable. Exported struct fields
// without one, embedded or named, are read field by field. Other fields are
// left alone. A variable that is set to nothing counts as not set.
//
// Types: string, bool, integers, floats, [time.Duration], [Bytes], [Secret],
// [url.URL], [slog.Level], whatever implements [encoding.TextUnmarshaler]
// (netip.Prefix, netip.AddrPort …), string types with a method
// Values() []string naming what they allow, pointers to these (nil when not
// set) and slices of these (a comma-separated list).
//
// A [Secret] may also come from a file: NAME_FILE holds a path, as container
// platforms mount it.
package config

import (
	"reflect"
	"slices"
	"strings"
)

// Lookup finds a variable, as [os.LookupEnv] does.
type Lookup = func(name string) (value string, set bool)

// Map is a Lookup of fixed values, for tests and parsed files.
func Map(values map[string]string) Lookup {
	return func(name string) (string, bool) {
		value, set := values[name]
		return value, set
	}
}

// First is a Lookup that asks each of lookups in turn; the first that has the
// variable, even empty, decides.
func First(lookups ...Lookup) Lookup {
	return func(name string) (string, bool) {
		for _, lookup := range lookups {
			if value, set := lookup(name); set {
				return value, true
			}
		}
		return "", false
	}
}

// Load returns a T filled from lookup and the defaults in its tags. Its error
// is [Mistakes], all of them in the order of the fields: those of the
// variables, those of the declaration of T, and what the Validate() error
// methods of T and of the structs within it answer. Validate is not asked where
// a variable of the same struct, or of one within it, could not be read. T must
// be a struct.
func Load[T any](lookup Lookup) (T, error) {
	var value T
	load := loader{lookup: lookup}
	fields, broken := plan(reflect.TypeFor[T]())
	load.mistakes = broken
	load.fill(reflect.ValueOf(&value).Elem(), fields)
	if len(load.mistakes) > 0 {
		var zero T
		return zero, load.mistakes
	}
	return value, nil
}

// loader is one run of Load.
type loader struct {
	lookup   Lookup
	mistakes Mistakes
}

// fill reads the fields of one struct, those within it first, and validates it
// if every variable could be read. What an inner Validate answers does not keep
// the outer one from being asked: its mistakes are others.
func (l *loader) fill(target reflect.Value, fields []field) (readable bool) {
	readable = true
	for _, f := range fields {
		if f.within != nil {
			readable = l.fill(target.Field(f.index), f.within) && readable
			continue
		}
		if problem := l.read(target.Field(f.index), f); problem != "" {
			l.mistakes = append(l.mistakes, Mistake{f.Name, problem})
			readable = false
		}
	}
	if !readable || !target.CanInterface() { // embedded by an unexported name
		return readable
	}
	check, ok := reflect.TypeAssert[interface{ Validate() error }](target.Addr())
	if !ok {
		return readable
	}
	if err := check.Validate(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") { // errors.Join makes lines
			// An embedded struct's method is its outer struct's, too.
			if m := (Mistake{Problem: line}); !slices.Contains(l.mistakes, m) {
				l.mistakes = append(l.mistakes, m)
			}
		}
	}
	return readable
}

// read sets target from f's variable and returns what is wrong, if anything.
func (l *loader) read(target reflect.Value, f field) (problem string) {
	value, set := l.lookup(f.Name)
	set = set && value != ""
	if f.Secret {
		if path, named := l.lookup(f.Name + fileSuffix); named && path != "" {
			if set {
				return "is set, and so is " + f.Name + fileSuffix + "; set one of the two"
			}
			if value, problem = readSecret(path); problem != "" {
				return "(from " + f.Name + fileSuffix + ") " + problem
			}
			set = true
		}
	}
	switch {
	case set:
	case f.Required && f.Secret:
		return "is required and not set; expected " + f.want() + ", or a file with it in " + f.Name + fileSuffix
	case f.Required:
		return "is required and not set; expected " + f.want()
	case f.Default == "":
		return ""
	default:
		value = f.Default
	}
	return f.kind.set(target, value)
}
