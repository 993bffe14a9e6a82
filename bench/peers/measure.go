package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/bench/peers/load"
	"github.com/ashlar-go/ashlar/bench/peers/shop"
	"github.com/ashlar-go/ashlar/bench/procfs"
)

// The workloads.
const (
	workTiny    = "tiny GET"
	workQuote   = "validated POST"
	workGet     = "read by key"
	workInsert  = "insert of two rows"
	workCached  = "cached read"
	workList    = "list of 20"
	workBurn    = "tiny GET beside CPU work"
	workStreams = "idle event streams"
)

// workload is what is sent in one cell of the closed loop.
type workload struct {
	name     string
	database bool
	call     func(token string) load.Call
}

func workloads() []workload {
	get := func(path string) func(string) load.Call {
		return func(token string) load.Call {
			return load.NewCall("GET", path, http.StatusOK, "", "Authorization", "Bearer "+token)
		}
	}
	post := func(path string) func(string) load.Call {
		return func(token string) load.Call {
			return load.NewCall("POST", path, http.StatusCreated, orderBody, "Authorization", "Bearer "+token)
		}
	}
	tiny := func(string) load.Call { return load.NewCall("GET", "/v1/state", http.StatusOK, "") }
	return []workload{
		{workTiny, false, tiny},
		{workQuote, false, post("/v1/quotes")},
		{workGet, true, get("/v1/payments/" + shop.SeededID(777))},
		{workInsert, true, post("/v1/payments")},
		{workCached, true, get("/v1/cached/" + shop.SeededID(777))},
		{workList, true, get("/v1/payments?limit=20")},
		{workBurn, false, tiny},
	}
}

// cell is what one server did in one round of one workload.
type cell struct {
	Work    string  `json:"work"`
	Peer    string  `json:"peer"`
	Variant string  `json:"variant"`
	Round   int     `json:"round"`
	Rate    float64 `json:"requests_per_second"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	CPU     float64 `json:"cpu_us_per_request"`             // of the server
	Both    float64 `json:"both_us_per_request"`            // of server and client
	Allocs  float64 `json:"allocations_per_request"`        // of a Go peer
	Others  float64 `json:"others_percent"`                 // of the machine, in that time
	Refused int     `json:"refused,omitempty"`              // 503
	Offered float64 `json:"offered_per_second,omitempty"`   // open loop
	Missed  int     `json:"missed,omitempty"`               // open loop
	Lag     float64 `json:"generator_lag_p99_ms,omitempty"` // open loop
}

// held is what idle event streams cost a server.
type held struct {
	Peer    string  `json:"peer"`
	Streams int     `json:"streams"`
	Alive   int     `json:"alive"` // at the end
	KiB     float64 `json:"kib_per_stream"`
	CPU     float64 `json:"cpu_percent"` // of one processor, while nothing happens
	Opening float64 `json:"opened_per_second"`
}

// idle is what a server holds before it has done anything but the checks.
type idle struct {
	Peer    string  `json:"peer"`
	Variant string  `json:"variant"`
	MiB     float64 `json:"pss_mib"`
}

// measure runs everything.
func (o options) measure(ctx context.Context, b starter, servers []*server) (r results, err error) {
	r = results{Date: time.Now().UTC().Truncate(time.Second), Rounds: o.rounds, Clients: o.clients, Burn: calibrate()}
	for _, s := range servers {
		n, err := s.memory()
		if err != nil {
			return r, err
		}
		r.Idle = append(r.Idle, idle{s.peer.name, s.variant, float64(n) / (1 << 20)})
	}
	plan := o.plan(servers)
	r.GraphQL = o.graphql
	r.CellTime = plan.cell.Seconds()
	say("closed loop: %d rounds of %d cells of %s", o.rounds, plan.cells, plan.cell)
	if err := o.closed(ctx, servers, plan, &r); err != nil || o.graphql {
		return r, err
	}
	say("open loop: %d rounds of %d cells of %s", openRounds, plan.openCells, plan.open)
	if err := o.open(ctx, servers, plan, &r); err != nil {
		return r, err
	}
	say("%d idle event streams for each", o.streams)
	return r, o.hold(ctx, b, servers, &r)
}

// plan shares the time out.
type plan struct {
	cells, openCells int // of one round
	cell, open, warm time.Duration
}

const (
	openRounds = 3
	offers     = 2
	overhead   = 60 * time.Millisecond // of a cell: connections, reading counters
)

func (o options) plan(servers []*server) (p plan) {
	for _, s := range servers {
		for _, w := range o.workloads() {
			if s.does(w) {
				p.cells++
			}
		}
		if inOpenLoop(s) && !o.graphql {
			p.openCells += offers
		}
	}
	// A warm-up counts as half a cell, an open cell as one and a quarter.
	left := o.budget - overhead*time.Duration(p.cells*(o.rounds+1)+p.openCells*openRounds)
	parts := float64(p.cells)*(float64(o.rounds)+0.5) + 1.25*1.25*float64(p.openCells*openRounds)
	p.cell = min(max(time.Duration(float64(left)/parts), 100*time.Millisecond), 3*time.Second).Truncate(10 * time.Millisecond)
	p.open, p.warm = p.cell*5/4, p.cell/2
	return p
}

func (s *server) does(w workload) bool { return s.can(w.name) && !(w.database && s.NoDatabase) }

// calibrate returns how many rounds of shop.Burn take burnTime here: the best
// of some tries, since others may be at work.
func calibrate() int {
	const rounds = 5_000_000
	best := time.Duration(math.MaxInt64)
	for range 7 {
		start := time.Now()
		if shop.Burn(rounds).Sum == 0 { // used, or the compiler leaves it out
			return rounds
		}
		best = min(best, time.Since(start))
	}
	return int(float64(rounds) * burnTime.Seconds() / best.Seconds())
}

const (
	burnTime = 50 * time.Millisecond
	burners  = 4
)

// turns changes the order from round to round, so that nobody always comes
// after the same.
func turns[T any](round int, all []T) []T {
	k := round * 5 % len(all)
	return append(append([]T{}, all[k:]...), all[:k]...)
}

func (o options) closed(ctx context.Context, servers []*server, p plan, r *results) error {
	for round := -1; round < o.rounds; round++ { // the first warms up
		for _, w := range o.workloads() {
			for _, s := range turns(max(round, 0), servers) {
				if !s.does(w) {
					continue
				}
				t, err := tokensFor(s)
				if err != nil {
					return err
				}
				limit := p.cell
				if round < 0 {
					limit = p.warm
				}
				c, err := o.closedCell(ctx, s, w, w.call(t.merchant), limit, r.Burn)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", s, w.name, err)
				}
				if c.Round = round; round >= 0 {
					r.Cells = append(r.Cells, c)
				}
			}
		}
		if round >= 0 {
			say("  round %d of %d", round+1, o.rounds)
		}
	}
	return nil
}

func (o options) closedCell(ctx context.Context, s *server, w workload, call load.Call, limit time.Duration, burn int) (cell, error) {
	drive := func() (load.Result, error) { return load.Closed(ctx, s.Addr, call, o.clients, limit) }
	if w.name == workBurn {
		drive = func() (load.Result, error) { return beside(ctx, s, call.OrBusy(), o.clients, limit, burn) }
	}
	c, _, err := s.meter(drive)
	c.Work = w.name
	return c, err
}

// beside is the closed loop while others ask for work: each of them for as
// much as takes one processor burnTime, again and again.
func beside(ctx context.Context, s *server, call load.Call, clients int, limit time.Duration, burn int) (r load.Result, err error) {
	work := load.NewCall("GET", fmt.Sprintf("/v1/burn?rounds=%d", burn), http.StatusOK, "").OrBusy()
	var (
		burnt   error
		running sync.WaitGroup
	)
	running.Go(func() { _, burnt = load.Closed(ctx, s.Addr, work, burners, limit) })
	r, err = load.Closed(ctx, s.Addr, call, clients, limit)
	running.Wait()
	return r, errors.Join(err, burnt)
}

// meter drives a server and says what that took.
func (s *server) meter(drive func() (load.Result, error)) (c cell, r load.Result, err error) {
	allocs, err := s.allocations()
	if err != nil {
		return c, r, err
	}
	start := time.Now()
	before, err := readMeters(s)
	if err != nil {
		return c, r, err
	}
	if r, err = drive(); err != nil {
		return c, r, err
	}
	used, err := readMeters(s)
	if err != nil {
		return c, r, err
	}
	whole := time.Since(start).Seconds() * float64(runtime.NumCPU())
	used.server, used.client, used.machine = used.server-before.server, used.client-before.client, used.machine-before.machine
	after, err := s.allocations()
	if err != nil {
		return c, r, err
	}
	n := float64(max(r.Answered, 1))
	return cell{
		Peer: s.peer.name, Variant: s.variant, Rate: r.Rate(), P50: milliseconds(r.Percentile(0.50)), P99: milliseconds(r.Percentile(0.99)),
		CPU:    float64(used.server.Nanoseconds()) / 1000 / n,
		Both:   float64((used.server + used.client).Nanoseconds()) / 1000 / n,
		Allocs: float64(after-allocs) / n, Refused: r.Refused, Missed: r.Missed,
		Others: 100 * max(0, (used.machine-used.server-used.client).Seconds()) / whole,
	}, r, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

type meters struct{ server, client, machine time.Duration }

func readMeters(s *server) (m meters, err error) {
	if m.machine, err = procfs.MachineCPU(); err != nil {
		return m, err
	}
	m.client = ownCPU()
	m.server, err = s.cpu()
	return m, err
}

// inOpenLoop says who is driven open-loop: all full stacks, and the limit.
func inOpenLoop(s *server) bool { return s.variant == full || s.peer.name == "nethttp" }

// openConnections bounds what is under way at once.
const openConnections = 256

// open offers the validated POST to each server at the same rates: one that
// the slowest of the measured stacks can carry, and one for Go's.
func (o options) open(ctx context.Context, servers []*server, p plan, r *results) error {
	rates := r.offers(servers)
	post := workloads()[1]
	for round := range openRounds {
		for _, rate := range rates {
			for _, s := range turns(round, servers) {
				if !inOpenLoop(s) {
					continue
				}
				t, err := tokensFor(s)
				if err != nil {
					return err
				}
				c, driven, err := s.meter(func() (load.Result, error) {
					return load.Open(ctx, s.Addr, post.call(t.merchant).OrBusy(), rate, openConnections, p.open, uint64(round+1)) //nolint:gosec // not negative
				})
				if err != nil {
					return fmt.Errorf("%s: open loop at %.0f/s: %w", s, rate, err)
				}
				c.Work, c.Round, c.Offered, c.Lag = post.name, round, rate, milliseconds(driven.Lag(0.99))
				r.Open = append(r.Open, c)
				if err := s.rest(ctx); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// offers are the rates of the open loop, from what the closed loop has found:
// half of what the slowest full stack did, and half of what net/http with its
// stack did.
func (r *results) offers(servers []*server) []float64 {
	slowest, usual := math.Inf(1), 0.0
	for _, s := range servers {
		rate := r.median(workQuote, s.peer.name, s.variant, func(c cell) float64 { return c.Rate })
		if s.variant == full {
			slowest = min(slowest, rate)
			if usual == 0 {
				usual = rate
			}
		}
	}
	return []float64{math.Floor(slowest / 2), math.Floor(usual / 2)}
}

// holdOnly is for whoever works on what a stream costs.
func (o options) holdOnly(ctx context.Context, b starter, servers []*server) error {
	var (
		r     results
		table strings.Builder
	)
	if err := o.hold(ctx, b, servers, &r); err != nil {
		return err
	}
	r.streamTable(&table)
	_, err := fmt.Print(table.String())
	return err
}

// hold opens idle event streams at each full stack that has them: at a new
// server, since one that was under load has memory to spare for them.
func (o options) hold(ctx context.Context, b starter, servers []*server, r *results) error {
	for _, used := range servers {
		if used.variant != full || !used.can(workStreams) {
			continue
		}
		s, err := b.start(ctx, used.peer, full, unlimited)
		if err != nil {
			return err
		}
		h, err := s.hold(ctx, o.streams)
		if err := errors.Join(err, s.stop()); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
		r.Held = append(r.Held, h)
	}
	return nil
}

func (s *server) hold(ctx context.Context, n int) (h held, err error) {
	t, err := tokensFor(s)
	if err != nil {
		return h, err
	}
	before, err := s.memory()
	if err != nil {
		return h, err
	}
	start := time.Now()
	release, err := load.Streams(ctx, s.Addr, load.NewCall("GET", "/v1/events", http.StatusOK, "", "Accept", "text/event-stream", "Authorization", "Bearer "+t.merchant), n)
	if err != nil {
		return h, err
	}
	opened := time.Since(start)
	cpu, err := s.cpu()
	if err != nil {
		return h, err
	}
	const quiet = 2 * time.Second
	time.Sleep(quiet)
	after, err := s.cpu()
	if err != nil {
		return h, err
	}
	memory, err := s.memory()
	if err != nil {
		return h, err
	}
	return held{
		Peer: s.peer.name, Streams: n, Alive: release(), KiB: float64(memory-before) / 1024 / float64(n),
		CPU: 100 * (after - cpu).Seconds() / quiet.Seconds(), Opening: float64(n) / opened.Seconds(),
	}, nil
}

// median is the middle one of a cell's rounds.
func (r *results) median(work, peer, variant string, of func(cell) float64) float64 {
	return median(r.Cells, func(c cell) bool { return c.Work == work && c.Peer == peer && c.Variant == variant }, of)
}

func median(cells []cell, which func(cell) bool, of func(cell) float64) float64 {
	var values []float64
	for _, c := range cells {
		if which(c) {
			values = append(values, of(c))
		}
	}
	slices.Sort(values)
	switch n := len(values); {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return values[n/2]
	default:
		return (values[n/2-1] + values[n/2]) / 2
	}
}
