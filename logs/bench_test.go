package logs_test

import (
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/logs"
)

// BenchmarkNineAttributes writes the same access line through both handlers.
func BenchmarkNineAttributes(b *testing.B) {
	trace := [16]byte{1, 2, 3}
	for name, h := range map[string]slog.Handler{
		"slog": slog.NewJSONHandler(io.Discard, nil),
		"logs": logs.NewHandler(io.Discard, logs.Options{}),
		"logs_with_trace": logs.NewHandler(io.Discard, logs.Options{Context: func(_ context.Context, line *logs.Line) {
			line.Hex("trace_id", trace[:])
		}}),
		"logs_text": logs.NewHandler(io.Discard, logs.Options{Format: logs.Text}),
	} {
		log := slog.New(h)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				log.LogAttrs(b.Context(), slog.LevelInfo, "request",
					slog.String("op", "payments.authorize"), slog.String("method", "POST"), slog.String("path", "/v1/payments"),
					slog.Int("status", 201), slog.Duration("duration", 1234*time.Microsecond), slog.Int("bytes", 512),
					slog.String("subject", "usr_01m823j0trephsyemv5h6nwvvg"), slog.String("remote", "203.0.113.7"), slog.Bool("replayed", false))
			}
		})
	}
}

// BenchmarkHandle leaves out what slog.Logger itself costs.
func BenchmarkHandle(b *testing.B) {
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	r.AddAttrs(slog.String("op", "payments.authorize"), slog.String("method", "POST"), slog.String("path", "/v1/payments"),
		slog.Int("status", 201), slog.Duration("duration", 1234*time.Microsecond), slog.Int("bytes", 512),
		slog.String("subject", "usr_01m823j0trephsyemv5h6nwvvg"), slog.String("remote", "203.0.113.7"), slog.Bool("replayed", false))
	for name, h := range map[string]slog.Handler{
		"slog": slog.NewJSONHandler(io.Discard, nil),
		"logs": logs.NewHandler(io.Discard, logs.Options{}),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := h.Handle(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkForm is an access line as serve writes it, and as a record.
func BenchmarkForm(b *testing.B) {
	h := logs.NewHandler(io.Discard, logs.Options{})
	b.Run("record", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = h.Handle(b.Context(), accessLine()) // to where nothing fails
		}
	})
	b.Run("form", func(b *testing.B) {
		f := h.Form("request", "op", "method", "path", "status", "bytes", "duration_ms", "trace_id", "request_id", "principal", "client_ip", "code")
		b.ReportAllocs()
		for b.Loop() {
			line := f.Fill(time.Now(), slog.LevelInfo)
			line.Text("payments.authorize")
			line.Text("POST")
			line.Text("/v1/payments")
			line.Int(201)
			line.Int(512)
			line.Millis(1234 * time.Microsecond)
			line.Text("0af7651916cd43dd8448eb211c80319c")
			line.Text("0af7651916cd43dd8448eb211c80319c")
			line.Text("usr_01m823j0trephsyemv5h6nwvvg")
			line.Text("203.0.113.7")
			line.Text("")
			_ = line.Write() // as above
		}
	})
}

// accessLine is what serve writes for each request.
func accessLine() slog.Record {
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	r.AddAttrs(slog.String("op", "payments.authorize"), slog.String("method", "POST"), slog.String("path", "/v1/payments"),
		slog.Int("status", 201), slog.Int64("bytes", 512), slog.Float64("duration_ms", 1.234),
		slog.String("trace_id", "0af7651916cd43dd8448eb211c80319c"), slog.String("request_id", "0af7651916cd43dd8448eb211c80319c"),
		slog.String("principal", "usr_01m823j0trephsyemv5h6nwvvg"), slog.String("client_ip", "203.0.113.7"), slog.String("code", ""))
	return r
}

// BenchmarkAccessLine is what an access line adds to a request of some 10 µs
// on all cores: nothing logged, a file written directly, a file behind a
// Buffer. As fast as lines can be made, without a request between them, no disk
// keeps up with them and a Buffer drops; dropped/op shows that here it need not.
func BenchmarkAccessLine(b *testing.B) {
	for _, through := range []string{"none", "direct", "buffer"} {
		b.Run(through, func(b *testing.B) {
			file, err := os.Create(filepath.Join(b.TempDir(), "log"))
			if err != nil {
				b.Fatal(err)
			}
			defer file.Close()
			lines := logs.NewBuffer(file)
			h := map[string]slog.Handler{
				"none": slog.DiscardHandler, "direct": logs.NewHandler(file, logs.Options{}), "buffer": logs.NewHandler(lines, logs.Options{}),
			}[through]
			r := accessLine()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				body := make([]byte, 16<<10)
				for pb.Next() {
					sha256.Sum256(body)
					_ = h.Handle(b.Context(), r) // a dropped line is counted below
				}
			})
			_ = lines.Close()
			b.ReportMetric(float64(lines.Dropped())/float64(b.N), "dropped/op")
		})
	}
}

// TestBufferCostsNoAllocation holds what a request pays for its access line.
func TestBufferCostsNoAllocation(t *testing.T) {
	h := logs.NewHandler(logs.NewBuffer(io.Discard), logs.Options{})
	r := accessLine()
	if n := testing.AllocsPerRun(2000, func() { _ = h.Handle(t.Context(), r) }); n != 0 {
		t.Errorf("%v allocations for a line", n)
	}
}
