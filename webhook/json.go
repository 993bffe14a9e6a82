package webhook

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/rule"
)

// JSON is v as a payload: in the form in which operations answer, times in UTC
// with milliseconds, so that a receiver reads both with the same code.
func JSON[T any](v T) ([]byte, error) {
	e, err := encoderOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, fmt.Errorf("webhook: a payload of %T: %w", v, err)
	}
	return e.Append(nil, &v)
}

// encoders are kept for as long as the program runs: there are as many as types
// of payload.
var encoders sync.Map

func encoderOf(t reflect.Type) (*codec.Encoder, error) {
	if known, ok := encoders.Load(t); ok {
		return known.(*codec.Encoder), nil
	}
	described, err := rule.Describe(t)
	if err != nil {
		return nil, err
	}
	made, err := codec.CompileEncoder(described)
	if err != nil {
		return nil, err
	}
	kept, _ := encoders.LoadOrStore(t, made)
	return kept.(*codec.Encoder), nil
}
