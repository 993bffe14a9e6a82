package otlp

import (
	"slices"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/ashlar-go/ashlar/trace"
)

// span is a record in the protocol's form. It shares nothing with it: the
// record is used again.
func span(r *trace.Record) *tracepb.Span {
	s := &tracepb.Span{
		TraceId:           slices.Clone(r.Context.TraceID[:]),
		SpanId:            slices.Clone(r.Context.SpanID[:]),
		TraceState:        string(r.Context.State),
		Flags:             uint32(trace.FlagSampled) | uint32(tracepb.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK),
		Name:              r.Name,
		Kind:              kind(r.Kind),
		StartTimeUnixNano: uint64(r.Start.UnixNano()),
		EndTimeUnixNano:   uint64(r.Start.Add(r.Duration).UnixNano()),
		Attributes:        make([]*commonpb.KeyValue, 0, len(r.Attrs())+1),
	}
	if r.Parent != [8]byte{} {
		s.ParentSpanId = slices.Clone(r.Parent[:])
		if r.Kind == trace.Server {
			s.Flags |= uint32(tracepb.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
		}
	}
	for _, a := range r.Attrs() {
		s.Attributes = append(s.Attributes, pair(a.Key, a.Value()))
	}
	if r.Lost > 0 {
		s.Attributes = append(s.Attributes, pair("ashlar.spans_lost", int64(r.Lost)))
	}
	if r.Error != "" {
		s.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR}
		s.Attributes = append(s.Attributes, pair("error.type", r.Error))
	}
	return s
}

func kind(k trace.Kind) tracepb.Span_SpanKind {
	switch k {
	case trace.Server:
		return tracepb.Span_SPAN_KIND_SERVER
	case trace.Client:
		return tracepb.Span_SPAN_KIND_CLIENT
	case trace.Internal:
	}
	return tracepb.Span_SPAN_KIND_INTERNAL
}

func pair(key string, value any) *commonpb.KeyValue {
	v := &commonpb.AnyValue{}
	switch value := value.(type) {
	case string:
		v.Value = &commonpb.AnyValue_StringValue{StringValue: value}
	case int64:
		v.Value = &commonpb.AnyValue_IntValue{IntValue: value}
	case bool:
		v.Value = &commonpb.AnyValue_BoolValue{BoolValue: value}
	}
	return &commonpb.KeyValue{Key: key, Value: v}
}
