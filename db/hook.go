package db

import "context"

// Hook joins every transaction that is begun with a ctx of [WithHook], single
// writing statements on a [DB] included: what it writes commits together with
// the effect, or not at all. An error of either method rolls the transaction
// back and is what [InTx] returns. A transaction that is run again because it
// lost to another begins the hook again: a Begin whose transaction came to
// nothing may have no Commit after it, or one that was rolled back.
type Hook interface {
	// Begin runs before the first statement of the transaction.
	Begin(ctx context.Context, tx *Tx) error
	// Commit runs after the last statement, still inside the transaction.
	// The result is what the function of InTx returned, and err is the
	// error it marked with [Keep], unwrapped, or nil. A function that failed
	// otherwise is rolled back and Commit is not called.
	Commit(ctx context.Context, tx *Tx, result any, err error) error
}

// WithHook returns a ctx whose transactions h joins. Hooks nest: the outer one
// begins first and commits last.
func WithHook(ctx context.Context, h Hook) context.Context {
	if outer := hookOf(ctx); outer != nil {
		h = nested{outer: outer, inner: h}
	}
	return context.WithValue(ctx, hookKey{}, h)
}

type hookKey struct{}

func hookOf(ctx context.Context) Hook {
	h, _ := ctx.Value(hookKey{}).(Hook)
	return h
}

type nested struct{ outer, inner Hook }

func (n nested) Begin(ctx context.Context, tx *Tx) error {
	if err := n.outer.Begin(ctx, tx); err != nil {
		return err
	}
	return n.inner.Begin(ctx, tx)
}

func (n nested) Commit(ctx context.Context, tx *Tx, result any, err error) error {
	if err := n.inner.Commit(ctx, tx, result, err); err != nil {
		return err
	}
	return n.outer.Commit(ctx, tx, result, err)
}
