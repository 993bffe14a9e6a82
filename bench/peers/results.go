package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// results are all that was measured.
type results struct {
	Date     time.Time `json:"date"`
	Machine  machine   `json:"machine"`
	GraphQL  bool      `json:"graphql,omitempty"` // compares what serves it
	Rounds   int       `json:"rounds"`
	CellTime float64   `json:"cell_seconds"`
	Clients  int       `json:"clients"`
	Burn     int       `json:"burn_rounds"`
	Cells    []cell    `json:"closed_loop"`
	Open     []cell    `json:"open_loop"`
	Held     []held    `json:"event_streams"`
	Idle     []idle    `json:"idle"`
}

// write writes the results as JSON, Markdown and plots into a directory, or as
// Markdown to standard output where none is named.
func (r results) write(dir string) error {
	if dir == "" {
		return r.markdown(os.Stdout)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // for everybody to read
		return err
	}
	errs := []error{
		writeFile(filepath.Join(dir, r.name()+".json"), func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", "\t")
			return e.Encode(r)
		}),
		writeFile(filepath.Join(dir, r.name()+".md"), r.markdown),
	}
	for name, plot := range r.plots() {
		errs = append(errs, writeFile(filepath.Join(dir, name+".svg"), plot.draw))
	}
	say("results are in %s", dir)
	return errors.Join(errs...)
}

// name is that of the files.
func (r results) name() string {
	if r.GraphQL {
		return "graphql"
	}
	return "peers"
}

func writeFile(name string, fill func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(fill(f), f.Close())
}

// side is one row of every table: a peer with or without its stack.
type side struct{ peer, variant string }

func (s side) title() string {
	for _, p := range everyone() {
		if p.name == s.peer {
			if s.variant == bare {
				return p.title + ", bare"
			}
			return p.title
		}
	}
	return s.peer
}

// sides are those of the cells, in the order of peers, full stacks first.
func (r results) sides(of []cell) (all []side) {
	for _, variant := range []string{full, bare} {
		for _, p := range everyone() {
			s := side{p.name, variant}
			if slices.ContainsFunc(of, s.has) {
				all = append(all, s)
			}
		}
	}
	return all
}

func (s side) has(c cell) bool { return c.Peer == s.peer && c.Variant == s.variant }

// limit is what all others are compared with.
func limit() side { return side{everyone()[0].name, bare} }

// ratio is the median over the rounds of what a side did to what the limit did
// in the same round.
func (r results) ratio(work string, s side, of func(cell) float64) float64 {
	base := map[int]float64{}
	for _, c := range r.Cells {
		if c.Work == work && limit().has(c) {
			base[c.Round] = of(c)
		}
	}
	return median(r.Cells, func(c cell) bool { return c.Work == work && s.has(c) },
		func(c cell) float64 { return of(c) / base[c.Round] })
}

func (r results) of(work string, s side, of func(cell) float64) float64 {
	return median(r.Cells, func(c cell) bool { return c.Work == work && s.has(c) }, of)
}

// markdown writes every table.
func (r results) markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s, measured\n\n%s. %d × %s, %s, Linux %s, Go %s", map[bool]string{false: "Peers", true: "GraphQL"}[r.GraphQL], r.Date.Format(time.DateOnly), r.Machine.Processors, r.Machine.CPU, r.Machine.Memory, r.Machine.Kernel, r.Machine.Go)
	if r.Machine.Node != "" {
		fmt.Fprintf(&b, ", Node %s with one worker for each processor", r.Machine.Node)
	}
	b.WriteString(". ")
	var versions []string
	for _, p := range everyone() {
		if v := r.Machine.Versions[p.name]; v != "" {
			versions = append(versions, p.title+" "+v)
		}
	}
	fmt.Fprintf(&b, "%s. Medians of %d rounds of %.2g s, %d connections. A row without \"bare\" has the whole stack.\n"+
		"Written by `%s`; [docs/performance.md](../../docs/performance.md) says what is measured and how to read it.\n",
		strings.Join(versions, ", "), r.Rounds, r.CellTime, r.Clients, r.command())
	if r.GraphQL {
		r.graphqlTables(&b)
		_, err := io.WriteString(w, b.String())
		return err
	}
	for _, w := range workloads() {
		r.table(&b, w.name)
	}
	r.openTable(&b)
	r.streamTable(&b)
	r.idleTable(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// command is how the results were made.
func (r results) command() string {
	if r.GraphQL {
		return "make bench-graphql"
	}
	return "make bench-peers"
}

func (r results) table(b *strings.Builder, work string) {
	fmt.Fprintf(b, "\n## %s\n\n", strings.ToUpper(work[:1])+work[1:])
	if work == workBurn {
		fmt.Fprintf(b, "While %d connections each ask for %s of computing, again and again. CPU is of both.\n\n", burners, burnTime)
	}
	b.WriteString("| | CPU µs/request | requests/s | of bare net/http | p50 ms | p99 ms | allocations | refused | others |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, s := range r.sides(r.Cells) {
		rate := r.of(work, s, func(c cell) float64 { return c.Rate })
		if math.IsNaN(rate) {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s | %.2f | %s | %s | %s | %s | %.0f %% |\n", s.title(),
			figure(r.of(work, s, func(c cell) float64 { return c.CPU })), figure(rate), r.ratio(work, s, func(c cell) float64 { return c.Rate }),
			figure(r.of(work, s, func(c cell) float64 { return c.P50 })), figure(r.of(work, s, func(c cell) float64 { return c.P99 })),
			unlessZero(r.of(work, s, func(c cell) float64 { return c.Allocs })),
			unlessZero(r.of(work, s, func(c cell) float64 { return float64(c.Refused) })),
			r.of(work, s, func(c cell) float64 { return c.Others }))
	}
}

// openAt is the median of one figure of an open loop.
func (r results) openAt(offered float64, s side, of func(cell) float64) float64 {
	return median(r.Open, func(c cell) bool { return c.Offered == offered && s.has(c) }, of)
}

func (r results) offered() (all []float64) {
	for _, c := range r.Open {
		if !slices.Contains(all, c.Offered) {
			all = append(all, c.Offered)
		}
	}
	return all
}

func (r results) openTable(b *strings.Builder) {
	for _, rate := range r.offered() {
		fmt.Fprintf(b, "\n## Validated POST, %.0f offered a second\n\nOpen loop: sent at random times that do not wait for answers; latency from the time set.\n\n", rate)
		b.WriteString("| | CPU µs/request | answered/s | p50 ms | p99 ms | refused | missed | generator late p99 ms |\n|---|--:|--:|--:|--:|--:|--:|--:|\n")
		for _, s := range r.sides(r.Open) {
			at := func(of func(cell) float64) string { return figure(r.openAt(rate, s, of)) }
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", s.title(),
				at(func(c cell) float64 { return c.CPU }), at(func(c cell) float64 { return c.Rate }),
				at(func(c cell) float64 { return c.P50 }), at(func(c cell) float64 { return c.P99 }),
				unlessZero(r.openAt(rate, s, func(c cell) float64 { return float64(c.Refused) })),
				unlessZero(r.openAt(rate, s, func(c cell) float64 { return float64(c.Missed) })),
				at(func(c cell) float64 { return c.Lag }))
		}
	}
}

func (r results) streamTable(b *strings.Builder) {
	if len(r.Held) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %d idle event streams\n\n", r.Held[0].Streams)
	for _, p := range everyone() {
		if why := p.lacks[workStreams]; why != "" {
			fmt.Fprintf(b, "%s, so it is not in this table.\n\n", why)
		}
	}
	b.WriteString("| | KiB each | opened/s | CPU while idle | still open |\n|---|--:|--:|--:|--:|\n")
	for _, h := range r.Held {
		fmt.Fprintf(b, "| %s | %s | %s | %.1f %% | %d |\n", side{h.Peer, full}.title(), figure(h.KiB), figure(h.Opening), h.CPU, h.Alive)
	}
}

func (r results) idleTable(b *strings.Builder) {
	b.WriteString("\n## Memory before the loads\n\n| | PSS MiB |\n|---|--:|\n")
	for _, variant := range []string{full, bare} {
		for _, i := range r.Idle {
			if i.Variant == variant {
				fmt.Fprintf(b, "| %s | %s |\n", side{i.Peer, i.Variant}.title(), figure(i.MiB))
			}
		}
	}
}

func figure(v float64) string {
	switch {
	case math.IsNaN(v):
		return ""
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func unlessZero(v float64) string {
	if v == 0 || math.IsNaN(v) {
		return ""
	}
	return fmt.Sprintf("%.0f", v)
}
