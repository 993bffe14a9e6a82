package webhook

import (
	"bytes"
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/fault"
)

// The headers of a message, as Standard Webhooks names them.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// Why a receiver refuses a message. All answer 401.
const (
	// ErrUnsigned says that one of the three headers is missing or malformed.
	ErrUnsigned fault.Unauthenticated = "webhook_unsigned"
	// ErrSignature says that no signature is one of our secrets'.
	ErrSignature fault.Unauthenticated = "webhook_signature_invalid"
	// ErrTimestamp says that the message was signed too long ago, or in the
	// future: it is an old one that somebody sends again, or a clock is wrong.
	ErrTimestamp fault.Unauthenticated = "webhook_timestamp_out_of_range"
)

// maxSignatures bounds how many signatures of one message are looked at: a
// sender has two during a rotation.
const maxSignatures = 16

// A Verifier is what a receiver checks messages with.
type Verifier struct {
	// Secrets are those that may have signed, the one before a rotation too.
	Secrets []Secret
	// Tolerance is how far the message's timestamp may be from now, in both
	// directions. Zero means five minutes.
	Tolerance time.Duration
	// MaxBody bounds what Wrap reads. Zero means 1 MiB.
	MaxBody int64
	// Now is the clock; nil means [time.Now].
	Now func() time.Time
}

// Verify checks the message with the given secrets and five minutes of
// tolerance: see [Verifier.Verify].
func Verify(h http.Header, body []byte, secrets ...Secret) error {
	return Verifier{Secrets: secrets}.Verify(h, body)
}

// Verify reports whether the body is what the sender signed, and did so
// recently: nil, or one of [ErrUnsigned], [ErrSignature], [ErrTimestamp]. The
// body must be the very bytes that arrived. A message that passes may still be
// one that was received before: remember the header webhook-id for at least
// as long as a sender retries.
func (v Verifier) Verify(h http.Header, body []byte) error {
	id, at, err := envelope(h)
	if err != nil {
		return err
	}
	tolerance := v.Tolerance
	if tolerance == 0 {
		tolerance = 5 * time.Minute
	}
	now := time.Now
	if v.Now != nil {
		now = v.Now
	}
	// The signature first: a stranger learns nothing of our clock.
	if !v.signed(h.Get(HeaderSignature), id, at, body) {
		return ErrSignature
	}
	if age := now().Sub(time.Unix(at, 0)); age > tolerance || age < -tolerance {
		return ErrTimestamp
	}
	return nil
}

// envelope reads the headers beside the signatures.
func envelope(h http.Header) (id string, at int64, err error) {
	for _, name := range []string{HeaderID, HeaderTimestamp, HeaderSignature} {
		if values := h.Values(name); len(values) != 1 || values[0] == "" {
			return "", 0, ErrUnsigned.Because("The header %s must be there once.", name)
		}
	}
	text := h.Get(HeaderTimestamp)
	at, err = strconv.ParseInt(text, 10, 64)
	if err != nil || at < 0 || strconv.FormatInt(at, 10) != text || at > maxUnix {
		return "", 0, ErrUnsigned.Because("The header %s must be seconds since 1970.", HeaderTimestamp)
	}
	return h.Get(HeaderID), at, nil
}

// maxUnix is far beyond any clock, and within what a time.Duration can compare.
const maxUnix = 253402300799 // the end of the year 9999

// signed reports whether one of the signatures in the header is of one of the
// secrets, in a time that depends on no content.
func (v Verifier) signed(header, id string, at int64, body []byte) bool {
	found := false
	for _, secret := range v.Secrets {
		want := secret.sum(id, at, body)
		if want == nil {
			continue
		}
		rest, more := header, true
		for n := 0; more && n < maxSignatures; n++ {
			var one string
			one, rest, more = strings.Cut(rest, " ")
			scheme, text, _ := strings.Cut(one, ",")
			if scheme != version {
				continue // of a scheme that is not known here
			}
			if got, err := base64.StdEncoding.Strict().DecodeString(text); err == nil && hmac.Equal(got, want) {
				found = true
			}
		}
	}
	return found
}

// Wrap returns a handler that calls next with messages that pass, their bodies
// unread, and answers a problem to all others.
func (v Verifier) Wrap(next http.Handler) http.Handler {
	limit := v.MaxBody
	if limit == 0 {
		limit = 1 << 20
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
		if err == nil {
			err = v.Verify(r.Header, body)
		} else if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			err = fault.ErrTooLarge.Wrap(err)
		} else {
			err = fault.ErrMalformed.Wrap(err)
		}
		if err != nil {
			_ = fault.Write(w, fault.ProblemOf(err, "")) // it has no members that could fail
			return
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}
