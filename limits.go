package ashlar

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/metric"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
)

// limits holds every caller of the app to a rate, whatever the operations
// themselves declare. It implements [live.Limits], and as answerLimits
// [rest.Limits].
type limits struct {
	store     limit.Store
	principal limiter // signed-in callers, by their id
	address   limiter // all others, by their network
	refused   limiter // credentials that were no good, by network
	signIn    limit.Rate
	elsewhere limiter // sign-ins with another provider, which count with the others
	throttle  *throttle
	refusals  *metric.Family[metric.Counter]

	start time.Time
	// suspects is when, in time since start, nobody will have a refused
	// credential to their name any more; zero is now. While it is zero nobody
	// pays to be looked up.
	suspects atomic.Int64
}

// The rates of an app that sets none; a Config made in code has them too. The
// struct tags of [Config] say the same.
var (
	limitPrincipal = limit.Per(5000, time.Second)
	limitAddress   = limit.Per(200, 2*time.Second)
	limitSignIn    = limit.Per(60, time.Minute)
)

// refusedRate is how many bad credentials an address may send. It is wide:
// whoever shares an address with others must not lock them out by it.
var refusedRate = limit.Per(1000, time.Second).Burst(5000)

// limiter is a limiter whose refusals are counted.
type limiter struct {
	*limit.Limiter

	refusals metric.Counter
}

func newLimiter(store limit.Store, refusals *metric.Family[metric.Counter], name string, rate limit.Rate) (limiter, error) {
	made, err := limit.New(store, name, rate)
	if err != nil {
		return limiter{}, err
	}
	return limiter{made, refusals.Declare(name)}, nil
}

// Refusal is the answer to a call that is refused.
func (l limiter) Refusal(result limit.Result) error {
	l.refusals.Inc()
	return l.Limiter.Refusal(result)
}

func openLimits(cfg Config, store limit.Store, refusals *metric.Family[metric.Counter]) (*limits, error) {
	l := &limits{
		store: store, signIn: orElse(cfg.PerSignIn, limitSignIn), start: time.Now(),
		refusals: refusals,
	}
	held := func(variable, name string, rate limit.Rate) (limiter, error) {
		made, err := newLimiter(l.store, refusals, name, rate)
		if err != nil {
			return made, fmt.Errorf("%s: %w", variable, err)
		}
		return made, nil
	}
	var err error
	if l.principal, err = held("ASHLAR_LIMIT_PRINCIPAL", "principal", orElse(cfg.PerPrincipal, limitPrincipal)); err != nil {
		return nil, err
	}
	byAddress := orElse(cfg.PerAddress, limitAddress)
	if l.address, err = held("ASHLAR_LIMIT_ADDRESS", "address", byAddress); err != nil {
		return nil, err
	}
	refused := refusedRate
	if byAddress.IsUnlimited() {
		refused = byAddress
	}
	if l.refused, err = held("ASHLAR_LIMIT_ADDRESS", "credential", refused); err != nil {
		return nil, err
	}
	if l.elsewhere, err = held("ASHLAR_LIMIT_SIGN_IN", signInLimiter, l.signIn); err != nil {
		return nil, err
	}
	l.throttle, err = newThrottle(l.store, refusals)
	return l, err
}

func orElse(rate, otherwise limit.Rate) limit.Rate {
	if rate.IsZero() {
		return otherwise
	}
	return rate
}

// warn names the limits that are off.
func (l *limits) warn(ctx context.Context, log *slog.Logger) {
	for _, x := range []struct {
		variable string
		rate     limit.Rate
	}{
		{"ASHLAR_LIMIT_PRINCIPAL", l.principal.Rate()}, {"ASHLAR_LIMIT_ADDRESS", l.address.Rate()}, {"ASHLAR_LIMIT_SIGN_IN", l.signIn},
	} {
		if x.rate.IsUnlimited() {
			log.WarnContext(ctx, "a limit is off: callers may ask as often as they like", "variable", x.variable)
		}
	}
}

// signInLimit is the limit of operations by which people sign in: they cost
// the server more than any other, and strangers may call them.
func (a *App) signInLimit() op.Option {
	r := a.limits.signIn
	if r.IsUnlimited() {
		return op.Options()
	}
	return op.Limit(r.Most(), r.Window(), op.PerAddress(), op.Shared(signInLimiter))
}

// signInLimiter is the name under which all ways to sign in count together.
const signInLimiter = "sign_in"

// enterSignIn is [App.signInLimit] for what is no operation.
func (l *limits) enterSignIn(ctx context.Context) error {
	result, err := l.elsewhere.Take(ctx, networkOf(ctx))
	switch {
	case err != nil:
		return fault.ErrUnavailable.Wrap(err)
	case !result.OK:
		return l.elsewhere.Refusal(result)
	}
	return nil
}

// networkOf is the part of the client's address that limits count by. Who has
// none, because no server made it out, shares with all who have none.
func networkOf(ctx context.Context) string { return limit.Network(access.OriginOf(ctx).Address) }

// Knock implements [live.Limits].
func (l *limits) Knock(ctx context.Context, header http.Header) error {
	left, err := l.knock(ctx)
	if left.due {
		left.setFields(header)
	}
	return err
}

// Enter implements [live.Limits].
func (l *limits) Enter(ctx context.Context, header http.Header, refused error) error {
	left, err := l.enter(ctx, refused)
	if left.due {
		left.setFields(header)
	}
	return err
}

// answerLimits are the limits as [rest.Limits]: the header is asked for only
// where there is something to say.
type answerLimits struct{ *limits }

// Knock implements [rest.Limits].
func (l answerLimits) Knock(ctx context.Context, w http.ResponseWriter) error {
	left, err := l.knock(ctx)
	if left.due {
		left.setFields(scope.Fields(w))
	}
	return err
}

// Enter implements [rest.Limits].
func (l answerLimits) Enter(ctx context.Context, w http.ResponseWriter, refused error) error {
	left, err := l.enter(ctx, refused)
	if left.due {
		left.setFields(scope.Fields(w))
	}
	return err
}

// left is what a caller has left of a limit.
type left struct {
	due    bool // it has to be told
	of     *limit.Limiter
	result limit.Result
}

func (l *left) setFields(header http.Header) { l.of.SetFields(header, l.result) }

func (l *limits) knock(ctx context.Context) (left, error) {
	until := l.suspects.Load()
	if until == 0 {
		return left{}, nil
	}
	if int64(time.Since(l.start)) > until {
		l.suspects.CompareAndSwap(until, 0)
		return left{}, nil
	}
	result, err := l.refused.Look(ctx, networkOf(ctx))
	switch {
	case err != nil:
		return left{}, fault.ErrUnavailable.Wrap(err)
	case !result.OK:
		return left{true, l.refused.Limiter, result}, l.refused.Refusal(result)
	}
	return left{}, nil
}

func (l *limits) enter(ctx context.Context, refused error) (left, error) {
	if refused != nil {
		return left{}, l.count(ctx, refused)
	}
	limiter, who := l.address, access.From(ctx).ID
	if who != "" {
		limiter = l.principal
	} else {
		who = networkOf(ctx)
	}
	result, err := limiter.Take(ctx, who)
	if err != nil {
		return left{}, fault.ErrUnavailable.Wrap(err)
	}
	// Fields cost every answer something, and tell nothing to whoever is far
	// from the limit.
	has := left{!result.OK || result.Remaining < limiter.Rate().Most()/2, limiter.Limiter, result}
	if !result.OK {
		return has, limiter.Refusal(result)
	}
	return has, nil
}

// count charges the address for a credential that was no good. To have none
// is no attempt at anything.
func (l *limits) count(ctx context.Context, refused error) error {
	f, ok := fault.Of(refused)
	if !ok || f.Status() != http.StatusUnauthorized || f.Code() == fault.ErrUnauthenticated.Code() {
		return refused
	}
	result, err := l.refused.Take(ctx, networkOf(ctx))
	if err != nil {
		return fault.ErrUnavailable.Wrap(err)
	}
	until := int64(time.Since(l.start) + result.Reset)
	for {
		now := l.suspects.Load()
		if now >= until || l.suspects.CompareAndSwap(now, until) {
			return refused
		}
	}
}

// Quota implements [rest.Limits].
func (l *limits) Quota(s *op.Spec) (rest.Quota, error) {
	all := &quotas{store: l.store}
	for _, q := range s.Quotas {
		limiter, err := newLimiter(l.store, l.refusals, q.Name, limit.Per(q.N, q.Per).Burst(q.Burst))
		if err != nil {
			return nil, err
		}
		list := &all.early
		if q.By == op.CountByKey {
			list = &all.late
		}
		*list = append(*list, quota{limiter, q.By, q.Key})
	}
	return all, nil
}

// quotas are those of one operation: the late ones count by the input.
type quotas struct {
	store       limit.Store
	early, late []quota
}

type quota struct {
	limiter limiter
	by      op.CountBy
	key     func(ctx context.Context, in any) string
}

// Take implements [rest.Quota]. A call that one quota refuses spends nothing
// of the others, so that a client who knocks at a slow limit does not.
func (l *quotas) Take(ctx context.Context, header http.Header, in any) error {
	list := l.early
	if in != nil {
		list = l.late
	}
	if len(list) == 1 {
		q := &list[0]
		result, err := q.limiter.Take(ctx, q.who(ctx, in))
		if err != nil {
			return fault.ErrUnavailable.Wrap(err)
		}
		return q.answer(header, result)
	}
	claims := make([]limit.Claim, len(list))
	for i := range list {
		claims[i] = list[i].limiter.Claim(list[i].who(ctx, in), 1)
	}
	if _, err := limit.TakeAll(ctx, l.store, claims); err != nil {
		return fault.ErrUnavailable.Wrap(err)
	}
	for i := range list {
		if claims[i].Result == (limit.Result{}) {
			continue // it was not asked, because another one refused
		}
		if err := list[i].answer(header, claims[i].Result); err != nil {
			return err
		}
	}
	return nil
}

// answer says in the header what is left, and refuses if nothing was.
func (q *quota) answer(header http.Header, r limit.Result) error {
	q.limiter.SetFields(header, r)
	if !r.OK {
		return q.limiter.Refusal(r)
	}
	return nil
}

// who is whose call it is.
func (q *quota) who(ctx context.Context, in any) string {
	switch q.by {
	case op.CountByKey:
		return q.key(ctx, in)
	case op.CountByOperation:
		return ""
	case op.CountByPrincipal, op.CountByAccount:
		who := access.From(ctx)
		switch {
		case who.Anonymous():
		case q.by == op.CountByAccount && who.Account != "":
			return who.Account
		default:
			return who.ID
		}
	case op.CountByAddress:
	}
	return networkOf(ctx)
}
