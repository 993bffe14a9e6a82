// Package goclient writes clients of operations in Go: one file that needs
// nothing but the standard library, with every operation and its exact types.
//
//	source, err := goclient.Source(goclient.Info{Package: "payments"}, operations)
//
// What the file does for whoever uses it:
//
//	c := payments.New("https://api.example.com", payments.WithAPIKey(key))
//	p, err := c.PaymentsAuthorize(ctx, payments.PaymentsAuthorizeInput{Amount: 49_00, …})
//	if payments.HasCode(err, payments.CodeCardDeclined) { … }
//	for p, err := range c.PaymentsListAll(ctx, payments.PaymentsListInput{Status: payments.PaymentStatusCaptured}) { … }
//	for e, err := range c.EventsStream(ctx, payments.EventsStreamInput{}) { … }
//
// A call is repeated where that is safe, under the same idempotency key; tokens
// are refreshed once however many calls need it; a stream goes on behind its last
// item. An optional member is left out where it is zero. Equal operations give
// equal bytes. Everything here is safe for concurrent use.
package goclient
