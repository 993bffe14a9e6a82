// Package tsclient writes clients of operations: one TypeScript file that needs
// nothing else, with every operation, its exact types and its problems.
//
//	source, err := tsclient.Source(tsclient.Info{Name: "payments"}, operations)
//
// What the file does for whoever uses it:
//
//	const api = new Payments({ baseUrl: 'https://api.example.com' });
//	await api.auth.login({ email, password });
//	const payment = await api.payments.authorize({ amount: 50_00, currency: 'EUR', card, reference: 'order-1' });
//	for await (const p of api.payments.list({ status: 'captured' })) console.log(p.id);
//	for await (const e of api.events.stream({ after }, { signal })) console.log(e.type);
//
// A call is repeated where that is safe, with the same idempotency key; tokens
// are refreshed once however many calls need it; a subscription goes on after
// its last item. The file runs in browsers, Node.js 20, Deno and Bun. It holds
// no TypeScript that has to be compiled to be understood, only types that can be
// left out, so that runtimes which strip types take it as it is.
//
// Equal operations give equal bytes. Everything here is safe for concurrent use.
package tsclient
