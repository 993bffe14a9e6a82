package fault

import "strings"

// A Violation is one broken rule of a request. It never holds the submitted
// value, so it can be logged and returned as it is.
type Violation struct {
	// Pointer is the JSON Pointer (RFC 6901) to the member at fault, from the
	// root of the input: "/card/number". Empty means the whole input.
	Pointer string `json:"pointer"`
	// Code is a stable word for the broken rule: "required", "too_long".
	Code string `json:"code"`
	// Detail is a sentence for the caller: "must have at most 64 characters".
	Detail string `json:"detail"`
}

// Violations is the error of an input that was read and breaks rules. It
// answers 422 with every violation at once.
type Violations []Violation

// Code returns the code of [ErrInvalid].
func (Violations) Code() string { return ErrInvalid.Code() }

// Status returns 422.
func (Violations) Status() int { return ErrInvalid.Status() }

// Is reports whether target is [ErrInvalid].
func (Violations) Is(target error) bool { return target == error(ErrInvalid) }

// Error lists the violations, for logs.
func (v Violations) Error() string {
	var b strings.Builder
	b.WriteString(ErrInvalid.Code())
	for i, one := range v {
		if i > 0 {
			b.WriteByte(';')
		} else {
			b.WriteByte(':')
		}
		b.WriteByte(' ')
		b.WriteString(one.Pointer)
		b.WriteByte(' ')
		b.WriteString(one.Code)
	}
	return b.String()
}

// At returns a violation of one member as an error, for a rule that only the
// business can check:
//
//	return fault.At("/amount", "exceeds_payment", "must not exceed the captured amount")
func At(pointer, code, detail string) Violations {
	return Violations{{pointer, code, detail}}
}

// And returns v with one more violation. It lets a Validate method collect:
//
//	var v fault.Violations
//	if in.To.Before(in.From) {
//		v = v.And("/to", "before_from", "must not be before from")
//	}
//	return v.Err()
func (v Violations) And(pointer, code, detail string) Violations {
	return append(v, Violation{pointer, code, detail})
}

// Err returns v as an error, or nil when there is no violation.
func (v Violations) Err() error {
	if len(v) == 0 {
		return nil
	}
	return v
}
