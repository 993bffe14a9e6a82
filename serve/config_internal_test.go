package serve

import (
	"testing"
	"time"
)

func TestZeroConfigIsSafe(t *testing.T) {
	t.Parallel()
	s := New(nil, Config{}).http
	for name, d := range map[string]time.Duration{
		"header": s.ReadHeaderTimeout, "read": s.ReadTimeout, "write": s.WriteTimeout, "idle": s.IdleTimeout,
	} {
		if d <= 0 || d > 2*time.Minute {
			t.Errorf("%s time-out is %v", name, d)
		}
	}
	if s.ReadTimeout > 15*time.Second || s.MaxHeaderBytes != 16<<10 {
		t.Errorf("read time-out %v, head %d bytes", s.ReadTimeout, s.MaxHeaderBytes)
	}
}

func TestNegativeTimeoutsAreOff(t *testing.T) {
	t.Parallel()
	s := New(nil, Config{ReadHeaderTimeout: -1, ReadTimeout: -1, WriteTimeout: -1, IdleTimeout: -1}).http
	// net/http takes a negative time-out for none; zero would fall back to another.
	if s.ReadHeaderTimeout >= 0 || s.ReadTimeout >= 0 || s.WriteTimeout >= 0 || s.IdleTimeout >= 0 {
		t.Errorf("time-outs %v %v %v %v", s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout)
	}
}

func TestComplaintsCountWhatTheyOmit(t *testing.T) {
	t.Parallel()
	var c complaints
	now := time.Unix(1000, 0)
	for range 25 {
		c.admit(now)
	}
	if _, ok := c.admit(now); ok {
		t.Error("the 26th line of a second is written")
	}
	if omitted, ok := c.admit(now.Add(time.Second)); !ok || omitted != 16 {
		t.Errorf("next second: %d omitted, %v", omitted, ok)
	}
	if omitted, ok := c.admit(now.Add(time.Second)); !ok || omitted != 0 {
		t.Errorf("counted twice: %d, %v", omitted, ok)
	}
}
