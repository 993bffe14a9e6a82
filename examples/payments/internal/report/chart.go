package report

import (
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
)

// The chart is one SVG file without a script and without anything from
// elsewhere. It has a panel for each currency, in which each day has a bar up for
// what was captured and one down for what was refunded. Colours follow the
// reader's theme and texts grow on a narrow screen, by media queries; where a
// strict policy forbids the style sheet, attributes give the light theme.
const (
	chartWidth  = 800
	margin      = 24
	rightMargin = 40
	headHeight  = 96
	panelHeight = 396
	plotTop     = 124 // from the top of a panel
	plotHeight  = 190
	maxPanels   = 8
	maxLabels   = 8 // of days
	leastBar    = 1.5
)

const style = `
svg{background:#fff;color-scheme:light dark;height:auto}
@media (max-width:560px){
.title{font-size:32px}.sub,.label,.axis{font-size:21px}.value{font-size:26px}.tick{font-size:20px}.minor{display:none}
}
@media (prefers-color-scheme:dark){
svg{background:#11161d}
.paper{fill:#11161d}.title,.value{fill:#e8edf4}.sub,.label,.axis,.tick{fill:#a3b0c0}
.grid{stroke:#27313d}.zero{stroke:#7b8a9c}.captured{fill:#6ea8fe}.refunded{fill:#f2a65e}
}
`

// drawing is a chart under way.
type drawing struct{ strings.Builder }

func (d *drawing) add(format string, args ...any) {
	_, _ = fmt.Fprintf(d, format+"\n", args...) // a builder takes everything
}

// text writes a text, whatever is in it.
func (d *drawing) text(class string, size int, x, y float64, more, content string) {
	fill := map[string]string{"title": "#1a2230", "value": "#1a2230"}[class]
	if fill == "" {
		fill = "#566273"
	}
	d.add(`<text class="%s" fill="%s" font-size="%d" x="%.1f" y="%.1f"%s>%s</text>`, class, fill, size, x, y, more, html.EscapeString(content))
}

// chart draws what a report adds up to.
func chart(r *record, s sums) string {
	currencies := slices.Sorted(maps.Keys(s.totals()))
	if len(currencies) == 0 && r.Currency != "" {
		currencies = []money.Currency{r.Currency}
	}
	panels := currencies[:min(len(currencies), maxPanels)]
	height := headHeight + panelHeight*len(panels) + margin
	if len(panels) == 0 || len(panels) < len(currencies) {
		height += 2 * margin
	}

	first, last := r.days()
	period := first.Format("2 Jan 2006") + " to " + last.Format("2 Jan 2006") + ", UTC"
	var d drawing
	d.add(`<svg xmlns="http://www.w3.org/2000/svg" width="100%%" viewBox="0 0 %d %d" preserveAspectRatio="xMidYMin" role="img" aria-labelledby="title desc" font-family="system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif">`,
		chartWidth, height)
	d.add(`<title id="title">%s</title>`, html.EscapeString("Settlement, "+period))
	d.add(`<desc id="desc">%s</desc>`, html.EscapeString(described(currencies, s.totals())))
	d.add(`<style>%s</style>`, style)
	d.add(`<rect class="paper" fill="#fff" width="%d" height="%d"/>`, chartWidth, height)
	d.text("title", 24, margin, 44, ` font-weight="600"`, "Settlement")
	d.text("sub", 15, margin, 76, "", period)
	widest := 0
	for _, c := range panels { // so that all days stand below each other
		widest = max(widest, s.of(c).scale(c).widest)
	}
	for i, c := range panels {
		d.panel(c, s.of(c), first, last, float64(headHeight+panelHeight*i), float64(margin+12*widest+10))
	}
	switch foot := float64(height - margin); {
	case len(panels) == 0:
		d.text("label", 15, margin, foot, "", "Nothing was captured or refunded in this period.")
	case len(panels) < len(currencies):
		d.text("label", 15, margin, foot, "", fmt.Sprintf("%d more currencies are in the CSV.", len(currencies)-len(panels)))
	}
	d.add(`</svg>`)
	return d.String()
}

// described says in words what the panels show.
func described(currencies []money.Currency, totals map[money.Currency]amounts) string {
	if len(currencies) == 0 {
		return "Nothing was captured or refunded in this period."
	}
	var all []string
	for _, c := range currencies {
		a := totals[c]
		all = append(all, fmt.Sprintf("%s: %s captured, %s refunded, %s net.", c, readable(a.Captured, c), readable(a.Refunded, c), readable(a.net(), c)))
	}
	return "Bars for each day, captures up and refunds down. " + strings.Join(all, " ")
}

// of returns the sums of one currency.
func (s sums) of(c money.Currency) (days sums) {
	for _, one := range s {
		if one.Currency == c {
			days = append(days, one)
		}
	}
	return days
}

// scale returns one that all days fit.
func (s sums) scale(c money.Currency) scale {
	var most, least int64
	for _, day := range s {
		most, least = max(most, day.Captured), max(least, day.Refunded)
	}
	return scaleOf(most, least, c)
}

// panel draws one currency, its plot from left on.
func (d *drawing) panel(c money.Currency, days sums, first, last time.Time, top, left float64) {
	total := days.totals()[c]
	for i, figure := range []struct {
		name, class, fill string
		amount            int64
	}{
		{"Captured", "captured", "#2563c9", total.Captured},
		{"Refunded", "refunded", "#d0662a", total.Refunded},
		{"Net", "", "", total.net()},
	} {
		x := float64(margin + 256*i)
		indent := 0.0
		if figure.class != "" {
			indent = 20
			d.add(`<rect class="%s" fill="%s" x="%.1f" y="%.1f" width="12" height="12" rx="3"/>`, figure.class, figure.fill, x, top+13)
		}
		d.text("label", 15, x+indent, top+24, "", figure.name+", "+string(c))
		value, fitted := readable(figure.amount, c), ` font-weight="600"`
		if len(value) > 16 {
			fitted += ` textLength="232" lengthAdjust="spacingAndGlyphs"`
		}
		d.text("value", 20, x, top+54, fitted, value)
	}

	scale := days.scale(c)
	right, plot := float64(chartWidth-rightMargin), top+plotTop
	d.text("axis", 13, margin, plot-26, "", string(c)+" per day")
	for _, tick := range scale.ticks {
		y := plot + scale.y(tick.at)
		class, stroke := "grid", "#e2e7ee"
		if tick.at == 0 {
			class, stroke = "zero", "#8592a3"
		}
		d.add(`<path class="%s" stroke="%s" d="M%.1f %.1fH%.1f"/>`, class, stroke, left, y, right)
		d.text("tick", 13, left-10, y+5, ` text-anchor="end"`, tick.label)
	}

	n := int(last.Sub(first)/(24*time.Hour)) + 1
	slot := (right - left) / float64(n)
	wide := max(0.5, min(slot*0.72, 36))
	middle := func(day int) float64 { return left + slot*(float64(day)+0.5) }
	d.bars("captured", "#2563c9", days, func(one sum) (y, height float64, tip string) {
		y = scale.y(one.Captured)
		if height = scale.y(0) - y; height > 0 {
			height = max(height, leastBar)
		}
		return plot + scale.y(0) - height, height, one.Day + ": " + readable(one.Captured, c) + " " + string(c) + " captured"
	}, first, middle, wide)
	d.bars("refunded", "#d0662a", days, func(one sum) (y, height float64, tip string) {
		y = scale.y(0)
		if height = scale.y(-one.Refunded) - y; height > 0 {
			height = max(height, leastBar)
		}
		return plot + y, height, one.Day + ": " + readable(one.Refunded, c) + " " + string(c) + " refunded"
	}, first, middle, wide)

	stride := (n + maxLabels - 1) / maxLabels
	for day := 0; day < n; day += stride {
		class := "tick"
		if day/stride%2 == 1 {
			class = "tick minor"
		}
		d.text(class, 13, middle(day), plot+plotHeight+32, ` text-anchor="middle"`, first.AddDate(0, 0, day).Format("2 Jan"))
	}
	d.text("axis", 13, (left+right)/2, plot+plotHeight+60, ` text-anchor="middle"`, "Day")
}

// bars draws a series: nothing for nothing, and the least amount so that it is
// seen.
func (d *drawing) bars(class, fill string, days sums, of func(sum) (y, height float64, tip string), first time.Time, middle func(int) float64, wide float64) {
	d.add(`<g class="%s" fill="%s">`, class, fill)
	for _, one := range days {
		y, height, tip := of(one)
		if height <= 0 {
			continue
		}
		day := int(dayOf(one).Sub(first) / (24 * time.Hour))
		d.add(`<rect x="%.2f" y="%.2f" width="%.2f" height="%.2f" rx="%.1f"><title>%s</title></rect>`,
			middle(day)-wide/2, y, wide, height, min(2, wide/4), html.EscapeString(tip))
	}
	d.add(`</g>`)
}

// A scale turns amounts into heights below the top of a plot.
type scale struct {
	top, bottom float64 // in minor units
	ticks       []tick
	widest      int // characters of a label
}

type tick struct {
	at    int64
	label string
}

func (s scale) y(amount int64) float64 {
	return plotHeight * (s.top - float64(amount)) / (s.top - s.bottom)
}

// scaleOf returns a scale from minus least to most, with a handful of ticks at
// round amounts.
func scaleOf(most, least int64, c money.Currency) scale {
	unit := int64(1)
	for range c.Exponent() {
		unit *= 10
	}
	if most == 0 && least == 0 {
		most = unit
	}
	step := float64(1)
	for factors := []float64{2, 2.5, 2}; (float64(most)+float64(least))/step > 5; factors = append(factors[1:], factors[0]) {
		step *= factors[0] // 1, 2, 5, 10, 20, 50 …
	}
	s := scale{}
	for s.top < float64(most) {
		s.top += step
	}
	for s.bottom > -float64(least) {
		s.bottom -= step
	}
	for at := s.bottom; at <= s.top; at += step {
		t := tick{int64(at), short(at/float64(unit), max(s.top, -s.bottom)/float64(unit))}
		s.ticks = append(s.ticks, t)
		s.widest = max(s.widest, len(t.label))
	}
	return s
}

// short is the label of a tick on an axis up to most: "0.25", "1,500", "20k".
func short(amount, most float64) string {
	suffix := ""
	if most >= 10_000 {
		for _, s := range []string{"k", "M", "G", "T", "P"} {
			if amount, most, suffix = amount/1000, most/1000, s; most < 1000 {
				break
			}
		}
	}
	whole, rest, _ := strings.Cut(strings.TrimRight(fmt.Sprintf("%.3f", amount), "0"), ".")
	if rest != "" {
		rest = "." + rest
	}
	if text := grouped(whole) + rest; text != "-0" && text != "0" {
		return text + suffix
	}
	return "0"
}

// readable is an amount with its thousands apart: "1,234.50".
func readable(amount int64, c money.Currency) string {
	whole, rest, pointed := strings.Cut(money.Decimal(amount, c), ".")
	if pointed {
		rest = "." + rest
	}
	return grouped(whole) + rest
}

// grouped puts commas between the thousands of a whole number.
func grouped(digits string) string {
	digits, negative := strings.CutPrefix(digits, "-")
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	if negative {
		return "-" + digits
	}
	return digits
}
