package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/ashlar-go/ashlar/id"
)

// Config says how a [Cache] is made. The zero value is a cache of one process.
type Config struct {
	// MaxBytes bounds what values, keys and their bookkeeping take together,
	// as far as it can be told. Zero means 64 MiB.
	MaxBytes int64
	// MaxEntries bounds how many values are kept. Zero means 100 000. A small
	// value takes at least the MaxEntries-th part of MaxBytes for that.
	MaxEntries int
	// Remote is a tier that other instances share, or nil.
	Remote Remote
	// RemoteTimeout bounds one call of Remote. Zero means 100ms. After three
	// failures in a row the Remote is left alone, for a second at first and
	// half a minute at last, so a broken one costs a caller three times this.
	RemoteTimeout time.Duration
	// Journal tells other instances what was invalidated here, and the other
	// way round. Nil is for a process that is alone with its data. Without one
	// what has tags is never kept in Remote.
	Journal Journal
	// Bound is how long an instance may go on with a value that another one
	// has invalidated: if the Journal has told nothing for that long, what has
	// tags and is older is not used. Zero means 5s. It must be well above the
	// time between two batches of the Journal.
	Bound time.Duration
	// Loading returns the context of a load, made from the one of whoever asked
	// for the value. Nil is for the same one.
	Loading func(ctx context.Context) context.Context
	// Version separates releases: values in Remote are shared by equal ones
	// only, since another may give them another form. Empty means the version
	// and revision that the binary was built from, as far as it knows them.
	Version string
	// Log is told when Remote fails and when it is back. Nil is not.
	Log *slog.Logger
	// Now is the clock, with which those of the Journal must agree. Nil means
	// [time.Now].
	Now func() time.Time
}

// Defaults of a [Config].
const (
	DefaultMaxBytes      = 64 << 20
	DefaultMaxEntries    = 100_000
	DefaultRemoteTimeout = 100 * time.Millisecond
	DefaultBound         = 5 * time.Second
)

// New returns an empty cache. See [Cache.Run] for what must run beside one
// that has a Journal.
func New(c Config) (*Cache, error) {
	if c.MaxBytes < 0 || c.MaxEntries < 0 || c.RemoteTimeout < 0 || c.Bound < 0 {
		return nil, errors.New("cache: a bound of Config is negative: zero means the default")
	}
	most := or(c.MaxBytes, DefaultMaxBytes)
	count := or(c.MaxEntries, DefaultMaxEntries)
	if most/int64(count) < 1 {
		return nil, fmt.Errorf("cache: Config.MaxBytes of %d leaves no byte for each of %d entries", most, count)
	}
	made := &Cache{
		journal:  c.Journal,
		bound:    or(c.Bound, DefaultBound),
		log:      c.Log,
		clock:    c.Now,
		under:    c.Loading,
		origin:   id.New("ins_"),
		least:    uint32(min(most/int64(count), largest)),
		own:      map[uint64]struct{}{},
		tags:     new(generations),
		views:    map[string]*kind{},
		renewing: make(chan struct{}, maxRenewals),
	}
	if made.log == nil {
		made.log = slog.New(slog.DiscardHandler)
	}
	made.start = made.time()
	for i := range made.loading {
		made.loading[i].flights = map[flightKey]*flight{}
	}
	if c.Remote != nil {
		made.remote = &tier{
			store: c.Remote, timeout: or(c.RemoteTimeout, DefaultRemoteTimeout), version: c.Version,
			log: made.log, now: made.now,
		}
		if c.Version == "" {
			made.remote.version = built()
		}
	}
	var err error
	made.kept, err = otter.New(&otter.Options[uint64, *entry]{
		MaximumWeight: uint64(most),
		Weigher:       func(_ uint64, e *entry) uint32 { return e.weight },
		StatsRecorder: &made.evicted,
	})
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	return made, nil
}

// largest is the greatest weight that an entry can have.
const largest = 1<<32 - 1

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// built is what the binary knows of its release.
func built() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	known := []string{info.Main.Version}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" || s.Key == "vcs.modified" {
			known = append(known, s.Value)
		}
	}
	return strings.Join(known, " ")
}
