package ashlar

import (
	"context"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/metric"
	"github.com/ashlar-go/ashlar/redis"
)

// redis is how the Redis of the settings is reached.
func (c Config) redis() redis.Config {
	return redis.Config{URL: c.RedisURL.Reveal(), Plaintext: !c.Production() || c.RedisPlain == switchOn}
}

// unreadChanges is how many changes of what an app can do without wait to be
// logged.
const unreadChanges = 64

// openRedis opens the Redis that the settings name, if any. It may be away.
func (a *App) openRedis(ctx context.Context) error {
	if a.cfg.RedisURL.IsZero() || onlyDeclared(ctx) {
		return nil
	}
	cfg := a.cfg.redis()
	a.redisChanges = make(chan redisChange, unreadChanges)
	cfg.Changed = func(reason error) {
		select {
		case a.redisChanges <- redisChange{reason, time.Now()}:
		default: // nobody reads them while the app does not serve
		}
	}
	var err error
	if a.Redis, err = redis.Open(ctx, cfg); err != nil {
		return fmt.Errorf("REDIS_URL: %w", err)
	}
	a.health.Watch("redis", func(context.Context) error { return a.Redis.Err() })
	return nil
}

func (a *App) closeRedis() {
	if a.Redis != nil {
		a.Redis.Close()
	}
}

// redisChange says that Redis went away for a reason, or came back.
type redisChange struct {
	reason error
	at     time.Time
}

// redisTasks are what an app with a Redis does in the background.
func (a *App) redisTasks() []Task {
	if a.Redis == nil {
		return nil
	}
	return []Task{{"ashlar.redis.report", a.reportRedis}}
}

// reportRedis logs when Redis goes away and comes back, until ctx ends.
func (a *App) reportRedis(ctx context.Context) error {
	var since time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-a.redisChanges:
			switch {
			case c.reason != nil:
				since = c.at
				a.Log.WarnContext(ctx, "redis is away: this instance counts limits alone and looks for news by itself", "error", c.reason)
			case !since.IsZero():
				a.Log.InfoContext(ctx, "redis is back", "after", c.at.Sub(since).Round(time.Millisecond))
			}
		}
	}
}

// store returns where the app's limits count: in memory, which Redis makes
// common to all instances while it is there.
func (a *App) limitStore() limit.Store {
	memory := limit.NewMemory(limit.MemoryConfig{})
	if a.Redis == nil {
		return memory
	}
	a.fallback = limit.NewFallback(a.Redis.Limits(), memory)
	return a.fallback
}

// readRedis is for apps that have one.
func (a *App) readRedis(d *declaring) {
	stat := func(name, help string, read func(redis.Stats) float64, labels ...metric.Label) {
		d.read(name, help, func() float64 { return read(a.Redis.Stats()) }, labels...)
	}
	stat("ashlar_redis_up", "Whether Redis can be used: 1 or 0.", func(s redis.Stats) float64 {
		if s.Up {
			return 1
		}
		return 0
	})
	stat("ashlar_redis_commands_total", "Commands that were sent to Redis.", func(s redis.Stats) float64 { return float64(s.Commands) })
	stat("ashlar_redis_failures_total", "Commands that Redis did not answer in time, or was in no state to answer.", func(s redis.Stats) float64 { return float64(s.Failures) })
	stat("ashlar_redis_refused_total", "Commands that were not sent, because Redis was away or too many waited.", func(s redis.Stats) float64 { return float64(s.Refused) })
	stat("ashlar_redis_episodes_total", "Times that Redis went away.", func(s redis.Stats) float64 { return float64(s.Episodes) })
	stat("ashlar_redis_away_seconds_total", "Time for which Redis was away.", func(s redis.Stats) float64 { return s.Away.Seconds() })
	for outcome, read := range map[string]func(redis.Stats) float64{
		"published": func(s redis.Stats) float64 { return float64(s.Published) },
		"received":  func(s redis.Stats) float64 { return float64(s.Received) },
		"lost":      func(s redis.Stats) float64 { return float64(s.Lost) },
	} {
		stat("ashlar_redis_messages_total", "Messages between instances: published, received, and of these lost, because too many waited.",
			read, metric.Label{Name: "outcome", Value: outcome})
	}
	for state, read := range map[string]func(redis.Stats) float64{
		"wanted": func(s redis.Stats) float64 { return float64(s.Channels) },
		"heard":  func(s redis.Stats) float64 { return float64(s.Heard) },
	} {
		stat("ashlar_redis_channels", "Channels that are subscribed to, and of these, those that Redis has confirmed.",
			read, metric.Label{Name: "state", Value: state})
	}
	d.read("ashlar_limit_local_total", "Limits that this instance decided alone, because Redis could not.", func() float64 { return float64(a.fallback.Locals()) })
	stat("ashlar_limit_believed_total", "Limits that were refused without asking Redis again.", func(s redis.Stats) float64 { return float64(s.Believed) })
}
