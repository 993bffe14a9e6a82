// Package otlp exports traces over OTLP/HTTP, to an OpenTelemetry collector or
// to any backend that takes the protocol. A program that does not import it
// does not contain it.
//
//	app.Trace(otlp.New(ctx))
//
// is all there is to write: the rest is said by OpenTelemetry's own variables.
// Nothing is exported, and nothing recorded, until OTEL_EXPORTER_OTLP_ENDPOINT
// or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT says where to, or OTEL_TRACES_EXPORTER
// is otlp, which means http://localhost:4318.
//
// Understood are
//
//   - OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER (otlp or none);
//   - OTEL_EXPORTER_OTLP_ and OTEL_EXPORTER_OTLP_TRACES_ with ENDPOINT, HEADERS,
//     PROTOCOL (http/protobuf or http/json), COMPRESSION, TIMEOUT, CERTIFICATE,
//     CLIENT_CERTIFICATE and CLIENT_KEY;
//   - OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES;
//   - OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG, where no sampler is
//     parentbased_traceidratio at 0.01 and not OpenTelemetry's
//     parentbased_always_on;
//   - OTEL_BSP_SCHEDULE_DELAY, OTEL_BSP_EXPORT_TIMEOUT, OTEL_BSP_MAX_QUEUE_SIZE
//     and OTEL_BSP_MAX_EXPORT_BATCH_SIZE.
package otlp

import (
	"context"
	"fmt"
	"runtime/debug"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/ashlar-go/ashlar/trace"
)

// New reads the environment and returns how to export. Where it says that
// nothing is to be exported the Options have no Exporter; what cannot be used
// is an error that names the variable. Nothing is sent yet.
func New(ctx context.Context) (trace.Options, error) {
	s, err := fromEnvironment()
	if err != nil || !s.on {
		return trace.Options{}, err
	}
	about, err := describe(ctx)
	if err != nil {
		return trace.Options{}, err
	}
	client := otlptracehttp.NewClient()
	if err := client.Start(ctx); err != nil {
		return trace.Options{}, fmt.Errorf("OTEL_EXPORTER_OTLP_*: %w", err)
	}
	s.options.Exporter = &exporter{client: client, resource: about}
	return s.options, nil
}

// describe says who exports: what the build and the host know, then what the
// environment says, which wins.
func describe(ctx context.Context) (*resourcepb.Resource, error) {
	own := []attribute.KeyValue{
		attribute.String("telemetry.sdk.name", "ashlar"),
		attribute.String("telemetry.sdk.language", "go"),
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		own = append(own, attribute.String("service.version", info.Main.Version))
	}
	r, err := resource.New(ctx, resource.WithHost(), resource.WithAttributes(own...),
		resource.WithDetectors(named{}), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	about := &resourcepb.Resource{}
	for _, kv := range r.Attributes() {
		about.Attributes = append(about.Attributes, pair(string(kv.Key), kv.Value.String()))
	}
	return about, nil
}

// named gives a service that has no name the one that OpenTelemetry asks for.
type named struct{}

// Detect implements [resource.Detector].
func (named) Detect(context.Context) (*resource.Resource, error) {
	name, _ := resource.Default().Set().Value("service.name") // unknown_service:program
	return resource.NewSchemaless(attribute.KeyValue{Key: "service.name", Value: name}), nil
}

// exporter sends spans in the protocol's own form.
type exporter struct {
	client   otlptrace.Client
	resource *resourcepb.Resource
}

// Export implements [trace.Exporter].
func (e *exporter) Export(ctx context.Context, records []*trace.Record) error {
	spans := make([]*tracepb.Span, len(records))
	for i, r := range records {
		spans[i] = span(r)
	}
	return e.client.UploadTraces(ctx, []*tracepb.ResourceSpans{{
		Resource: e.resource,
		ScopeSpans: []*tracepb.ScopeSpans{{
			Scope: &commonpb.InstrumentationScope{Name: "github.com/ashlar-go/ashlar"},
			Spans: spans,
		}},
	}})
}

// Close implements [trace.Exporter].
func (e *exporter) Close(ctx context.Context) error { return e.client.Stop(ctx) }
