// Package otlp sends a log over OTLP/HTTP, to an OpenTelemetry collector or to
// any backend that takes the protocol, beside what is written to standard
// output or a file. A program that does not import it does not contain it.
//
//	app.CopyLog(otlp.New(ctx))
//
// is all there is to write. Nothing is sent until OTEL_EXPORTER_OTLP_ENDPOINT or
// OTEL_EXPORTER_OTLP_LOGS_ENDPOINT says where to, or OTEL_LOGS_EXPORTER is otlp,
// which means http://localhost:4318; OTEL_LOGS_EXPORTER=none and
// OTEL_SDK_DISABLED=true send nothing. Headers, certificates, compression and
// time-out come from OTEL_EXPORTER_OTLP_… and OTEL_EXPORTER_OTLP_LOGS_…, who is
// speaking from OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
package otlp

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdk "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
)

const (
	pause   = 200 * time.Millisecond // between the beginnings of two requests
	timeout = 10 * time.Second       // of one, with its retries
)

// New reads the environment and returns what takes the log's lines, as
// logs.Handler writes them in JSON. It is nil where nothing is to be sent; what
// cannot be used is an error that names the variable.
//
// Write returns when a collector has taken the lines, and with an error when
// none did, so put a logs.Buffer in front, which waits in the place of others
// and counts what is lost. What a line hides is hidden here too: nothing else
// is read.
func New(ctx context.Context) (io.WriteCloser, error) {
	on, err := asked()
	if err != nil || !on {
		return nil, err
	}
	about, err := resource.New(ctx, resource.WithHost(), resource.WithFromEnv(),
		resource.WithAttributes(attribute.String("telemetry.sdk.name", "ashlar"), attribute.String("telemetry.sdk.language", "go")))
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	if about, err = resource.Merge(resource.Default(), about); err != nil { // which names a service that has no name
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	client, err := otlploghttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_*: %w", err)
	}
	w := &writer{client: client, closing: make(chan struct{})}
	w.log = sdk.NewLoggerProvider(sdk.WithResource(about), sdk.WithProcessor(&w.batch)).Logger("github.com/ashlar-go/ashlar")
	return w, nil
}

// asked reports whether the environment asks for logs to be sent.
func asked() (bool, error) {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return false, nil
	}
	in := "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
	endpoint := os.Getenv(in)
	if endpoint == "" {
		in = "OTEL_EXPORTER_OTLP_ENDPOINT"
		endpoint = os.Getenv(in)
	}
	switch exporter := os.Getenv("OTEL_LOGS_EXPORTER"); exporter {
	case "", "otlp":
		if endpoint == "" {
			return exporter == "otlp", nil
		}
	case "none":
		return false, nil
	default:
		return false, fmt.Errorf("OTEL_LOGS_EXPORTER: there is no exporter %q; it is otlp or none", exporter)
	}
	if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return false, fmt.Errorf("%s: must be a URL such as http://localhost:4318", in) // which may hold a password
	}
	return true, nil
}

type writer struct {
	client *otlploghttp.Exporter
	log    log.Logger

	mu      sync.Mutex
	batch   batch
	last    time.Time
	closing chan struct{}
	once    sync.Once
}

// Write implements [io.Writer].
func (w *writer) Write(lines []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select { // a line alone is not worth a request
	case <-time.After(time.Until(w.last.Add(pause))):
	case <-w.closing:
	}
	w.last = time.Now()
	for line := range bytes.Lines(lines) {
		w.emit(line)
	}
	records := w.batch.records
	w.batch.records = nil
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := w.client.Export(ctx, records); err != nil {
		return 0, err
	}
	return len(lines), nil
}

// Close ends the connection; what is written later is lost. A pause of Write
// ends with it.
func (w *writer) Close() error {
	w.once.Do(func() { close(w.closing) })
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.client.Shutdown(context.Background())
}

// emit makes a record of a line. One that is no JSON object is its own message.
func (w *writer) emit(line []byte) {
	var r log.Record
	r.SetObservedTimestamp(time.Now())
	ctx := context.Background()
	var members map[string]json.RawMessage
	if json.Unmarshal(line, &members) != nil {
		r.SetBody(attribute.StringValue(string(bytes.TrimSpace(line))))
		w.log.Emit(ctx, r)
		return
	}
	if at, err := time.Parse(time.RFC3339Nano, text(members["time"])); err == nil {
		r.SetTimestamp(at)
	}
	level := text(members["level"])
	r.SetSeverityText(level)
	r.SetSeverity(severity(level))
	r.SetBody(attribute.StringValue(text(members["msg"])))
	var id trace.TraceID
	if raw, err := hex.DecodeString(text(members["trace_id"])); err == nil && len(raw) == len(id) {
		copy(id[:], raw)
		// A context without a span is not valid, and yet all that the SDK reads
		// of it is put into the record.
		ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: id}))
	}
	for key, value := range members {
		switch key {
		case "time", "level", "msg", "trace_id":
		default:
			r.AddAttributes(member(key, value))
		}
	}
	w.log.Emit(ctx, r)
}

func text(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

// member is an attribute of its own type; an object or a list is its JSON.
func member(key string, value json.RawMessage) attribute.KeyValue {
	var n int64
	if json.Unmarshal(value, &n) == nil && string(value) != "null" {
		return attribute.Int64(key, n)
	}
	var scalar any
	_ = json.Unmarshal(value, &scalar) // it was read before
	switch v := scalar.(type) {
	case string:
		return attribute.String(key, v)
	case bool:
		return attribute.Bool(key, v)
	case float64:
		return attribute.Float64(key, v)
	}
	return attribute.String(key, string(value))
}

// severity is the number of a level as slog writes it, INFO or INFO+2: the two
// scales run alike.
func severity(level string) log.Severity {
	name, more, _ := strings.Cut(level, "+")
	base := map[string]log.Severity{
		"DEBUG": log.SeverityDebug, "INFO": log.SeverityInfo, "WARN": log.SeverityWarn, "ERROR": log.SeverityError,
	}[name]
	if base != log.SeverityUndefined && len(more) == 1 && '1' <= more[0] && more[0] <= '9' {
		base = min(base+log.Severity(more[0]-'0'), log.SeverityFatal4)
	}
	return base
}

// batch gathers the records of one Write. It implements [sdk.Processor].
type batch struct{ records []sdk.Record }

func (b *batch) Enabled(context.Context, sdk.EnabledParameters) bool { return true }

func (b *batch) OnEmit(_ context.Context, r *sdk.Record) error {
	b.records = append(b.records, r.Clone())
	return nil
}

func (b *batch) Shutdown(context.Context) error   { return nil }
func (b *batch) ForceFlush(context.Context) error { return nil }
