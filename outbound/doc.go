// Package outbound calls other services without being turned against its own
// network, without trusting what they answer, and without waiting for them when
// they are down.
//
// [New] makes a client for one dependency. It is bounded in time, size and
// number; it tries again what is safe to repeat, within a budget; and it leaves
// a dependency that keeps failing alone for a while:
//
//	bank := outbound.New(outbound.Config{Name: "bank"})
//	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
//	if err != nil {
//		return err
//	}
//	account, err := outbound.JSON[Account](bank, req) // or bank.Do(req)
//
// The same policy calls any function, for what is no HTTP: [NewPolicy], [Call].
//
// A service that fetches an address it was given (a webhook, a picture, a
// document) can be made to call what only it can reach: the metadata of its
// cloud, a database's console, its own admin listener. A client refuses such
// calls where they cannot be disguised: each address is judged when the socket
// is about to connect to it. However the host is spelled, whatever a name
// resolves to a second time and wherever a redirect leads, it is that address
// which is judged.
//
// What fails is a [*Failure], which says how far it came and carries a fault: a
// caller of the service learns that another service failed (502, 503) and which
// way, never the address or the reason. Those stand in the error's text, which
// belongs in the log.
//
// No proxy of the environment is used, no redirect is followed, and an answer
// is bounded in size and time, unless [Config] says otherwise. An exchange
// carries the traceparent and tracestate of its request's context, and is a
// span of that request.
package outbound
