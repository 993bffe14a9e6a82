package webhook

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"
	"unicode"

	"github.com/ashlar-go/ashlar/db"
)

// Outcome says how an attempt ended.
type Outcome string

// The outcomes.
const (
	Success   Outcome = "success"   // it answered 2xx
	Refused   Outcome = "refused"   // it answered anything else
	Redirect  Outcome = "redirect"  // it answered 3xx, which is not followed
	Timeout   Outcome = "timeout"   // it did not answer in time
	NoAnswer  Outcome = "no_answer" // there is nobody, or no HTTP
	Forbidden Outcome = "forbidden" // it may not be called: it leads inside
)

// A result is what came of an attempt.
type result struct {
	at         time.Time
	took       time.Duration
	outcome    Outcome
	status     int
	response   string // how the body begins
	retryAfter time.Duration
	broken     bool // by us, so it does not count
	cause      error
}

// gone reports whether the endpoint wants no more messages.
func (r result) gone() bool { return r.status == 410 }

// How much of an answer is kept, and how many attempts of a delivery are.
const (
	maxResponse = 1 << 10
	maxAttempts = 100
)

// record writes the attempt into the delivery's log.
func record(ctx context.Context, tx *db.Tx, d claimed, r result) error {
	_, err := db.Exec(ctx, tx, `
		INSERT INTO ashlar_webhook_attempts (delivery, number, at, took, outcome, status, response)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		d.ID, d.Attempts+1, millis(r.at), r.took.Milliseconds(), r.outcome, r.status, r.response)
	return err
}

// readable makes text of how an answer begins: it is shown to people, and
// nothing else is done with it.
func readable(start []byte) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(start), "\uFFFD"))
	return strings.ToValidUTF8(text[:min(len(text), maxResponse)], "")
}

// delay is how long to wait after so many failures: what the schedule says,
// varied by up to a quarter, or longer if the endpoint asks for it, up to a
// day.
func (h *Hooks) delay(failures int, asked time.Duration) time.Duration {
	d := h.cfg.Schedule[failures]
	d = d*3/4 + rand.N(d/2+1) //nolint:gosec // spread, not secrecy
	return max(d, min(asked, 24*time.Hour))
}
