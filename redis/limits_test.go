package redis_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/limit/limittest"
	"github.com/ashlar-go/ashlar/redis"
)

// patient is for tests that are not about time: the machine may be busy.
const patient = 10 * time.Second

// open opens a client that waits for whatever it takes.
func open(tb testing.TB, c redis.Config) *redis.Client {
	tb.Helper()
	if c.Timeout == 0 {
		c.Timeout = patient
	}
	client, err := redis.Open(tb.Context(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.Close)
	return client
}

// up is open, for a server that is there.
func up(tb testing.TB, c redis.Config) *redis.Client {
	tb.Helper()
	client := open(tb, c)
	if err := client.Err(); err != nil {
		tb.Fatal(err)
	}
	return client
}

// The arithmetic of the script, on a real server, with a clock that the test
// moves.
func TestLimitsAreAStore(t *testing.T) {
	t.Parallel()
	limittest.Run(t, func(tb testing.TB) (limit.Store, func(time.Duration)) {
		url, prefix := backing.Redis(tb)
		_, limits, clock := redis.OpenWithClock(tb, redis.Config{URL: url, Prefix: prefix, Timeout: patient})
		return limits, func(d time.Duration) { clock.Step(tb, d) }
	})
}

// The script as it is, on a server in this process, whose clock is the
// script's and that of what expires.
func TestLimitsAreAStoreWithoutAServer(t *testing.T) {
	t.Parallel()
	limittest.Run(t, func(tb testing.TB) (limit.Store, func(time.Duration)) {
		server := miniredis.NewMiniRedis()
		if err := server.Start(); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(server.Close)
		now := time.Unix(1_800_000_000, 0)
		var local atomic.Int64
		server.SetTime(now)
		limits := up(tb, redis.Config{URL: "redis://" + server.Addr()}).Limits()
		limits.StepLocally(func() time.Duration { return time.Duration(local.Load()) })
		return limits, func(d time.Duration) {
			now = now.Add(d)
			server.SetTime(now)
			if d > 0 {
				server.FastForward(d)
				local.Add(int64(d))
			}
		}
	})
}

// P6.2: exactly as many pass as there are, from however many goroutines and
// clients they come.
func TestLimitsOfTwoClientsAreOne(t *testing.T) {
	t.Parallel()
	url, prefix := backing.Redis(t)
	const there, sides, tries = 900, 500, 2 // more than may wait for their answers
	rate, key := limit.Per(there, time.Hour), limit.Key{Limit: "orders", Who: "ann"}
	var passed, refused atomic.Int64
	var all sync.WaitGroup
	for range 2 {
		limits := up(t, redis.Config{URL: url, Prefix: prefix}).Limits()
		for range sides {
			all.Go(func() {
				for range tries {
					switch got, err := limits.Take(t.Context(), key, rate, 1); {
					case err != nil:
						t.Error(err)
					case got.OK:
						passed.Add(1)
					default:
						refused.Add(1)
						if got.RetryAfter <= 0 || got.RetryAfter > rate.Every() {
							t.Errorf("refused, and to come back in %v", got.RetryAfter)
						}
					}
				}
			})
		}
	}
	all.Wait()
	if passed.Load() != there || refused.Load() != 2*sides*tries-there {
		t.Errorf("%d passed and %d were refused, not %d and %d", passed.Load(), refused.Load(), there, 2*sides*tries-there)
	}
}
