package main

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/bench/procfs"
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
				row, _, err := o.cell(servers[side], o.load(o.cellTime), calls[name])
				if err != nil {
					return fmt.Errorf("%s %s: %w", side, name, err)
				}
				t.add(name, side, row...)
			}
		}
	}
	for _, name := range names {
		t.note("%s: throughput %.2f of bare%s, by processor time of client and server %.2f; server's CPU %.2f, %+.0f allocations", name,
			t.ratio(name, "ashlar", "bare", "req/s"), map[string]string{"Post": " (to reach: 0.95)"}[name],
			1/t.ratio(name, "ashlar", "bare", "both-ns/op"), t.ratio(name, "ashlar", "bare", "cpu-ns/op"),
			median(t.values(name+"/ashlar", "allocs/op"))-median(t.values(name+"/bare", "allocs/op")))
	}
	return nil
}

func (o options) warm() time.Duration { return o.cellTime / 4 }

func (o options) load(limit time.Duration) load {
	return load{clients: o.clients, limit: limit, count: int64(o.most), serial: new(atomic.Int64)}
}

// server is whatever is driven: where it listens, and what it has used.
type server interface {
	at() string
	used() (used, error)
}

// disturbed is the share of the machine, in percent, above which others have
// spoilt a cell.
const disturbed = 10

// cell drives one call against one server and says what it took, and how many
// requests were answered in all. A cell that others disturbed is repeated, and
// the least disturbed counts: chosen by what others did, never by its result.
func (o options) cell(s server, l load, c call) (best []metric, answered int64, err error) {
	least := math.Inf(1)
	for range max(o.tries, 1) {
		row, others, n, err := cellOnce(s, l, c)
		if err != nil {
			return nil, 0, err
		}
		answered += n
		if others < least {
			best, least = row, others
		}
		if least < disturbed {
			break
		}
	}
	return best, answered, nil
}

func cellOnce(s server, l load, c call) (row []metric, others float64, requests int64, err error) {
	before, err := s.used()
	if err != nil {
		return nil, 0, 0, err
	}
	watch, err := watchMachine()
	if err != nil {
		return nil, 0, 0, err
	}
	d, err := l.drive(s.at(), c)
	if err != nil {
		return nil, 0, 0, err
	}
	after, err := s.used()
	if err != nil {
		return nil, 0, 0, err
	}
	u := after.since(before)
	client, others, err := watch.end(u.CPU)
	if err != nil {
		return nil, 0, 0, err
	}
	n := float64(d.requests)
	row = append(d.metrics(),
		metric{float64(u.CPU) / n, "cpu-ns/op"},
		metric{float64(u.CPU+client) / n, "both-ns/op"},
		metric{others, "%-others"})
	if u.Mallocs > 0 { // only a process of ours can tell
		row = append(row, metric{float64(u.Mallocs) / n, "allocs/op"})
	}
	return row, others, d.requests, nil
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
	machine, err := procfs.MachineCPU()
	return watch{time.Now(), machine, ownCPU()}, err
}

// end returns the processor time of the client since the watch began, and the
// share of all processor time, in percent, that neither client nor server used.
func (w watch) end(server time.Duration) (client time.Duration, others float64, err error) {
	machine, err := procfs.MachineCPU()
	if err != nil {
		return 0, 0, err
	}
	client = ownCPU() - w.own
	foreign := machine - w.machine - client - server
	whole := time.Since(w.at).Seconds() * float64(runtime.NumCPU())
	return client, 100 * max(0, foreign.Seconds()) / whole, nil
}
