package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// metric is one figure with its unit, named as benchstat wants it.
type metric struct {
	value float64
	unit  string
}

// table keeps the rounds of every measure. A measure has one row for each side
// and round.
type table struct {
	names []string // in order of appearance: measure/side
	rows  map[string][][]metric
	notes []string
}

func (t *table) add(measure, side string, row ...metric) {
	name := measure + "/" + side
	if t.rows == nil {
		t.rows = map[string][][]metric{}
	}
	if _, known := t.rows[name]; !known {
		t.names = append(t.names, name)
	}
	t.rows[name] = append(t.rows[name], row)
}

func (t *table) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// values are all rounds of one figure.
func (t *table) values(name, unit string) (all []float64) {
	for _, row := range t.rows[name] {
		for _, m := range row {
			if m.unit == unit {
				all = append(all, m.value)
			}
		}
	}
	return all
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	switch n := len(s); {
	case n == 0:
		return 0
	case n%2 == 1:
		return s[n/2]
	default:
		return (s[n/2-1] + s[n/2]) / 2
	}
}

// ratio is the median over the rounds of one side's figure against the
// other's in the same round.
func (t *table) ratio(measure, side, base, unit string) float64 {
	of, to := t.values(measure+"/"+side, unit), t.values(measure+"/"+base, unit)
	ratios := make([]float64, 0, len(of))
	for i := range min(len(of), len(to)) {
		ratios = append(ratios, of[i]/to[i])
	}
	return median(ratios)
}

// print writes medians for people.
func (t *table) print(w io.Writer) error {
	lines := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var units string
	for _, name := range t.names {
		row := t.rows[name][0]
		var head, cells strings.Builder
		for _, m := range row {
			fmt.Fprintf(&head, "\t%s", m.unit)
			fmt.Fprintf(&cells, "\t%s", figure(median(t.values(name, m.unit))))
		}
		if head.String() != units {
			units = head.String()
			fmt.Fprintf(lines, "\nmedian of %d%s\n", len(t.rows[name]), units)
		}
		fmt.Fprintf(lines, "%s%s\n", name, cells.String())
	}
	if err := lines.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(t.notes, "\n"))
	return err
}

// figure writes three significant digits, and small counts whole.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// lines writes every round in the format that benchstat reads.
func (t *table) lines(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "goos: %s\ngoarch: %s\npkg: github.com/ashlar-go/ashlar/bench\n", runtime.GOOS, runtime.GOARCH); err != nil {
		return err
	}
	for _, name := range t.names {
		for _, row := range t.rows[name] {
			fmt.Fprintf(w, "Benchmark%s 1", name)
			for _, m := range row {
				fmt.Fprintf(w, "\t%g %s", m.value, m.unit)
			}
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
	}
	return nil
}
