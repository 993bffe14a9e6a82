// Package serve is the hardened edge of an HTTP service: what a request meets
// before any business code does, and how the process leaves without dropping
// one.
//
// Four parts, each an ordinary net/http shape and each useful alone:
//
//   - [Mux] routes with http.ServeMux patterns, but answers every miss with a
//     problem document, and an unclean path with 404 rather than a redirect.
//   - [Observe] is the one step that replaces the usual row of middlewares:
//     trace context, request id, security headers, panic recovery, client
//     address and one access line, for two allocations beside the log record.
//   - [Guard] refuses, on the connection itself, the ambiguous framings that
//     net/http tolerates and request smuggling lives on.
//   - [Server] is an http.Server whose time-outs are safe when nobody sets
//     them and whose shutdown does not lose requests.
//
// In a bare net/http program:
//
//	var mux serve.Mux
//	if err := mux.Handle("GET /hello", hello); err != nil {
//		return err
//	}
//	handler := serve.Observe(&mux, serve.Observer{Log: slog.Default()})
//	return serve.New(handler, serve.Config{Addr: "127.0.0.1:8080"}).Run(ctx)
//
// Everything here is safe for concurrent use, except that a Mux is filled
// before it serves.
package serve
