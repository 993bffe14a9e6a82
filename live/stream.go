package live

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/internal/sse"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/trace"
)

// stream is one that is open, and the context that its function runs with.
type stream struct {
	scope.Scope

	h          *Handler
	who        string        // whom it counts for
	credential *http.Request // asks again for the caller; nil where nobody had to be known
	until      time.Time     // when its time is over; zero is never
	cancel     context.CancelCauseFunc
	begun      time.Time

	opening atomic.Pointer[opening] // nil once it is open
	spans   atomic.Pointer[trace.Recording]
	wire    atomic.Value // a wire, once there is one
	ended   atomic.Pointer[ending]
	parted  atomic.Bool // the caller was told, as far as it could be

	messages, bytes atomic.Uint64
}

// opening is the time until a stream is open or refused. Two decide about that:
// the function, which may refuse, and the request, which opens.
type opening struct {
	decided atomic.Bool
	refusal error         // set by the function before it decides
	signal  chan struct{} // there is something to decide, or decided
	done    chan struct{} // closed when the request has opened, or given up
}

func (h *Handler) newStream(s *scope.Scope, r *http.Request, last string, outer access.Principal) *stream {
	st := &stream{h: h, begun: time.Now()}
	base := context.WithoutCancel(r.Context())
	if h.spec.Access != op.ByEveryone {
		st.credential = h.credentialOf(base, r, outer)
	}
	if h.spec.Timeout > 0 {
		st.until = st.begun.Add(h.spec.Timeout)
	}
	ctx, cancel := context.WithCancelCause(base)
	if last != "" {
		ctx = op.WithLastEventID(ctx, last)
	}
	st.cancel = cancel
	st.Init(ctx)
	st.Trace, st.TraceID, st.RequestID = s.Trace, s.TraceID, s.RequestID
	st.Origin, st.Principal, st.Operation = s.Origin, s.Principal, s.Operation
	st.who = whose(s)
	st.spans.Store(&s.Spans) // what happens until it is open is part of the request
	st.opening.Store(&opening{signal: make(chan struct{}, 1), done: make(chan struct{})})
	return st
}

// Value answers for the stream, and else as its scope does.
func (st *stream) Value(key any) any {
	switch key.(type) {
	case scope.OpenKey:
		return st
	case trace.RecordingKey:
		if spans := st.spans.Load(); spans != nil {
			return spans
		}
		return nil
	}
	return st.Scope.Value(key)
}

// Open implements [scope.Opener].
func (st *stream) Open() {
	if o := st.opening.Load(); o != nil {
		o.tell()
	}
}

func (o *opening) tell() {
	select {
	case o.signal <- struct{}{}:
	default: // it was told
	}
}

// refuse has the request answer with err, unless it has opened the stream.
func (o *opening) refuse(err error) bool {
	o.refusal = err
	if !o.decided.CompareAndSwap(false, true) {
		return false
	}
	close(o.done)
	o.tell()
	return true
}

// open runs the function, and answers once that is in place. It returns what
// the request must wait for, if the connection could not be taken over.
func (st *stream) open(s *scope.Scope, w http.ResponseWriter, r *http.Request, items iter.Seq2[any, error]) (*held, error) {
	o := st.opening.Load()
	go st.run(items)

	grace := time.NewTimer(st.h.server.cfg.Grace)
	defer grace.Stop()
	select {
	case <-o.signal:
	case <-grace.C:
	case <-r.Context().Done():
		st.stop(&ending{reason: Left})
	}
	if !o.decided.CompareAndSwap(false, true) {
		<-o.done
		return nil, o.refusal
	}
	defer close(o.done)
	defer st.spans.Store(nil)
	defer st.opening.Store(nil)
	if st.ended.Load() != nil {
		return nil, gone(context.Canceled)
	}
	st.h.dress(w.Header())
	hold, err := st.connect(s, w)
	if err != nil {
		st.stop(&ending{reason: Left})
		return nil, nil //nolint:nilnil // the caller has gone: there is nobody to answer
	}
	if hold != nil {
		scope.Report(w, r) // now, while nobody else writes
	}
	if e := st.ended.Load(); e != nil { // when there was no wire yet
		st.part(e)
	}
	return hold, nil
}

// wired gives the stream its way to the caller.
func (st *stream) wired(to wire) {
	st.wire.Store(to)
	st.h.tally.open.Add(1)
	st.h.tally.opened.Add(1)
}

func (st *stream) wireOf() wire {
	w, _ := st.wire.Load().(wire)
	return w
}

// run is the goroutine of the stream: the function, and what it gives.
func (st *stream) run(items iter.Seq2[any, error]) {
	var err error
	returned := false
	defer func() {
		if !returned {
			err = st.h.panicked(st, recover())
		}
		st.finish(err)
	}()
	for item, broken := range items {
		if err = broken; err != nil || !st.send(item) {
			break
		}
	}
	returned = true
}

// send sends an item, once the stream is open, and reports whether to go on.
func (st *stream) send(item any) bool {
	if o := st.opening.Load(); o != nil {
		o.tell()
		<-o.done
	}
	if st.ended.Load() != nil {
		return false
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	frame, err := st.h.encode((*buf)[:0], item)
	if err != nil {
		st.fail(err)
		return false
	}
	if cap(frame) <= maxPooled {
		*buf = frame
	}
	if !st.write(frame) {
		return false
	}
	st.messages.Add(1)
	st.h.tally.messages.Add(1)
	return true
}

// write sends what is ready, and ends the stream if that cannot be done.
func (st *stream) write(frame []byte) bool {
	err := st.wireOf().write(frame, st.h.server.cfg.Patience)
	switch {
	case err == nil:
		st.count(len(frame))
		return true
	case errors.Is(err, os.ErrDeadlineExceeded):
		st.stop(&ending{reason: Slow})
	default:
		st.stop(&ending{reason: Left})
	}
	return false
}

func (st *stream) count(n int) {
	st.bytes.Add(uint64(n))
	st.h.tally.bytes.Add(uint64(n))
}

// fail ends the stream with a failure of its function.
func (st *stream) fail(err error) {
	st.stop(&ending{reason: Failed, err: gone(err)})
}

// stop ends the stream, if nobody has before: its caller hears why, its
// connection is closed, its function's context ends. It may take as long as
// the last words do; see lastPatience.
func (st *stream) stop(e *ending) {
	if !st.ended.CompareAndSwap(nil, e) {
		return
	}
	if e.reason == Failed {
		st.h.logFailure(st, fault.ProblemOf(e.err, ""), e.err)
	}
	st.part(e)
	st.cancel(endedError(e.reason))
}

// part tells the caller why the stream ends, and closes the connection.
func (st *stream) part(e *ending) {
	w := st.wireOf()
	if w == nil || !st.parted.CompareAndSwap(false, true) {
		return
	}
	if words := e.lastWords(st.TraceID); words != nil && w.last(words) == nil {
		st.count(len(words))
	}
	w.close()
}

// endedError is the cause of the context's end.
type endedError Reason

func (e endedError) Error() string { return "the stream ended: " + Reason(e).String() }

// finish is what is left to do when the function has returned.
func (st *stream) finish(err error) {
	defer st.h.server.leave(st)
	defer func() {
		if st.h.places != nil {
			st.h.places.Leave()
		}
	}()
	if err != nil && st.ended.Load() == nil {
		st.h.holdContract(st, err)
	}
	if o := st.opening.Load(); o != nil {
		if err != nil && o.refuse(err) {
			st.cancel(endedError(Failed))
			return
		}
		o.tell()
		<-o.done
	}
	if err != nil {
		st.fail(err)
	} else {
		st.stop(&ending{reason: Completed})
	}
	st.report()
}

// report says how it was.
func (st *stream) report() {
	if st.wireOf() == nil {
		return // it was never open
	}
	e := st.ended.Load()
	st.h.tally.open.Add(-1)
	st.h.tally.ended[e.reason].Add(1)
	code := ""
	if e.reason == Failed || e.reason == Revoked {
		code = fault.ProblemOf(e.err, "").Code
	}
	st.h.server.cfg.Log.InfoContext(st, "stream ended",
		"op", st.h.spec.Name, "reason", e.reason.String(), "code", code,
		"messages", st.messages.Load(), "bytes", st.bytes.Load(),
		"duration_ms", float64(time.Since(st.begun).Microseconds())/1000,
		"principal", st.Principal.ID, "client_ip", st.Origin.Address)
}

// encode writes an item as an event. The item is a pointer to one.
func (h *Handler) encode(buf []byte, item any) ([]byte, error) {
	var id, kind string
	if h.spec.Identified {
		if id = item.(op.Identified).EventID(); id != "" {
			if err := checkID(id); err != nil {
				return nil, err
			}
		}
	}
	if h.spec.Named {
		kind = item.(op.Named).EventType()
		if err := checkType(kind); err != nil {
			return nil, err
		}
	}
	buf = sse.AppendHead(buf, id, kind)
	from := len(buf)
	buf, err := h.encoder.Append(buf, item)
	if err != nil {
		return nil, err
	}
	return sse.AppendTail(buf, from), nil
}

// buffers hold events while they are written.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// maxPooled is the size above which a buffer is left to the collector.
const maxPooled = 64 << 10
