package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/serve"
)

// serveOverload serves an app with one operation that computes for some
// milliseconds and one that waits two seconds for a network.
func serveOverload(ctx context.Context, dir, shed string) error {
	cfg, err := config.Load[ashlar.Config](config.Map(map[string]string{
		"DATABASE_URL": "sqlite::memory:", "ASHLAR_DATA_DIR": dir, "ASHLAR_SHED": shed, "ASHLAR_LOG_LEVEL": "error",
		"ASHLAR_LIMIT_ADDRESS": loadLimit,
	}))
	if err != nil {
		return err
	}
	app, err := ashlar.Open(ctx, cfg)
	if err != nil {
		return err
	}
	rounds := roundsFor(computing)
	app.Mount(ashlar.Module{Name: "overload", Operations: []op.Operation{
		op.Query("compute", "GET /compute", func(context.Context, struct{}) (state, error) {
			hash(rounds)
			return state{"ok"}, nil
		}, op.Public()),
		op.Query("wait", "GET /wait", func(ctx context.Context, _ struct{}) (state, error) {
			select {
			case <-ctx.Done():
			case <-time.After(waiting):
			}
			return state{"ok"}, ctx.Err()
		}, op.Public()),
	}})
	handler, err := app.Handler()
	if err != nil {
		return err
	}
	if err := app.Migrate(ctx); err != nil {
		return err
	}
	s := serve.New(handler, serve.Config{Addr: "127.0.0.1:0", Log: app.Log})
	addr, err := s.Listen(ctx)
	if err != nil {
		return err
	}
	go func() { _ = s.Run(ctx) }() // until the process ends
	return report(hello{Addr: addr.String()})
}

const (
	computing = 5 * time.Millisecond
	waiting   = 2 * time.Second
)

func hash(rounds int) {
	var block [1024]byte
	for range rounds {
		sum := sha256.Sum256(block[:])
		block[0] = sum[0]
	}
}

// roundsFor is how often to hash to compute for d, on an undisturbed processor.
func roundsFor(d time.Duration) int {
	const some = 500
	least := time.Hour
	for range 50 {
		began := time.Now()
		hash(some)
		least = min(least, time.Since(began))
	}
	return int(some * d / least)
}

// overload is the measure of what remains of a server that is asked for five
// times what it can do, and of one that is not overloaded though it looks so.
func overload(o options, t *table) error {
	compute := newCall("GET", "/compute", http.StatusOK, "", "Accept", "application/json")
	wait := newCall("GET", "/wait", http.StatusOK, "", "Accept", "application/json")
	for round := range o.rounds {
		for _, side := range turns(round, "auto", "off") {
			// A process for each round: nothing is left of the overload before.
			p, err := startServer("overload-"+side, o.dir, o.profiles)
			if err != nil {
				return err
			}
			err = overloadOnce(o, t, p.Addr, side, compute, wait)
			if err := errors.Join(err, p.stop()); err != nil {
				return fmt.Errorf("%s: %w", side, err)
			}
		}
	}
	for _, side := range []string{"auto", "off"} {
		name := "Overload-5x/" + side
		t.note("shedding %s: goodput at 5 times the capacity %.2f of the peak (to reach: 0.90), p99 of those let in %.1f times the unloaded (to reach: 5)",
			side, median(t.values(name, "of-peak")), median(t.values(name, "x-p99")))
	}
	return nil
}

func overloadOnce(o options, t *table, addr, side string, compute, wait call) error {
	one, few := o.load(o.cellTime), o.load(o.cellTime)
	one.clients, few.clients = 1, 8
	unloaded, err := one.drive(addr, compute)
	if err != nil {
		return fmt.Errorf("unloaded: %w", err)
	}
	t.add("Overload-unloaded", side, unloaded.metrics()...)
	peak, err := few.drive(addr, compute)
	if err != nil {
		return fmt.Errorf("peak: %w", err)
	}
	t.add("Overload-peak", side, peak.metrics()...)

	// Neither many clients that wait for each other nor many that wait for a
	// network are an overload: any 503 ends the measure.
	many, err := o.load(o.cellTime).drive(addr, compute)
	if err != nil {
		return fmt.Errorf("%d clients: %w", o.clients, err)
	}
	t.add(fmt.Sprintf("Overload-%d-clients", o.clients), side, many.metrics()...)
	capacity := float64(peak.requests) / peak.wall.Seconds()
	if err := slowBesideFast(o, t, addr, side, capacity, compute, wait); err != nil {
		return err
	}

	over, err := offer(addr, compute, 5*capacity, o.cellTime+settling, settling)
	if err != nil {
		return fmt.Errorf("overloaded: %w", err)
	}
	before := unloaded.metrics()[2].value
	t.add("Overload-5x", side, append(over.metrics(),
		metric{over.goodput() / capacity, "of-peak"},
		metric{quantile(over.admitted, 0.99) / before, "x-p99"},
		metric{quantile(over.refused, 0.99), "refused-p99-ms"},
		metric{float64(len(over.refused)) / over.counted.Seconds(), "refused/s"})...)
	return nil
}

// settling is how long an overload lasts before it is measured.
const settling = time.Second

// slowBesideFast has 300 requests a second wait for a network, 600 of them at
// any time, while others compute for half of what the server can.
func slowBesideFast(o options, t *table, addr, side string, capacity float64, compute, wait call) error {
	var (
		running    sync.WaitGroup
		slow, fast offered
		errs       [2]error
	)
	running.Go(func() { slow, errs[0] = offer(addr, wait, 300, o.cellTime, 0) })
	running.Go(func() { fast, errs[1] = offer(addr, compute, capacity/2, o.cellTime, 0) })
	running.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	if n := len(slow.refused) + len(fast.refused); n > 0 {
		return fmt.Errorf("%d requests were refused at half of the capacity, because others wait", n)
	}
	t.add("Overload-beside-slow", side, fast.metrics()...)
	return nil
}

// offered is what came of requests that were sent at their time, whether
// others were answered or not.
type offered struct {
	counted           time.Duration
	intime            int       // answered with success before the load ended
	admitted, refused []float64 // milliseconds from when a request was due
}

func (d *offered) goodput() float64 { return float64(d.intime) / d.counted.Seconds() }

func (d *offered) metrics() []metric {
	return []metric{{d.goodput(), "req/s"}, {quantile(d.admitted, 0.50), "p50-ms"}, {quantile(d.admitted, 0.99), "p99-ms"}}
}

func quantile(of []float64, share float64) float64 {
	if len(of) == 0 {
		return 0
	}
	slices.Sort(of)
	return of[int(share*float64(len(of)-1))]
}

// offer sends requests at the given rate, at random times, for a while, and
// waits for the answers. What is sent before skip warms up and is not counted.
func offer(addr string, c call, rate float64, lasts, skip time.Duration) (d offered, err error) {
	var (
		running sync.WaitGroup
		mu      sync.Mutex // of d, err and idle
		idle    []*client
		start   = time.Now()
	)
	d.counted = lasts - skip
	one := func(due time.Duration) {
		mu.Lock()
		var each *client
		if n := len(idle); n > 0 {
			each, idle = idle[n-1], idle[:n-1]
		}
		mu.Unlock()
		status, failed := 0, error(nil)
		if each == nil {
			each, failed = connect(addr, c)
		}
		if failed == nil {
			status, failed = each.any()
		}
		end := time.Since(start)
		mu.Lock()
		defer mu.Unlock()
		if failed == nil && status != c.status && status != http.StatusServiceUnavailable {
			failed = fmt.Errorf("answered %d", status)
		}
		if failed != nil {
			err = errors.Join(err, failed)
			return
		}
		idle = append(idle, each)
		took := (end - due).Seconds() * 1000
		switch {
		case due < skip:
		case status == http.StatusServiceUnavailable:
			d.refused = append(d.refused, took)
		default:
			d.admitted = append(d.admitted, took)
			if end <= lasts {
				d.intime++
			}
		}
	}
	for due := time.Duration(0); due < lasts; due += time.Duration(rand.ExpFloat64() * float64(time.Second) / rate) {
		time.Sleep(due - time.Since(start))
		running.Go(func() { one(due) })
	}
	running.Wait()
	for _, each := range idle {
		_ = each.conn.Close()
	}
	return d, err
}
