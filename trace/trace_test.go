package trace_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/trace"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestParseAcceptsWhatW3CAllows(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in    string
		flags byte
	}{
		"version 00 sampled":            {parent, 1},
		"not sampled":                   {strings.TrimSuffix(parent, "01") + "00", 0},
		"flags we do not know":          {strings.TrimSuffix(parent, "01") + "ff", 1},
		"future version, same length":   {"cc" + parent[2:], 1},
		"future version, more fields":   {"cc" + parent[2:] + "-what-comes", 1},
		"future version, trailing dash": {"01" + parent[2:] + "-", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, ok := trace.Parse(tc.in)
			if !ok {
				t.Fatalf("Parse(%q) was refused", tc.in)
			}
			if c.TraceIDString() != parent[3:35] || c.SpanIDString() != parent[36:52] || c.Flags != tc.flags {
				t.Errorf("Parse(%q) = %s %s %d", tc.in, c.TraceIDString(), c.SpanIDString(), c.Flags)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"nothing":                       "",
		"too short":                     parent[:54],
		"version 00 with more":          parent + "-00",
		"version 00 with a dash":        parent + "-",
		"future version run on":         "01" + parent[2:] + "x",
		"version ff":                    "ff" + parent[2:],
		"version not hex":               "0g" + parent[2:],
		"uppercase version":             "0A" + parent[2:],
		"uppercase trace id":            strings.Replace(parent, "0af7", "0AF7", 1),
		"uppercase span id":             strings.Replace(parent, "b7ad", "B7AD", 1),
		"zero trace id":                 "00-" + strings.Repeat("0", 32) + parent[35:],
		"zero span id":                  parent[:36] + strings.Repeat("0", 16) + "-01",
		"flags not hex":                 parent[:53] + "0x",
		"underscore for a dash":         strings.Replace(parent, "-", "_", 1),
		"second dash missing":           parent[:35] + "0" + parent[36:],
		"third dash missing":            parent[:52] + "0" + parent[53:],
		"leading space":                 " " + parent,
		"newline in place of the flags": parent[:53] + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c, ok := trace.Parse(in); ok || c != (trace.Context{}) {
				t.Errorf("Parse(%q) = %+v, %v", in, c, ok)
			}
		})
	}
}

func TestTraceparentRoundTrip(t *testing.T) {
	t.Parallel()
	c, _ := trace.Parse(parent)
	if got := c.Traceparent(); got != parent {
		t.Errorf("Traceparent() = %q, want %q", got, parent)
	}
	if got := (trace.Context{}).Traceparent(); got != "" {
		t.Errorf("an invalid context sends %q", got)
	}
}

func TestNewAndChild(t *testing.T) {
	t.Parallel()
	a, b := trace.New(), trace.New()
	if !a.Valid() || a.TraceID == b.TraceID || a.Sampled() {
		t.Fatalf("New() = %+v, then %+v", a, b)
	}
	child := a.WithSampled(true).Child()
	if child.TraceID != a.TraceID || child.SpanID == a.SpanID || !child.Sampled() {
		t.Errorf("Child() = %+v of %+v", child, a)
	}
	if child.WithSampled(false).Sampled() {
		t.Error("WithSampled(false) left the flag set")
	}
}

func TestFromReadsValueAndPointer(t *testing.T) {
	t.Parallel()
	c := trace.New()
	ctx := context.Background()
	if got := trace.From(ctx); got.Valid() {
		t.Errorf("From(empty) = %+v", got)
	}
	if got := trace.From(trace.With(ctx, c)); got != c {
		t.Errorf("From(With(c)) = %+v", got)
	}
	if got := trace.From(context.WithValue(ctx, trace.Key{}, &c)); got != c {
		t.Errorf("From(pointer) = %+v", got)
	}
	if got := trace.From(context.WithValue(ctx, trace.Key{}, (*trace.Context)(nil))); got.Valid() {
		t.Errorf("From(nil pointer) = %+v", got)
	}
}

func TestParseState(t *testing.T) {
	t.Parallel()
	many := func(n int) string {
		var members []string
		for i := range n {
			members = append(members, fmt.Sprintf("k%d=v", i))
		}
		return strings.Join(members, ",")
	}
	long := "a=" + strings.Repeat("x", 250)
	for name, tc := range map[string]struct {
		in   []string
		want string
	}{
		"none":                     {nil, ""},
		"one":                      {[]string{"congo=t61rcWkgMzE"}, "congo=t61rcWkgMzE"},
		"two headers keep order":   {[]string{"a=1", "b=2"}, "a=1,b=2"},
		"spaces and empty members": {[]string{" a=1 ,, b=2,"}, "a=1 ,, b=2"},
		"40 members":               {[]string{many(40)}, many(32)},
		"more than 512 bytes":      {[]string{long + ",b=" + long[2:] + ",c=" + long[2:]}, long + ",b=" + long[2:]},
		"one member, far too long": {[]string{"a=" + strings.Repeat("x", 600)}, ""},
		"duplicate key":            {[]string{"a=1,a=2"}, ""},
		"no value":                 {[]string{"a=1,b"}, ""},
		"uppercase key":            {[]string{"A=1"}, ""},
		"equals sign in the value": {[]string{"a=1=2"}, ""},
		"line break":               {[]string{"a=1\r\nx: y"}, ""},
		"multi-tenant key":         {[]string{"fw529a3039@dt=FfwXS"}, "fw529a3039@dt=FfwXS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := trace.ParseState(tc.in); string(got) != tc.want {
				t.Errorf("ParseState(%q) = %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	states := []string{"congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"}
	if n := testing.AllocsPerRun(100, func() {
		trace.Parse(parent)
		trace.ParseState(states)
	}); n != 0 {
		t.Errorf("parsing allocates %v times", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(parent)
	f.Add("cc" + parent[2:] + "-more")
	f.Fuzz(func(t *testing.T, in string) {
		c, ok := trace.Parse(in)
		if !ok {
			if c != (trace.Context{}) {
				t.Fatalf("refused, but not zero: %+v", c)
			}
			return
		}
		again, ok := trace.Parse(c.Traceparent())
		if !ok || again != c {
			t.Fatalf("%q became %+v, whose own header reads back as %+v", in, c, again)
		}
	})
}

func FuzzParseState(f *testing.F) {
	f.Add("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", "a=1")
	f.Fuzz(func(t *testing.T, first, second string) {
		s := trace.ParseState([]string{first, second})
		if len(s) > 512 || strings.Count(string(s), "=") > 32 || strings.ContainsAny(string(s), "\r\n\x00") {
			t.Fatalf("out of bounds: %q", s)
		}
		if again := trace.ParseState([]string{string(s)}); again != s {
			t.Fatalf("%q is not stable: %q", s, again)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		trace.Parse(parent)
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		trace.New()
	}
}
