package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/fault"
)

// shards keep loads of different keys from waiting for each other.
const shards = 32

// loading are the loads under way of some keys.
type loading struct {
	sync.Mutex

	flights map[flightKey]*flight
}

type flightKey struct {
	of  *kind
	key string
}

// A flight is one load, from the first who asks to the end of it. Its result
// is written before done is closed.
type flight struct {
	cache    *Cache
	run      context.Context
	above    *flight // the load that began it, or nil
	end      context.CancelFunc
	born     uint64 // the turn in which it began
	began    int64
	position int64 // that the journal had told then
	done     chan struct{}
	waiting  int // callers; under the lock of its shard

	mu     sync.Mutex
	tags   []uint32
	asOf   int64
	unkept bool // a tag could not be taken

	entry    *entry
	loaded   bool // by the function of the call
	err      error
	panicked *Panic
}

// Panic is raised in the caller whose call began a load that panicked.
type Panic struct {
	Value any    // that the load panicked with
	Stack []byte // of the load
}

func (p *Panic) Error() string { return fmt.Sprintf("%v\n\nof a cache's load:\n%s", p.Value, p.Stack) }

// Unwrap returns the value if that is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

type flightOf struct{}

// flying returns the load that ctx is of, or nil.
func flying(ctx context.Context) *flight {
	f, _ := ctx.Value(flightOf{}).(*flight)
	return f
}

// Tag says, inside a load, that its value is made of what has the tags: see
// [Cache.Invalidate]. It makes no difference whether that is said before or
// after reading. The tags of what a load itself gets from the cache are added
// to its own. Outside of a load Tag does nothing.
//
// A value with an empty tag, which nobody could invalidate, or with more than
// [MaxTags], is not kept, and counted.
func Tag(ctx context.Context, tags ...string) {
	f := flying(ctx)
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, tag := range tags {
		if tag == "" {
			f.unkept = true
			continue
		}
		f.add(hashOf(written(tag)))
	}
}

func (f *flight) add(hash uint32) {
	switch {
	case slices.Contains(f.tags, hash):
	case len(f.tags) == MaxTags:
		f.unkept = true
	default:
		f.tags = append(f.tags, hash)
	}
}

// inherit has a load that gets e from the cache depend on what e depends on.
func inherit(ctx context.Context, c *Cache, e *entry) {
	f := flying(ctx)
	if f == nil || f.cache != c {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, hash := range e.tags {
		f.add(hash)
	}
	if len(e.tags) == 0 {
		return
	}
	// What the journal has told since vouches for an entry only if it has not
	// invalidated it: whoever waited for a load gets what was touched meanwhile.
	told := c.tags.asOf.Load()
	if !c.tags.untouched(e.tags, e.born) {
		told = e.asOf
	}
	f.asOf = min(f.asOf, max(e.asOf, told))
}

// take has a load answer with an entry that it did not make itself, and depend
// on what that depends on.
func (f *flight) take(e *entry, asOf int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entry, f.err = e, nil
	f.tags, f.asOf = slices.Clip(e.tags), min(f.asOf, asOf)
}

// touched reports whether something the load is made of, as far as it has said
// so, was invalidated since it began.
func (f *flight) touched() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.cache.tags.untouched(f.tags, f.born)
}

// late reports whether the load is no longer good for a call made now: it
// began so long ago that something may have been invalidated elsewhere, and
// that for longer than the bound.
func (f *flight) late(now int64) bool {
	if f.cache.journal == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return now-f.asOf > int64(f.cache.bound)
}

// load returns the entry of a key that is not kept: from the remote tier, or
// loaded by whoever asked first.
func (k *kind) load(ctx, run context.Context, hash uint64, key string, fn func(context.Context) (any, error)) (*entry, error) {
	arrived, at := k.cache.tags.turn.Load(), k.cache.now()
	for {
		f, first := k.join(run, hash, key)
		if first {
			go k.fly(f, hash, key, fn)
		} else if within(ctx, f) {
			k.leave(f, hash, key)
			return nil, errCircle
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			k.leave(f, hash, key)
			return nil, ctx.Err()
		}
		switch {
		case first && f.panicked != nil:
			panic(f.panicked.raise())
		case f.born < arrived && f.touched(), f.began < at && f.late(at):
			// It began before an invalidation that this caller may know of, or
			// too long before the call. The next one begins after the call.
			continue
		case f.panicked != nil:
			return nil, ErrPanicked
		case f.err != nil:
			return nil, f.err
		}
		inherit(ctx, k.cache, f.entry)
		return f.entry, nil
	}
}

// within reports whether ctx is that of the load f, or of one that f makes.
func within(ctx context.Context, f *flight) bool {
	for at := flying(ctx); at != nil; at = at.above {
		if at == f {
			return true
		}
	}
	return false
}

var errCircle = errors.New("cache: a load asks for its own key, and would wait for itself")

// raise is what to panic with: who cuts a connection must be understood.
func (p *Panic) raise() any {
	if p.Value == http.ErrAbortHandler { //nolint:errorlint // net/http compares too
		return p.Value
	}
	return p
}

// join returns the load of a key that is under way, or a new one that the
// caller must begin.
func (k *kind) join(run context.Context, hash uint64, key string) (f *flight, first bool) {
	s := &k.cache.loading[hash%shards]
	s.Lock()
	defer s.Unlock()
	id := flightKey{k, key}
	if f = s.flights[id]; f != nil && !f.touched() && !f.late(k.cache.now()) {
		f.waiting++
		return f, false
	}
	f = k.begin(run)
	f.waiting = 1
	s.flights[id] = f
	return f, true
}

func (k *kind) begin(run context.Context) *flight {
	c := k.cache
	if c.under != nil {
		run = c.under(run)
	}
	f := &flight{cache: c, above: flying(run), done: make(chan struct{}), began: c.now()}
	f.asOf = f.began
	// The position first: what is known by it was committed before.
	f.position, f.born = c.tags.applied.Load(), c.tags.turn.Load()
	f.run, f.end = context.WithTimeout(context.WithValue(run, flightOf{}, f), k.rules.Timeout)
	return f
}

// leave ends a load that nobody waits for any more.
func (k *kind) leave(f *flight, hash uint64, key string) {
	s := &k.cache.loading[hash%shards]
	s.Lock()
	defer s.Unlock()
	if f.waiting--; f.waiting > 0 {
		return
	}
	f.end()
	if id := (flightKey{k, key}); s.flights[id] == f {
		delete(s.flights, id)
	}
}

// fly loads, keeps what was loaded, and tells those who wait.
func (k *kind) fly(f *flight, hash uint64, key string, fn func(context.Context) (any, error)) {
	f.err = errExited
	defer k.land(f, hash, key) // even if fn ends the goroutine
	k.resolve(f, hash, key, fn)
}

// errExited is what those get who waited for a load that called
// runtime.Goexit, as t.FailNow does.
var errExited = errors.New("cache: the load ended its goroutine")

// resolve finds the result of a load.
func (k *kind) resolve(f *flight, hash uint64, key string, fn func(context.Context) (any, error)) {
	fallback := k.peek(hash, key)
	if e := k.fetch(f, key); e != nil {
		if f.began < e.fresh {
			f.take(e, e.asOf)
			return
		}
		if fallback == nil || fallback.last < e.last {
			fallback = e
		}
	}
	if err := f.run.Err(); err != nil {
		f.err = err
		return // nobody waits any more
	}
	value, err := k.run(f, fn)
	switch f.err = nil; {
	case err == nil:
		f.loaded = true
		f.entry = k.entry(f, key, value, nil, k.rules.TTL)
	case k.rules.Missing > 0 && status(err) == http.StatusNotFound:
		gone, _ := fault.Of(err)
		f.entry = k.entry(f, key, nil, bare(gone), k.rules.Missing)
	case k.excuse(fallback, err):
		f.take(fallback, f.asOf) // the bound does not hold for it
	default:
		f.err = err
	}
}

// run calls fn, which may panic.
func (k *kind) run(f *flight, fn func(context.Context) (any, error)) (value any, err error) {
	k.counts.loads.Add(1)
	failed := true
	defer func() {
		if failed {
			k.counts.failures.Add(1)
		}
		if v := recover(); v != nil {
			f.panicked, err = &Panic{v, debug.Stack()}, ErrPanicked
		}
	}()
	value, err = fn(f.run)
	failed = failing(err) && !errors.Is(f.run.Err(), context.Canceled) // nobody waited any more
	return value, err
}

// failing reports whether a load went wrong, and was not refused for a reason
// that is an answer as good as a value.
func failing(err error) bool { return err != nil && status(err) >= http.StatusInternalServerError }

func status(err error) int {
	if f, ok := fault.Of(err); ok {
		return f.Status()
	}
	return http.StatusInternalServerError
}

// bare is a fault without its cause, which was that of one request.
func bare(f fault.Coded) error {
	if e, ok := f.(*fault.Error); ok && e.Unwrap() != nil {
		return e.Wrap(nil)
	}
	return f
}

// excuse reports whether an entry is served because loading anew failed with
// err, and then lets it be served for a while without another attempt.
func (k *kind) excuse(e *entry, err error) bool {
	now := k.cache.now()
	if k.rules.OnError == 0 || e == nil || e.gone != nil || !failing(err) || now >= e.last || !k.cache.tags.untouched(e.tags, e.born) {
		return false
	}
	e.excused.Store(now + int64(pause))
	k.counts.excused.Add(1)
	return true
}

// pause is how long a load that failed is not tried again while there is
// something to serve instead.
const pause = time.Second

// entry makes the entry of what was loaded.
func (k *kind) entry(f *flight, key string, value any, gone error, ttl time.Duration) *entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := &entry{of: k, key: key, value: value, gone: gone, tags: f.tags, born: f.born, asOf: f.asOf, position: f.position}
	e.lasts(k, f.began+int64(ttl)-rand.Int64N(int64(ttl)/10+1)) //nolint:gosec // no secret
	if gone != nil {
		e.stale, e.last = e.fresh, e.fresh
	}
	e.weigh()
	return e
}

// lasts sets how long an entry is served.
func (e *entry) lasts(k *kind, fresh int64) {
	e.fresh = fresh
	e.stale = fresh + int64(k.rules.Renew)
	e.last = fresh + int64(k.rules.OnError)
	e.renewal.Store(fresh)
}

// land keeps what was loaded and tells those who wait; the remote tier gets it
// afterwards.
func (k *kind) land(f *flight, hash uint64, key string) {
	defer f.end()
	e := f.entry
	if e != nil && f.unkept {
		k.counts.unkept.Add(1)
	}
	keep := e != nil && !f.unkept && k.cache.tags.untouched(e.tags, e.born)
	if keep {
		k.cache.kept.Set(hash, e)
	}
	s := &k.cache.loading[hash%shards]
	s.Lock()
	if id := (flightKey{k, key}); s.flights[id] == f {
		delete(s.flights, id)
	}
	s.Unlock()
	close(f.done)
	if keep && f.loaded {
		k.deliver(f, e)
	}
}

// maxRenewals bounds the loads in the background; what is more waits for the
// next call.
const maxRenewals = 64

// renew has an entry loaded anew in the background.
func (k *kind) renew(run context.Context, e *entry, hash uint64, fn func(context.Context) (any, error)) {
	c := k.cache
	select {
	case c.renewing <- struct{}{}:
	default:
		e.renewal.Store(c.now())
		return
	}
	f, first := k.join(run, hash, e.key)
	if !first {
		k.leave(f, hash, e.key)
		<-c.renewing
		return
	}
	go func() {
		defer func() { <-c.renewing }()
		k.fly(f, hash, e.key, fn)
		if f.panicked != nil { // there is no caller to raise it in
			c.log.Error("loading anew for a cache panicked", "view", k.name, "panic", f.panicked.Value, "stack", string(f.panicked.Stack))
		}
		if f.entry == nil || f.entry == e {
			e.renewal.Store(c.now() + int64(pause))
		}
	}()
}
