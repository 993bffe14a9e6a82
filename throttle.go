package ashlar

import (
	"context"
	"time"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/metric"
)

// throttle bounds the guessing of passwords (P6.12): ten failures in a row for
// one account from one network, then one more every 90 seconds, and a hundred
// a day from one network whatever the account. The owner, who comes from
// elsewhere, is not kept out by somebody else's guesses. It implements
// [auth.Throttle].
type throttle struct{ pair, network limiter }

func newThrottle(store limit.Store, refusals *metric.Family[metric.Counter]) (*throttle, error) {
	pair, err := newLimiter(store, refusals, "sign_in of an account", limit.Per(10, 15*time.Minute))
	if err != nil {
		return nil, err
	}
	network, err := newLimiter(store, refusals, "sign_in of a day", limit.Per(100, 24*time.Hour))
	return &throttle{pair, network}, err
}

// pairOf names an account and a network. A space is in neither.
func pairOf(email, network string) string { return auth.NormalizeEmail(email) + " " + network }

// Try implements [auth.Throttle].
func (t *throttle) Try(ctx context.Context, email, address string) error {
	network := limit.Network(address)
	if err := take(ctx, t.network, network); err != nil {
		return err
	}
	err := take(ctx, t.pair, pairOf(email, network))
	if err != nil { // it was not even tried, so it is none of the day's failures
		t.giveBack(ctx, network)
	}
	return err
}

func take(ctx context.Context, l limiter, who string) error {
	result, err := l.Take(ctx, who)
	switch {
	case err != nil:
		return fault.ErrUnavailable.Wrap(err)
	case !result.OK:
		l.refusals.Inc()
		return auth.ErrThrottled.Because("Too many sign-ins failed. Come back later.").After(result.RetryAfter)
	}
	return nil
}

// Succeeded implements [auth.Throttle].
func (t *throttle) Succeeded(ctx context.Context, email, address string) {
	network := limit.Network(address)
	t.giveBack(ctx, network)
	// What cannot be forgotten counts against the account for some minutes.
	_ = t.pair.Forget(ctx, pairOf(email, network))
}

// Untried implements [auth.Throttle].
func (t *throttle) Untried(ctx context.Context, email, address string) {
	network := limit.Network(address)
	t.giveBack(ctx, network)
	_ = t.pair.GiveBack(ctx, pairOf(email, network), 1) // as above
}

func (t *throttle) giveBack(ctx context.Context, network string) {
	_ = t.network.GiveBack(ctx, network, 1) // what is lost is one of a day's hundred
}
