package cache_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/cache"
)

// The model is a table with versions, a journal that is written with it, a
// remote tier that nobody should trust, and two instances with a cache each.
// Steps interleave in any way that there is: a load reads and returns later, a
// commit is there before its writer has noticed, the journal is read now and
// told later or not at all, a process dies between any two of these.
//
// What must hold is what package cache promises: see world.check.

// A draw makes the choices: rapid's, which it shrinks, or random ones.
type draw func(label string, n int) int

const (
	rows  = 3
	bound = 5 * time.Second
	ttl   = 20 * time.Second
)

// A version is a row's value from a commit to the next.
type version struct {
	n        int
	replaced time.Time // zero while it is the present one
	by       int       // the instance that replaced it
	noticed  bool      // by the writer: its transaction has returned
	position int64     // of the note
}

// world is all of it. Its lock is held briefly, as steps run on goroutines.
type world struct {
	mu        sync.Mutex
	rows      [rows][]*version
	notes     []cache.Note
	remote    *store
	snapshot  map[string]kept
	instances []*instance
	broken    error
	defects
}

// defects are planted to see that check finds them.
type defects struct {
	hasty bool // the journal says that it looked later than it did
	lossy bool // the journal leaves notes out
	mute  bool // a transaction forgets what is to be done after its commit
}

type instance struct {
	w       *world
	n       int
	cache   *cache.Cache
	view    *cache.View[int]
	outer   *cache.View[int] // of values made of those of view
	onError time.Duration
	stop    context.CancelFunc
	looks   chan cache.Batch
	from    int // notes told
	know    int64
	ready   bool
	release chan struct{} // one loader that was let go
	pending []cache.Batch
	commits []func() // what was committed and not noticed
}

// Append and Follow make an instance its cache's journal.
func (i *instance) Append(_ context.Context, tx cache.Tx, note cache.Note) error {
	tx.(*transaction).note = note
	return nil
}

func (i *instance) Follow(ctx context.Context, told func(cache.Batch)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case b := <-i.looks:
			told(b)
		}
	}
}

// transaction is one that writes a row.
type transaction struct {
	note  cache.Note
	after []func()
}

func (tx *transaction) AfterCommit(fn func()) { tx.after = append(tx.after, fn) }

func newWorld(d defects, onError time.Duration) *world {
	w := &world{remote: newStore(), defects: d}
	for r := range w.rows {
		w.rows[r] = []*version{{}}
	}
	for n := range 2 {
		i := &instance{w: w, n: n, onError: onError}
		w.instances = append(w.instances, i)
		i.boot()
	}
	return w
}

// boot starts an instance with nothing in its memory.
func (i *instance) boot() {
	ctx, stop := context.WithCancel(context.Background())
	i.stop, i.looks, i.release = stop, make(chan cache.Batch), make(chan struct{})
	i.pending, i.commits, i.ready, i.know = nil, nil, false, 0
	var err error
	if i.cache, err = cache.New(cache.Config{Journal: i, Remote: i.w.remote, Bound: bound, Version: "1", RemoteTimeout: time.Second}); err != nil {
		panic(err)
	}
	if i.view, err = cache.Of(i.cache, cache.Rules[int]{Name: "rows", TTL: ttl, Renew: 10 * time.Second, OnError: i.onError, Timeout: time.Hour}); err != nil {
		panic(err)
	}
	if i.outer, err = cache.Of(i.cache, cache.Rules[int]{Name: "outer", TTL: ttl, Timeout: time.Hour}); err != nil {
		panic(err)
	}
	go i.cache.Run(ctx)
}

// load reads now and returns when it is let go.
func (i *instance) load(row int, release chan struct{}) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		i.w.mu.Lock()
		all := i.w.rows[row]
		n, err := all[len(all)-1].n, i.w.broken
		i.w.mu.Unlock()
		select {
		case <-release:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		cache.Tag(ctx, fmt.Sprint("row/", row)) // as late as can be
		return n, err
	}
}

// get asks for a row, and checks what it gets against what was promised when
// it asked.
func (w *world) get(i *instance, row int, nested bool, fail func(string)) {
	w.mu.Lock()
	began, know, ready := time.Now(), i.know, i.ready
	noticed := map[int]bool{}
	for _, v := range w.rows[row] {
		noticed[v.n] = v.noticed && v.by == i.n
	}
	w.mu.Unlock()
	inner, view, release, booted := i.view, i.view, i.release, i.cache
	load := i.load(row, release)
	if nested {
		inner, view = view, i.outer
		load = func(ctx context.Context) (int, error) {
			n, err := inner.Get(ctx, fmt.Sprint(row), i.load(row, release))
			<-release
			return n, err
		}
	}
	go func() {
		n, err := view.Get(context.Background(), fmt.Sprint(row), load)
		if err != nil {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		at := slices.IndexFunc(w.rows[row], func(v *version) bool { return v.n == n })
		if at < 0 {
			fail(fmt.Sprintf("instance %d got version %d of row %d, which there never was", i.n, n, row))
			return
		}
		v := w.rows[row][at]
		if v.replaced.IsZero() || i.cache != booted {
			return
		}
		switch age := began.Sub(v.replaced); {
		case noticed[n]:
			fail(fmt.Sprintf("instance %d got version %d of row %d, which it had replaced itself before it asked", i.n, n, row))
		case ready && v.position <= know:
			fail(fmt.Sprintf("instance %d got version %d of row %d, of whose end it had been told at position %d", i.n, n, row, v.position))
		case age > bound && (i.onError == 0 || age > ttl+i.onError):
			fail(fmt.Sprintf("instance %d got version %d of row %d, which had been replaced %v before it asked", i.n, n, row, age))
		}
	}()
}

// write commits a new version of a row with its note. The writer notices later.
func (w *world) write(i *instance, row int, rolledBack, lost bool) {
	tx := &transaction{}
	if err := i.cache.Invalidate(context.Background(), tx, fmt.Sprint("row/", row)); err != nil {
		panic(err)
	}
	if rolledBack {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	note := tx.note
	note.Position = int64(len(w.notes) + 1)
	if !w.lossy || note.Position%3 != 0 {
		w.notes = append(w.notes, note)
	} else {
		w.notes = append(w.notes, cache.Note{Position: note.Position, Tags: []string{"lost"}})
	}
	all := w.rows[row]
	old := all[len(all)-1]
	old.replaced, old.by, old.position = time.Now(), i.n, note.Position
	w.rows[row] = append(all, &version{n: old.n + 1})
	if lost { // the connection broke during the commit: it is one, and an error
		return
	}
	i.commits = append(i.commits, func() {
		if !w.mute {
			for _, fn := range tx.after {
				fn()
			}
		}
		w.mu.Lock()
		old.noticed = true
		w.mu.Unlock()
	})
}

// look reads the journal; what it finds is told later.
func (i *instance) look(reset bool) {
	i.w.mu.Lock()
	defer i.w.mu.Unlock()
	b := cache.Batch{AsOf: time.Now(), Position: int64(len(i.w.notes)) + 1, Reset: reset || !i.ready && len(i.pending) == 0}
	if !b.Reset {
		b.Notes = slices.Clone(i.w.notes[i.from:])
	}
	// Positions begin with 2, so that a world without notes has one as well.
	for n := range b.Notes {
		b.Notes[n].Position++
	}
	i.from = len(i.w.notes)
	i.pending = append(i.pending, b)
}

// tell hands on what the oldest look found.
func (i *instance) tell() {
	if len(i.pending) == 0 {
		return
	}
	b := i.pending[0]
	i.pending = i.pending[1:]
	if i.w.hasty {
		b.AsOf = time.Now()
	}
	i.looks <- b
	synctest.Wait()
	i.w.mu.Lock()
	defer i.w.mu.Unlock()
	i.know, i.ready = b.Position-1, true
}

// step does one thing.
func (w *world) step(draw draw, fail func(string)) {
	i := w.instances[draw("instance", len(w.instances))]
	row := draw("row", rows)
	switch draw("step", 16) {
	case 0, 1, 2, 3:
		w.get(i, row, draw("nested", 4) == 0, fail)
	case 4, 5: // one of the loads that have read returns
		select {
		case i.release <- struct{}{}:
		default:
		}
	case 6, 7:
		w.write(i, row, draw("outcome", 5) == 0, draw("outcome", 5) == 0)
	case 8, 9:
		if len(i.commits) > 0 {
			i.commits[0]()
			i.commits = i.commits[1:]
		}
	case 10:
		i.look(draw("reset", 6) == 0)
	case 11:
		i.tell()
	case 12:
		d := time.Duration(1+draw("pass", 16)) * 500 * time.Millisecond
		time.Sleep(d)
		w.remote.pass(d)
	case 13: // the remote tier
		w.remote.mu.Lock()
		switch draw("remote", 4) {
		case 0:
			w.remote.broken = errors.New("broken")
		case 1:
			w.remote.broken = nil
		case 2: // a copy is made
			w.snapshot = maps.Clone(w.remote.values)
		case 3: // and takes over
			if w.snapshot != nil {
				w.remote.values = maps.Clone(w.snapshot)
			}
		}
		w.remote.mu.Unlock()
	case 14:
		if draw("dies", 4) == 0 {
			i.die()
			i.boot()
		}
	case 15:
		w.mu.Lock()
		if w.broken = nil; draw("database", 3) == 0 {
			w.broken = errors.New("the database is down")
		}
		w.mu.Unlock()
	}
	synctest.Wait()
}

// die ends an instance with all that it had not noticed.
func (i *instance) die() {
	i.stop()
	close(i.release)
	synctest.Wait()
}

func (w *world) end() {
	for _, i := range w.instances {
		i.die()
	}
}

// run plays a game of so many steps and returns what was broken in it.
func run(d defects, onError time.Duration, steps int, draw draw) (broken string) {
	w := newWorld(d, onError)
	defer w.end()
	for _, i := range w.instances {
		i.look(false)
		i.tell()
	}
	for range steps {
		w.step(draw, func(s string) { // with the lock
			if broken == "" {
				broken = s
			}
		})
		if broken != "" {
			return broken
		}
	}
	return ""
}

// play runs a game whose choices are made before, as rapid cannot draw inside a
// bubble. It ends with the choices.
func play(t *testing.T, d defects, onError time.Duration, choices []uint16) (broken string) {
	synctest.Test(t, func(*testing.T) {
		at := 0
		broken = run(d, onError, len(choices)/4, func(_ string, n int) int {
			choice := choices[at%len(choices)]
			at++
			return int(choice) % n
		})
	})
	return broken
}

// evenly are choices that can be made among 2, 3, 4, 5, 6 and 16, each as often
// as the others; rapid's own numbers are mostly small.
var evenly = func() (all []uint16) {
	for i := range uint16(1680) {
		all = append(all, i)
	}
	return all
}()

func TestNoInterleavingServesAnOldValue(t *testing.T) {
	t.Parallel()
	for name, onError := range map[string]time.Duration{"without OnError": 0, "with OnError": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				choices := rapid.SliceOfN(rapid.SampledFrom(evenly), 400, 1000).Draw(rt, "choices")
				if broken := play(t, defects{}, onError, choices); broken != "" {
					rt.Fatal(broken)
				}
			})
		})
	}
}

func TestTheModelFindsPlantedDefects(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		defects
		says string
	}{
		"none":                                      {},
		"a journal that says it looked later":       {defects{hasty: true}, "had been replaced"},
		"a journal that leaves notes out":           {defects{lossy: true}, "version"},
		"a transaction that forgets its afterwards": {defects{mute: true}, "replaced itself"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := ""
			for seed := range uint64(200) {
				random := rand.New(rand.NewPCG(seed, 1))
				choices := make([]uint16, 800)
				for i := range choices {
					choices[i] = uint16(random.Uint32())
				}
				if found = play(t, c.defects, 0, choices); found != "" {
					t.Logf("game %d: %s", seed, found)
					break
				}
			}
			if (found == "") != (c.says == "") || !strings.Contains(found, c.says) {
				t.Errorf("found %q, want %q", found, c.says)
			}
		})
	}
}
