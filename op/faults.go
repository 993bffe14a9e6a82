package op

import (
	"reflect"
	"slices"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// Faults returns every fault that the operation may answer with: those of
// [Fails], and those that the framework raises because of what else was
// declared. It is the whole of the error contract.
func (s *Spec) Faults() []fault.Coded {
	all := slices.Clone(s.Fails)
	add := func(when bool, faults ...fault.Coded) {
		if !when {
			return
		}
		for _, f := range faults {
			if !slices.ContainsFunc(all, func(g fault.Coded) bool { return g.Code() == f.Code() }) {
				all = append(all, f)
			}
		}
	}
	add(true, fault.ErrMalformed, fault.ErrInvalid) // an unknown parameter is invalid even where none is known
	add(s.Access != ByEveryone, fault.ErrUnauthenticated)
	add(s.Asks(), fault.ErrToken)
	add(s.Access != ByEveryone, fault.ErrDenied) // even where every principal may: a cookie from another origin, say
	add(s.Returns == JSON, fault.ErrNotAcceptable)
	add(s.Kind == IsCommand && !s.IgnoresBody, fault.ErrSlow, fault.ErrTooLarge, fault.ErrUnsupported)
	add(s.takesCursor(), ErrCursor)
	add(s.Match != NoMatch, fault.ErrStale)
	add(s.Match == DemandMatch, fault.ErrPrecondition)
	add(s.Idempotent > 0 && !s.KeyOptional, fault.ErrKeyMissing)
	add(s.Idempotent > 0, fault.ErrKeyMalformed, fault.ErrKeyReused, fault.ErrKeyInFlight)
	add(s.Priority != Always, fault.ErrOverloaded)
	add(s.Concurrency > 0 || s.CPU, fault.ErrBusy)
	add(s.Kind == IsStream, ErrStreams, ErrStreamsFull)
	add(s.Kind == IsStream && s.Asks(), ErrChanged)
	add(true, fault.ErrLimited) // an app limits all operations, if not told otherwise
	add(true, fault.ErrInternal, fault.ErrUnavailable, fault.ErrTimeout)
	return all
}

func (s *Spec) takesCursor() bool {
	return s.In != nil && slices.ContainsFunc(s.In.Object.Fields, func(f *rule.Field) bool {
		return f.Type.Go == reflect.TypeFor[Cursor]()
	})
}
