// Package webhook tells other people's servers what happened, over HTTP, signed
// as Standard Webhooks says (https://www.standardwebhooks.com), at least once
// and in order.
//
// A message is enqueued in the transaction of the change that it tells of, so
// that it is sent exactly when the change is committed. [Hooks.Run] sends it to
// every endpoint of the account that wants its type, and tries again over some
// three days while an endpoint does not take it:
//
//	hooks, err := webhook.New(webhook.Config{
//		DB: d, Keys: [][]byte{key},
//		Client: outbound.New(outbound.Config{Timeout: 15 * time.Second}),
//	})
//	...
//	go hooks.Run(ctx)
//	endpoint, secret, err := hooks.Create(ctx, "shop-1", webhook.NewEndpoint{
//		URL: "https://shop.example/hooks", Types: []string{"payment.*"},
//	})
//	...
//	err = hooks.Enqueue(ctx, tx, webhook.Message{
//		ID: event.ID, Type: "payment.captured", Key: payment.ID, Account: "shop-1", Payload: text,
//	})
//
// A receiver checks what it gets with [Verify]:
//
//	if err := webhook.Verify(r.Header, body, secret); err != nil {
//		...
//
// # What a receiver can rely on
//
// Each message comes at least once, under one webhook-id however often it
// comes, and always with the same bytes. Messages with one ordering key come in
// the order in which they were enqueued: the next one is not sent before its
// predecessor was taken, or given up. Other keys go on meanwhile.
//
// # What the sender can rely on
//
// An attempt is bounded in time, an answer in size; nothing in an answer but
// its status and Retry-After means anything. No redirect is followed. An
// endpoint that keeps failing rests for a while, takes one worker at most when
// it is tried, and is disabled after five days, or at once when it answers 410.
// Where a message may be sent to is judged by the [Client], when an endpoint is
// made and at each attempt. Secrets are encrypted in the database.
//
// Several processes may run on one database. What a process had in flight when
// it was killed is sent again by another one when its lease has ended.
//
// Hooks are safe for concurrent use.
package webhook
