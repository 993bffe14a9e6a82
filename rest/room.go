package rest

import (
	"context"

	"github.com/ashlar-go/ashlar/op"
)

// A Room lets a bounded number of calls in.
type Room interface {
	// Enter returns nil, and then Leave is called once, or the fault that is
	// answered instead. ctx ends with the request.
	Enter(ctx context.Context) error
	// Leave ends a call that was let in, after it was answered.
	Leave()
}

// roomOf asks find, which may be nil, for the room of an operation. The room
// may be nil too: then everybody is let in.
func roomOf(find func(*op.Spec) Room, s *op.Spec) Room {
	if find == nil {
		return nil
	}
	return find(s)
}
