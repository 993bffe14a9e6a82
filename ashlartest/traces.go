package ashlartest

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/trace"
)

// A Trace is what one request did, and what followed from it: its jobs, and
// those who consumed its events.
type Trace struct {
	ID    string
	Spans []Span // in the order in which they began
}

// A Span is one piece of work of a trace.
type Span struct {
	Name       string
	ID, Parent string
	Start      time.Time
	Duration   time.Duration
	Error      string // the kind of failure, or empty
	Facts      []trace.Attr
}

// Fact returns what was noted under a key, or nil.
func (s Span) Fact(key string) any {
	for _, f := range s.Facts {
		if f.Key == key {
			return f.Value()
		}
	}
	return nil
}

// Names returns the names of the spans, in the order in which they began: what
// a test compares with what it expects to happen.
func (t Trace) Names() []string {
	var names []string
	for _, s := range t.Spans {
		names = append(names, s.Name)
	}
	return names
}

// Span returns the first span of that name.
func (t Trace) Span(name string) (Span, bool) {
	i := slices.IndexFunc(t.Spans, func(s Span) bool { return s.Name == name })
	if i < 0 {
		return Span{}, false
	}
	return t.Spans[i], true
}

// String is the trace as a tree, a span a line, with its time.
func (t Trace) String() string {
	var out strings.Builder
	known := map[string]bool{}
	for _, s := range t.Spans {
		known[s.ID] = true
	}
	var write func(s Span, depth int)
	write = func(s Span, depth int) {
		fmt.Fprintf(&out, "%s%s %s", strings.Repeat("  ", depth), s.Name, s.Duration.Round(time.Microsecond))
		if s.Error != "" {
			fmt.Fprintf(&out, " failed: %s", s.Error)
		}
		out.WriteByte('\n')
		for _, inner := range t.Spans {
			if inner.Parent == s.ID {
				write(inner, depth+1)
			}
		}
	}
	for _, s := range t.Spans {
		if !known[s.Parent] {
			write(s, 0)
		}
	}
	return out.String()
}

// Traces returns what the app has traced so far, oldest first: each request with
// its statements, outbound calls and the app's own spans. It keeps the last
// thousand. Of an app that the test has traced itself ([ashlar.App.Trace]) there
// are none.
func (a *App) Traces() []Trace {
	a.t.Helper()
	if a.traces == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.t.Context()), Patience)
	defer cancel()
	if err := a.Tracer().Flush(ctx); err != nil {
		a.t.Fatalf("the traces do not come: %v", err)
	}
	return a.traces.all()
}

// Untraced has nothing traced, for a test that counts what requests cost. Call
// it before the first call.
func (a *App) Untraced() { a.traces = nil }

// mostTraces bounds what a test that runs for long remembers.
const mostTraces = 1000

// album keeps traces. It is the app's exporter.
type album struct {
	mu     sync.Mutex
	traces []Trace
}

func (a *album) all() []Trace {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]Trace, len(a.traces))
	for i, t := range a.traces {
		list[i] = Trace{t.ID, slices.SortedStableFunc(slices.Values(t.Spans), func(x, y Span) int { return x.Start.Compare(y.Start) })}
	}
	return list
}

func (a *album) Export(_ context.Context, spans []*trace.Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range spans {
		t := a.page(s.Context.TraceIDString())
		t.Spans = append(t.Spans, Span{
			Name: s.Name, ID: s.Context.SpanIDString(), Parent: hex.EncodeToString(s.Parent[:]),
			Start: s.Start, Duration: s.Duration, Error: s.Error, Facts: slices.Clone(s.Attrs()),
		})
	}
	return nil
}

// page is where a trace is kept: the spans of one come one after another.
func (a *album) page(id string) *Trace {
	for i := range slices.Backward(a.traces) {
		if a.traces[i].ID == id {
			return &a.traces[i]
		}
	}
	if len(a.traces) == mostTraces {
		a.traces = slices.Delete(a.traces, 0, mostTraces/10)
	}
	a.traces = append(a.traces, Trace{ID: id})
	return &a.traces[len(a.traces)-1]
}

func (*album) Close(context.Context) error { return nil }
