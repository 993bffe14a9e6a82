package limit_test

import (
	"math"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/limit"
)

func TestRateReadsWhatItWrites(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]limit.Rate{
		"5000/1s":          limit.Per(5000, time.Second),
		"200/2s":           limit.Per(200, 2*time.Second),
		"60/1m":            limit.Per(60, time.Minute),
		"100/24h":          limit.Per(100, 24*time.Hour),
		"10/1h30m":         limit.Per(10, 90*time.Minute),
		"1/1h0m5s":         limit.Per(1, time.Hour+5*time.Second),
		"5/1m burst 10":    limit.Per(5, time.Minute).Burst(10),
		"1000000000/1s":    limit.Per(1_000_000_000, time.Second),
		"100/500ms":        limit.Per(100, 500*time.Millisecond),
		"off":              limit.Unlimited(),
		"100/1s burst 100": limit.Per(100, time.Second),
	} {
		var got limit.Rate
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s is read as %v, %v", text, got, err)
		}
		var again limit.Rate
		written, _ := got.MarshalText()
		if err := again.UnmarshalText(written); err != nil || again != want {
			t.Errorf("%s is written as %s, which is read as %v, %v", text, written, again, err)
		}
	}
}

func TestRateRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "5", "5/", "/1s", "5/s", "5/1", "0/1s", "-5/1s", "5/0s", "5/-1s", "5.5/1s", "5/1s burst", "5/1s burst 0", "5/1s burst x",
		"5/1s burst -1", "2000000000/1s", "OFF", "none", " 5/1s", "5/1s ", "1/87600h burst 1000000", "9223372036854775808/1s",
	} {
		r := limit.Per(7, time.Second)
		if err := r.UnmarshalText([]byte(text)); err == nil || r != limit.Per(7, time.Second) {
			t.Errorf("%q is read as %v, %v", text, r, err)
		}
	}
	for _, r := range []limit.Rate{{}, limit.Per(0, time.Second), limit.Per(5, 0), limit.Per(5, -time.Second), limit.Per(math.MaxInt, time.Second), limit.Per(5, time.Second).Burst(0)} {
		if r.Err() == nil {
			t.Errorf("%v is taken for a rate", r)
		}
	}
	if !(limit.Rate{}).IsZero() || limit.Unlimited().IsZero() || limit.Per(1, time.Second).IsUnlimited() {
		t.Error("the zero rate is not told from the unlimited one")
	}
}

// A rate never grants more than was said, whatever does not divide evenly.
func TestRateRoundsDown(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 7, 999, 1_000_003} {
		r := limit.Per(n, time.Second)
		if r.Every()*time.Duration(n) < time.Second {
			t.Errorf("%v grants one every %v, which is more than %d", r, r.Every(), n)
		}
	}
	if r := limit.Per(10, 15*time.Minute); r.Every() != 90*time.Second || r.Window() != 15*time.Minute || r.Most() != 10 {
		t.Errorf("%v: every %v, window %v, most %d", r, r.Every(), r.Window(), r.Most())
	}
}

func FuzzRate(f *testing.F) {
	for _, s := range []string{"5000/1s", "off", "5/1m burst 10", "1/1ns", "/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var r, again limit.Rate
		if r.UnmarshalText([]byte(s)) != nil {
			return
		}
		if err := r.Err(); err != nil {
			t.Fatalf("%q is read as a mistaken rate: %v", s, err)
		}
		if err := again.UnmarshalText([]byte(r.String())); err != nil || again != r {
			t.Fatalf("%q is written as %q, which is read as %v, %v", s, r, again, err)
		}
	})
}
