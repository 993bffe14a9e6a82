package cache_test

import (
	"context"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

func TestAHitDoesNotAllocate(t *testing.T) {
	j := newJournal()
	c := open(t, cache.Config{Journal: j, Remote: newStore()})
	told(t, c, j)
	v, s := view(t, c, cache.Rules[payment]{TTL: time.Hour}), &source{tags: []string{"payment/pay_1", "merchant/m1"}}
	ctx, key := context.Background(), []byte("pay_1")
	load := s.load
	get(t, v, s)
	if n := testing.AllocsPerRun(1000, func() {
		if _, found, err := v.Look(key); found != cache.Kept || err != nil {
			t.Fatal(found, err)
		}
	}); n != 0 {
		t.Errorf("Look allocates %v times", n)
	}
	if n := testing.AllocsPerRun(1000, func() {
		if p, err := v.Get(ctx, "pay_1", load); p.ID != "pay_1" || err != nil {
			t.Fatal(p, err)
		}
	}); n != 0 {
		t.Errorf("Get of what is kept allocates %v times", n)
	}
	if s.loads.Load() != 1 {
		t.Errorf("%d loads", s.loads.Load())
	}
}
