package serve

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// response is the observed writer and the request's scope in one allocation.
// The writer is the request's; the scope may outlive it in a goroutine that
// the handler left behind, which then keeps both.
type response struct {
	http.ResponseWriter
	scope scope.Scope
	obs   *observer
	wire  *wire // nil if net/http writes all headers

	problems bool    // failures are problem documents, whatever the observer's form
	varies   bool    // by Origin, which the map is not told before it is asked for
	touched  bool    // somebody has asked for the map
	asked    bool    // within the process: see within.go
	dressed  bool    // it has the headers that every response has
	ours     byte    // of them, those that the connection writes: see settle
	letter   *letter // the whole answer, where there is one: see Send
}

// Scope returns the scope of the request; see scope.From.
func (x *response) Scope() *scope.Scope { return &x.scope }

// Form is what failures are answered in; see fault.Formed.
func (x *response) Form() *fault.Form {
	if x.problems {
		return nil
	}
	return x.obs.refusals
}

// Unwrap lets http.ResponseController reach net/http's own writer. Whoever has
// that may write with it, so from then on net/http writes all headers.
func (x *response) Unwrap() http.ResponseWriter {
	x.dress()
	x.wire = nil
	return x.ResponseWriter
}

// Header returns all that the head will say, but what net/http adds.
func (x *response) Header() http.Header {
	x.dress()
	return x.ResponseWriter.Header()
}

// Fields is Header for those who only set fields; see scope.Fields.
func (x *response) Fields() http.Header {
	h := x.ResponseWriter.Header()
	if !x.touched {
		x.touched = true
		if x.varies {
			h["Vary"] = varyOrigin
		}
	}
	return h
}

// vary says that the answer differs by Origin.
func (x *response) vary() {
	x.varies = true
	if x.touched {
		x.Fields()["Vary"] = varyOrigin
	}
}

// Takes implements [scope.Taker] for who asks within the process.
func (x *response) Takes() bool { return x.wire == nil && scope.Takes(x.ResponseWriter) }

// Take implements [scope.Taker].
func (x *response) Take(answer any) (n int, taken bool) {
	n, taken = x.ResponseWriter.(scope.Taker).Take(answer)
	x.scope.Bytes += int64(n)
	return n, taken
}

func (x *response) WriteHeader(status int) {
	final := x.scope.Status == 0 && status >= 200
	if final {
		select {
		case <-x.draining(): // nil outside a draining server, and so never ready
			closing(x.Fields())
		default:
		}
	}
	if final && x.wire != nil && status < 1000 {
		x.settle()
		x.ResponseWriter.WriteHeader(status)
		x.wire.conn.answer.Store(x) // after it, for until then net/http may write 100 Continue
	} else {
		x.dress()
		x.ResponseWriter.WriteHeader(status) // panics on nonsense, so it comes first
	}
	if x.scope.Status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		x.scope.Status = status
	}
}

func (x *response) draining() <-chan struct{} {
	switch {
	case x.wire != nil:
		return x.wire.drain
	case x.asked: // it ends no connection
		return nil
	}
	return scope.Drain(&x.scope)
}

func (x *response) Write(b []byte) (int, error) {
	if x.letter != nil {
		return 0, http.ErrContentLength
	}
	x.begin()
	n, err := x.ResponseWriter.Write(b)
	x.scope.Bytes += int64(n)
	return n, err
}

// ReadFrom keeps sendfile within reach of io.Copy.
func (x *response) ReadFrom(src io.Reader) (int64, error) {
	if x.letter != nil {
		return 0, http.ErrContentLength
	}
	x.begin()
	n, err := io.Copy(x.ResponseWriter, src)
	x.scope.Bytes += n
	return n, err
}

// FlushError sends what is buffered. A whole answer is sent when its handler
// returns, which is now.
func (x *response) FlushError() error {
	if x.letter != nil {
		return nil
	}
	x.begin()
	return http.NewResponseController(x.ResponseWriter).Flush()
}

// Flush is FlushError for those who know only http.Flusher.
func (x *response) Flush() { _ = x.FlushError() }

// Report has the request reported now instead of at its end; see scope.Report.
func (x *response) Report(r *http.Request) {
	if !x.scope.Reported {
		x.scope.Reported = true
		x.obs.report(x, r)
	}
}

// Hijack hands over the connection, for protocols that leave HTTP. It is the
// one inside: what this package knows of a connection is about HTTP.
func (x *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if x.letter != nil {
		return nil, nil, errAnswered
	}
	conn, rw, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err == nil {
		conn, x.scope.Lasts = inside(conn), true
		if x.scope.Status == 0 {
			x.scope.Status = http.StatusSwitchingProtocols
		}
	}
	return conn, rw, err
}

var errAnswered = errors.New("serve: the request was answered; its connection cannot be taken over")

func (x *response) begin() {
	if x.scope.Status == 0 {
		x.WriteHeader(http.StatusOK)
	}
}
