package redis_test

import (
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/cachetest"
	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/redis"
)

func TestCacheIsARemote(t *testing.T) {
	t.Parallel()
	cachetest.RunRemote(t, func(tb testing.TB) (cache.Remote, func(time.Duration)) {
		url, prefix := backing.Redis(tb)
		return up(tb, redis.Config{URL: url, Prefix: prefix}).Cache(), time.Sleep
	})
}

func TestCacheIsARemoteWithoutAServer(t *testing.T) {
	t.Parallel()
	cachetest.RunRemote(t, func(tb testing.TB) (cache.Remote, func(time.Duration)) {
		server := miniredis.NewMiniRedis()
		if err := server.Start(); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(server.Close)
		return up(tb, redis.Config{URL: "redis://" + server.Addr()}).Cache(), server.FastForward
	})
}

// What the server cannot do at all is an error at once; the cache then asks
// whoever it caches.
func TestCacheWithoutRedis(t *testing.T) {
	t.Parallel()
	shared := open(t, redis.Config{URL: "redis://127.0.0.1:1"}).Cache()
	if got, err := shared.Get(t.Context(), "a"); got != nil || !errors.Is(err, redis.ErrAway) {
		t.Errorf("got %q, %v", got, err)
	}
	if err := shared.Set(t.Context(), "a", []byte("b"), time.Minute); !errors.Is(err, redis.ErrAway) {
		t.Errorf("got %v", err)
	}
}
