package fault

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Error is a code with what its readers need: a detail and extension
// members for the caller, a cause for the log. Make one with a code's
// methods; errors.Is(err, code) holds for it. Its methods return copies, so
// an Error may be shared.
type Error struct {
	of      Coded
	detail  string
	members []Member
	after   time.Duration
	cause   error
}

// A Member is an extension member of a problem document.
type Member struct {
	Name  string
	Value any
}

// Code returns the code that the error was made from.
func (e *Error) Code() string { return e.of.Code() }

// Status returns the HTTP status of the error's kind.
func (e *Error) Status() int { return e.of.Status() }

// Detail returns the sentence meant for the caller.
func (e *Error) Detail() string { return e.detail }

// Members returns the extension members meant for the caller.
func (e *Error) Members() []Member { return slices.Clone(e.members) }

// Error returns code, detail and cause: the line that belongs in a log.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.of.Code())
	if e.detail != "" {
		b.WriteString(": ")
		b.WriteString(e.detail)
	}
	if e.cause != nil {
		b.WriteString(": ")
		b.WriteString(e.cause.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is the code that e was made from.
func (e *Error) Is(target error) bool { return target == error(e.of) }

// Because returns a copy of e with another sentence for the caller.
func (e *Error) Because(detail string) *Error {
	c := *e
	c.detail = detail
	return &c
}

// With returns a copy of e with one more extension member, in place of one of
// the same name. It panics if the name is one that RFC 9457 or [Problem]
// defines: names are constants, so the first test that comes by finds the
// mistake, while a log line would leave callers without the member.
func (e *Error) With(name string, value any) *Error {
	if slices.Contains(reserved, name) {
		panic("fault: " + e.of.Code() + " has a member named " + strconv.Quote(name) +
			"; choose another name, because every problem has its own " + strings.Join(reserved, ", "))
	}
	c := *e
	c.members = slices.DeleteFunc(slices.Clone(e.members), func(m Member) bool { return m.Name == name })
	c.members = append(c.members, Member{name, value})
	return &c
}

// After returns a copy of e that says how long to wait before the request is
// worth repeating. The caller gets it as the header Retry-After.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.after = d
	return &c
}

// Wrap returns a copy of e with a cause for the log.
func (e *Error) Wrap(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Of returns the fault that err carries: itself, or the first in its chain.
// An ended deadline is [ErrTimeout]. Anything else is not a fault, and Of
// returns false.
func Of(err error) (Coded, bool) {
	if err == nil {
		return nil, false
	}
	if c, ok := errors.AsType[Coded](err); ok {
		return c, true
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrTimeout, true
	}
	return nil, false
}
