package limit

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Rate says how often something may happen. It recovers evenly: after five
// at once, Per(5, time.Minute) grants one every 12 seconds. The zero Rate is
// none, and nothing takes it for unlimited: see [Rate.Err] and [Unlimited].
type Rate struct {
	n         int
	per       time.Duration
	burst     int
	every     time.Duration // from one unit to the next
	unlimited bool
}

// Per returns the rate of n in each period. All n may come at once; say
// [Rate.Burst] for another number.
func Per(n int, period time.Duration) Rate {
	r := Rate{n: n, per: period, burst: n}
	if n > 0 && period > 0 {
		// Rounded up: never more than was said.
		r.every = (period-1)/time.Duration(n) + 1
	}
	return r
}

// Burst returns the rate with another number of those that may come at once
// after a pause. In the long run it remains the same rate.
func (r Rate) Burst(n int) Rate {
	r.burst = n
	return r
}

// Unlimited is the rate that grants everything: the loose choice, which
// somebody has to make.
func Unlimited() Rate { return Rate{unlimited: true} }

// IsZero reports whether the rate was never said.
func (r Rate) IsZero() bool { return r == Rate{} }

// IsUnlimited reports whether the rate is [Unlimited].
func (r Rate) IsUnlimited() bool { return r.unlimited }

// Every is the time in which one unit recovers.
func (r Rate) Every() time.Duration { return r.every }

// Most is how many units are there after a pause.
func (r Rate) Most() int { return r.burst }

// Window is the time in which all of [Rate.Most] recover.
func (r Rate) Window() time.Duration { return r.every * time.Duration(r.burst) }

// Err says what is wrong with the rate, if anything.
func (r Rate) Err() error {
	switch {
	case r.unlimited:
		return nil
	case r.n < 1:
		return fmt.Errorf("a rate of %d in %v grants nothing; the least is 1", r.n, r.per)
	case r.per <= 0:
		return fmt.Errorf("a rate of %d in %v has no period", r.n, r.per)
	case time.Duration(r.n) > r.per:
		return fmt.Errorf("a rate of %d in %v is more than one in a nanosecond", r.n, r.per)
	case r.burst < 1:
		return fmt.Errorf("a burst of %d grants nothing; the least is 1", r.burst)
	case int64(r.burst) > math.MaxInt64/4/int64(r.every):
		return fmt.Errorf("a burst of %d at %d in %v would take longer than a lifetime to recover", r.burst, r.n, r.per)
	}
	return nil
}

// String returns the rate as [Rate.UnmarshalText] reads it: "5/1m", "5/1m
// burst 10" or "off".
func (r Rate) String() string {
	if r.unlimited {
		return "off"
	}
	s := strconv.Itoa(r.n) + "/" + period(r.per)
	if r.burst != r.n {
		s += " burst " + strconv.Itoa(r.burst)
	}
	return s
}

// period writes a duration without the zeros that nobody would type.
func period(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// MarshalText is String.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

var errForm = errors.New("expected a rate such as 100/1s, 5/1m burst 10, or off for no limit")

// UnmarshalText reads a rate: a whole number, a slash and a duration, and if
// need be the burst. The word off is [Unlimited].
func (r *Rate) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "off" {
		*r = Unlimited()
		return nil
	}
	s, burst, hasBurst := strings.Cut(s, " burst ")
	number, duration, _ := strings.Cut(s, "/")
	n, err := strconv.Atoi(number)
	if err != nil {
		return errForm
	}
	d, err := time.ParseDuration(duration)
	if err != nil {
		return errForm
	}
	rate := Per(n, d)
	if hasBurst {
		if rate.burst, err = strconv.Atoi(burst); err != nil {
			return errForm
		}
	}
	if err := rate.Err(); err != nil {
		return err
	}
	*r = rate
	return nil
}
