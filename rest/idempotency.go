package rest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/op"
)

// Idempotency runs commands at most once per key.
type Idempotency interface {
	// Begin is called before the command's function. It returns a fault if
	// there is no key or a malformed one, or if the key was used for another
	// input or by a request that still runs.
	Begin(ctx context.Context, a Attempt) (Run, error)
}

// An Attempt is one request of an idempotent command.
type Attempt struct {
	// Header holds the values of the Idempotency-Key field.
	Header               []string
	Principal, Operation string
	// Fingerprint is a keyed hash of the input: the same key with another
	// fingerprint is a mistake of the caller.
	Fingerprint [sha256.Size]byte
	// TTL is how long the answer is kept, Lease how long the function may
	// take before it counts as crashed.
	TTL, Lease time.Duration
	// Encode returns the answer for what a transaction of the function
	// returned: its result, or the fault that it kept. It returns false for
	// a result that is not the operation's answer.
	Encode func(result any, err error) (Answer, bool)
}

// A Run is an attempt under way.
type Run interface {
	// Replay returns the stored answer of an earlier attempt, or nil.
	Replay() *Answer
	// Context is what the function must run with.
	Context() context.Context
	// End is called with what the function returned: a pointer to its
	// result, or its error. It returns the answer that is stored, which is
	// the one to send, or the error to answer with if none is.
	End(ctx context.Context, out any, err error) (*Answer, error)
}

// An Answer is what is stored of a response and sent again on a replay.
type Answer struct {
	Status      int
	ContentType string
	Location    string
	ETag        string
	Body        []byte
	// Replayed says that it is the answer of another attempt.
	Replayed bool
}

func (h *handler) attempt(s *scope.Scope, r *http.Request, body []byte) Attempt {
	a := Attempt{
		Header: r.Header["Idempotency-Key"], Principal: s.Principal.ID, Operation: h.spec.Name,
		TTL: h.spec.Idempotent, Lease: h.timeout + leaseMargin,
		Encode: func(result any, err error) (Answer, bool) { return h.encodeResult(s, result, err) },
	}
	sum := hmac.New(sha256.New, h.cfg.FingerprintKey)
	_, _ = io.WriteString(sum, r.URL.EscapedPath()+"?"+r.URL.RawQuery+"\x00") // a hash never fails
	_, _ = sum.Write(body)
	sum.Sum(a.Fingerprint[:0])
	return a
}

// leaseMargin is how much longer than its function an attempt holds its key,
// so that a retry never runs beside a function that was just cut off.
const leaseMargin = 10 * time.Second

// encodeResult makes the answer of what a transaction returned, if that is
// what the operation answers with.
func (h *handler) encodeResult(s *scope.Scope, result any, err error) (Answer, bool) {
	if err != nil {
		coded, ok := fault.Of(err)
		if !ok || coded.Status() >= http.StatusInternalServerError {
			return Answer{}, false
		}
		body, err := fault.ProblemOf(err, traceID(s)).MarshalJSON()
		return Answer{Status: coded.Status(), ContentType: fault.MediaType, Body: body}, err == nil
	}
	if h.spec.Returns == op.Nothing {
		switch result.(type) {
		case struct{}, *struct{}:
			return Answer{Status: h.spec.Status}, true
		}
		return Answer{}, false
	}
	v := reflect.ValueOf(result)
	switch {
	case !v.IsValid():
		return Answer{}, false
	case v.Type() == h.spec.Out.Go:
		p := reflect.New(v.Type())
		p.Elem().Set(v)
		result = p.Interface()
	case v.Type() != reflect.PointerTo(h.spec.Out.Go) || v.IsNil():
		return Answer{}, false
	}
	a, err := h.answer(nil, result)
	return a, err == nil
}
