package event

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"time"

	"github.com/ashlar-go/ashlar/internal/scope"
)

var timeType = reflect.TypeFor[time.Time]()

// Listen returns the payloads of a topic as they are published, those that keep
// wants; a nil keep wants all. It goes on until ctx ends, the loop is left, or
// an error, which is the last that it yields: [ErrReset], one of the database,
// or a payload that cannot be read. That ctx has ended is none.
//
// Keep is called on the goroutine of the loop, with a value that others see
// too and that it must not change. What the loop gets is its own.
func Listen[T any](ctx context.Context, l *Log, t Topic[T], keep func(T) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for e, err := range ListenFrom(ctx, l, t, Now(), keep) {
			if !yield(e.Data, err) {
				return
			}
		}
	}
}

// ListenFrom is Listen with a choice of where to begin, and returns whole
// events: the ID of the last one is where to go on with [AfterID].
func ListenFrom[T any](ctx context.Context, l *Log, t Topic[T], from Start, keep func(T) bool) iter.Seq2[Of[T], error] {
	return func(yield func(Of[T], error) bool) {
		s, err := l.Subscribe(ctx, Filter{Topics: []string{string(t)}}, from)
		if err != nil {
			yield(Of[T]{}, err)
			return
		}
		defer s.Close()
		scope.Opened(ctx)
		own := flat(reflect.TypeFor[T]())
		for {
			entries, err := s.wait(ctx)
			if err != nil {
				if ctx.Err() == nil {
					yield(Of[T]{}, err)
				}
				return
			}
			for _, e := range entries {
				data, err := shared[T](e)
				if err == nil && keep != nil && !keep(*data) {
					continue
				}
				one := Of[T]{Record: e.Record, Attempt: 1, origin: e}
				switch {
				case err != nil:
				case own:
					one.Data = *data
				default:
					one.Data, err = Decode[T](&e.Record)
				}
				if !yield(one, err) || err != nil {
					return
				}
			}
		}
	}
}

// Records returns the events that f wants, as [Log.Subscribe] does, until ctx
// ends or an error, which is the last that it yields.
func (l *Log) Records(ctx context.Context, f Filter, from Start) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		s, err := l.Subscribe(ctx, f, from)
		if err != nil {
			yield(nil, err)
			return
		}
		defer s.Close()
		scope.Opened(ctx)
		for {
			entries, err := s.wait(ctx)
			if err != nil {
				if ctx.Err() == nil {
					yield(nil, err)
				}
				return
			}
			for _, e := range entries {
				if !yield(&e.Record, nil) {
					return
				}
			}
		}
	}
}

// Tail follows the events that f wants from now on, for what every process
// keeps in memory: caches, revocations. It calls reset first, and again
// whenever events may have been missed: forget what you know, or read it anew.
// What happens after a call of reset is in later calls of receive. It returns
// when ctx ends, with nil, and with an error of the database, after which it is
// to be called again.
func (l *Log) Tail(ctx context.Context, f Filter, reset func(), receive func([]*Record)) error {
	for ctx.Err() == nil {
		err := l.tail(ctx, f, reset, receive)
		if err != nil && ctx.Err() == nil && !errors.Is(err, ErrReset) {
			return err
		}
	}
	return nil
}

func (l *Log) tail(ctx context.Context, f Filter, reset func(), receive func([]*Record)) error {
	s, err := l.Subscribe(ctx, f, Now())
	if err != nil {
		return err
	}
	defer s.Close()
	reset()
	for {
		records, err := s.Next(ctx)
		if err != nil {
			return err
		}
		receive(records)
	}
}
