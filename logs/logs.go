// Package logs writes log/slog records as one line each: JSON for machines, or
// text for a developer's terminal.
//
//	log := logs.New(os.Stdout, logs.Options{})
//	log.Info("payment captured", "payment", p.ID, "took", elapsed, "card", card)
//
//	{"time":"2026-11-22T17:20:32.104Z","level":"INFO","msg":"payment captured","payment":"pay_01…","took":1.25,"card":"***"}
//
// What a value's key gives away ([DefaultRedact]) is hidden before the value is
// formatted, in groups and inside structs and maps too. Whatever a caller
// sends, a record stays one line of valid UTF-8 that cannot steer a terminal:
// control characters, direction marks and invalid bytes are escaped.
//
// Errors are written as their text, times in UTC, and durations as a number of
// milliseconds.
package logs

import (
	"context"
	"io"
	"log/slog"
)

// Format is how a line looks.
type Format uint8

// The formats of a line.
const (
	JSON Format = iota // one JSON object
	Text               // time, level, message and key=value
)

// Options are what [New] may be told. The zero value is JSON from Info upwards
// with [DefaultRedact].
type Options struct {
	// Level is the least level written, and may be moved while the program
	// runs. Nil means Info.
	Level slog.Leveler

	// Format is JSON unless set.
	Format Format

	// Redact names the keys whose values are hidden, instead of DefaultRedact.
	// A name matches whatever the case, with - and _ alike. A name that starts
	// with * matches every key that ends in it as a word: "*token" matches
	// access_token, X-Token and idToken, not tokens. Empty means DefaultRedact:
	// there is no way to hide nothing by accident.
	Redact []string

	// Context adds what the context of a record knows, such as its trace id,
	// after the message and outside any group. It is called for each line and
	// may be called from many goroutines at once. It appends to the line
	// itself, so that an id costs no allocation. Nil adds nothing.
	Context func(ctx context.Context, line *Line)
}

// DefaultRedact returns the names hidden when Options says nothing: what
// proves identity, and what the card rules forbid to keep.
func DefaultRedact() []string {
	return []string{
		"*password", "*passwd", "*pwd", "*passphrase", "*passcode", "*secret", "*token", "*jwt", "*credentials",
		"authorization", "proxy_authorization", "x_authorization", "*cookie",
		"*api_key", "*access_key", "*secret_key", "*private_key", "*signing_key", "signing_keys", "*encryption_key", "*master_key",
		"*otp", "pin", "*recovery_code", "recovery_codes", "code_verifier", "client_assertion", "retry_key",
		"dsn", "*connection_string", "database_url", "redis_url", "amqp_url",
		"card", "*card_number", "number", "pan", "cvc", "cvv", "*security_code", "iban", "ssn",
	}
}

// New returns a logger that writes to w. Each record is one call of Write, and
// no two calls overlap. In front of a file or a pipe put a [Buffer]. Any other w
// with a method Flush() error is flushed after each record at WARN or above, so
// that what a crash leaves unwritten never holds its reason. What Write returns
// is reported to whoever calls the handler directly; a slog.Logger drops it.
func New(w io.Writer, o Options) *slog.Logger {
	return slog.New(NewHandler(w, o))
}
