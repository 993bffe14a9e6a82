package cache

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"
	"time"
)

// FuzzOpen gives whatever there may be in a remote tier to who reads it. What
// was sealed here comes back; whatever else there is does no harm.
func FuzzOpen(f *testing.F) {
	now := time.Now()
	c, err := New(Config{Remote: struct{ Remote }{}, Now: func() time.Time { return now }})
	if err != nil {
		f.Fatal(err)
	}
	v, err := Of(c, Rules[string]{Name: "texts", TTL: time.Minute})
	if err != nil {
		f.Fatal(err)
	}
	k := v.kind
	c.told(Batch{Position: 7, AsOf: now, Reset: true})
	for _, e := range []*entry{
		{of: k, value: "", fresh: int64(time.Minute)},
		{of: k, value: "plain", fresh: int64(time.Minute)},
		{of: k, value: "tagged", fresh: int64(time.Minute), tags: []uint32{1, 1 << 31}, position: 7},
	} {
		data, err := k.seal(e)
		if err != nil {
			f.Fatal(err)
		}
		got := k.open(k.begin(f.Context()), "key", data, 0)
		if got == nil || got.value != e.value || !slices.Equal(got.tags, e.tags) || got.position != e.position || got.fresh > e.fresh || got.fresh < e.fresh-int64(time.Millisecond) {
			f.Fatalf("%+v came back as %+v", e, got)
		}
		f.Add(data, false)
		f.Add(data[:len(data)-1], true)
		f.Add(data[4:], true)
	}
	f.Fuzz(func(t *testing.T, data []byte, sum bool) {
		if sum && len(data) >= 4 { // as one who means harm would
			binary.BigEndian.PutUint32(data, crc32.Checksum(data[4:], castagnoli))
		}
		e := k.open(k.begin(t.Context()), "key", data, 0)
		if e == nil {
			return
		}
		if !sum && len(data) >= 4 && binary.BigEndian.Uint32(data) != crc32.Checksum(data[4:], castagnoli) {
			t.Error("what was changed on its way is used")
		}
		if e.fresh > int64(time.Minute) || len(e.tags) > 0 && e.position < 7 || len(e.tags) > MaxTags {
			t.Errorf("%+v is used", e)
		}
	})
}

func TestSizesAreAboutRight(t *testing.T) {
	t.Parallel()
	type node struct {
		Name  string
		Next  *node
		Names map[string][]byte
	}
	circle := &node{Name: "a"}
	circle.Next = circle
	for name, x := range map[string]struct {
		value       any
		least, most int
	}{
		"nothing":           {nil, 0, 0},
		"a number":          {1, 8, 8},
		"a text":            {string(make([]byte, 1000)), 1000, 1100},
		"bytes with room":   {make([]byte, 1, 1000), 1000, 1100},
		"a pointer to one":  {&node{Name: string(make([]byte, 1000))}, 1000, 1200},
		"many texts":        {slices.Repeat([]string{string(make([]byte, 100))}, 1000), 100_000, 130_000},
		"a map":             {&node{Names: map[string][]byte{"a": make([]byte, 1000), "b": make([]byte, 1000)}}, 2000, 2400},
		"many numbers":      {make([]int64, 10_000), 80_000, 80_100},
		"an array":          {[3]string{"abc", "", "def"}, 54, 60},
		"one that is round": {circle, 0, 10_000},
		"an interface":      {[]any{1, "abc", nil}, 48 + 8 + 19, 100},
	} {
		if got := sizeOf(x.value); got < x.least || got > x.most {
			t.Errorf("%s: %d bytes, not %d to %d", name, got, x.least, x.most)
		}
	}
}
