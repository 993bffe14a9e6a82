package otlp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/ashlar-go/ashlar/trace"
	"github.com/ashlar-go/ashlar/trace/otlp"
)

// receiver takes what is exported, in the protocol's official types.
type receiver struct {
	*httptest.Server

	mu      sync.Mutex
	got     []*tracepb.ResourceSpans
	headers http.Header
	path    string
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body := io.Reader(req.Body)
		if req.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(req.Body)
		}
		data, err := io.ReadAll(body)
		var message collectorpb.ExportTraceServiceRequest
		if err = errors.Join(err, proto.Unmarshal(data, &message)); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got, r.headers, r.path = append(r.got, message.GetResourceSpans()...), req.Header.Clone(), req.URL.Path
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(r.Close)
	return r
}

func values(list []*commonpb.KeyValue) map[string]any {
	out := map[string]any{}
	for _, kv := range list {
		switch v := kv.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			out[kv.GetKey()] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			out[kv.GetKey()] = v.IntValue
		case *commonpb.AnyValue_BoolValue:
			out[kv.GetKey()] = v.BoolValue
		}
	}
	return out
}

// clean unsets what the machine may have set.
func clean(t *testing.T, env ...string) {
	t.Helper()
	for _, name := range []string{
		"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
		"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_SERVICE_NAME",
		"OTEL_RESOURCE_ATTRIBUTES", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_SCHEDULE_DELAY",
	} {
		t.Setenv(name, "")
	}
	for i := 0; i+1 < len(env); i += 2 {
		t.Setenv(env[i], env[i+1])
	}
}

//nolint:paralleltest // the environment is the process's
func TestExport(t *testing.T) {
	to := receive(t)
	clean(t, "OTEL_EXPORTER_OTLP_ENDPOINT", to.URL, "OTEL_EXPORTER_OTLP_HEADERS", "api-key=k%201",
		"OTEL_SERVICE_NAME", "shop", "OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.name=ignored",
		"OTEL_TRACES_SAMPLER", "always_on", "OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
	o, err := otlp.New(t.Context())
	if err != nil || o.Exporter == nil {
		t.Fatal(o, err)
	}
	tr := trace.NewTracer(o)
	ctx, outer := trace.Start(trace.WithTracer(t.Context(), tr), "outer", trace.Text("a", "b"), trace.Int("n", 2), trace.Bool("c", true))
	query := trace.Leaf(ctx, trace.Client, "", trace.Statement("SELECT 'canary'"))
	query.Fail(context.DeadlineExceeded)
	query.End()
	at := trace.From(ctx)
	outer.End()
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	if to.path != "/v1/traces" || to.headers.Get("Api-Key") != "k 1" || len(to.got) != 1 {
		t.Fatalf("%d batches at %s with %v", len(to.got), to.path, to.headers)
	}
	about := values(to.got[0].GetResource().GetAttributes())
	for key, want := range map[string]any{"service.name": "shop", "deployment.environment.name": "test", "telemetry.sdk.language": "go"} {
		if about[key] != want {
			t.Errorf("resource %s is %v, not %v", key, about[key], want)
		}
	}
	if about["host.name"] == nil {
		t.Error("the resource does not say where it is")
	}
	spans := to.got[0].GetScopeSpans()[0].GetSpans()
	if len(spans) != 2 {
		t.Fatalf("%d spans", len(spans))
	}
	first, second := spans[0], spans[1]
	if hex.EncodeToString(first.GetTraceId()) != at.TraceIDString() || hex.EncodeToString(first.GetSpanId()) != at.SpanIDString() ||
		len(first.GetParentSpanId()) != 0 || first.GetKind() != tracepb.Span_SPAN_KIND_INTERNAL || first.GetStatus() != nil || first.GetFlags()&1 == 0 {
		t.Errorf("outer: %v", first)
	}
	if got := values(first.GetAttributes()); first.GetName() != "outer" || got["a"] != "b" || got["n"] != int64(2) || got["c"] != true {
		t.Errorf("outer: %v", got)
	}
	if !bytes.Equal(second.GetParentSpanId(), first.GetSpanId()) || second.GetKind() != tracepb.Span_SPAN_KIND_CLIENT ||
		second.GetStatus().GetCode() != tracepb.Status_STATUS_CODE_ERROR || second.GetEndTimeUnixNano() < second.GetStartTimeUnixNano() ||
		time.Since(time.Unix(0, int64(second.GetStartTimeUnixNano()))) > time.Minute {
		t.Errorf("query: %v", second)
	}
	if got := values(second.GetAttributes()); got["db.query.text"] != "SELECT ?" || got["error.type"] != "timeout" || got["db.operation.name"] != "SELECT" {
		t.Errorf("query: %v", got)
	}
}

//nolint:paralleltest // the environment is the process's
func TestOff(t *testing.T) {
	for name, env := range map[string][]string{
		"nothing is set": {},
		"disabled":       {"OTEL_SDK_DISABLED", "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"},
		"none":           {"OTEL_TRACES_EXPORTER", "none", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"},
	} {
		t.Run(name, func(t *testing.T) {
			clean(t, env...)
			if o, err := otlp.New(t.Context()); err != nil || o.Exporter != nil {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
}

//nolint:paralleltest // the environment is the process's
func TestSettings(t *testing.T) {
	clean(t, "OTEL_TRACES_EXPORTER", "otlp", "OTEL_BSP_SCHEDULE_DELAY", "250", "OTEL_BSP_MAX_QUEUE_SIZE", "9",
		"OTEL_RESOURCE_ATTRIBUTES", "a=b")
	o, err := otlp.New(t.Context())
	if err != nil || o.Exporter == nil || o.Delay != 250*time.Millisecond || o.Queue != 9 || o.Batch != 0 {
		t.Errorf("%+v, %v", o, err)
	}
}

//nolint:paralleltest // the environment is the process's
func TestMistakesAreReported(t *testing.T) {
	for _, tc := range [][2]string{
		{"OTEL_TRACES_EXPORTER", "zipkin"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "://user:hunter2@x"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
		{"OTEL_TRACES_SAMPLER", "jaeger_remote"},
		{"OTEL_BSP_MAX_QUEUE_SIZE", "-1"},
		{"OTEL_BSP_SCHEDULE_DELAY", "1s"},
		{"OTEL_RESOURCE_ATTRIBUTES", "no value"},
	} {
		t.Run(tc[0], func(t *testing.T) {
			clean(t, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318", tc[0], tc[1])
			_, err := otlp.New(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc[0]) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s=%s: %v", tc[0], tc[1], err)
			}
		})
	}
}

// A program that does not import the package does not contain it.
func TestOnlyWhoImportsItLinksIt(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "github.com/ashlar-go/ashlar", "github.com/ashlar-go/ashlar/ashlartest").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "go.opentelemetry.io/") || strings.HasPrefix(line, "google.golang.org/grpc") {
			t.Errorf("the framework links %s", line)
		}
	}
}
