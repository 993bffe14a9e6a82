package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"maps"
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
	compareOnly(t, inGo, false)
}

// TestGoPeersAnswerAlikeInGraphQL does the same with those that serve GraphQL,
// which have all of REST's checks to pass too.
func TestGoPeersAnswerAlikeInGraphQL(t *testing.T) {
	t.Parallel()
	compareOnly(t, inGo, true)
}

// TestNodePeersAnswerAlike does the same with those of Node, where they are
// installed.
func TestNodePeersAnswerAlike(t *testing.T) {
	t.Parallel()
	compareNode(t, false)
}

// TestNodePeersAnswerAlikeInGraphQL does so with those that serve GraphQL.
func TestNodePeersAnswerAlikeInGraphQL(t *testing.T) {
	t.Parallel()
	compareNode(t, true)
}

func compareNode(t *testing.T, graphql bool) {
	t.Helper()
	for _, p := range peers(graphql) {
		if p.language == inNode && !installed("node", p) {
			t.Skipf("there is no node, or %s is not installed in bench/peers/node: make bench-install", p.framework)
		}
	}
	compareOnly(t, inNode, graphql)
}

func compareOnly(t *testing.T, language string, graphql bool) {
	t.Helper()
	var names []string
	for _, p := range peers(graphql) {
		if p.language == language {
			names = append(names, p.name)
		}
	}
	o := options{check: true, graphql: graphql, names: strings.Join(names, ","), nodeDir: "node", dir: t.TempDir()}
	if err := run(t.Context(), o.complete()); err != nil {
		t.Fatal(err)
	}
}

// TestWhoDoesNotRefuseIsFound puts a bare server through the checks of a
// full one.
func TestWhoDoesNotRefuseIsFound(t *testing.T) {
	t.Parallel()
	for _, graphql := range []bool{false, true} {
		p := peers(graphql)[0]
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			err := asFull(t, p)
			if err == nil {
				t.Fatal("a bare server passes for a full one")
			}
			for _, c := range checks() {
				want := c.fullOnly && (graphql || !c.graphql)
				if found := strings.Contains(err.Error(), ": "+c.name+": "); found != want {
					t.Errorf("%s: found wanting: %t", c.name, found)
				}
			}
		})
	}
}

// asFull is what the checks of a full server find in a bare one.
func asFull(t *testing.T, p peer) error {
	t.Helper()
	b := starter{dir: t.TempDir()}
	if err := b.build(t.Context(), []peer{p}); err != nil {
		t.Fatal(err)
	}
	s, err := b.start(t.Context(), p, bare, unlimited)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.stop() })
	s.variant = full
	return s.checkAll(t.Context())
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

// TestMeasureGraphQL does so with GraphQL.
func TestMeasureGraphQL(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	o := options{graphql: true, rounds: 1, budget: time.Second, clients: 4, names: "gqlgen,ashlar", dir: t.TempDir(), out: out}
	if err := run(t.Context(), o.complete()); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(out, "graphql.*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 3 { // graphql.json, graphql.md, graphql.svg
		t.Errorf("it wrote %q", names)
	}
}

// some are results in which Ashlar is twice as quick as all others.
func some(graphql bool) (r results) {
	r.Date, r.GraphQL = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), graphql
	for _, p := range peers(graphql) {
		for _, w := range (options{graphql: graphql}).workloads() {
			for round, rate := range []float64{100, 300, 200} {
				if p.name == ours {
					rate *= 2
				}
				r.Cells = append(r.Cells, cell{Work: w.name, Peer: p.name, Variant: full, Round: round, Rate: rate, P99: 1 / rate, CPU: 1e4 / rate})
				if p.bareToo {
					r.Cells = append(r.Cells, cell{Work: w.name, Peer: p.name, Variant: bare, Round: round, Rate: rate, CPU: 5e3 / rate})
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
	r := some(false)
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
	for _, graphql := range []bool{false, true} {
		var b strings.Builder
		if err := some(graphql).markdown(&b); err != nil {
			t.Fatal(err)
		}
		for _, p := range peers(graphql) {
			if !strings.Contains(b.String(), "\n| "+p.title+" |") {
				t.Errorf("no row of %s", p.title)
			}
		}
		if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "%!") {
			t.Errorf("not fit to print:\n%s", b.String())
		}
	}
}

// TestGraphQLIsComparedWithTheFastest: ours takes half of what each whole
// stack takes, and as much as each bare one.
func TestGraphQLIsComparedWithTheFastest(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := some(true).markdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		"\n| list of 10 from memory | gqlgen | 0.50 | gqlgen, bare | 1.00 |\n",
		"\n| Ashlar | 1.00 | 1.00 |\n",
	} {
		if !strings.Contains(b.String(), row) {
			t.Errorf("there is no %q in\n%s", row, b.String())
		}
	}
}

func TestPlotsAreWellFormed(t *testing.T) {
	t.Parallel()
	all := some(false).plots()
	maps.Copy(all, some(true).plots())
	for name, p := range all {
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
	for _, p := range peers(false) {
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
