package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// services is the second measure: whole requests over loopback.
func services(o options, t *table) (err error) {
	servers := map[string]*process{}
	defer func() {
		for _, p := range servers {
			err = errors.Join(err, p.stop())
		}
	}()
	for _, side := range []string{"bare", "ashlar"} {
		p, err := startServer("service-"+side, o.dir, o.profiles)
		if err != nil {
			return err
		}
		servers[side] = p
	}
	calls := func(token string) map[string]call {
		bearer := []string{"Accept", "application/json", "Authorization", "Bearer " + token}
		return map[string]call{
			"Post":  newCall("POST", "/v1/payments", http.StatusCreated, paymentBody, bearer...),
			"Read":  newCall("GET", "/v1/payments/"+paymentID, http.StatusOK, "", bearer...),
			"State": newCall("GET", "/v1/state", http.StatusOK, "", "Accept", "application/json"),
		}
	}(servers["ashlar"].Token) // both sides are sent the same bytes
	names := []string{"Post", "Read", "State"}
	for _, name := range names {
		for _, p := range servers { // warm up
			if _, err := o.load(o.warm()).drive(p.Addr, calls[name]); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	for round := range o.rounds {
		for _, name := range names {
			for _, side := range turns(round, "bare", "ashlar") {
				row, err := o.cell(servers[side], calls[name])
				if err != nil {
					return fmt.Errorf("%s %s: %w", side, name, err)
				}
				t.add(name, side, row...)
			}
		}
	}
	for _, name := range names {
		t.note("%s: throughput %.2f of bare%s, CPU %.2f, %+.0f allocations", name,
			t.ratio(name, "ashlar", "bare", "req/s"), map[string]string{"Post": " (to reach: 0.95)"}[name],
			t.ratio(name, "ashlar", "bare", "cpu-ns/op"),
			median(t.values(name+"/ashlar", "allocs/op"))-median(t.values(name+"/bare", "allocs/op")))
	}
	return nil
}

func (o options) warm() time.Duration { return o.cellTime / 4 }

func (o options) load(limit time.Duration) load {
	return load{clients: o.clients, limit: limit, count: int64(o.most), serial: new(atomic.Int64)}
}

// cell drives one call against one server and says what it took.
func (o options) cell(p *process, c call) ([]metric, error) {
	before, err := p.used()
	if err != nil {
		return nil, err
	}
	watch, err := watchMachine()
	if err != nil {
		return nil, err
	}
	d, err := o.load(o.cellTime).drive(p.Addr, c)
	if err != nil {
		return nil, err
	}
	after, err := p.used()
	if err != nil {
		return nil, err
	}
	u := after.since(before)
	others, err := watch.others(u.CPU)
	if err != nil {
		return nil, err
	}
	return append(d.metrics(),
		metric{float64(u.CPU) / float64(d.requests), "cpu-ns/op"},
		metric{float64(u.Mallocs) / float64(d.requests), "allocs/op"},
		metric{others, "%-others"}), nil
}

// metrics are what a load itself can tell.
func (d driven) metrics() []metric {
	slices.Sort(d.latencies)
	at := func(share float64) float64 {
		return d.latencies[int(share*float64(len(d.latencies)-1))].Seconds() * 1000
	}
	return []metric{
		{float64(d.requests) / d.wall.Seconds(), "req/s"},
		{at(0.50), "p50-ms"},
		{at(0.99), "p99-ms"},
	}
}

// watch finds out how much of the machine went to processes that have no part
// in the measure.
type watch struct {
	at           time.Time
	machine, own time.Duration
}

func watchMachine() (watch, error) {
	machine, err := machineCPU()
	return watch{time.Now(), machine, ownCPU()}, err
}

// others is the share of all processor time, in percent, since the watch began
// that neither this process nor the server used.
func (w watch) others(server time.Duration) (float64, error) {
	machine, err := machineCPU()
	if err != nil {
		return 0, err
	}
	foreign := machine - w.machine - (ownCPU() - w.own) - server
	return 100 * max(0, foreign.Seconds()) / (time.Since(w.at).Seconds() * float64(processors)), nil
}
