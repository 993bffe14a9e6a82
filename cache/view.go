package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"reflect"
	"regexp"
	"time"
)

// Rules say how values of one kind are kept.
type Rules[T any] struct {
	// Name names the view in its cache, in errors and in keys of the remote
	// tier: payments, rates.daily.
	Name string
	// TTL is how long a value is served after its load began; each gets up to
	// a tenth less, so that not all end at once.
	TTL time.Duration
	// Renew is how much longer a value is served while one caller's call has
	// it loaded anew in the background. Zero means that they wait for it.
	Renew time.Duration
	// OnError is how much longer than TTL a value is served when loading fails
	// with anything but a fault below 500; the next attempt is a second later.
	// Within this time Config.Bound does not hold: what another process has
	// invalidated may be served, if this one could not learn of it. Zero means
	// that a failure is a failure.
	OnError time.Duration
	// Missing is how long it is kept that a load answered with a fault of
	// status 404, which is then answered without its cause. Zero means not.
	Missing time.Duration
	// Timeout bounds a load. Zero means 30s.
	Timeout time.Duration
	// Local keeps values out of the remote tier.
	Local bool
	// Size estimates the bytes of a value. Nil means to look at what it holds.
	Size func(value T) int
	// Encode and Decode are its form in the remote tier. Nil means JSON; then
	// T must come back from it as it was.
	Encode func(value T) ([]byte, error)
	Decode func(data []byte) (T, error)
}

// DefaultTimeout bounds a load of a view that sets no bound of its own.
const DefaultTimeout = 30 * time.Second

// A View is what a cache keeps of one type. Values are given to many callers
// at once, so nobody may change what one points to.
type View[T any] struct{ kind *kind }

// kind is a View without its type.
type kind struct {
	cache    *Cache
	name     string
	typeName string
	seed     maphash.Seed
	rules    Rules[struct{}] // without the functions
	size     func(any) int
	encode   func(any) ([]byte, error)
	decode   func([]byte) (any, error)
	counts   counts
}

// nameForm is what the name of a view looks like.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$`)

// Of declares what c keeps of one type. Declare each view once, at start.
func Of[T any](c *Cache, r Rules[T]) (*View[T], error) {
	k := &kind{cache: c, name: r.Name, typeName: reflect.TypeFor[T]().String(), seed: maphash.MakeSeed(), rules: Rules[struct{}]{
		Name: r.Name, TTL: r.TTL, Renew: r.Renew, OnError: r.OnError, Missing: r.Missing,
		Timeout: or(r.Timeout, DefaultTimeout), Local: r.Local,
	}}
	k.size = sizeOf
	if r.Size != nil {
		k.size = func(value any) int {
			t, _ := value.(T) // a nil interface is kept as none
			return r.Size(t)
		}
	}
	k.encode, k.decode = forms(r)
	switch {
	case !nameForm.MatchString(r.Name) || len(r.Name) > maxName:
		return nil, fmt.Errorf("cache: a view's name is of the form payments or rates.daily, of at most %d bytes, and not %q", maxName, r.Name)
	case r.TTL <= 0:
		return nil, fmt.Errorf("cache: %s: Rules.TTL is %s; say how long values are kept", r.Name, r.TTL)
	case r.Renew < 0 || r.OnError < 0 || r.Missing < 0 || r.Timeout < 0:
		return nil, fmt.Errorf("cache: %s: a duration of Rules is negative", r.Name)
	case (r.Encode == nil) != (r.Decode == nil):
		return nil, fmt.Errorf("cache: %s: Rules.Encode and Rules.Decode come together", r.Name)
	}
	c.naming.Lock()
	defer c.naming.Unlock()
	if c.views[r.Name] != nil {
		return nil, fmt.Errorf("cache: there are two views named %s", r.Name)
	}
	c.views[r.Name] = k
	return &View[T]{k}, nil
}

// maxName leaves room in a remote key.
const maxName = 80

// Get returns the value of a key: a kept one, or what load returns. All that
// ask for a key at the same time wait for one load in the process. When ctx
// ends Get returns its error, and the load goes on for the others; when there
// are none left, its own context ends.
//
// load runs with the values of ctx and a deadline, on a goroutine of its own.
// It must read what is committed: not through a transaction that is open. With
// [Tag] it says what its value is made of. An error is not kept, unless
// [Rules.Missing] says so, nor is a panic, which goes on in the caller whose
// call began the load; the others get [ErrPanicked].
//
// Who asks is none of the cache's business: put into the key what the value
// depends on, such as the account.
func (v *View[T]) Get(ctx context.Context, key string, load func(ctx context.Context) (T, error)) (T, error) {
	hash := maphash.String(v.kind.seed, key)
	e, found := find(v.kind, hash, key)
	switch found {
	case Absent:
		return unpack[T](v.kind.load(ctx, context.WithoutCancel(ctx), hash, key, boxed(load)))
	case Due:
		v.kind.renew(context.WithoutCancel(ctx), e, hash, boxed(load))
	case Kept:
	}
	inherit(ctx, v.kind.cache, e)
	return unpack[T](e, nil)
}

// Found is what [View.Look] found.
type Found uint8

// A value is absent, kept, or kept and due to be loaded anew by this caller.
const (
	Absent Found = iota
	Kept
	Due
)

// Look is the first half of [View.Get], for callers that serve what is kept
// without an allocation: the value, or the error that is kept instead. If it
// is Absent call [View.Load]; if it is Due, and only this once, [View.Renew].
func (v *View[T]) Look(key []byte) (value T, found Found, err error) {
	e, found := find(v.kind, maphash.Bytes(v.kind.seed, key), key)
	if found == Absent {
		return value, Absent, nil
	}
	value, err = unpack[T](e, nil)
	return value, found, err
}

// Load is the second half of [View.Get]: ctx ends the caller's wait, and load
// runs with the values of run, whose end ends the load.
func (v *View[T]) Load(ctx, run context.Context, key string, load func(ctx context.Context) (T, error)) (T, error) {
	return unpack[T](v.kind.load(ctx, run, maphash.String(v.kind.seed, key), key, boxed(load)))
}

// Renew has a value loaded anew in the background, with the values of run.
func (v *View[T]) Renew(run context.Context, key string, load func(ctx context.Context) (T, error)) {
	hash := maphash.String(v.kind.seed, key)
	if e := v.kind.peek(hash, key); e != nil {
		v.kind.renew(run, e, hash, boxed(load))
	}
}

func boxed[T any](load func(context.Context) (T, error)) func(context.Context) (any, error) {
	return func(ctx context.Context) (any, error) { return load(ctx) }
}

func unpack[T any](e *entry, err error) (T, error) {
	var zero T
	switch {
	case err != nil:
		return zero, err
	case e.gone != nil:
		return zero, e.gone
	}
	value, _ := e.value.(T) // a nil interface is kept as none
	return value, nil
}

// find returns the entry of a key if it may be served now, and counts.
func find[K string | []byte](k *kind, hash uint64, key K) (*entry, Found) {
	c := k.cache
	e, ok := c.kept.GetIfPresent(hash)
	if !ok || e.of != k || e.key != string(key) {
		k.counts.misses.Add(1)
		return nil, Absent
	}
	now := c.now()
	late := c.late(e, now) // before it is asked whether what was told then has touched it
	switch {
	case !c.tags.untouched(e.tags, e.born):
	case now < e.last && now < e.excused.Load():
		k.counts.excused.Add(1)
		return e, Kept
	case late:
		k.counts.late.Add(1)
	case now < e.fresh:
		k.counts.hits.Add(1)
		return e, Kept
	case now < e.stale:
		k.counts.stale.Add(1)
		if at := e.renewal.Load(); now >= at && e.renewal.CompareAndSwap(at, now+int64(k.rules.Timeout)) {
			return e, Due
		}
		return e, Kept
	}
	k.counts.misses.Add(1)
	return nil, Absent
}

// peek returns the entry of a key, whatever its state, or nil.
func (k *kind) peek(hash uint64, key string) *entry {
	if e, ok := k.cache.kept.GetIfPresent(hash); ok && e.of == k && e.key == key {
		return e
	}
	return nil
}

// ErrPanicked is what those get who waited for a load that panicked.
var ErrPanicked = errors.New("cache: the load that this call waited for panicked")

// forms are how a view's values travel: as the rules say, or as JSON.
func forms[T any](r Rules[T]) (encode func(any) ([]byte, error), decode func([]byte) (any, error)) {
	if r.Encode == nil {
		r.Encode = func(value T) ([]byte, error) { return json.Marshal(value) }
		r.Decode = func(data []byte) (value T, err error) {
			err = json.Unmarshal(data, &value)
			return value, err
		}
	}
	encode = func(value any) ([]byte, error) {
		t, _ := value.(T) // a nil interface is kept as none
		return r.Encode(t)
	}
	return encode, func(data []byte) (any, error) { return r.Decode(data) }
}
