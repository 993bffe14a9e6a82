package ashlar

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/metric"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
)

// caching joins three packages that do not know each other: rest asks before
// and after an operation, db asks in each transaction of a command, and cache
// keeps the answers.
type caching struct {
	cache   *cache.Cache
	metrics *metric.Registry
	kept    map[string]answers
	ends    *ends
}

// openCache opens the app's cache.
func (a *App) openCache() (err error) {
	ends := new(ends)
	cfg := cache.Config{
		MaxBytes: int64(orDefault(a.cfg.CacheSize)) << 20, Journal: journal{a.DB, a.Events, ends}, Log: slog.New(latest{a}),
		// What a replica says may be from before an invalidation.
		Loading: func(ctx context.Context) context.Context { return db.Stale(ctx, 0) },
	}
	if a.Redis != nil {
		cfg.Remote = a.Redis.Cache()
	}
	a.Cache, err = cache.New(cfg)
	if err != nil {
		return fmt.Errorf("ASHLAR_CACHE_SIZE: %w", err)
	}
	a.caching = &caching{cache: a.Cache, metrics: a.metrics, kept: map[string]answers{}, ends: ends}
	a.Events.OnCommit(func(id, topic, key string) { ends.committed(a.Cache, id, topic, key) })
	return nil
}

// orDefault is the size of a cache in MiB, also of a Config made in code.
func orDefault(size int) int {
	if size == 0 {
		return cache.DefaultMaxBytes >> 20
	}
	return size
}

// Answers implements [rest.Cache]. The answers of an operation, and what is
// counted of them, outlive a derivation.
func (c *caching) Answers(s *op.Spec, timeout time.Duration) (rest.Answers, error) {
	if made, ok := c.kept[s.Name]; ok {
		return made, nil
	}
	k := s.Keep
	view, err := cache.Of(c.cache, cache.Rules[*rest.Kept]{
		Name: "op." + s.Name, TTL: k.TTL, Renew: k.Renew, OnError: k.OnError, Missing: k.Missing, Timeout: timeout,
		Size: (*rest.Kept).Size, Encode: func(a *rest.Kept) ([]byte, error) { return a.Bytes(), nil }, Decode: rest.ReadKept,
	})
	if err != nil {
		return nil, err
	}
	if err := c.ends.add(k.Until); err != nil {
		return nil, err
	}
	made := answers{view}
	c.kept[s.Name] = made
	return made, c.read(s.Name, view)
}

// read has the metrics show what is counted of an operation's answers.
func (c *caching) read(name string, view *cache.View[*rest.Kept]) error {
	d := &declaring{r: c.metrics}
	for result, read := range map[string]func(cache.Stats) int64{
		"hit":     func(s cache.Stats) int64 { return s.Hits },
		"stale":   func(s cache.Stats) int64 { return s.Stale },
		"excused": func(s cache.Stats) int64 { return s.Excused },
		"miss":    func(s cache.Stats) int64 { return s.Misses },
	} {
		d.read("ashlar_cache_answers_total", "Requests of operations whose answers are kept: given while fresh, while made anew, because making failed, or made.",
			func() float64 { return float64(read(view.Stats())) },
			metric.Label{Name: "op", Value: name}, metric.Label{Name: "result", Value: result})
	}
	return d.err
}

// answers are the kept ones of one operation.
type answers struct{ view *cache.View[*rest.Kept] }

// Look implements [rest.Answers].
func (a answers) Look(key []byte) (kept *rest.Kept, due bool, err error) {
	kept, found, err := a.view.Look(key)
	return kept, found == cache.Due, err
}

// Load implements [rest.Answers].
func (a answers) Load(ctx context.Context, m rest.Making) (*rest.Kept, error) {
	return a.view.Load(ctx, m.Run, m.Key, tagged(m))
}

// Renew implements [rest.Answers].
func (a answers) Renew(m rest.Making) { a.view.Renew(m.Run, m.Key, tagged(m)) }

// tagged says what an answer is made of before it is made, so that nobody
// waits for one that is invalidated meanwhile.
func tagged(m rest.Making) func(context.Context) (*rest.Kept, error) {
	return func(ctx context.Context) (*rest.Kept, error) {
		cache.Tag(ctx, m.Tags...)
		return m.Make(ctx)
	}
}

// Writing implements [rest.Cache].
func (c *caching) Writing(ctx context.Context, tags []string) (context.Context, func() error) {
	w := &writing{cache: c.cache, tags: tags}
	return db.WithHook(ctx, w), func() error {
		if w.committed.Load() {
			return nil
		}
		return c.cache.Invalidate(ctx, nil, tags...)
	}
}

// writing is one run of a command that invalidates. As a hook of its
// transactions it does so in each of them.
type writing struct {
	cache     *cache.Cache
	tags      []string
	committed atomic.Bool
}

// Begin implements [db.Hook].
func (w *writing) Begin(context.Context, *db.Tx) error { return nil }

// Commit implements [db.Hook].
func (w *writing) Commit(ctx context.Context, tx *db.Tx, _ any, _ error) error {
	tx.AfterCommit(func() { w.committed.Store(true) })
	return w.cache.Invalidate(ctx, tx, w.tags...)
}

func readCache(d *declaring, c *cache.Cache, shared bool) {
	stat := func(read func(cache.Stats) float64) func() float64 {
		return func() float64 { return read(c.Stats()) }
	}
	d.read("ashlar_cache_entries", "Values that the cache keeps.", stat(func(s cache.Stats) float64 { return float64(s.Entries) }))
	d.read("ashlar_cache_bytes", "Memory that kept values take, about.", stat(func(s cache.Stats) float64 { return float64(s.Bytes) }))
	d.read("ashlar_cache_max_bytes", "Memory that kept values may take.", stat(func(s cache.Stats) float64 { return float64(s.MaxBytes) }))
	d.read("ashlar_cache_evictions_total", "Values that were given up for want of room.", stat(func(s cache.Stats) float64 { return float64(s.Evictions) }))
	d.read("ashlar_cache_invalidations_total", "Invalidations of this process and of others.", stat(func(s cache.Stats) float64 { return float64(s.Invalidations) }))
	d.read("ashlar_cache_unkept_total", "Values that could not be kept, because of their tags.", stat(func(s cache.Stats) float64 { return float64(s.Unkept) }))
	d.read("ashlar_cache_resets_total", "Times that the cache was emptied, as invalidations may have been missed.", stat(func(s cache.Stats) float64 { return float64(s.Resets) }))
	d.read("ashlar_cache_behind_seconds", "Time since which what others invalidated is not known for certain.", stat(func(s cache.Stats) float64 { return s.Behind.Seconds() }))
	if shared {
		for outcome, read := range map[string]func(cache.Stats) int64{
			"hit":     func(s cache.Stats) int64 { return s.RemoteHits },
			"miss":    func(s cache.Stats) int64 { return s.RemoteMisses },
			"failed":  func(s cache.Stats) int64 { return s.RemoteErrors },
			"skipped": func(s cache.Stats) int64 { return s.RemoteSkipped },
		} {
			d.read("ashlar_cache_shared_total", "Values that were looked for in the tier that instances share; calls of it that failed, and that were not made after failures.",
				stat(func(s cache.Stats) float64 { return float64(read(s)) }), metric.Label{Name: "outcome", Value: outcome})
		}
	}
	const loads = "Times that a value was loaded."
	d.read("ashlar_cache_loads_total", loads, stat(func(s cache.Stats) float64 { return float64(s.Loads - s.Failures) }), metric.Label{Name: "outcome", Value: "loaded"})
	d.read("ashlar_cache_loads_total", loads, stat(func(s cache.Stats) float64 { return float64(s.Failures) }), metric.Label{Name: "outcome", Value: "failed"})
}
