package logs_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/logs"
)

// bothWays writes a text, a number and a duration under three keys: as a record
// and with a form.
func bothWays(t *testing.T, o logs.Options, derive func(slog.Handler) slog.Handler, at time.Time, keys [3]string, text string, n int64, d time.Duration) (record, form string) {
	t.Helper()
	var out bytes.Buffer
	h := derive(logs.NewHandler(&out, o)).(*logs.Handler)
	r := slog.NewRecord(at, slog.LevelWarn, text, 0)
	r.AddAttrs(slog.String(keys[0], text), slog.Int64(keys[1], n), slog.Duration(keys[2], d))
	if err := h.Handle(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	record = out.String()
	out.Reset()
	f := h.Form(text, keys[:]...)
	for range 2 { // whatever one line leaves behind must not be in the next
		out.Reset()
		line := f.Fill(at, slog.LevelWarn)
		line.Text(text)
		line.Int(n)
		line.Millis(d)
		if err := line.Write(); err != nil {
			t.Fatal(err)
		}
	}
	return record, out.String()
}

var derived = map[string]func(slog.Handler) slog.Handler{
	"plain":              func(h slog.Handler) slog.Handler { return h },
	"attributes":         func(h slog.Handler) slog.Handler { return h.WithAttrs([]slog.Attr{slog.Int("of", 1)}) },
	"a group":            func(h slog.Handler) slog.Handler { return h.WithGroup("a b").WithGroup("c") },
	"an opened group":    derivedGroup,
	"a group in a group": func(h slog.Handler) slog.Handler { return derivedGroup(h).WithGroup("inner") },
	"a hidden group":     func(h slog.Handler) slog.Handler { return h.WithGroup("password") },
}

func derivedGroup(h slog.Handler) slog.Handler {
	return h.WithGroup("g").WithAttrs([]slog.Attr{slog.Int("of", 1)})
}

func TestAFormSaysWhatARecordSays(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 23, 5, 9, 1_999_999, time.UTC)
	for name, derive := range derived {
		for _, format := range []logs.Format{logs.JSON, logs.Text} {
			for _, keys := range [][3]string{{"path", "status", "took"}, {"token", "a key", "\x1b"}, {"card", "cvc", "pin"}} {
				record, form := bothWays(t, logs.Options{Format: format}, derive, at, keys, "/a\"\nb", -7, 1500*time.Microsecond)
				if record != form {
					t.Errorf("%s, %q: a record says %s, the form %s", name, keys, record, form)
				}
			}
		}
	}
}

// A form remembers the second that it is in. Whatever it remembers, a line has
// its own time.
func TestAFormHasTheTimeOfEachLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h := logs.NewHandler(&out, logs.Options{})
	form := h.Form("request")
	base := time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
	for _, at := range []time.Time{
		base, base.Add(999_999_999), base.Add(time.Second), base, base.In(time.FixedZone("east", 3*3600+1800)),
		{},
		time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(0, 12, 31, 23, 59, 59, 5e6, time.UTC), time.Unix(-1, 7e6),
		time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		out.Reset()
		if err := h.Handle(context.Background(), slog.NewRecord(at, slog.LevelInfo, "request", 0)); err != nil {
			t.Fatal(err)
		}
		record := out.String()
		out.Reset()
		line := form.Fill(at, slog.LevelInfo)
		if err := line.Write(); err != nil {
			t.Fatal(err)
		}
		if form := out.String(); form != record {
			t.Errorf("%v: a record says %s, the form %s", at, record, form)
		}
	}
}

func TestAFormHidesWhatTheOptionsHide(t *testing.T) {
	t.Parallel()
	_, form := bothWays(t, logs.Options{Redact: []string{"path"}}, derived["plain"], time.Time{}, [3]string{"path", "n", "took"}, "secret", 1, 0)
	if want := `{"level":"WARN","msg":"secret","path":"***","n":1,"took":0}` + "\n"; form != want {
		t.Errorf("got %s, want %s", form, want)
	}
}

// FuzzForm holds that a form and a record say the same, whatever it is.
func FuzzForm(f *testing.F) {
	f.Add("path", "/payments", int64(200), int64(1500), int64(0), true)
	f.Add("card", "\r\n\x1b\xff\u2028 is hostile, and longer than eight", int64(-1), int64(-1), int64(1<<60), false)
	f.Fuzz(func(t *testing.T, key, text string, n, d, at int64, asText bool) {
		o := logs.Options{}
		if asText {
			o.Format = logs.Text
		}
		for name, derive := range derived {
			record, form := bothWays(t, o, derive, time.Unix(0, at), [3]string{key, "n", "d"}, text, n, time.Duration(d))
			if record != form {
				t.Errorf("%s: a record says %q, the form %q", name, record, form)
			}
		}
	})
}

func TestFormAllocatesNothing(t *testing.T) {
	h := logs.NewHandler(logs.NewBuffer(io.Discard), logs.Options{})
	f := h.Form("request", "path", "status", "took")
	now := time.Now()
	if n := testing.AllocsPerRun(2000, func() {
		line := f.Fill(now, slog.LevelInfo)
		line.Text("/v1/payments")
		line.Int(200)
		line.Millis(1500 * time.Microsecond)
		_ = line.Write()
	}); n != 0 {
		t.Errorf("%v allocations for a line", n)
	}
}
