package main

import (
	"fmt"
	"math"
	"strings"
)

// byREST are the workloads in GraphQL, and the same by REST.
var byREST = []struct{ graphql, rest, data string }{
	{workEntries, workEntriesREST, "from memory"},
	{workStored, workStoredREST, "from SQLite"},
}

func cpuOf(c cell) float64 { return c.CPU }

// against is the median over the rounds of what one side took of processor time
// to what another took in the same round.
func (r results) against(work string, s side, otherWork string, other side) float64 {
	base := map[int]float64{}
	for _, c := range r.Cells {
		if c.Work == otherWork && other.has(c) {
			base[c.Round] = c.CPU
		}
	}
	return median(r.Cells, func(c cell) bool { return c.Work == work && s.has(c) },
		func(c cell) float64 { return c.CPU / base[c.Round] })
}

// fastest is the peer with the whole stack, or bare, that takes the least
// processor time.
func (r results) fastest(work, variant string) (best side, ok bool) {
	least := math.Inf(1)
	for _, s := range r.sides(r.Cells) {
		if v := r.of(work, s, cpuOf); s.peer != ours && s.variant == variant && v < least {
			best, least, ok = s, v, true
		}
	}
	return best, ok
}

// graphqlTables write what the comparison in GraphQL has found.
func (r results) graphqlTables(b *strings.Builder) {
	ourSide := side{ours, full}
	b.WriteString("\n## Against the fastest\n\n| | fastest with the whole stack | Ashlar's processor time to its | fastest bare | Ashlar's to its |\n|---|---|--:|---|--:|\n")
	for _, w := range byREST {
		whole, ok := r.fastest(w.graphql, full)
		plain, okToo := r.fastest(w.graphql, bare)
		if ok && okToo {
			fmt.Fprintf(b, "| list of %d %s | %s | %.2f | %s | %.2f |\n", pageSize, w.data,
				whole.title(), r.against(w.graphql, ourSide, w.graphql, whole), plain.title(), r.against(w.graphql, ourSide, w.graphql, plain))
		}
	}
	b.WriteString("\n## GraphQL over REST\n\nProcessor time of the one to that of the other. From memory both carry the same; from SQLite GraphQL sends five of the fourteen members that REST does.\n\n" +
		"| | from memory | from SQLite |\n|---|--:|--:|\n")
	for _, s := range r.sides(r.Cells) {
		fmt.Fprintf(b, "| %s", s.title())
		for _, w := range byREST {
			fmt.Fprintf(b, " | %s", figure(r.against(w.graphql, s, w.rest, s)))
		}
		b.WriteString(" |\n")
	}
	for _, w := range graphqlWorkloads() {
		r.graphqlTable(b, w.name)
	}
}

func (r results) graphqlTable(b *strings.Builder, work string) {
	fmt.Fprintf(b, "\n## %s\n\n| | CPU µs/request | Ashlar's to it | requests/s | p50 ms | p99 ms | allocations | others |\n|---|--:|--:|--:|--:|--:|--:|--:|\n", work)
	for _, s := range r.sides(r.Cells) {
		at := func(of func(cell) float64) float64 { return r.of(work, s, of) }
		if math.IsNaN(at(cpuOf)) {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %.2f | %s | %s | %s | %s | %.0f %% |\n", s.title(), figure(at(cpuOf)), r.against(work, side{ours, full}, work, s),
			figure(at(func(c cell) float64 { return c.Rate })), figure(at(func(c cell) float64 { return c.P50 })), figure(at(func(c cell) float64 { return c.P99 })),
			unlessZero(at(func(c cell) float64 { return c.Allocs })), at(func(c cell) float64 { return c.Others }))
	}
}

// graphqlPlot is the picture of it.
func (r results) graphqlPlot(where string) plot {
	p := plot{title: "Processor time per request in µs, whole stack on", note: where + ". Shorter is better."}
	for _, w := range graphqlWorkloads() {
		each := panel{title: w.name}
		for _, s := range r.shown(r.Cells) {
			each.add(s, r.of(w.name, s, cpuOf))
		}
		p.panels = append(p.panels, each)
	}
	return p
}
