// Package graphql derives a GraphQL endpoint from declared operations.
//
// A Query becomes a field of the type Query, a Command one of Mutation and a
// Stream one of Subscription, under its name without the dots: payments.capture
// is paymentsCapture. The members of its input are the arguments, those of its
// answer the fields, under the names that they have everywhere:
//
//	h, err := graphql.New(operations, mux, graphql.Config{Introspection: true})
//	mux.Handle("POST /graphql", h)
//	mux.Handle("GET /graphql", h)
//
// A field is answered by the handler that answers the operation's own requests:
// each is a request of its own, so that permission, limits, validation,
// idempotency, caching, metrics and logs are those of REST, and cannot be
// others. What this package adds is which part of the answers is sent.
//
// A subscription is sent by server-sent events, as GraphQL over SSE has it, or
// with all else on a socket of graphql-transport-ws, which [Config.Sockets]
// keeps.
//
// Documents are parsed, validated and compiled once. How deep, wide and costly
// one may be is bounded before anything is asked, see [Limits].
//
// [Page] is a page to send documents with.
//
// A [Handler] is safe for concurrent use.
package graphql
