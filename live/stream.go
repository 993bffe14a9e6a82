package live

import (
	"context"
	"errors"
	"iter"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/internal/talk"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/trace"
)

// stream is one that is open, and the context that its function runs with.
type stream struct {
	scope.Scope

	h          *Handler
	who        string      // whom it counts for
	credential *credential // asks again for the caller; nil where nobody had to be known
	until      int64       // when its time is over, in Unix nanoseconds; 0 is never
	cancel     context.CancelCauseFunc
	begun      time.Time
	to         *talk.Listener // who translates it; nil where it is said as here

	opening atomic.Pointer[opening] // nil once it is open
	wire    atomic.Value            // a wire, once there is one
	ended   atomic.Pointer[ending]
	parted  atomic.Bool // the caller was told, as far as it could be

	messages, bytes atomic.Uint64
}

// opening is the time until a stream is open or refused. Two decide about that:
// the function, which may refuse, and the request, which opens.
type opening struct {
	spans   *trace.Recording // of the request, which it is a part of until then; nil where nobody asked by one
	decided atomic.Bool
	inPlace atomic.Bool   // the function has said so
	refusal error         // set by the function before it decides
	signal  chan struct{} // there is something to decide, or decided
	done    chan struct{} // closed when the request has opened, or given up
}

// newStream returns a stream that nobody has opened yet. Its context has the
// values of base, and what is known of the request s.
func (h *Handler) newStream(base context.Context, s *scope.Scope, c *credential, last string) *stream {
	st := &stream{h: h, begun: time.Now(), who: whose(s)}
	if h.spec.Access != op.ByEveryone || h.spec.Recognizes && !s.Principal.Anonymous() {
		st.credential = c
	}
	if h.spec.Timeout > 0 {
		st.until = st.begun.Add(h.spec.Timeout).UnixNano()
	}
	ctx, cancel := context.WithCancelCause(base)
	if last != "" {
		ctx = op.WithLastEventID(ctx, last)
	}
	st.cancel = cancel
	st.Init(ctx)
	st.Trace, st.TraceID, st.RequestID = s.Trace, s.TraceID, s.RequestID
	st.Origin, st.Principal, st.Operation = s.Origin, s.Principal, h.spec.Name
	st.opening.Store(&opening{signal: make(chan struct{}, 1), done: make(chan struct{})})
	return st
}

func (st *stream) owner() string { return st.who }

func (st *stream) alone() bool {
	switch st.wireOf().(type) {
	case *subscription, *aboard:
		return false
	}
	return true
}

// Value answers for the stream, and else as its scope does.
func (st *stream) Value(key any) any {
	switch key.(type) {
	case scope.OpenKey:
		return st
	case trace.RecordingKey:
		if o := st.opening.Load(); o != nil && o.spans != nil {
			return o.spans
		}
		return nil
	}
	return st.Scope.Value(key)
}

// Open implements [scope.Opener].
func (st *stream) Open() {
	if o := st.opening.Load(); o != nil {
		o.inPlace.Store(true)
		o.tell()
	}
}

func (o *opening) tell() {
	select {
	case o.signal <- struct{}{}:
	default: // it was told
	}
}

// refuse has the request answer with err, unless it has opened the stream or is
// about to: what goes wrong later is an event, however soon it does.
func (o *opening) refuse(err error) bool {
	if o.inPlace.Load() {
		return false
	}
	o.refusal = err
	if !o.decided.CompareAndSwap(false, true) {
		return false
	}
	close(o.done)
	o.tell()
	return true
}

// enter gives the stream its places, or refuses it. Finish gives them back.
func (st *stream) enter(ctx context.Context) error {
	if err := st.h.server.enter(st); err != nil {
		return err
	}
	if st.h.places != nil {
		if err := st.h.places.Enter(ctx); err != nil {
			st.h.server.leave(st)
			return err
		}
	}
	return nil
}

// begin runs the function and, once that is in place, connects, which gives
// the stream its wire. It returns why there is no stream, or nil; also if the
// caller left meanwhile, which closes left.
func (st *stream) begin(left <-chan struct{}, items iter.Seq2[any, error], connect func() error) error {
	o := st.opening.Load()
	go st.run(items)

	grace := time.NewTimer(st.h.server.cfg.Grace)
	defer grace.Stop()
	select {
	case <-o.signal:
	case <-grace.C:
	case <-left:
		st.stop(&ending{reason: Left})
	}
	if !o.decided.CompareAndSwap(false, true) {
		<-o.done
		return o.refusal
	}
	defer close(o.done)
	defer st.opening.Store(nil)
	if st.ended.Load() != nil {
		return gone(context.Canceled)
	}
	if connect() != nil {
		st.stop(&ending{reason: Left}) // it was the connection
	}
	if e := st.ended.Load(); e != nil { // when there was no wire yet
		st.part(e)
	}
	return nil
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
	w := st.wireOf()
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	form := w.form()
	if st.to != nil {
		form = asValue
	}
	frame, own, err := st.h.encode((*buf)[:0], item, form)
	if err != nil {
		st.fail(err)
		return false
	}
	if st.to != nil {
		if own && cap(frame) <= maxPooled {
			*buf = frame
		}
		return st.translate(w, item, frame)
	}
	if own && cap(frame) <= maxPooled {
		*buf = frame
	}
	return st.deliver(w, frame)
}

// deliver sends the frame of an item.
func (st *stream) deliver(w wire, frame []byte) bool {
	if !st.write(w, frame) {
		return false
	}
	st.messages.Add(1)
	st.h.tally.messages.Add(1)
	return true
}

// write sends what is ready, and ends the stream if that cannot be done.
func (st *stream) write(w wire, frame []byte) bool {
	err := w.write(frame, st.h.server.cfg.Patience)
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
	st.count(w.end(e, st.TraceID))
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
	st.h.server.cfg.Log.InfoContext(st, "stream ended",
		"op", st.h.spec.Name, "transport", st.transport(), "reason", e.reason.String(), "code", e.code(),
		"messages", st.messages.Load(), "bytes", st.bytes.Load(),
		"duration_ms", float64(time.Since(st.begun).Microseconds())/1000,
		"principal", st.Principal.ID, "client_ip", st.Origin.Address)
	st.h.tally.ended[e.reason].Add(1)
	st.h.tally.open.Add(-1)
}

// buffers hold events while they are written.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// maxPooled is the size above which a buffer is left to the collector.
const maxPooled = 64 << 10
