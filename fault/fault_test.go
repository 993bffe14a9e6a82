package fault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/fault"
)

const (
	errNotFound fault.NotFound = "payment_not_found"
	errState    fault.Conflict = "payment_wrong_state"
	errDeclined fault.Refused  = "payment_declined"
)

func TestEachKindAnswersItsStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault fault.Coded
		want  int
	}{
		{fault.Malformed("x"), 400},
		{fault.Unauthenticated("x"), 401},
		{fault.Refused("x"), 402},
		{fault.Denied("x"), 403},
		{fault.NotFound("x"), 404},
		{fault.NotAllowed("x"), 405},
		{fault.NotAcceptable("x"), 406},
		{fault.Slow("x"), 408},
		{fault.Conflict("x"), 409},
		{fault.Gone("x"), 410},
		{fault.Stale("x"), 412},
		{fault.TooLarge("x"), 413},
		{fault.TooLong("x"), 414},
		{fault.Unsupported("x"), 415},
		{fault.Misdirected("x"), 421},
		{fault.Invalid("x"), 422},
		{fault.Precondition("x"), 428},
		{fault.Limited("x"), 429},
		{fault.Internal("x"), 500},
		{fault.Upstream("x"), 502},
		{fault.Unavailable("x"), 503},
		{fault.Timeout("x"), 504},
	} {
		if got := c.fault.Status(); got != c.want || c.fault.Code() != "x" || c.fault.Error() != "x" {
			t.Errorf("%T answers %d %q, want %d", c.fault, got, c.fault.Code(), c.want)
		}
		if http.StatusText(c.want) == "" {
			t.Errorf("%d is no status", c.want)
		}
	}
}

func TestIs(t *testing.T) {
	t.Parallel()
	made := errState.Because("payment is %s", "captured")
	for name, c := range map[string]struct {
		err, target error
		want        bool
	}{
		"a constant is itself":                      {errState, errState, true},
		"an error is its code":                      {made, errState, true},
		"an error is itself":                        {made, made, true},
		"a copy is its code":                        {made.With("a", 1).Wrap(io.EOF).Because("b"), errState, true},
		"wrapped, it is still its code":             {fmt.Errorf("capture: %w", made), errState, true},
		"an error is its cause":                     {errState.Wrap(io.EOF), io.EOF, true},
		"and the fault that its cause is":           {errState.Wrap(errNotFound.Because("x")), errNotFound, true},
		"violations are invalid":                    {fault.At("/a", "b", "c"), fault.ErrInvalid, true},
		"another code is not":                       {made, errNotFound, false},
		"the same text of another kind is not":      {made, fault.Gone("payment_wrong_state"), false},
		"two errors of one code are not each other": {made, errState.Because("payment is captured"), false},
		"a code is not its error":                   {errState, made, false},
		"violations are no other fault":             {fault.At("/a", "b", "c"), errState, false},
		"what is not wrapped is not its cause":      {made, io.EOF, false},
		"a code of the kind is not violations":      {fault.Invalid("other"), fault.ErrInvalid, false},
	} {
		if got := errors.Is(c.err, c.target); got != c.want {
			t.Errorf("%s: errors.Is(%v, %v) = %v", name, c.err, c.target, got)
		}
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a constant":            {errState, "payment_wrong_state"},
		"an error":              {errState.Because("x"), "payment_wrong_state"},
		"violations":            {fault.At("", "a", "b"), "invalid"},
		"wrapped":               {fmt.Errorf("a: %w", fmt.Errorf("b: %w", errState)), "payment_wrong_state"},
		"the first of two":      {errors.Join(io.EOF, errDeclined, errState), "payment_declined"},
		"the outer of two":      {errDeclined.Wrap(errState), "payment_declined"},
		"an ended deadline":     {fmt.Errorf("query: %w", context.DeadlineExceeded), "deadline_exceeded"},
		"nil":                   {nil, ""},
		"any other error":       {io.EOF, ""},
		"a cancelled context":   {context.Canceled, ""},
		"a text like a fault's": {errors.New("payment_wrong_state"), ""},
	} {
		got, ok := fault.Of(c.err)
		if ok != (c.want != "") || ok && got.Code() != c.want {
			t.Errorf("%s: Of(%v) = %v, %v", name, c.err, got, ok)
		}
	}
}

func TestErrorShowsTheLogEverything(t *testing.T) {
	t.Parallel()
	err := errState.Because("payment is %s", "captured").Wrap(io.ErrUnexpectedEOF)
	if got := err.Error(); got != "payment_wrong_state: payment is captured: unexpected EOF" {
		t.Errorf("Error() = %q", got)
	}
	if err.Detail() != "payment is captured" || err.Status() != 409 {
		t.Errorf("got %q %d", err.Detail(), err.Status())
	}
	if got := errState.Wrap(io.EOF).Error(); got != "payment_wrong_state: EOF" {
		t.Errorf("Error() = %q", got)
	}
}

// TestErrorsAreShared holds that methods return copies: a package may keep an
// Error in a variable and add to it in every request.
func TestErrorsAreShared(t *testing.T) {
	t.Parallel()
	shared := errDeclined.With("decline_code", "a").With("more", 1).With("most", 2)
	left, right := shared.With("side", "left"), shared.With("side", "right")
	if l, r := left.Members()[3].Value, right.Members()[3].Value; l != "left" || r != "right" {
		t.Errorf("two copies say %v and %v", l, r)
	}
	left.Because("x").Wrap(io.EOF)
	left.Members()[0].Value = "changed"
	if shared.Detail() != "" || shared.Unwrap() != nil || len(shared.Members()) != 3 || left.Members()[0].Value != "a" {
		t.Errorf("the shared error became %v %v", shared, shared.Members())
	}
	p, q := fault.ProblemOf(shared, "").Members, fault.ProblemOf(shared, "").Members
	p = append(p, fault.Member{Name: "p"})
	q = append(q, fault.Member{Name: "q"})
	if p[3].Name != "p" || q[3].Name != "q" {
		t.Errorf("two problems share memory: %v %v", p, q)
	}
}

func TestWithReplacesAMemberOfTheSameName(t *testing.T) {
	t.Parallel()
	first := errDeclined.With("a", 1).With("b", 2)
	again := first.With("a", 3)
	if got := fmt.Sprint(again.Members()); got != "[{b 2} {a 3}]" {
		t.Errorf("members are %s", got)
	}
	if got := fmt.Sprint(first.Members()); got != "[{a 1} {b 2}]" {
		t.Errorf("the original became %s", got)
	}
	if _, err := fault.ProblemOf(again, "").MarshalJSON(); err != nil {
		t.Error(err)
	}
}

func TestViolations(t *testing.T) {
	t.Parallel()
	var none fault.Violations
	if err := none.Err(); err != nil {
		t.Errorf("no violation is the error %v", err)
	}
	two := none.And("/a", "required", "is required").And("/b/0", "too_long", "must be shorter")
	err := two.Err()
	if err == nil || err.Error() != "invalid: /a required; /b/0 too_long" || two.Status() != 422 {
		t.Errorf("got %v", err)
	}
	if got := fault.At("", "odd", "is odd"); len(got) != 1 || got[0] != (fault.Violation{Code: "odd", Detail: "is odd"}) {
		t.Errorf("At gives %v", got)
	}
	if len(none) != 0 {
		t.Error("And changed what it was called on")
	}
}

// TestCausesStayInside holds the promise of [fault.Code.Wrap]: whatever the
// shape of the error, a document has nothing of a cause.
func TestCausesStayInside(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	rapid.Check(t, func(t *rapid.T) {
		err := errors.New(secret)
		faulty := false
		for range rapid.IntRange(0, 6).Draw(t, "depth") {
			switch rapid.IntRange(0, 6).Draw(t, "shape") {
			case 0:
				err = fmt.Errorf(secret+": %w", err)
			case 1:
				err, faulty = errState.Wrap(err), true
			case 2:
				err, faulty = errDeclined.Because("fine").Wrap(err).With("n", 1), true
			case 3:
				err = errors.Join(errors.New(secret), err)
			case 4:
				err, faulty = errNotFound.Wrap(fault.At("/"+secret, secret, secret)), true
			case 5:
				err, faulty = fault.ErrInternal.Wrap(errDeclined.Because(secret).With(secret, secret).Wrap(err)), true
			case 6:
				err, faulty = fault.ErrInvalid.Wrap(err), true
			}
		}
		p := fault.ProblemOf(err, "trace")
		body, failed := p.MarshalJSON()
		if failed != nil || !json.Valid(body) {
			t.Fatalf("%v: %s", failed, body)
		}
		if strings.Contains(string(body), secret) {
			t.Fatalf("the caller of %v gets %s", err, body)
		}
		if !faulty && (p.Status != 500 || p.Code != "internal") {
			t.Fatalf("%v is answered with %d %s", err, p.Status, p.Code)
		}
	})
}
