package limit

import "context"

// A Claim is a [Store.Take] that stands or falls with others.
type Claim struct {
	Key  Key
	Rate Rate
	N    int
	// Result is what became of it. Leave it zero.
	Result Result
}

// A Batcher is a [Store] that decides several claims in one step, for which
// it needs no longer than for one: that of several instances is asked over a
// network.
type Batcher interface {
	Store
	// TakeAll is [TakeAll] for claims of different keys. The result of a claim
	// whose units were there and were not taken is that of a look, or zero.
	TakeAll(ctx context.Context, claims []Claim) (refused int, err error)
}

// TakeAll takes what all claims want, or nothing at all if a key has not
// enough. It returns the index of the first claim that is refused, or -1 with
// all results filled in; after a refusal only that of the one refused is
// certain to be. A store that is no [Batcher] is
// asked for one after the other, and gets back what it gave before a refusal.
func TakeAll(ctx context.Context, store Store, claims []Claim) (refused int, err error) {
	if b, ok := store.(Batcher); ok && len(claims) > 1 && differ(claims) {
		return b.TakeAll(ctx, claims)
	}
	for i := range claims {
		c := &claims[i]
		if c.Result, err = store.Take(ctx, c.Key, c.Rate, c.N); err != nil {
			return -1, err
		}
		if !c.Result.OK {
			return i, giveBack(ctx, store, claims[:i])
		}
	}
	return -1, nil
}

func giveBack(ctx context.Context, store Store, claims []Claim) (err error) {
	for i := range claims {
		if c := &claims[i]; c.N > 0 {
			if c.Result, err = store.Take(ctx, c.Key, c.Rate, -c.N); err != nil {
				return err
			}
		}
	}
	return nil
}

// differ reports whether no key is claimed twice. Claims are a few.
func differ(claims []Claim) bool {
	for i := range claims {
		for j := range claims[:i] {
			if claims[i].Key == claims[j].Key {
				return false
			}
		}
	}
	return true
}
