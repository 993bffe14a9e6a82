package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/webhook"
	"pgregory.net/rapid"
)

// TestAnyInterleavingKeepsOrder has two processes send to two endpoints in any
// interleaving of what can happen: messages that commit and that do not,
// attempts that succeed, fail, are lost or broken off, leases that end,
// endpoints that are turned off and on, redeliveries, sweeps. Whatever happens,
// nothing is sent but the first message of its key, by one process at a time,
// to an endpoint that is enabled and does not rest, and not before it is due;
// and when all is well again everything has been taken or given up.
func TestAnyInterleavingKeepsOrder(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		if d.Dialect() == db.SQLite { // thousands of commits need no disk here
			d = memory(t)
		}
		round := 0
		rapid.Check(t, func(r *rapid.T) {
			if round++; round > 20 && d.Dialect() == db.Postgres { // a round is 400 round trips
				return
			}
			w := newWorld(t, r, d, fmt.Sprint("shop-", round))
			var all []step
			for _, s := range steps {
				all = append(all, slices.Repeat([]step{s}, s.weight)...)
			}
			run := rapid.SampledFrom(all)
			for range rapid.IntRange(0, 200).Draw(r, "steps") {
				run.Draw(r, "step").do(w)
			}
			w.finish()
		})
	})
}

type step struct {
	name   string
	weight int
	do     func(*world)
}

// GoString is what a failed test prints.
func (s step) GoString() string { return s.name }

var steps = []step{
	{"enqueue", 16, (*world).enqueue},
	{"roll back", 2, (*world).rollBack},
	{"take", 20, (*world).take},
	{"succeed", 12, func(w *world) { w.settle(200) }},
	{"fail", 10, func(w *world) { w.settle(500) }},
	{"be gone", 1, func(w *world) { w.settle(410) }},
	{"break off", 2, func(w *world) { w.settle(0) }},
	{"crash", 2, (*world).crash},
	{"a second passes", 4, func(w *world) { w.clock.advance(time.Second) }},
	{"a lease passes", 5, func(w *world) { w.clock.advance(31 * time.Second) }},
	{"an hour passes", 5, func(w *world) { w.clock.advance(time.Hour) }},
	{"a day passes", 3, func(w *world) { w.clock.advance(31 * time.Hour) }},
	{"a month passes", 1, func(w *world) { w.clock.advance(31 * 24 * time.Hour) }},
	{"turn off", 1, func(w *world) { w.turn(false) }},
	{"turn on", 3, func(w *world) { w.turn(true) }},
	{"redeliver", 8, (*world).redeliver},
	{"rotate", 1, (*world).rotate},
	{"sweep", 2, (*world).sweep},
}

// world is what is known to be committed.
type world struct {
	*bench
	r         *rapid.T
	account   string
	processes []*webhook.Hooks
	endpoints []*target
	flights   []*flight
	messages  int
}

// target is an endpoint and its lanes.
type target struct {
	id       string
	on       bool
	failures int
	since    time.Time // of the failures in a row
	rest     time.Time // not before
	lanes    map[string][]*parcel
	leases   map[string]*flight
	all      []*parcel
}

// parcel is a delivery.
type parcel struct {
	id, message, lane, state string
	created                  time.Time
	tries, attempts          int
	due                      time.Time // not before
}

// flight is an attempt that is under way.
type flight struct {
	process *webhook.Hooks
	target  *target
	parcel  *parcel
	claim   *webhook.Claim
	until   time.Time
}

func newWorld(t *testing.T, r *rapid.T, d *db.DB, account string) *world {
	w := &world{bench: setup(t, d, func(c *webhook.Config) { c.Trip = 2 }), r: r, account: account}
	w.processes = []*webhook.Hooks{w.Hooks, w.another()}
	for range 2 {
		e, _, err := w.Create(w.ctx, account, webhook.NewEndpoint{URL: "https://shop.example/", Types: []string{"*"}})
		w.must(err)
		w.endpoints = append(w.endpoints, &target{id: e.ID, on: true, lanes: map[string][]*parcel{}, leases: map[string]*flight{}})
	}
	return w
}

func (w *world) must(err error) {
	w.r.Helper()
	if err != nil {
		w.r.Fatal(err)
	}
}

func pick[T any](w *world, label string, from []T) T {
	return from[rapid.IntRange(0, len(from)-1).Draw(w.r, label)]
}

func (w *world) message() webhook.Message {
	w.messages++
	m := message(fmt.Sprint("m", w.messages), pick(w, "key", []string{"a", "a", "b", ""}))
	m.Account = w.account
	return m
}

func (w *world) enqueue() {
	m := w.message()
	_, err := db.InTx(w.ctx, w.db, func(tx *db.Tx) (int, error) {
		return 0, errors.Join(w.Enqueue(w.ctx, tx, m), w.Enqueue(w.ctx, tx, m)) // twice is once
	})
	w.must(err)
	for _, e := range w.endpoints {
		list, err := w.Deliveries(w.ctx, w.account, e.id, "", 1)
		w.must(err)
		p := &parcel{id: list[0].ID, message: m.ID, lane: m.Key, state: "pending", created: w.clock.now()}
		if m.Key == "" {
			p.lane = "alone " + m.ID
		}
		e.lanes[p.lane] = append(e.lanes[p.lane], p)
		e.all = append(e.all, p)
	}
}

func (w *world) rollBack() {
	m := w.message()
	_, err := db.InTx(w.ctx, w.db, func(tx *db.Tx) (int, error) {
		w.must(w.Enqueue(w.ctx, tx, m))
		return 0, errNoLine
	})
	if !errors.Is(err, errNoLine) {
		w.r.Fatal(err)
	}
}

// take has a process claim what it finds, which must be right.
func (w *world) take() {
	process, e := pick(w, "process", w.processes), pick(w, "endpoint", w.endpoints)
	c, err := process.Take(w.ctx, e.id)
	w.must(err)
	if c == nil {
		return
	}
	now := w.clock.now()
	var p *parcel
	for _, one := range e.all {
		if one.id == c.Delivery() {
			p = one
		}
	}
	switch {
	case p == nil || p.state != "pending" || p.message != c.Message():
		w.r.Fatalf("%s is taken, which is not pending: %+v", c.Message(), p)
	case e.lanes[p.lane][0] != p:
		w.r.Fatalf("%s is taken before %s", p.message, e.lanes[p.lane][0].message)
	case !e.on:
		w.r.Fatalf("%s is taken for an endpoint that is off", p.message)
	case now.Before(e.rest):
		w.r.Fatalf("%s is taken for an endpoint that rests until %v, now %v", p.message, e.rest, now)
	case now.Before(p.due):
		w.r.Fatalf("%s is taken before it is due at %v, now %v", p.message, p.due, now)
	}
	if held := e.leases[p.lane]; held != nil && now.Before(held.until) {
		w.r.Fatalf("%s is taken while another process has it", p.message)
	}
	f := &flight{process: process, target: e, parcel: p, claim: c, until: now.Add(30 * time.Second)}
	e.leases[p.lane] = f
	w.flights = append(w.flights, f)
}

// land takes a flight out of the list.
func (w *world) land() *flight {
	if len(w.flights) == 0 {
		return nil
	}
	i := rapid.IntRange(0, len(w.flights)-1).Draw(w.r, "flight")
	f := w.flights[i]
	w.flights = slices.Delete(w.flights, i, i+1)
	return f
}

func (w *world) crash() { w.land() } // nobody hears of it again

// settle ends an attempt, with status 0 by the end of its process.
func (w *world) settle(status int) {
	f := w.land()
	if f == nil {
		return
	}
	working, end := context.WithCancel(w.ctx)
	defer end()
	w.receiver.answer = func(int, received) (int, error) {
		if status == 0 {
			end()
			return 0, context.Canceled
		}
		return status, nil
	}
	before := f.process.Stats().Lost
	f.process.Send(w.ctx, working, f.claim)
	lost := f.process.Stats().Lost > before

	e, p, now := f.target, f.parcel, w.clock.now()
	if expected := e.leases[p.lane] != f; lost != expected {
		w.r.Fatalf("the attempt at %s is lost: %t, want %t", p.message, lost, expected)
	}
	if lost {
		return
	}
	delete(e.leases, p.lane)
	if status == 0 {
		return
	}
	p.attempts++
	p.tries++
	if status == 200 {
		if e.failures >= 2 {
			for _, one := range e.all { // the others are hastened
				if e.leases[one.lane] == nil {
					one.due = time.Time{}
				}
			}
		}
		e.failures, e.since, e.rest = 0, time.Time{}, time.Time{}
		w.end(e, p, "delivered")
		return
	}
	e.failures++
	if e.failures == 1 {
		e.since = now
	}
	switch {
	case !e.on:
	case status == 410, now.Sub(e.since) >= 5*24*time.Hour:
		e.on = false
	case e.failures >= 2:
		e.rest = now.Add(min(time.Hour, 30*time.Second<<min(e.failures-2, 10)) * 3 / 4)
	}
	if p.tries > 9 {
		w.end(e, p, "failed")
		return
	}
	p.due = now.Add(webhook.DefaultSchedule()[p.tries-1] * 3 / 4)
}

func (w *world) end(e *target, p *parcel, state string) {
	p.state = state
	if e.lanes[p.lane] = e.lanes[p.lane][1:]; len(e.lanes[p.lane]) == 0 {
		delete(e.lanes, p.lane)
	}
}

func (w *world) turn(on bool) {
	e := pick(w, "endpoint", w.endpoints)
	do := w.Disable
	if on {
		do = w.Enable
	}
	got, err := do(w.ctx, w.account, e.id)
	w.must(err)
	if e.on != on {
		e.on, e.failures, e.since, e.rest = on, 0, time.Time{}, time.Time{}
	}
	if (got.State == webhook.Enabled) != on || got.Failures != e.failures {
		w.r.Fatalf("%+v, want %+v", got, e)
	}
}

func (w *world) redeliver() {
	e := pick(w, "endpoint", w.endpoints)
	if len(e.all) == 0 {
		return
	}
	p := pick(w, "delivery", e.all)
	if ended := slices.DeleteFunc(slices.Clone(e.all), func(p *parcel) bool { return p.state == "pending" }); len(ended) > 0 && rapid.Bool().Draw(w.r, "ended") {
		p = pick(w, "delivery", ended)
	}
	_, err := w.Redeliver(w.ctx, w.account, e.id, p.id)
	switch {
	case !e.on:
		if !errors.Is(err, webhook.ErrDisabled) {
			w.r.Fatalf("a disabled endpoint: %v", err)
		}
		return
	case p.state == "swept":
		if !errors.Is(err, webhook.ErrNoDelivery) {
			w.r.Fatalf("a delivery that is deleted: %v", err)
		}
		return
	case p.attempts+9 >= 100:
		if !errors.Is(err, webhook.ErrExhausted) {
			w.r.Fatalf("after %d attempts: %v", p.attempts, err)
		}
		return
	}
	w.must(err)
	e.rest = time.Time{}
	if p.state == "pending" {
		if e.leases[p.lane] == nil {
			e.lanes[p.lane][0].due = time.Time{} // the first of its lane is hastened
		}
		return
	}
	p.state, p.tries, p.due = "pending", 0, time.Time{}
	e.lanes[p.lane] = append(e.lanes[p.lane], p)
}

func (w *world) rotate() {
	_, err := w.Rotate(w.ctx, w.account, pick(w, "endpoint", w.endpoints).id, time.Hour)
	w.must(err)
}

// sweep is made while nothing is under way, so that it is certain what goes.
func (w *world) sweep() {
	for _, e := range w.endpoints {
		for _, f := range e.leases {
			if w.clock.now().Before(f.until) {
				return
			}
		}
	}
	w.flights = nil
	w.must(w.Sweep(w.ctx))
	for _, e := range w.endpoints {
		for _, p := range e.all {
			if p.state == "pending" && !e.on && w.clock.now().Sub(p.created) > 30*24*time.Hour {
				w.end2(e, p)
			}
		}
		for _, p := range e.all {
			if p.state == "pending" || p.state == "swept" {
				continue
			}
			list, err := w.Deliveries(w.ctx, w.account, e.id, p.id+"~", 1)
			w.must(err)
			if len(list) == 0 || list[0].ID != p.id {
				p.state = "swept"
			}
		}
	}
}

// end2 drops a delivery wherever it is in its lane.
func (w *world) end2(e *target, p *parcel) {
	p.state = "dropped"
	lane := slices.DeleteFunc(e.lanes[p.lane], func(one *parcel) bool { return one == p })
	if e.lanes[p.lane] = lane; len(lane) == 0 {
		delete(e.lanes, p.lane)
		delete(e.leases, p.lane)
	}
}

// finish lets everything be well, and looks at what is left.
func (w *world) finish() {
	w.flights = nil
	w.receiver.always(200)
	for range 3 {
		w.clock.advance(31 * time.Hour)
		for _, e := range w.endpoints {
			_, err := w.Enable(w.ctx, w.account, e.id)
			w.must(err)
			for {
				c, err := w.Take(w.ctx, e.id)
				w.must(err)
				if c == nil {
					break
				}
				w.Send(w.ctx, w.ctx, c)
			}
		}
	}
	for _, e := range w.endpoints {
		if n := w.count(`lanes WHERE endpoint = $1`, e.id); n != 0 {
			w.r.Fatalf("%d lanes are left", n)
		}
		list, err := w.Deliveries(w.ctx, w.account, e.id, "", 1000)
		w.must(err)
		left := map[string]webhook.DeliveryState{}
		for _, one := range list {
			left[one.ID] = one.State
		}
		for _, p := range e.all {
			want := webhook.DeliveryState(p.state)
			switch p.state {
			case "swept":
				continue
			case "pending":
				want = webhook.Delivered
			}
			if got := left[p.id]; got != want {
				w.r.Fatalf("%s is %q, want %q", p.message, got, want)
			}
		}
	}
}
