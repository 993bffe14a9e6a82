package logs_test

import (
	"context"
	"io"
	"log/slog"
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
