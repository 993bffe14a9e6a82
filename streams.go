package ashlar

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/ashlar-go/ashlar/live"
	"github.com/ashlar-go/ashlar/metric"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/serve"
)

// streams are the app's streams: the server that knows which are open, and a
// handler for each operation, whose counts outlive a derivation.
type streams struct {
	server   *live.Server
	handlers map[string]*live.Handler
}

// stream returns the handler of a stream, which is made once.
func (a *App) stream(o op.Operation) (http.Handler, error) {
	if a.streams.server == nil {
		a.streams = streams{live.New(a.liveConfig()), map[string]*live.Handler{}}
		if err := a.readSockets(a.streams.server); err != nil {
			return nil, err
		}
	}
	name := o.Spec().Name
	if h := a.streams.handlers[name]; h != nil {
		return h, nil
	}
	h, err := a.streams.server.Handler(o)
	if err != nil {
		return nil, err
	}
	a.streams.handlers[name] = h
	return h, a.readStream(name, h)
}

func (a *App) liveConfig() live.Config {
	return live.Config{
		Policy: a.Policy, Authenticate: a.authenticate, Challenge: a.scheme.Challenge,
		Credentials: []string{"Authorization", "Cookie"},
		Gate:        func(s *op.Spec) live.Room { return a.gateOf(s) },
		Places:      func(s *op.Spec) live.Room { return a.placesOf(s) },
		Origins:     a.cfg.Origins, OriginCredentials: a.cfg.Cookies,
		Limits: a.limits,
		Quota:  func(s *op.Spec) (live.Quota, error) { return a.limits.Quota(s) },
		Most:   a.cfg.Streams, MostEach: a.cfg.StreamsEach,
		Log: a.Log,
	}
}

// socketPath is where all operations are to be had over one connection, in an
// app that has streams.
const socketPath = "/ws"

// mountSocket adds the socket, unless the path is an operation's. What it calls
// is the whole of the public handler, which is known later.
func (a *App) mountSocket(mux *serve.Mux, public *http.Handler) error {
	if a.streams.server == nil || slices.ContainsFunc(a.operations, func(o op.Operation) bool { return o.Spec().Path == socketPath }) {
		return nil
	}
	handlers := slices.Collect(maps.Values(a.streams.handlers))
	socket, err := a.streams.server.Socket(handlers, a.operations, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*public).ServeHTTP(w, r)
	}))
	if err != nil {
		return err
	}
	const pattern = "GET " + socketPath
	return mux.Handle(pattern, a.meters.meter(pattern, socket))
}

func (a *App) readSockets(s *live.Server) error {
	d := &declaring{r: a.metrics}
	stat := func(read func(live.SocketStats) float64) func() float64 {
		return func() float64 { return read(s.SocketStats()) }
	}
	d.read("ashlar_sockets_open", "Sockets for several streams and calls that are open.", stat(func(s live.SocketStats) float64 { return float64(s.Open) }))
	d.read("ashlar_socket_received_total", "Messages that came on sockets.", stat(func(s live.SocketStats) float64 { return float64(s.Received) }))
	d.read("ashlar_socket_calls_total", "Calls of operations that came on sockets.", stat(func(s live.SocketStats) float64 { return float64(s.Calls) }))
	for r := range live.Reasons {
		d.read("ashlar_sockets_ended_total", "Sockets that ended, by why.",
			stat(func(s live.SocketStats) float64 { return float64(s.Ended[r]) }), metric.Label{Name: "reason", Value: r.String()})
	}
	return d.err
}

// endStreams ends what is open when the app no longer accepts connections.
func (a *App) endStreams(ctx context.Context) {
	if a.streams.server != nil {
		a.streams.server.Drain(ctx)
	}
}

func (a *App) readStream(name string, h *live.Handler) error {
	d := &declaring{r: a.metrics}
	stat := func(read func(live.Stats) float64) func() float64 {
		return func() float64 { return read(h.Stats()) }
	}
	own := metric.Label{Name: "op", Value: name}
	d.read("ashlar_streams_open", "Streams that are open.", stat(func(s live.Stats) float64 { return float64(s.Open) }), own)
	d.read("ashlar_streams_opened_total", "Streams that were opened.", stat(func(s live.Stats) float64 { return float64(s.Opened) }), own)
	d.read("ashlar_stream_messages_total", "Items that were sent on streams.", stat(func(s live.Stats) float64 { return float64(s.Messages) }), own)
	d.read("ashlar_stream_bytes_total", "Bytes that were sent on streams.", stat(func(s live.Stats) float64 { return float64(s.Bytes) }), own)
	for r := range live.Reasons {
		d.read("ashlar_streams_ended_total", "Streams that ended, by why.",
			stat(func(s live.Stats) float64 { return float64(s.Ended[r]) }), own, metric.Label{Name: "reason", Value: r.String()})
	}
	return d.err
}
