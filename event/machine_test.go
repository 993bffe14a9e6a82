package event_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
)

// TestWhateverHappensEachEventIsHandledOnce draws histories: transactions that
// commit or not, processes that start, stop and die, handlers that fail, and
// operators. In the end everything works again, and then each event that was
// committed has had its effect once, those of one key in order, and every reader
// has seen the log.
func TestWhateverHappensEachEventIsHandledOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		var thrown any // rapid ends a case by a panic, which must not end the bubble
		defer func() {
			if thrown != nil {
				panic(thrown)
			}
		}()
		synctest.Test(t, func(t *testing.T) {
			defer func() { thrown = recover() }()
			m := newMachine(t, r)
			r.Repeat(map[string]func(*rapid.T){
				"publish":   m.publish,
				"start":     m.start,
				"stop":      m.stop,
				"kill":      m.kill,
				"wait":      m.wait,
				"subscribe": m.subscribe,
				"read":      m.read,
				"operate":   m.operate,
			})
			m.end(r)
		})
	})
}

type machine struct {
	*bench

	next      int      // the number of the next event
	committed []string // payloads, in the order of the log
	keyOf     map[string]string
	discarded map[string]bool

	mu   sync.Mutex
	ills map[string]int // how many attempts at an event fail; below 0, all
	well bool           // nothing fails any more

	running []*process
	readers []*reading
}

// process is one that runs the consumers.
type process struct {
	*bench

	stop func()
}

// reading is a subscriber who comes again.
type reading struct {
	s        *event.Subscription
	position int64
	seen     []string
}

var machineConsumers = []string{"park", "batch"}

func newMachine(t *testing.T, r *rapid.T) *machine {
	b := onSQLite(t, event.Config{Lease: 5 * time.Second})
	b.effects()
	m := &machine{bench: b, keyOf: map[string]string{}, discarded: map[string]bool{}, ills: map[string]int{}}
	for _, name := range machineConsumers { // from the beginning
		if err := b.Drain(t.Context(), noting(name, nil)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// handler fails as often as the event is ill.
func (m *machine) handler(name string) func(r *event.Record, attempt int) error {
	return func(r *event.Record, attempt int) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		ill := m.ills[string(r.Payload)]
		switch {
		case m.well || ill == 0:
			return nil
		case ill < 0:
			return event.Permanent(errTest)
		case attempt <= ill:
			return errTest
		}
		return nil
	}
}

func (m *machine) consumers() []event.Consumer {
	batch := m.handler("batch")
	return []event.Consumer{
		noting("park", m.handler("park"), event.Attempts(3), event.Backoff(time.Second, 5*time.Second), event.Batch(5)),
		event.OnBatch(counted, "batch", func(ctx context.Context, tx *db.Tx, list []event.Of[int]) error {
			for _, e := range list {
				if err := errors.Join(note(ctx, tx, "batch", &e.Record, e.Attempt), batch(&e.Record, e.Attempt)); err != nil {
					return err
				}
			}
			return nil
		}, event.Attempts(3), event.Backoff(time.Second, 5*time.Second), event.Batch(3)),
	}
}

func (m *machine) publish(r *rapid.T) {
	var fresh []string
	n := rapid.IntRange(1, 4).Draw(r, "events")
	commits := rapid.IntRange(0, 9).Draw(r, "commits") > 0
	err := inTx(m.t.Context(), m.db, func(tx *db.Tx) error {
		for range n {
			m.next++
			payload := fmt.Sprint(m.next)
			key := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(r, "key")
			m.mu.Lock()
			m.ills[payload] = rapid.SampledFrom([]int{0, 0, 0, 0, 0, 0, 1, 2, 5, -1}).Draw(r, "ill")
			m.mu.Unlock()
			m.keyOf[payload] = key
			fresh = append(fresh, payload)
			if err := counted.Publish(m.t.Context(), tx, m.next, event.WithKey(key)); err != nil {
				return err
			}
		}
		if !commits {
			return errTest
		}
		return nil
	})
	if commits {
		m.committed = append(m.committed, fresh...)
	}
	if commits != (err == nil) {
		r.Fatal(err)
	}
}

func (m *machine) start(r *rapid.T) {
	if len(m.running) == 3 {
		r.Skip("enough run")
	}
	p := &process{bench: on(m.t, m.db, event.Config{Lease: 5 * time.Second})}
	p.stop = p.start(m.consumers()...)
	m.running = append(m.running, p)
	synctest.Wait()
}

func (m *machine) take(r *rapid.T) *process {
	if len(m.running) == 0 {
		r.Skip("none runs")
	}
	i := rapid.IntRange(0, len(m.running)-1).Draw(r, "process")
	p := m.running[i]
	m.running = slices.Delete(m.running, i, i+1)
	return p
}

func (m *machine) stop(r *rapid.T) {
	p := m.take(r)
	p.stop()
	p.Close()
}

// kill is a stop that leaves the rows as a process leaves them that is killed:
// with a lease that nobody gave back.
func (m *machine) kill(r *rapid.T) {
	type lease struct {
		Name, Owner string
		LeasedUntil int64
	}
	const leases = `SELECT name, owner, leased_until FROM ashlar_event_consumers`
	before, err := db.All[lease](m.t.Context(), m.db, leases)
	if err != nil {
		r.Fatal(err)
	}
	m.stop(r)
	after, err := db.All[lease](m.t.Context(), m.db, leases)
	if err != nil {
		r.Fatal(err)
	}
	for i, l := range before {
		if after[i].LeasedUntil == 0 && l.LeasedUntil != 0 && after[i].Owner == l.Owner {
			m.exec(`UPDATE ashlar_event_consumers SET leased_until = $1 WHERE name = $2 AND owner = $3`, l.LeasedUntil, l.Name, l.Owner)
		}
	}
}

func (m *machine) wait(r *rapid.T) {
	after(time.Duration(rapid.IntRange(1, 10_000).Draw(r, "ms")) * time.Millisecond)
}

func (m *machine) subscribe(r *rapid.T) {
	if len(m.readers) < 3 {
		m.readers = append(m.readers, &reading{})
	}
	for _, one := range m.readers {
		if one.s == nil {
			s, err := m.Subscribe(m.t.Context(), event.Filter{}, event.After(one.position))
			if err != nil {
				r.Fatal(err)
			}
			one.s = s
		}
	}
}

// read has a reader take what there is, and perhaps leave.
func (m *machine) read(r *rapid.T) {
	if len(m.readers) == 0 {
		r.Skip("nobody reads")
	}
	m.readers[rapid.IntRange(0, len(m.readers)-1).Draw(r, "reader")].read(m.t, rapid.Bool().Draw(r, "leaves"))
}

func (one *reading) read(t *testing.T, leave bool) {
	if one.s == nil {
		return
	}
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		list, err := one.s.Next(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		one.seen = append(one.seen, strings.Fields(payloads(list))...)
	}
	if one.position = one.s.Position(); leave {
		one.s.Close()
		one.s = nil
	}
}

func (m *machine) operate(r *rapid.T) {
	name := rapid.SampledFrom(machineConsumers).Draw(r, "consumer")
	ctx := m.t.Context()
	var err error
	switch rapid.IntRange(0, 4).Draw(r, "operation") {
	case 0:
		err = m.Pause(ctx, name)
	case 1:
		err = m.Resume(ctx, name)
	case 2:
		_, err = m.Retry(ctx, name)
	default:
		list, e := m.Parked(ctx, name, rapid.Bool().Draw(r, "dead"), 0, 0)
		if err = e; len(list) > 0 {
			one := list[rapid.IntRange(0, len(list)-1).Draw(r, "event")]
			_, err = m.Discard(ctx, name, one.ID)
			m.discarded[name+string(one.Payload)] = true
		}
	}
	if err != nil {
		r.Fatal(err)
	}
	synctest.Wait()
}

// end heals everything and looks at what came of it.
func (m *machine) end(r *rapid.T) {
	ctx := m.t.Context()
	m.mu.Lock()
	m.well = true
	m.mu.Unlock()
	if len(m.running) == 0 {
		m.start(r)
	}
	for _, name := range machineConsumers {
		if err := m.Resume(ctx, name); err != nil {
			r.Fatal(err)
		}
		if _, err := m.Retry(ctx, name); err != nil {
			r.Fatal(err)
		}
	}
	after(time.Minute)
	for _, name := range machineConsumers {
		var want []string
		for _, payload := range m.committed {
			if !m.discarded[name+payload] {
				want = append(want, payload)
			}
		}
		got := strings.Fields(m.noted(name))
		for _, key := range []string{"a", "b", "c"} {
			of := func(payloads []string) string {
				var list []string
				for _, p := range payloads {
					if m.keyOf[p] == key {
						list = append(list, p)
					}
				}
				return strings.Join(list, " ")
			}
			if of(got) != of(want) {
				r.Errorf("%s: key %s: handled %s, want %s", name, key, of(got), of(want))
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			r.Errorf("%s: handled %v, want %v", name, got, want)
		}
		if s := m.consumer(name); s.Parked != 0 || s.Position != int64(len(m.committed)) {
			r.Errorf("%+v of %d events", s, len(m.committed))
		}
	}
	m.subscribe(r)
	for _, one := range m.readers {
		one.read(m.t, true)
		if !slices.Equal(one.seen, m.committed) {
			r.Errorf("a reader saw %v of %v", one.seen, m.committed)
		}
	}
	for _, p := range m.running {
		p.stop()
		p.Close()
	}
}
