// Package redis lets many instances of an application act as one: they count
// limits together, wake each other, and share what they cached.
//
//	client, err := redis.Open(ctx, redis.Config{URL: os.Getenv("REDIS_URL")})
//	if err != nil {
//		return err // the URL, the password: what no waiting cures
//	}
//	defer client.Close()
//
//	store := limit.NewFallback(client.Limits(), limit.NewMemory(limit.MemoryConfig{}))
//	mux.Handle("POST /login", limit.Per(5, time.Minute).Wrap(login, limit.In(store)))
//
// The one idea: Redis makes things faster and common, and nothing depends on
// it. Open succeeds while it is away. A command never waits longer than
// [Config.Timeout]; after some failures none waits at all, [ErrAway] comes at
// once, and a single goroutine tries until Redis is back. Callers do then what
// they would do without: limits count for each instance, caches ask the
// database, who would be woken polls.
//
// Everything here is safe for concurrent use.
package redis
