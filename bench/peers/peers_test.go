package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestGoPeersAnswerAlike builds every Go peer and holds it to the same
// answers and refusals, traces and rate limit included.
func TestGoPeersAnswerAlike(t *testing.T) {
	t.Parallel()
	compareOnly(t, inGo)
}

// TestNodePeersAnswerAlike does the same with those of Node, where they are
// installed.
func TestNodePeersAnswerAlike(t *testing.T) {
	t.Parallel()
	if !installed("node") {
		t.Skip("there is no node, or bench/peers/node/node_modules is not installed: make bench-install")
	}
	compareOnly(t, inNode)
}

func compareOnly(t *testing.T, language string) {
	t.Helper()
	var names []string
	for _, p := range peers() {
		if p.language == language {
			names = append(names, p.name)
		}
	}
	o := options{check: true, names: strings.Join(names, ","), nodeDir: "node", dir: t.TempDir()}
	if err := run(t.Context(), o.complete()); err != nil {
		t.Fatal(err)
	}
}

// TestWhoDoesNotRefuseIsFound puts a bare server through the checks of a
// full one.
func TestWhoDoesNotRefuseIsFound(t *testing.T) {
	t.Parallel()
	b, plain := starter{dir: t.TempDir()}, peers()[:1]
	if err := b.build(t.Context(), plain); err != nil {
		t.Fatal(err)
	}
	s, err := b.start(t.Context(), plain[0], bare, unlimited)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.stop() })
	s.variant = full
	err = s.checkAll(t.Context())
	if err == nil {
		t.Fatal("a bare server passes for a full one")
	}
	for _, c := range checks() {
		if found := strings.Contains(err.Error(), ": "+c.name+": "); found != c.fullOnly {
			t.Errorf("%s: found wanting: %t", c.name, found)
		}
	}
}

// TestMeasure runs the whole of it once, as short as can be: the figures mean
// nothing, but all of them are there.
func TestMeasure(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	o := options{quick: true, rounds: 1, budget: time.Second, clients: 4, streams: 20, names: "nethttp,ashlar", dir: t.TempDir(), out: out}
	if err := run(t.Context(), o.complete()); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 6 { // peers.json, peers.md, four plots
		t.Errorf("it wrote %q", names)
	}
}

// TestLockNamesNoRegistry: packages come from wherever npm is told to fetch
// them, and are known by their checksums.
func TestLockNamesNoRegistry(t *testing.T) {
	t.Parallel()
	lock, err := os.ReadFile("node/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(lock, []byte(`"resolved"`)) || !bytes.Contains(lock, []byte(`"integrity": "sha512-`)) {
		t.Error("write it with: npm run lock")
	}
}

// some are results in which Ashlar is twice as quick as all others.
func some() (r results) {
	r.Date = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, p := range peers() {
		for _, w := range workloads() {
			for round, rate := range []float64{100, 300, 200} {
				if p.name == ours {
					rate *= 2
				}
				r.Cells = append(r.Cells, cell{Work: w.name, Peer: p.name, Variant: full, Round: round, Rate: rate, P99: 1 / rate})
				if p.bareToo {
					r.Cells = append(r.Cells, cell{Work: w.name, Peer: p.name, Variant: bare, Round: round, Rate: rate})
				}
			}
		}
		r.Open = append(r.Open, cell{Peer: p.name, Variant: full, Offered: 50, P99: 3})
		r.Held = append(r.Held, held{Peer: p.name, Streams: 10, KiB: 4})
	}
	return r
}

func TestRatioIsThatOfTheMiddleRound(t *testing.T) {
	t.Parallel()
	r := some()
	rate := func(c cell) float64 { return c.Rate }
	if got := r.ratio(workGet, side{ours, full}, rate); got != 2 {
		t.Errorf("ratio %v", got)
	}
	if got := r.of(workGet, side{ours, full}, rate); got != 400 {
		t.Errorf("median %v", got)
	}
	if got := r.of("nothing", side{ours, full}, rate); !math.IsNaN(got) {
		t.Errorf("median of nothing %v", got)
	}
}

func TestReportNamesEveryone(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := some().markdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, p := range peers() {
		if !strings.Contains(b.String(), "\n| "+p.title+" |") {
			t.Errorf("no row of %s", p.title)
		}
	}
	if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "%!") {
		t.Errorf("not fit to print:\n%s", b.String())
	}
}

func TestPlotsAreWellFormed(t *testing.T) {
	t.Parallel()
	for name, p := range some().plots() {
		p.title = `a < b & "c"`
		var b bytes.Buffer
		if err := p.draw(&b); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "%!") || strings.Contains(b.String(), "NaN") {
			t.Errorf("%s has an unfit figure", name)
		}
		for d := xml.NewDecoder(&b); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

func TestBudgetIsSharedOut(t *testing.T) {
	t.Parallel()
	var servers []*server
	for _, p := range peers() {
		servers = append(servers, &server{peer: p, variant: full})
		if p.bareToo {
			servers = append(servers, &server{peer: p, variant: bare})
		}
	}
	for _, o := range []options{{quick: true}, {}} {
		o = o.complete()
		p := o.plan(servers)
		took := time.Duration(p.cells)*(p.warm+overhead) + time.Duration(p.cells*o.rounds)*(p.cell+overhead) +
			time.Duration(openRounds*p.openCells)*(p.open*5/4+overhead)
		if took > o.budget || took < o.budget*9/10 {
			t.Errorf("%d cells of %s and %d of %s take %s of %s", p.cells, p.cell, p.openCells, p.open, took, o.budget)
		}
	}
}
