package limit

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/ashlar-go/ashlar/fault"
)

// ErrLimited answers a request that comes too soon: 429, with the time to wait
// in Retry-After.
const ErrLimited = fault.ErrLimited

// A Limiter holds each key to one rate. It is safe for concurrent use. Make it
// with [New].
type Limiter struct {
	name   string
	rate   Rate
	store  Store
	item   string // the name as a structured field has it
	policy []string
}

// New returns a limiter that counts in store under its name: limiters of one
// name and store count together. The name is what clients see in the RateLimit
// fields: printable ASCII.
func New(store Store, name string, rate Rate) (*Limiter, error) {
	if store == nil {
		return nil, errors.New("limit: a limiter needs a store")
	}
	if name == "" {
		return nil, errors.New("limit: a limiter needs a name")
	}
	for _, c := range []byte(name) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return nil, errors.New("limit: the name " + strconv.Quote(name) + " is not made of printable ASCII")
		}
	}
	if err := rate.Err(); err != nil {
		return nil, errors.New("limit: " + name + ": " + err.Error())
	}
	l := &Limiter{name: name, rate: rate, store: store, item: `"` + name + `"`}
	policy := l.item + ";q=" + strconv.Itoa(rate.burst) + ";w=" + strconv.FormatInt(seconds(rate.Window()), 10)
	l.policy = []string{policy}[:1:1] // all responses share it: to append is to copy
	return l, nil
}

// Name returns the limiter's name.
func (l *Limiter) Name() string { return l.name }

// Rate returns the limiter's rate.
func (l *Limiter) Rate() Rate { return l.rate }

// Take takes one unit of who, if there is one.
func (l *Limiter) Take(ctx context.Context, who string) (Result, error) { return l.TakeN(ctx, who, 1) }

// TakeN takes n units of who, or none if there are fewer.
func (l *Limiter) TakeN(ctx context.Context, who string, n int) (Result, error) {
	return l.store.Take(ctx, Key{l.name, who}, l.rate, max(n, 0))
}

// Look takes nothing; its result says whether a unit is there.
func (l *Limiter) Look(ctx context.Context, who string) (Result, error) { return l.TakeN(ctx, who, 0) }

// GiveBack returns n units that were taken for something that does not count
// after all.
func (l *Limiter) GiveBack(ctx context.Context, who string, n int) error {
	if n <= 0 {
		return nil
	}
	_, err := l.store.Take(ctx, Key{l.name, who}, l.rate, -n)
	return err
}

// Forget gives who everything back.
func (l *Limiter) Forget(ctx context.Context, who string) error {
	return l.GiveBack(ctx, who, math.MaxInt)
}

// Claim is what [TakeAll] takes off who, beside those of other limiters of the
// same store.
func (l *Limiter) Claim(who string, n int) Claim {
	return Claim{Key: Key{l.name, who}, Rate: l.rate, N: n}
}

// Refusal is the fault that answers a request for which the units were not
// there: [ErrLimited], with the limiter's name in the member
// "violated-policies" as the fields' specification has it.
func (l *Limiter) Refusal(r Result) error {
	wait := seconds(r.RetryAfter)
	return ErrLimited.Because("You ask too often: %s is the limit. Come back in %d s.", l.rate, wait).
		With("violated-policies", []string{l.name}).
		After(time.Duration(wait) * time.Second)
}

// SetFields adds the limiter and what is left to a response's RateLimit-Policy
// and RateLimit fields (draft-ietf-httpapi-ratelimit-headers). The quota q is
// all that may come at once and w the seconds in which it recovers; r is what
// remains, and t the seconds until all of it is there again or, when the
// request is refused, until it is worth repeating: the same as in Retry-After.
// An unlimited rate has no fields.
func (l *Limiter) SetFields(h http.Header, r Result) {
	if l.rate.unlimited {
		return
	}
	t := r.Reset
	if !r.OK {
		t = r.RetryAfter
	}
	var room [64]byte
	item := append(append(room[:0], l.item...), ";r="...)
	item = append(strconv.AppendInt(item, int64(r.Remaining), 10), ";t="...)
	item = strconv.AppendInt(item, seconds(t), 10)
	add(h, "Ratelimit-Policy", l.policy)
	add(h, "Ratelimit", []string{string(item)})
}

// add appends an item to a list field.
func add(h http.Header, name string, item []string) {
	if earlier := h[name]; len(earlier) > 0 {
		item = []string{earlier[0] + ", " + item[0]}
	}
	h[name] = item
}

// seconds rounds up: whoever comes back then is not too early.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
