// Package limit holds callers to what a service can bear.
//
// A [Rate] says how often:
//
//	mux.Handle("POST /login", limit.Per(5, time.Minute).Wrap(login))
//
// Each address may then sign in five times at once and once every 12 seconds
// after that; whoever comes sooner gets 429 and is told when to come back. For
// anything else than a handler there is the [Limiter]:
//
//	calls, err := limit.New(limit.NewMemory(limit.MemoryConfig{}), "calls", limit.Per(100, time.Second))
//	result, err := calls.Take(ctx, customer)
//	if !result.OK {
//		return calls.Refusal(result) // fault.ErrLimited
//	}
//
// It counts by the generic cell rate algorithm: for each key one point in
// time, no window that could be straddled, nothing to sweep. A [Store] keeps
// these; [Memory] is that of one process, and counts in some 100 ns without
// an allocation.
//
// Everything here is safe for concurrent use.
package limit
