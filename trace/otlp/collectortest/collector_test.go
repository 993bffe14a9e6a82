package collectortest

import (
	"context"
	"net"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

// A collector is OpenTelemetry's own, with the receiver that everybody uses and
// an exporter that keeps what it gets.
type collector struct {
	url  string
	sink *consumertest.TracesSink
}

// collect runs a collector until the test ends.
func collect(t *testing.T) *collector {
	t.Helper()
	c := &collector{sink: new(consumertest.TracesSink)}
	addr := freeAddr(t)
	c.url = "http://" + addr
	config := map[string]any{
		"receivers": map[string]any{"otlp": map[string]any{"protocols": map[string]any{"http": map[string]any{"endpoint": addr}}}},
		"exporters": map[string]any{"sink": map[string]any{}},
		"service": map[string]any{
			"pipelines": map[string]any{"traces": map[string]any{"receivers": []any{"otlp"}, "exporters": []any{"sink"}}},
			"telemetry": map[string]any{
				"metrics": map[string]any{"level": "none"},
				"logs":    map[string]any{"level": "error"},
			},
		},
	}
	col, err := otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo:               component.BuildInfo{Command: "collectortest", Version: "0"},
		DisableGracefulShutdown: true, // signals are the test's
		Factories:               c.factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs:              []string{"given:config"},
			ProviderFactories: []confmap.ProviderFactory{confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider { return given(config) })},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- col.Run(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() {
		col.Shutdown()
		if err := <-ended; err != nil {
			t.Errorf("the collector: %v", err)
		}
	})
	for col.GetState() != otelcol.StateRunning {
		select {
		case err := <-ended:
			t.Fatalf("the collector did not start: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return c
}

func (c *collector) factories() (f otelcol.Factories, err error) {
	f.Telemetry = otelconftelemetry.NewFactory()
	if f.Receivers, err = otelcol.MakeFactoryMap(otlpreceiver.NewFactory()); err != nil {
		return f, err
	}
	keep := func(context.Context, exporter.Settings, component.Config) (exporter.Traces, error) {
		return struct {
			component.StartFunc
			component.ShutdownFunc
			*consumertest.TracesSink
		}{TracesSink: c.sink}, nil
	}
	f.Exporters, err = otelcol.MakeFactoryMap(exporter.NewFactory(component.MustNewType("sink"),
		func() component.Config { return &struct{}{} }, exporter.WithTraces(keep, component.StabilityLevelStable)))
	return f, err
}

// given is a configuration that needs no file.
type given map[string]any

func (g given) Retrieve(context.Context, string, confmap.WatcherFunc) (*confmap.Retrieved, error) {
	return confmap.NewRetrieved(map[string]any(g))
}
func (given) Scheme() string                 { return "given" }
func (given) Shutdown(context.Context) error { return nil }

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A span is one that came out of the collector.
type span struct {
	ptrace.Span

	service string
}

func (s span) attr(key string) string {
	v, ok := s.Attributes().Get(key)
	if !ok {
		return ""
	}
	return v.AsString()
}

// spans are all that have come out, by name. Of several of one name it is the
// first.
func (c *collector) spans() (byName map[string]span, all []span) {
	byName = map[string]span{}
	for _, traces := range c.sink.AllTraces() {
		for _, rs := range traces.ResourceSpans().All() {
			service, _ := rs.Resource().Attributes().Get("service.name")
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					one := span{s, service.AsString()}
					all = append(all, one)
					if _, ok := byName[s.Name()]; !ok {
						byName[s.Name()] = one
					}
				}
			}
		}
	}
	return byName, all
}

// text is all that the collector was told, to look for secrets in.
func (c *collector) text(t *testing.T) string {
	t.Helper()
	var all []byte
	for _, traces := range c.sink.AllTraces() {
		text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return string(all)
}
