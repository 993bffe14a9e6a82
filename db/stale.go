package db

import (
	"context"
	"errors"
	"time"

	"github.com/ashlar-go/ashlar/fault"
)

// Stale returns a ctx whose queries may be answered by a replica: from a state
// of the database in which everything is that was committed until some moment,
// no longer ago than most. Two queries may see two states, the later one an
// older state, so what a caller has just written may be missing. Mark what
// shows lists, search results, reports; never what a decision to write is made
// of.
//
// Only queries outside of transactions are meant; [InTx], [DB.Exec] and
// statements that write do as ever. Where there is no replica, or none that is
// young enough and works, the database itself answers. A most of zero asks for
// that.
func Stale(ctx context.Context, most time.Duration) context.Context {
	if most <= 0 && StaleOf(ctx) == 0 {
		return ctx
	}
	return context.WithValue(ctx, staleKey{}, max(most, 0))
}

// StaleOf returns how old an answer to the queries of ctx may be, for adapters:
// zero unless [Stale] has said something else.
func StaleOf(ctx context.Context) time.Duration {
	most, _ := ctx.Value(staleKey{}).(time.Duration)
	return most
}

type staleKey struct{}

// ErrReplica is answered by the Rows of [DB.Query] when a replica broke off in
// the middle of them. [One] and [All] begin again with the database itself,
// and never answer it. It is a [fault.ErrUnavailable].
var ErrReplica error = fault.ErrUnavailable.Wrap(errors.New("db: a replica broke off its answer"))

// Replica is a snapshot of a replica of the database, which answers queries of
// [Stale].
type Replica struct {
	Server   string        // as it shows in errors, without user and password
	Err      error         // why it is not used now, or nil
	Age      time.Duration // at most, of the state it has; negative while that is not known
	Answers  int64         // queries that it was given and answered
	Failures int64         // queries that it was given and did not answer, so that another server did
}
