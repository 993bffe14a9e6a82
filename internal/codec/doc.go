// Package codec reads and writes JSON by plans compiled from rule types.
//
// A plan is made once per type, when an operation is declared. Reading is one
// pass over the body that parses, checks every rule and fills the Go value;
// writing appends to a buffer. Both go through field offsets, so this package
// is where the unsafe code of the module lives.
//
// The reader is strict. What is not one JSON text is a [*Syntax]: bad UTF-8,
// lone surrogates, a member given twice, nesting beyond [MaxDepth], anything
// after the value. What is readable but not valid becomes [fault.Violations],
// all of them at once, up to [MaxViolations]: unknown and missing members,
// wrong types, null where none is accepted, numbers that do not fit, broken
// rules. A whole number is written without fraction or exponent: 1.0 is
// refused for an int64. Neither error ever holds a submitted value; a pointer
// holds at most 64 bytes of each name that the type does not define, and no
// name with more than six digits, which may be a value in the wrong place.
//
// Interfaces, arrays, maps whose keys are not text, and types with JSON or
// text methods are read and written by github.com/go-json-experiment/json,
// under equally strict options; of each such value it reports the first
// violation only. In an interface, a whole number beyond 2^53 is refused,
// because a float64 would change it.
//
// Types are written as they are read, with these conventions: times in UTC
// with milliseconds, nil lists as [], nil maps as {}, map entries sorted by
// key, no HTML escaping, U+FFFD for what is not UTF-8.
package codec
