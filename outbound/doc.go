// Package outbound calls other services over HTTP without being turned against
// its own network, and without trusting what they answer.
//
// A service that fetches an address it was given (a webhook, a picture, a
// document) can be made to call what only it can reach: the metadata of its
// cloud, a database's console, its own admin listener. [New] returns an
// [http.Client] that refuses such calls where they cannot be disguised: each
// address is judged when the socket is about to connect to it. However the
// host is spelled, whatever a name resolves to a second time and wherever a
// redirect leads, it is that address which is judged.
//
//	client := outbound.New(outbound.Config{})
//	req, err := http.NewRequestWithContext(ctx, "POST", hook.URL, body)
//	if err != nil {
//		return err
//	}
//	res, err := client.Do(req) // an answer, or one of the faults below
//
// What fails is an ordinary error that carries a fault of the kind
// [fault.Upstream]: a caller of the service learns that another service failed
// (502) and which way, never the address or the reason. Those stand in the
// error's text, which belongs in the log, and in [Refusal].
//
// No proxy of the environment is used, no redirect is followed, and an answer
// is bounded in size and time, unless [Config] says otherwise.
//
// An exchange carries the traceparent and tracestate of its request's context,
// and is a span of that request.
package outbound
