package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
)

// plot is a picture of bars in panels, two beside each other. It follows the
// reader's light or dark scheme.
type plot struct {
	title, note string
	panels      []panel
}

type panel struct {
	title string
	// log draws powers of ten at equal distances, for what differs by more
	// than a factor of a hundred.
	log  bool
	bars []bar
}

type bar struct {
	label string
	value float64
	class string // of style
}

// The classes of a bar.
const (
	classOurs  = "ours"
	classGo    = "go"
	classNode  = "node"
	classLimit = "limit"
)

const style = `
svg{--ground:#ffffff;--ink:#1f2328;--faint:#656d76;--line:#d1d9e0;--ours:#bc4c00;--go:#6e7fa3;--node:#8fae8b;--limit:#9198a1}
@media (prefers-color-scheme:dark){svg{--ground:#0d1117;--ink:#e6edf3;--faint:#8d96a0;--line:#30363d;--ours:#f0883e;--go:#7d90b8;--node:#7ea37a;--limit:#6e7681}}
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--ink)}
.title{font-size:17px;font-weight:600}.panel{font-weight:600}.note{font-size:12px;fill:var(--faint)}.value{font-variant-numeric:tabular-nums;fill:var(--faint)}
.ground{fill:var(--ground)}.axis{stroke:var(--line)}
rect.ours{fill:var(--ours)}rect.go{fill:var(--go)}rect.node{fill:var(--node)}rect.limit{fill:var(--limit)}
text.ours{font-weight:600}
`

// Measures of a plot, in pixels.
const (
	panelWidth, labelWidth, valueWidth = 420, 118, 62
	barHeight, barGap                  = 15, 6
	margin, headHeight, panelHead      = 20, 62, 28
)

func (p plot) draw(w io.Writer) error {
	var b strings.Builder
	width, height := 2*panelWidth+3*margin, headHeight+margin
	for i := 0; i < len(p.panels); i += 2 {
		height += p.rowHeight(i)
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img" aria-label="%s"><style>%s</style>`,
		width, height, escape(p.title), style)
	fmt.Fprintf(&b, `<rect class="ground" width="%d" height="%d" rx="6"/>`, width, height)
	fmt.Fprintf(&b, "\n"+`<text class="title" x="%d" y="30">%s</text><text class="note" x="%[1]d" y="50">%[3]s</text>`, margin, escape(p.title), escape(p.note))
	y := headHeight
	for i, each := range p.panels {
		each.draw(&b, margin+i%2*(panelWidth+margin), y)
		if i%2 == 1 {
			y += p.rowHeight(i - 1)
		}
	}
	b.WriteString("\n</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (p plot) rowHeight(first int) int {
	most := 0
	for _, each := range p.panels[first:min(first+2, len(p.panels))] {
		most = max(most, len(each.bars))
	}
	return panelHead + most*(barHeight+barGap) + margin
}

func (p panel) draw(b *strings.Builder, x, y int) {
	fmt.Fprintf(b, "\n"+`<text class="panel" x="%d" y="%d">%s</text>`, x, y+14, escape(p.title))
	most := 0.0
	for _, each := range p.bars {
		most = max(most, each.value)
	}
	left, top := x+labelWidth, y+panelHead
	room := float64(panelWidth - labelWidth - valueWidth)
	for i, each := range p.bars {
		at := top + i*(barHeight+barGap)
		long := max(1, room*p.share(each.value, most))
		fmt.Fprintf(b, "\n"+`<text class="%[1]s" x="%[2]d" y="%[3]d" text-anchor="end">%[4]s</text><rect class="%[1]s" x="%[5]d" y="%[6]d" width="%.1[7]f" height="%[8]d" rx="2"/><text class="value" x="%.1[9]f" y="%[3]d">%[10]s</text>`,
			each.class, left-8, at+12, escape(each.label), left, at, long, barHeight, float64(left)+long+6, figure(each.value))
	}
	fmt.Fprintf(b, `<line class="axis" x1="%d" x2="%[1]d" y1="%d" y2="%d"/>`, left, top-4, top+len(p.bars)*(barHeight+barGap))
}

// share is how much of the room a value takes.
func (p panel) share(value, most float64) float64 {
	if most <= 0 {
		return 0
	}
	if !p.log {
		return value / most
	}
	const least = 0.1 // where a logarithmic axis begins
	return max(0, math.Log10(max(value, least)/least)/math.Log10(most/least))
}

func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return "" // a Builder does not fail
	}
	return b.String()
}

// plots are the pictures of the results, by name of file.
func (r results) plots() map[string]plot {
	where := fmt.Sprintf("%s, %d processors, Go %s", r.Date.Format("2006-01-02"), r.Machine.Processors, r.Machine.Go)
	if r.Machine.Node != "" {
		where += ", Node " + r.Machine.Node
	}
	works := []string{workQuote, workGet, workInsert, workCached, workList, workTiny}
	if r.GraphQL {
		return map[string]plot{"graphql": r.graphqlPlot(where)}
	}
	all := map[string]plot{}
	if len(r.Cells) > 0 {
		all["throughput"] = r.plotCells("Requests per second, whole stack on", where+". Longer is better. Grey: net/http without any stack.", works,
			func(c cell) float64 { return c.Rate })
		all["cpu"] = r.plotCells("Processor time per request in µs, whole stack on", where+". Shorter is better. Grey: net/http without any stack.", works,
			func(c cell) float64 { return c.CPU })
	}
	late := plot{title: "The slowest in a hundred: p99 in ms", note: where + ". Shorter is better; logarithmic."}
	for _, rate := range r.offered() {
		each := panel{title: fmt.Sprintf("validated POST, %.0f a second offered", rate), log: true}
		for _, s := range r.shown(r.Open) {
			each.add(s, r.openAt(rate, s, func(c cell) float64 { return c.P99 }))
		}
		late.panels = append(late.panels, each)
	}
	burn := panel{title: workBurn, log: true}
	for _, s := range r.shown(r.Cells) {
		burn.add(s, r.of(workBurn, s, func(c cell) float64 { return c.P99 }))
	}
	late.panels = append(late.panels, burn)
	all["latency"] = late

	memory := plot{title: "Memory", note: where + ". Shorter is better."}
	idling, streaming := panel{title: "idle, MiB"}, panel{title: "an idle event stream, KiB"}
	for _, i := range r.Idle {
		if s := (side{i.Peer, i.Variant}); s.variant == full || s == limit() {
			idling.add(s, i.MiB)
		}
	}
	for _, h := range r.Held {
		streaming.add(side{h.Peer, full}, h.KiB)
	}
	memory.panels = []panel{idling, streaming}
	all["memory"] = memory
	return all
}

func (r results) plotCells(title, note string, works []string, of func(cell) float64) plot {
	p := plot{title: title, note: note}
	for _, work := range works {
		each := panel{title: work}
		for _, s := range r.shown(r.Cells) {
			each.add(s, r.of(work, s, of))
		}
		p.panels = append(p.panels, each)
	}
	return p
}

// shown are the full stacks and the limit, ours first.
func (r results) shown(of []cell) (all []side) {
	ourSide := side{ours, full}
	for _, s := range r.sides(of) {
		switch {
		case s == ourSide:
			all = append([]side{s}, all...)
		case s.variant == full || s == limit():
			all = append(all, s)
		}
	}
	return all
}

func (p *panel) add(s side, value float64) {
	if math.IsNaN(value) {
		return
	}
	class := classGo
	switch {
	case s.peer == ours:
		class = classOurs
	case s == limit():
		class = classLimit
	default:
		for _, each := range everyone() {
			if each.name == s.peer && each.language == inNode {
				class = classNode
			}
		}
	}
	p.bars = append(p.bars, bar{s.title(), value, class})
}
