package typename_test

import (
	"reflect"
	"testing"

	"github.com/ashlar-go/ashlar/internal/typename"
)

type plain struct{}

type box[T any] struct{ Of T }

type pair[A, B any] struct {
	One A
	Two B
}

func TestOf(t *testing.T) {
	t.Parallel()
	for want, of := range map[string]reflect.Type{
		"Plain":              reflect.TypeFor[plain](),
		"PlainBox":           reflect.TypeFor[box[plain]](),
		"PlainBoxBox":        reflect.TypeFor[box[box[plain]]](),
		"StringPlainPair":    reflect.TypeFor[pair[string, plain]](),
		"IntPlainBoxPairBox": reflect.TypeFor[box[pair[int, box[plain]]]](),
		"Error":              reflect.TypeFor[error](),
		"":                   reflect.TypeFor[struct{}](),
	} {
		if got := typename.Of(of); got != want {
			t.Errorf("%v is %q, want %q", of, got, want)
		}
	}
}
