// Peers compares Ashlar with what a team would pick instead, each with the
// whole stack of a production service and each bare, on one machine in the
// same minutes. docs/performance.md says what is measured, and how to read it.
//
//	go run ./peers          # all of it, a quarter of an hour
//	go run ./peers -quick   # three minutes
//	go run ./peers -check   # whether all answer and refuse alike, nothing else
//	go run ./peers -graphql # those that serve GraphQL, in five minutes
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options say what is measured, and for how long.
type options struct {
	quick   bool
	check   bool
	graphql bool // what serves GraphQL, in place of REST
	rounds  int
	budget  time.Duration // for the closed and open loops
	clients int
	streams int
	held    bool // nothing but the streams
	names   string
	nodeDir string
	out     string
	dir     string
}

func main() {
	o := options{dir: ".", nodeDir: "peers/node"}
	flag.BoolVar(&o.quick, "quick", false, "fewer rounds and peers, in three minutes; writes nothing unless -o is given")
	flag.BoolVar(&o.check, "check", false, "only check that all peers answer and refuse alike")
	flag.BoolVar(&o.graphql, "graphql", false, "compare what serves GraphQL, and GraphQL with REST, in the closed loop")
	flag.IntVar(&o.rounds, "rounds", 0, "rounds; all peers take turns within each (9, GraphQL: 5, quick: 2)")
	flag.DurationVar(&o.budget, "budget", 0, "time for the loops, which is shared out (11m, GraphQL: 4m; quick: 100s)")
	flag.IntVar(&o.clients, "clients", 64, "connections of the closed loop")
	flag.IntVar(&o.streams, "streams", 0, "idle event streams (10 000, quick: 1 000)")
	flag.BoolVar(&o.held, "held", false, "measure only idle event streams, and print them")
	flag.StringVar(&o.names, "peers", "", "which to compare, by name; all if empty")
	flag.StringVar(&o.out, "o", "", "directory for the results (results, quick: none)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o.complete()); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// complete fills in what depends on whether it has to be quick.
func (o options) complete() options {
	standard := options{rounds: 9, budget: 11 * time.Minute, streams: 10_000, out: "results"}
	if o.graphql {
		standard.rounds, standard.budget = 5, 4*time.Minute
	}
	if o.quick {
		standard = options{rounds: 2, budget: 100 * time.Second, streams: 1000}
	}
	if o.rounds == 0 {
		o.rounds = standard.rounds
	}
	if o.budget == 0 {
		o.budget = standard.budget
	}
	if o.streams == 0 {
		o.streams = standard.streams
	}
	if o.out == "" {
		o.out = standard.out
	}
	return o
}

func run(ctx context.Context, o options) (err error) {
	chosen, err := o.chosen()
	if err != nil {
		return err
	}
	// Data lies beside the source, because a temporary directory may be in
	// memory, where a commit costs nothing.
	if o.dir, err = os.MkdirTemp(o.dir, ".data-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return err
	}
	traces, err := openSink(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, traces.stop()) }()
	b := starter{dir: o.dir, otlp: "http://" + traces.addr}
	if b.nodeDir, err = filepath.Abs(o.nodeDir); err != nil {
		return err
	}
	say("building")
	if err := b.build(ctx, chosen); err != nil {
		return err
	}
	if err := b.checkLimits(ctx, chosen); err != nil {
		return err
	}
	servers, err := b.startAll(ctx, chosen, o.quick)
	defer func() { err = errors.Join(err, stopAll(servers)) }()
	if err != nil {
		return err
	}
	if err := compare(ctx, servers, traces); err != nil {
		return err
	}
	say("all %d answer and refuse alike", len(servers))
	if o.check {
		return nil
	}
	if o.held {
		return o.holdOnly(ctx, b, servers)
	}
	r, err := o.measure(ctx, b, servers)
	if err != nil {
		return err
	}
	if o.graphql { // whose errors come with 200, which a load takes for an answer
		for _, s := range servers {
			if err := s.checkAll(ctx); err != nil {
				return fmt.Errorf("after the loads: %w", err)
			}
		}
	}
	r.Machine = b.machine(ctx, chosen)
	return r.write(o.out)
}

// say tells whoever waits how far it is.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// chosen are the peers to compare: those that are named, or all that can run
// here.
func (o options) chosen() (chosen []peer, err error) {
	names := strings.FieldsFunc(o.names, func(r rune) bool { return r == ',' })
	for _, p := range peers(o.graphql) {
		switch {
		case len(names) > 0 && !slices.Contains(names, p.name):
			continue
		case p.language == inNode && !installed(o.nodeDir, p):
			say("%s is left out: node is not here, or %s not installed (make bench-install)", p.name, o.nodeDir)
			continue
		}
		chosen = append(chosen, p)
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no peer is named %q", o.names)
	}
	return chosen, nil
}

// installed reports whether a peer of Node can run.
func installed(nodeDir string, p peer) bool {
	if _, err := exec.LookPath("node"); err != nil {
		return false
	}
	for _, made := range []string{"node_modules/.package-lock.json", "node_modules/" + p.framework, "nest/dist/app.js"} {
		if _, err := os.Stat(filepath.Join(nodeDir, made)); err != nil {
			return false
		}
	}
	return true
}

// unlimited is a limit that the loads do not reach, and that is counted all
// the same.
const unlimited = 1_000_000_000

// startAll starts every variant of every peer. In a hurry only the first
// one's bare variant is among them.
func (b starter) startAll(ctx context.Context, chosen []peer, quick bool) (servers []*server, err error) {
	for i, p := range chosen {
		for _, variant := range []string{bare, full} {
			if variant == bare && (!p.bareToo || quick && i > 0) {
				continue
			}
			s, err := b.start(ctx, p, variant, unlimited)
			if err != nil {
				return servers, err
			}
			servers = append(servers, s)
		}
	}
	return servers, nil
}

func stopAll(servers []*server) (err error) {
	for _, s := range servers {
		err = errors.Join(err, s.stop())
	}
	return err
}

// checkLimits holds each peer to its rate limit.
func (b starter) checkLimits(ctx context.Context, chosen []peer) error {
	var errs []error
	for _, p := range chosen {
		if err := b.checkLimit(ctx, p); err != nil {
			errs = append(errs, fmt.Errorf("rate limit: %w", err))
		}
	}
	return errors.Join(errs...)
}

// compare holds every server to the same answers and refusals.
func compare(ctx context.Context, servers []*server, traces *sink) error {
	var errs []error
	for _, s := range servers {
		errs = append(errs, s.checkAll(ctx))
		if s.variant == full {
			errs = append(errs, traces.checkTraces(ctx, s))
		}
	}
	return errors.Join(errs...)
}
