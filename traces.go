package ashlar

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/logs"
	"github.com/ashlar-go/ashlar/trace"
)

// Trace has the app's traces exported, as o says: requests, statements,
// outbound calls and rounds of tasks. Call it once, before Handler and Run; an
// err is reported by Run, and Options without an Exporter change nothing, so
// that the call fits around a function that finds both out:
//
//	app.Trace(otlp.New(ctx))
func (a *App) Trace(o trace.Options, err error) {
	a.note(err)
	if err != nil || o.Exporter == nil {
		return
	}
	if a.tracer != nil {
		a.note(errors.New("Trace is called twice"))
		return
	}
	o.Slow = cmp.Or(o.Slow, a.cfg.TraceSlow, -1) // ASHLAR_TRACE_SLOW=0 keeps none
	if o.Redact == nil {
		o.Redact = logs.Hides(nil)
	}
	if o.Log == nil {
		o.Log = a.Log
	}
	a.tracer = trace.NewTracer(o)
	a.DB.Watch(noteStatement(a.DB.Dialect()))
	a.note(a.readTraces(a.tracer))
}

// Tracer is what the app traces with: give it to the context of a background
// task of your own ([trace.WithTracer]). It is nil, which traces nothing, until
// Trace is called.
func (a *App) Tracer() *trace.Tracer { return a.tracer }

// endTraces exports what is left, for as long as somebody may wait for it.
func (a *App) endTraces() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := a.tracer.Close(ctx); err != nil {
		a.Log.Warn("the last traces are lost", "error", err)
	}
}

// noteStatement writes what the database did into the trace of the request.
// What is in a transaction stands inside it, by the number that both know.
func noteStatement(dialect db.Dialect) func(context.Context, db.Event) {
	system := trace.Text("db.system.name", "sqlite")
	if dialect == db.Postgres {
		system = trace.Text("db.system.name", "postgresql")
	}
	return func(ctx context.Context, e db.Event) { noteEvent(ctx, e, system) }
}

func noteEvent(ctx context.Context, e db.Event, system trace.Attr) {
	p := trace.Past{Kind: trace.Client, Took: e.Took, Err: e.Err}
	var tx [8]byte
	binary.BigEndian.PutUint64(tx[:], e.Tx)
	if errors.Is(e.Err, db.ErrNoRows) {
		p.Err = nil // it is an answer
	}
	if e.Step != db.Transaction {
		// An event's consumer works in the trace of who published it, and its
		// transaction is of many events and none of their traces.
		if e.In == nil || trace.From(e.In).TraceID == trace.From(ctx).TraceID {
			p.Parent = tx
		}
		trace.Note(ctx, p, system, trace.Statement(e.SQL))
		return
	}
	p.Name, p.Kind, p.ID = "transaction", trace.Internal, tx
	if p.Err != nil && fault.ProblemOf(p.Err, "").Status < 500 {
		p.Err = nil // a refusal by its function, which is no defect
	}
	trace.Note(ctx, p, system)
}
