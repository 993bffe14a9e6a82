package logs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/logs"
)

func TestHandlerKeepsTheContractOfSlog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out.Reset()
		return logs.NewHandler(&out, logs.Options{})
	}, func(t *testing.T) map[string]any { return parse(t, out.String()) })
}

// parse reads one line strictly.
func parse(t *testing.T, line string) map[string]any {
	t.Helper()
	if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
		t.Fatalf("not one line: %q", line)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return got
}

// said returns what one record looks like after its level and message.
func said(o logs.Options, say func(*slog.Logger)) string {
	var out bytes.Buffer
	log := slog.New(untimed{logs.NewHandler(&out, o)})
	say(log)
	text := strings.TrimSuffix(out.String(), "\n")
	text = strings.TrimPrefix(text, `{"level":"INFO","msg":"m"`)
	return strings.TrimPrefix(text, "INFO  m")
}

// untimed takes the time off, so that a whole line can be expected.
type untimed struct{ slog.Handler }

func (h untimed) Handle(ctx context.Context, r slog.Record) error {
	r.Time = time.Time{}
	return h.Handler.Handle(ctx, r)
}

func (h untimed) WithAttrs(attrs []slog.Attr) slog.Handler {
	return untimed{h.Handler.WithAttrs(attrs)}
}
func (h untimed) WithGroup(name string) slog.Handler { return untimed{h.Handler.WithGroup(name)} }

type point struct {
	X, Y  int
	Label string `json:"label,omitempty"`
}

type angry struct{}

func (*angry) Error() string               { panic("no words") }
func (angry) MarshalJSON() ([]byte, error) { panic("no json") }

type lazy struct{ value slog.Value }

func (l lazy) LogValue() slog.Value { return l.value }

type endless struct{}

func (e endless) LogValue() slog.Value { return slog.GroupValue(slog.Any("again", e)) }

func TestValues(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 23, 5, 9, 1_999_999, time.FixedZone("", 3600))
	for name, c := range map[string]struct {
		value      any
		json, text string
	}{
		"a text":              {"two words", `"two words"`, `"two words"`},
		"an empty text":       {"", `""`, `""`},
		"an integer":          {-42, `-42`, `-42`},
		"a large unsigned":    {uint64(math.MaxUint64), `18446744073709551615`, `18446744073709551615`},
		"a float":             {0.1, `0.1`, `0.1`},
		"a huge float":        {1e300, `1e+300`, `1e+300`},
		"not a number":        {math.NaN(), `"NaN"`, `NaN`},
		"infinity":            {math.Inf(-1), `"-Inf"`, `-Inf`},
		"a bool":              {true, `true`, `true`},
		"a duration":          {1500 * time.Microsecond, `1.5`, `1.5`},
		"a long duration":     {90 * time.Minute, `5400000`, `5400000`},
		"a nanosecond":        {-time.Nanosecond, `-0.000001`, `-0.000001`},
		"the least duration":  {time.Duration(math.MinInt64), `-9223372036854.775808`, `-9223372036854.775808`},
		"a time":              {at, `"2026-03-01T22:05:09.001Z"`, `2026-03-01T22:05:09.001Z`},
		"a time out of range": {time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC), `"12026-01-01T00:00:00Z"`, `12026-01-01T00:00:00Z`},
		"nil":                 {nil, `null`, `null`},
		"an error":            {fmt.Errorf("outer: %w", errors.New("inner")), `"outer: inner"`, `"outer: inner"`},
		"a text marshaler":    {netip.MustParseAddr("::1"), `"::1"`, `::1`},
		"a struct":            {point{X: 1, Label: "<a&b>"}, `{"X":1,"Y":0,"label":"<a&b>"}`, `{"X":1,"Y":0,"label":"<a&b>"}`},
		"a map":               {map[string]int{"b": 2, "a": 1}, `{"a":1,"b":2}`, `{"a":1,"b":2}`},
		"a lazy value":        {lazy{slog.IntValue(7)}, `7`, `7`},
		"a nil error":         {(*angry)(nil), `"!PANIC: no words"`, `"!PANIC: no words"`},
		"a failing marshaler": {[]any{angry{}}, `"!PANIC: no json"`, `"!PANIC: no json"`},
		"a channel":           {make(chan int), `"!ERROR: json: unsupported type: chan int"`, `"!ERROR: json: unsupported type: chan int"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			say := func(log *slog.Logger) { log.Info("m", "k", c.value) }
			if got, want := said(logs.Options{}, say), `,"k":`+c.json+`}`; got != want {
				t.Errorf("JSON %s, want %s", got, want)
			}
			if got, want := said(logs.Options{Format: logs.Text}, say), ` k=`+c.text; got != want {
				t.Errorf("text %s, want %s", got, want)
			}
		})
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		say        func(*slog.Logger)
		json, text string
	}{
		"a group": {
			func(l *slog.Logger) { l.Info("m", slog.Group("g", "a", 1, "b", 2), "c", 3) },
			`,"g":{"a":1,"b":2},"c":3}`, ` g.a=1 g.b=2 c=3`,
		},
		"groups within": {
			func(l *slog.Logger) {
				l.WithGroup("g").With("a", 1).WithGroup("h").Info("m", "b", 2, slog.Group("i", "c", 3))
			},
			`,"g":{"a":1,"h":{"b":2,"i":{"c":3}}}}`, ` g.a=1 g.h.b=2 g.h.i.c=3`,
		},
		"attributes after a group": {
			func(l *slog.Logger) { l.With("a", 1).WithGroup("g").With("b", 2).With("c", 3).Info("m", "d", 4) },
			`,"a":1,"g":{"b":2,"c":3,"d":4}}`, ` a=1 g.b=2 g.c=3 g.d=4`,
		},
		"an empty group": {func(l *slog.Logger) { l.WithGroup("g").Info("m", slog.Group("h", slog.Group("i"))) }, `}`, ``},
		"an empty group among others": {
			func(l *slog.Logger) { l.Info("m", slog.Group("g", slog.Group("h"), "a", 1), slog.Group("i")) },
			`,"g":{"a":1}}`, ` g.a=1`,
		},
		"a group without a key": {func(l *slog.Logger) { l.Info("m", slog.Group("", "a", 1)) }, `,"a":1}`, ` a=1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := said(logs.Options{}, c.say); got != c.json {
				t.Errorf("JSON %s, want %s", got, c.json)
			}
			if got := said(logs.Options{Format: logs.Text}, c.say); got != c.text {
				t.Errorf("text %s, want %s", got, c.text)
			}
		})
	}
}

func TestAGroupThatHoldsItselfEnds(t *testing.T) {
	t.Parallel()
	line := said(logs.Options{}, func(l *slog.Logger) { l.Info("m", "k", endless{}) })
	if !strings.Contains(line, `"again":"!DEPTH"`) {
		t.Errorf("line is %.200s", line)
	}
}

func TestDerivedLoggersDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	base := slog.New(untimed{logs.NewHandler(&out, logs.Options{})}).With("a", 1).WithGroup("g")
	x, y := base.With("x", 1).WithGroup("p"), base.With("y", 2).WithGroup("q")
	x.Info("m", "k", 1)
	y.Info("m", "k", 2)
	base.Info("m", "k", 3)
	want := `{"level":"INFO","msg":"m","a":1,"g":{"x":1,"p":{"k":1}}}
{"level":"INFO","msg":"m","a":1,"g":{"y":2,"q":{"k":2}}}
{"level":"INFO","msg":"m","a":1,"g":{"k":3}}
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestContextComesFirstAndOutsideGroups(t *testing.T) {
	t.Parallel()
	o := logs.Options{Context: func(ctx context.Context, line *logs.Line) {
		line.Hex("trace_id", []byte{0xab, 0x01})
		line.Text("request_id", "r\n1")
		line.Text("api_key", "canary")
		line.Hex("otp", []byte("canary"))
		line.Attr(slog.Int("n", 1))
	}}
	say := func(l *slog.Logger) { l.With("a", 1).WithGroup("g").InfoContext(t.Context(), "m", "b", 2) }
	want := `,"trace_id":"ab01","request_id":"r\n1","api_key":"***","otp":"***","n":1,"a":1,"g":{"b":2}}`
	if got := said(o, say); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	o.Format = logs.Text
	want = ` trace_id=ab01 request_id="r\n1" api_key=*** otp=*** n=1 a=1 g.b=2`
	if got := said(o, say); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLevelMovesWhileRunning(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var level slog.LevelVar
	log := logs.New(&out, logs.Options{Level: &level})
	log.Debug("one")
	level.Set(slog.LevelDebug)
	log.Debug("two")
	level.Set(slog.LevelError)
	log.Warn("three")
	if got := out.String(); strings.Contains(got, "one") || !strings.Contains(got, `"DEBUG","msg":"two"`) || strings.Contains(got, "three") {
		t.Errorf("written: %s", got)
	}
}

func TestTextLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := logs.New(&out, logs.Options{Format: logs.Text})
	log.Warn("say \"hi\"\n", "a b", "x=y")
	if got, want := out.String()[len("15:04:05.000"):], " WARN  say \"hi\"\\n \"a b\"=\"x=y\"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// writes counts calls and finds overlapping ones.
type writes struct {
	mu    sync.Mutex
	lines []string
}

func (w *writes) Write(p []byte) (int, error) {
	if !w.mu.TryLock() {
		return 0, errors.New("two writes at once")
	}
	defer w.mu.Unlock()
	w.lines = append(w.lines, string(p))
	return len(p), nil
}

func TestEachRecordIsOneWrite(t *testing.T) {
	t.Parallel()
	var out writes
	h := logs.NewHandler(&out, logs.Options{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			own := h.WithAttrs([]slog.Attr{slog.Int("g", g)})
			for range 200 {
				r := slog.NewRecord(time.Now(), slog.LevelInfo, strings.Repeat("x", 100), 0)
				r.AddAttrs(slog.String("k", "v"))
				if err := own.Handle(t.Context(), r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if len(out.lines) != 1600 {
		t.Fatalf("%d writes for 1600 records", len(out.lines))
	}
	for _, line := range out.lines {
		if got := parse(t, line); got["k"] != "v" || got["g"] == nil {
			t.Fatalf("mixed line %s", line)
		}
	}
}

func TestAFailedWriteIsReported(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	r.Close()
	err := logs.NewHandler(w, logs.Options{}).Handle(t.Context(), slog.Record{})
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

func TestHTTPHeaderKeepsItsSecrets(t *testing.T) {
	t.Parallel()
	got := said(logs.Options{}, func(l *slog.Logger) {
		l.Info("m", "header", http.Header{"Authorization": {"Bearer canary"}, "Accept": {"*/*"}, "X-Api-Key": {"canary"}})
	})
	if want := `,"header":{"Accept":["*/*"],"Authorization":"***","X-Api-Key":"***"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What is written elsewhere has the ids and hides the secrets, in its own format.
func TestAHandlerWritesElsewhere(t *testing.T) {
	t.Parallel()
	var here, there strings.Builder
	own := logs.NewHandler(&here, logs.Options{Format: logs.Text, Redact: []string{"colour"}, Context: func(_ context.Context, line *logs.Line) {
		line.Text("id", "i1")
	}})
	log := slog.New(own.To(&there, logs.JSON, slog.LevelDebug))
	log.DebugContext(t.Context(), "hello", "colour", "red")
	if got := there.String(); !strings.Contains(got, `"level":"DEBUG","msg":"hello","id":"i1","colour":"***"}`) {
		t.Errorf("got %s", got)
	}
	if here.Len() > 0 || own.Enabled(t.Context(), slog.LevelDebug) {
		t.Errorf("it changed: %s", &here)
	}
}
