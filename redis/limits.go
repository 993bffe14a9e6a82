package redis

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/ashlar-go/ashlar/limit"
)

// Limits counts what all clients of one server and prefix count together. It
// is a [limit.Batcher]: one script decides, by the server's clock, and several
// limits of a request cost one round trip.
//
// A key that was refused is refused again without asking, for as long as the
// server said and a second at most: whoever hammers at a limit costs the
// server nothing. What another instance gives back within that second comes
// too late.
//
// It fails when Redis is away; put a [limit.Fallback] around it.
type Limits struct {
	client   *Client
	prefix   string
	refusals refusals
}

// Limits returns the limits of the server. One for an application is enough.
func (c *Client) Limits() *Limits {
	l := &Limits{client: c, prefix: c.settings.prefix + "limit:"}
	l.refusals.open(time.Now())
	return l
}

var unlimited = limit.Result{OK: true, Remaining: math.MaxInt}

// Take implements [limit.Store].
func (l *Limits) Take(ctx context.Context, key limit.Key, rate limit.Rate, n int) (limit.Result, error) {
	if rate.IsUnlimited() {
		return unlimited, nil
	}
	if r, ok := l.believe(key, n); ok {
		return r, nil
	}
	s, err := l.client.live()
	if err != nil {
		return limit.Result{}, err
	}
	text := make([]byte, 0, textSize)
	text, ends := l.append(text, key, rate, n)
	all := string(text)
	keys, args := [1]string{all[:ends[0]]}, [3]string{all[ends[0]:ends[1]], all[ends[1]:ends[2]], all[ends[2]:ends[3]]}
	answer, err := l.client.eval(ctx, s, takeScript, keys[:], args[:]).AsIntSlice()
	if err == nil && len(answer) != 2 {
		err = errAnswer
	}
	if err != nil {
		return limit.Result{}, err
	}
	return l.conclude(key, rate, n, answer[0] == 1, answer[1]), nil
}

// TakeAll implements [limit.Batcher]. The nodes of a cluster cannot decide
// together, so there each claim is one round trip.
func (l *Limits) TakeAll(ctx context.Context, claims []limit.Claim) (refused int, err error) {
	s, err := l.client.live()
	if err != nil {
		return -1, err
	}
	if s.cluster {
		return limit.TakeAll(ctx, single{l}, claims)
	}
	keys, args, refused := l.write(claims)
	if refused >= 0 || len(keys) == 0 {
		return refused, nil
	}
	answer, err := l.client.eval(ctx, s, takeScript, keys, args).AsIntSlice()
	if err == nil && len(answer) != 2*len(keys) {
		err = errAnswer
	}
	if err != nil {
		return -1, err
	}
	for i := range claims {
		c := &claims[i]
		if c.Rate.IsUnlimited() {
			continue
		}
		c.Result = l.conclude(c.Key, c.Rate, c.N, answer[0] == 1, answer[1])
		if !c.Result.OK && refused < 0 {
			refused = i
		}
		answer = answer[2:]
	}
	return refused, nil
}

// single hides that Limits takes claims.
type single struct{ limit.Store }

var errAnswer = errors.New("redis: the script answered something else than was asked")

// write returns what the script is to be told of the claims, or the first of
// them that is known to be refused.
func (l *Limits) write(claims []limit.Claim) (keys, args []string, refused int) {
	keys, args = make([]string, 0, len(claims)), make([]string, 0, 3*len(claims))
	text := make([]byte, 0, textSize)
	for i := range claims {
		c := &claims[i]
		if c.Rate.IsUnlimited() {
			c.Result = unlimited
			continue
		}
		if r, ok := l.believe(c.Key, c.N); ok {
			c.Result = r
			return nil, nil, i
		}
		var ends [4]int
		text, ends = l.append(text[:0], c.Key, c.Rate, c.N)
		all := string(text)
		keys = append(keys, all[:ends[0]])
		args = append(args, all[ends[0]:ends[1]], all[ends[1]:ends[2]], all[ends[2]:ends[3]])
	}
	return keys, args, -1
}

const textSize = 192 // of key and arguments, nearly always

// append writes a key and its three arguments one after the other, so that
// they are one allocation. The key has the limit's name, for whoever looks
// into the server, and a hash of both: who is limited may be an address.
func (l *Limits) append(to []byte, key limit.Key, rate limit.Rate, n int) (text []byte, ends [4]int) {
	var room [textSize]byte
	plain := binary.AppendUvarint(room[:0], uint64(len(key.Limit)))
	plain = append(append(plain, key.Limit...), key.Who...)
	sum := sha256.Sum256(plain)

	to = append(append(append(to, l.prefix...), key.Limit...), ':')
	to = base64.RawURLEncoding.AppendEncode(to, sum[:16])
	ends[0] = len(to)
	to = strconv.AppendInt(to, int64(rate.Every()), 10)
	ends[1] = len(to)
	to = strconv.AppendInt(to, int64(rate.Most()), 10)
	ends[2] = len(to)
	to = strconv.AppendInt(to, int64(min(max(n, -rate.Most()), rate.Most()+1)), 10)
	ends[3] = len(to)
	return to, ends
}

// conclude makes a result of what the script answered: whether the units were
// there, and what is spent now.
func (l *Limits) conclude(key limit.Key, rate limit.Rate, n int, ok bool, spent int64) limit.Result {
	every, window := int64(rate.Every()), int64(rate.Window())
	r := limit.Result{OK: ok, Remaining: int((window - spent) / every), Reset: time.Duration(spent)}
	if !ok {
		r.RetryAfter = time.Duration(max(spent, 1))
		if n <= rate.Most() {
			r.RetryAfter = time.Duration(spent + int64(max(n, 1))*every - window)
		}
	}
	switch {
	case n < 0:
		l.refusals.forget(key)
	case !ok && n <= 1:
		l.refusals.note(key, r)
	}
	return r
}

// believe returns the refusal of a key that would be refused by the server
// too.
func (l *Limits) believe(key limit.Key, n int) (limit.Result, bool) {
	if n < 0 || n > 1 {
		return limit.Result{}, false
	}
	r, ok := l.refusals.find(key)
	if ok {
		l.client.counters.believed.Add(1)
	}
	return r, ok
}
