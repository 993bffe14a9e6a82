package trace_test

import (
	"context"
	"fmt"

	"github.com/ashlar-go/ashlar/trace"
)

// printer exports to standard output.
type printer struct{}

func (printer) Export(_ context.Context, spans []*trace.Record) error {
	for _, s := range spans {
		fmt.Println(s.Name)
		for _, a := range s.Attrs() {
			fmt.Println(" ", a.Key, a.Value())
		}
	}
	return nil
}

func (printer) Close(context.Context) error { return nil }

// A background task: each run is a trace of its own.
func ExampleStart() {
	tracer := trace.NewTracer(trace.Options{Exporter: printer{}, Sampler: trace.Ratio(1)})
	ctx := trace.WithTracer(context.Background(), tracer)

	ctx, span := trace.Start(ctx, "settle payments", trace.Int("payments.count", 2))
	query := trace.Leaf(ctx, trace.Client, "", trace.Statement("UPDATE payments SET state = 'settled' WHERE id = $1"))
	query.End()
	span.End()

	_ = tracer.Close(context.Background())
	// Output:
	// settle payments
	//   payments.count 2
	// UPDATE payments
	//   db.query.text UPDATE payments SET state = ? WHERE id = $1
	//   db.operation.name UPDATE
}
