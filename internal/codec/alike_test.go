package codec_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/codec"
)

func TestAlike(t *testing.T) {
	t.Parallel()
	type thing struct {
		Flag  bool
		N     int64
		Text  string
		List  []byte
		Map   map[string]string
		At    time.Time
		inner *int
	}
	n := 1
	one := thing{true, 1, "text", []byte("list"), map[string]string{"a": "b"}, time.Now(), &n}
	same := one
	if !codec.Alike(&one, &same) {
		t.Error("a copy is not alike")
	}
	for name, change := range map[string]func(*thing){
		"flag":    func(x *thing) { x.Flag = false },
		"number":  func(x *thing) { x.N++ },
		"text":    func(x *thing) { x.Text = "" },
		"list":    func(x *thing) { x.List = slices.Clone(x.List) },
		"shorter": func(x *thing) { x.List = x.List[:1] },
		"map":     func(x *thing) { x.Map = maps.Clone(x.Map) },
		"pointer": func(x *thing) { m := n; x.inner = &m },
	} {
		other := one
		if change(&other); codec.Alike(&one, &other) {
			t.Errorf("%s: what was changed is alike", name)
		}
	}
	var none *thing
	for name, pair := range map[string][2]any{
		"types":  {&one, &n},
		"values": {one, one},
		"nil":    {none, none},
	} {
		if codec.Alike(pair[0], pair[1]) {
			t.Errorf("%s are alike", name)
		}
	}
	if !codec.Alike(&struct{}{}, &struct{}{}) {
		t.Error("nothing differs from nothing")
	}
}
