// Package cache keeps what is read often in the memory of the process, and
// behind that in a tier that all instances share.
//
//	c, err := cache.New(cache.Config{})
//	payments, err := cache.Of(c, cache.Rules[Payment]{Name: "payments", TTL: time.Minute})
//
//	p, err := payments.Get(ctx, id, func(ctx context.Context) (Payment, error) {
//		cache.Tag(ctx, "payment/"+id)
//		return find(ctx, id)
//	})
//
// A write invalidates what has a tag, in its own transaction:
//
//	err := c.Invalidate(ctx, tx, "payment/"+id)
//
// All who ask for a key at once wait for one load in the process; each of
// several instances has its own. A value lives for its TTL and no longer unless
// [Rules] say so: while it is loaded anew, or while loading fails.
//
// # What is promised
//
// Whoever asks after Invalidate's transaction has returned never gets what was
// read before, in the same process. In another one he gets it for as long as
// the [Journal] takes to tell, and for [Config.Bound] at most: when the journal
// is silent for so long, what has tags is loaded anew. A load that began before
// an invalidation is not kept, however late it ends.
//
// The [Remote] tier needs no invalidation and is trusted with none: each value
// there carries the position in the journal up to which it is known to be
// right. Where it fails, values are loaded as if there were none.
package cache
