package rule

import (
	"reflect"

	"github.com/ashlar-go/ashlar/fault"
)

// A Type describes the values of one Go type: their shape and what is valid.
// [Describe] builds it; it must not be changed. A field's type is its own
// copy where the field has rules of its own, so readers need look at nothing
// but the Type at hand.
type Type struct {
	// Go is the type described. A pointer field is described by what it
	// points to; only where a list, a map or a second pointer holds a pointer
	// is Go one, and then Kind is Any.
	Go   reflect.Type
	Kind Kind

	// Object holds the fields of an Object. It is a pointer because types
	// may contain themselves.
	Object *Struct
	// Elem is the element type of a List or Map, or what a pointer points to.
	Elem *Type
	// Key is the key type of a Map, a String.
	Key *Type

	// Text constrains a String.
	Text TextLimits
	// Number constrains an Int, Uint or Float.
	Number NumberLimits
	// Size bounds the items of a List or Map, or the bytes of Bytes.
	Size SizeLimits
	// Enum lists all valid values of a String, Int or Uint in the order
	// given, or is empty. The values have the type Go, and keep the other
	// limits.
	Enum []any
	// Secret says that a value must not be logged, echoed or shown.
	Secret bool
	// Example is a valid value that documents and forms show, or nil: a
	// string for a String, else a number of the type Go.
	Example any

	enum enumCheck
}

// A Struct is the part of an Object type that its copies share.
type Struct struct {
	// Fields are the wire's members in the order of the Go fields, those of
	// embedded structs in their place.
	Fields []*Field
	// Validates says that the type has a Validate() error method, on the
	// value or the pointer.
	Validates bool
}

// A Field is one member of an Object.
type Field struct {
	// Name is the member's name on the wire.
	Name string
	// GoName is the field's name in Go.
	GoName string
	// Index is the field's path for [reflect.Value.FieldByIndex]; it leads
	// through embedded structs, never through a pointer.
	Index []int
	// Type describes the value: what the pointer points to, or what the
	// Optional holds.
	Type *Type
	// Wrap says how the Go field holds the value.
	Wrap Wrap
	// Required says that the member must be present.
	Required bool
	// Nullable says that null is a valid value: the field is a pointer or an
	// [Optional].
	Nullable bool
	// OmitZero and OmitEmpty say that the encoder leaves the member out when
	// it is zero (or, for OmitEmpty, an empty text, list or map, too).
	OmitZero, OmitEmpty bool
}

// Wrap says how a Go field holds its value.
type Wrap uint8

// A field is its value, points to it, or is an [Optional] of it.
const (
	Plain Wrap = iota
	Pointer
	Opt
)

// Field returns the field with the given wire name, or nil.
func (s *Struct) Field(name string) *Field {
	for _, f := range s.Fields {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// TextLimits constrain a text. Lengths count code points.
type TextLimits struct {
	Min, Max int
	// Pattern is an expression that must match, or empty. RE2 and JavaScript
	// read it alike.
	Pattern string
	// Format is the name of a [Format], or empty.
	Format Format
	// Control says which control characters are accepted.
	Control Control

	match func(string) bool
}

// NumberLimits constrain a number. Only the pair that fits the type's kind is
// meaningful: ints for Int, uints for Uint, floats for Float.
type NumberLimits struct {
	HasMin, HasMax bool
	MinInt, MaxInt int64
	MinUint        uint64
	MaxUint        uint64
	MinFloat       float64
	MaxFloat       float64
}

// SizeLimits bound a count. Max 0 means no bound but the body's.
type SizeLimits struct {
	Min, Max int
	Unique   bool
}

// Violated is a broken constraint without its pointer. It is shared: copy it
// before filling in the pointer.
type Violated = *fault.Violation
