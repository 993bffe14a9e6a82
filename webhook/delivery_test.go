package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/webhook"
)

// TestSchedule: ten attempts, each later than the one before by what the
// schedule says, a quarter more or less; then the message is given up and the
// next one of its key has its turn.
func TestSchedule(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d, func(c *webhook.Config) { c.DisableAfter = 365 * 24 * time.Hour; c.Trip = 1000 })
		e, _ := b.endpoint()
		b.receiver.always(500)
		b.enqueue(message("m1", "k"), message("m2", "k"), message("other", "k2"))
		var at []time.Time
		for i := range 10 {
			if !b.step(e.ID) {
				t.Fatalf("attempt %d is not due", i+1)
			}
			if got := b.receiver.last().id; got != "m1" {
				t.Fatalf("attempt %d is of %s", i+1, got)
			}
			at = append(at, b.clock.now())
			if i == 0 {
				if !b.step(e.ID) || b.receiver.last().id != "other" {
					t.Fatal("another key waits")
				}
				if _, err := db.Exec(b.ctx, d, `DELETE FROM ashlar_webhook_lanes WHERE lane = 'k k2'`); err != nil {
					t.Fatal(err)
				}
			}
			if i < 9 && b.step(e.ID) {
				t.Fatalf("another attempt is due at once, of %s", b.receiver.last().id)
			}
			list, err := b.Deliveries(b.ctx, "shop-1", e.ID, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			first := list[len(list)-1]
			if i < 9 {
				if first.State != webhook.Pending || first.Attempts != i+1 || !first.DueAt.After(b.clock.now()) || !list[1].DueAt.IsZero() {
					t.Fatalf("after attempt %d: %+v", i+1, list)
				}
				b.clock.advance(first.DueAt.Sub(b.clock.now()) - time.Millisecond)
				if b.step(e.ID) {
					t.Fatal("it comes too early")
				}
				b.clock.advance(time.Millisecond)
			} else if first.State != webhook.Failed || first.Attempts != 10 {
				t.Fatalf("after the last attempt: %+v", first)
			}
			if i == 9 {
				break
			}
		}
		for i, pause := range webhook.DefaultSchedule() {
			if got := at[i+1].Sub(at[i]); got < pause*3/4 || got > pause*5/4+time.Millisecond {
				t.Errorf("pause %d is %v, want %v or so", i+1, got, pause)
			}
		}
		b.receiver.always(200)
		b.clock.advance(time.Hour)
		b.flush()
		if got := b.receiver.last().id; got != "m2" {
			t.Errorf("after m1 was given up: %s", got)
		}
		if s := b.Stats(); s.GivenUp != 1 || s.Attempts.Refused != 11 || s.Attempts.Success != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestPausesAreVaried(t *testing.T) {
	t.Parallel()
	b := setup(t, databases["sqlite"](t))
	seen := map[time.Duration]bool{}
	for range 100 {
		d := b.Delay(1, 0)
		if d < 225*time.Second || d > 375*time.Second {
			t.Errorf("%v is no quarter around five minutes", d)
		}
		seen[d] = true
	}
	if len(seen) < 50 {
		t.Errorf("%d different pauses of 100", len(seen))
	}
	for asked, want := range map[time.Duration]time.Duration{time.Hour: time.Hour, 100 * time.Hour: 24 * time.Hour} {
		if got := b.Delay(1, asked); got != want {
			t.Errorf("asked for %v it waits %v", asked, got)
		}
	}
	last := time.Duration(0)
	for failures := 5; failures < 40; failures++ {
		longest := time.Duration(0)
		for range 50 {
			longest = max(longest, b.Rest(failures))
		}
		if longest > time.Hour || longest < last*3/4 {
			t.Errorf("after %d failures it rests %v, before that %v", failures, longest, last)
		}
		last = longest
	}
	if first := b.Rest(5); first < 22*time.Second || first > 30*time.Second || last < 50*time.Minute {
		t.Errorf("it rests from %v to %v", first, last)
	}
}

// TestOutcomes: what each answer means, and what is kept of it.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 1000)
	for name, c := range map[string]struct {
		status  int
		err     error
		body    string
		outcome webhook.Outcome
		kept    string
	}{
		"200":             {200, nil, "thanks", webhook.Success, "thanks"},
		"299":             {299, nil, "", webhook.Success, ""},
		"a redirect":      {307, nil, "", webhook.Redirect, ""},
		"a client error":  {404, nil, "no", webhook.Refused, "no"},
		"a server error":  {500, nil, "no", webhook.Refused, "no"},
		"a long body":     {500, nil, long, webhook.Refused, long[:1024]},
		"a hostile one":   {500, nil, "a\x00b\xffc\x1b[31m<script>", webhook.Refused, "ab\uFFFDc[31m<script>"},
		"cut in a letter": {500, nil, "x" + long, webhook.Refused, "x" + long[:1022]},
		"no line":         {0, errNoLine, "", webhook.NoAnswer, ""},
		"too slow":        {0, fault.Upstream("upstream_timeout").Wrap(errNoLine), "", webhook.Timeout, ""},
		"not allowed":     {0, fault.Upstream("upstream_refused").Wrap(errNoLine), "", webhook.Forbidden, ""},
		"another fault":   {0, fault.Upstream("upstream_unreachable").Wrap(errNoLine), "", webhook.NoAnswer, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, databases["sqlite"](t))
			e, _ := b.endpoint()
			b.receiver.body = c.body
			b.receiver.answer = func(int, received) (int, error) { return c.status, c.err }
			b.enqueue(message("m_"+e.ID, ""))
			b.step(e.ID)
			delivery := b.delivery(e.ID)
			list, err := b.Attempts(b.ctx, "shop-1", e.ID, delivery.ID)
			if err != nil || len(list) != 1 {
				t.Fatalf("%+v, %v", list, err)
			}
			got := list[0]
			if got.Outcome != c.outcome || got.Status != c.status || got.Response != c.kept || got.Number != 1 || got.Delivery != delivery.ID || !got.At.Equal(b.clock.now()) {
				t.Errorf("%+v", got)
			}
			if (delivery.State == webhook.Delivered) != (c.outcome == webhook.Success) {
				t.Errorf("%+v", delivery)
			}
		})
	}
}

func TestRetryAfterIsHeeded(t *testing.T) {
	t.Parallel()
	d := databases["sqlite"](t)
	now := newClock().now()
	for text, want := range map[string]time.Duration{
		"7200": 2 * time.Hour, now.Add(3 * time.Hour).Format(http.TimeFormat): 3 * time.Hour,
		"99999999": 24 * time.Hour, "": 5 * time.Second, "soon": 5 * time.Second, "-5": 5 * time.Second, "0": 5 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat): 5 * time.Second,
	} {
		b := setup(t, d)
		e, _ := b.endpoint()
		b.receiver.always(429)
		b.receiver.header = http.Header{"Retry-After": {text}}
		b.enqueue(message("m_"+e.ID, ""))
		b.step(e.ID)
		if got := b.delivery(e.ID).DueAt.Sub(now); got < want*3/4 || got > want*5/4 {
			t.Errorf("Retry-After: %q waits %v, want %v", text, got, want)
		}
		if err := b.Delete(b.ctx, "shop-1", e.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRest: an endpoint that keeps failing is left alone, whatever there is for
// it; when it is tried again one attempt decides; and when it is well, what
// waits for a retry far away is sent at once.
func TestRest(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d)
		e, _ := b.endpoint()
		well, _, err := b.Create(b.ctx, "shop-2", webhook.NewEndpoint{URL: "https://well.example/", Types: []string{"*"}})
		if err != nil {
			t.Fatal(err)
		}
		b.receiver.answer = func(_ int, got received) (int, error) {
			if strings.Contains(got.url, "well") {
				return 200, nil
			}
			return 500, nil
		}
		for i := range 20 {
			b.enqueue(message(fmt.Sprint("m", i), fmt.Sprint("k", i)))
		}
		b.flush()
		if n := len(b.receiver.ids()); n != 5 {
			t.Fatalf("%d attempts until it rests, want 5", n)
		}
		if e := b.get(e.ID); e.Failures != 5 || e.FailingSince.IsZero() || e.State != webhook.Enabled {
			t.Errorf("%+v", e)
		}
		m := message("w", "")
		m.Account = "shop-2"
		b.enqueue(m)
		if list, err := b.Due(b.ctx, "", 10); err != nil || !slices.Equal(list, []string{well.ID}) {
			t.Errorf("due are %v, %v", list, err)
		}
		b.flush()
		if got := b.receiver.last().id; got != "w" {
			t.Errorf("last was %s", got)
		}
		if err := b.Look(b.ctx); err != nil {
			t.Fatal(err)
		}
		b.clock.advance(10 * time.Second)
		if err := b.Look(b.ctx); err != nil {
			t.Fatal(err)
		}
		if s := b.Stats(); s.Pending != 20 || s.Resting != 1 || s.Endpoints != 2 || s.Disabled != 0 || s.Oldest != 10*time.Second || s.Held != 0 {
			t.Errorf("%+v", s)
		}

		b.clock.advance(20 * time.Second)
		b.flush()
		if n := len(b.receiver.ids()); n != 7 {
			t.Errorf("%d attempts after the rest, want 1 more", n-6)
		}
		b.clock.advance(time.Hour)
		b.receiver.always(200)
		if !b.step(e.ID) {
			t.Fatal("nothing is due after the second rest")
		}
		b.flush() // those too that were to wait for the schedule's hours
		if got := b.delivery(e.ID); got.State != webhook.Delivered {
			t.Errorf("%+v", got)
		}
		if err := b.Look(b.ctx); err != nil {
			t.Fatal(err)
		}
		if s := b.Stats(); s.Pending != 0 || s.Resting != 0 || s.Oldest != 0 || b.count("lanes") != 0 {
			t.Errorf("%+v", s)
		}
		if e := b.get(e.ID); e.Failures != 0 || !e.FailingSince.IsZero() {
			t.Errorf("%+v", e)
		}
	})
}

// TestDeadEndpoints are disabled: at once when they say that they are gone, and
// after five days without a success. Whoever must know is told in the same
// transaction.
func TestDeadEndpoints(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		var told []webhook.Endpoint
		broken := true
		b := setup(t, d, func(c *webhook.Config) {
			c.Disabled = func(ctx context.Context, tx *db.Tx, e webhook.Endpoint) error {
				told = append(told, e)
				if broken {
					broken = false
					return errNoLine
				}
				_, err := db.Exec(ctx, tx, `UPDATE ashlar_webhook_endpoints SET description = 'told' WHERE id = $1`, e.ID)
				return err
			}
		})
		e, _ := b.endpoint()
		b.receiver.always(410)
		b.enqueue(message("m1", "k"), message("m2", "k"))
		b.step(e.ID) // the hook fails, so nothing is recorded and the lease ends
		if got := b.get(e.ID); got.State != webhook.Enabled || got.Failures != 0 {
			t.Errorf("%+v", got)
		}
		b.clock.advance(time.Minute)
		b.flush()
		got := b.get(e.ID)
		if got.State != webhook.Disabled || got.Reason != webhook.Gone || got.Description != "told" || !got.ChangedAt.Equal(b.clock.now()) {
			t.Errorf("%+v", got)
		}
		if len(told) != 2 || told[1].ID != e.ID || told[1].Reason != webhook.Gone || told[1].State != webhook.Disabled {
			t.Errorf("told %+v", told)
		}
		if delivery := b.delivery(e.ID); delivery.State != webhook.Pending || !delivery.DueAt.IsZero() {
			t.Errorf("%+v", delivery)
		}

		// What waits, and what comes, is sent when it is enabled again.
		b.enqueue(message("m3", "k"))
		b.clock.advance(24 * time.Hour)
		b.flush()
		b.sent("m1", "m1")
		if err := b.Look(b.ctx); err != nil {
			t.Fatal(err)
		}
		if s := b.Stats(); s.Held != 3 || s.Pending != 0 || s.Disabled != 1 || s.Switched != 1 {
			t.Errorf("%+v", s)
		}
		if _, err := b.Redeliver(b.ctx, "shop-1", e.ID, b.delivery(e.ID).ID); !errors.Is(err, webhook.ErrDisabled) {
			t.Errorf("redelivery to a disabled endpoint: %v", err)
		}
		b.receiver.always(200)
		if again, err := b.Enable(b.ctx, "shop-1", e.ID); err != nil || again.State != webhook.Enabled || again.Reason != "" || again.Failures != 0 {
			t.Errorf("%+v, %v", again, err)
		}
		b.flush()
		b.sent("m1", "m1", "m1", "m2", "m3")

		// Five days.
		b.receiver.always(500)
		for day := 0; b.get(e.ID).State == webhook.Enabled; day++ {
			if day > 7 {
				t.Fatal("still enabled after a week")
			}
			b.enqueue(message(fmt.Sprint("d", day), ""))
			b.flush()
			if since := b.get(e.ID).FailingSince; day < 5 && b.clock.now().Sub(since) != time.Duration(day)*24*time.Hour {
				t.Fatalf("on day %d it fails since %v", day, since)
			}
			b.clock.advance(24 * time.Hour)
		}
		got = b.get(e.ID)
		if days := got.ChangedAt.Sub(got.FailingSince); got.Reason != webhook.Failing || days != 5*24*time.Hour {
			t.Errorf("disabled after %v: %+v", days, got)
		}
	})
}

// TestOneSuccessIsEnough to begin the five days anew.
func TestOneSuccessIsEnough(t *testing.T) {
	t.Parallel()
	b := setup(t, databases["sqlite"](t))
	e, _ := b.endpoint()
	for day := range 20 {
		b.receiver.always(500)
		if day%4 == 3 {
			b.receiver.always(200)
		}
		b.enqueue(message(fmt.Sprint("d", day), ""))
		b.flush()
		b.clock.advance(24 * time.Hour)
	}
	if got := b.get(e.ID); got.State != webhook.Enabled {
		t.Errorf("%+v", got)
	}
}

func TestByOwner(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d)
		e, _ := b.endpoint()
		b.receiver.always(500)
		for i := range 6 {
			b.enqueue(message(fmt.Sprint("m", i), ""))
		}
		b.flush()
		off, err := b.Disable(b.ctx, "shop-1", e.ID)
		if err != nil || off.State != webhook.Disabled || off.Reason != webhook.ByOwner {
			t.Errorf("%+v, %v", off, err)
		}
		b.clock.advance(time.Hour)
		if again, err := b.Disable(b.ctx, "shop-1", e.ID); err != nil || !again.ChangedAt.Equal(off.ChangedAt) {
			t.Errorf("disabled twice: %+v, %v", again, err)
		}
		b.flush()
		if n := len(b.receiver.ids()); n != 5 {
			t.Errorf("%d attempts", n)
		}
		b.receiver.always(200)
		if _, err := b.Enable(b.ctx, "shop-1", e.ID); err != nil {
			t.Fatal(err)
		}
		b.flush() // it does not rest any more
		if n := b.count("deliveries WHERE state = 'delivered'"); n != 6 {
			t.Errorf("%d are delivered", n)
		}
	})
}

// TestRedelivery: again under the same id, behind what waits; or sooner, for
// what waits itself.
func TestRedelivery(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d)
		e, _ := b.endpoint()
		b.enqueue(message("m1", "k"))
		b.flush()
		first := b.delivery(e.ID)
		b.receiver.always(500)
		b.enqueue(message("m2", "k"))
		b.flush()
		again, err := b.Redeliver(b.ctx, "shop-1", e.ID, first.ID)
		if err != nil || again.State != webhook.Pending || again.ID != first.ID || again.Attempts != 1 || !again.DueAt.IsZero() {
			t.Errorf("%+v, %v", again, err)
		}
		b.flush()
		b.sent("m1", "m2") // m2 waits for its retry, and m1 behind it
		second := b.delivery(e.ID)
		b.receiver.always(200)
		now, err := b.Redeliver(b.ctx, "shop-1", e.ID, second.ID)
		if err != nil || !now.DueAt.Equal(b.clock.now()) {
			t.Errorf("%+v, %v", now, err)
		}
		b.flush()
		b.sent("m1", "m2", "m2", "m1")
		if got := b.receiver.last().payload; got != `{"id":"m1"}` {
			t.Errorf("sent %s", got)
		}
		page, err := b.Deliveries(b.ctx, "shop-1", e.ID, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		last, err := b.LastAttempts(b.ctx, page)
		if list := last[first.ID]; err != nil || len(list) != 2 || list[1].Number != 2 || list[1].Outcome != webhook.Success {
			t.Errorf("%+v, %v", list, err)
		}
		if list := last[second.ID]; len(list) != 2 || list[0].Outcome != webhook.Refused || list[1].Delivery != second.ID {
			t.Errorf("%+v", list)
		}
		if none, err := b.LastAttempts(b.ctx, nil); len(none) != 0 || err != nil {
			t.Errorf("%v, %v", none, err)
		}

		// One that was given up has the whole schedule again, and no more than a
		// hundred attempts in all.
		b.receiver.always(500)
		for range 9 {
			if _, err := b.Redeliver(b.ctx, "shop-1", e.ID, first.ID); err != nil {
				t.Fatal(err)
			}
			for range 11 {
				b.flush()
				b.clock.advance(31 * time.Hour)
				if _, err := b.Enable(b.ctx, "shop-1", e.ID); err != nil {
					t.Fatal(err)
				}
				if _, err := db.Exec(b.ctx, d, `UPDATE ashlar_webhook_endpoints SET failures = 0, failing_since = 0, rest_until = 0`); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := b.count(`attempts WHERE delivery = $1`, first.ID); n != 92 {
			t.Errorf("%d attempts", n)
		}
		if _, err := b.Redeliver(b.ctx, "shop-1", e.ID, first.ID); !errors.Is(err, webhook.ErrExhausted) {
			t.Errorf("got %v", err)
		}
		if last, err = b.LastAttempts(b.ctx, page); err != nil || len(last[first.ID]) != 10 || last[first.ID][0].Number != 83 {
			t.Errorf("%+v, %v", last[first.ID], err)
		}
		if list, err := b.Attempts(b.ctx, "shop-1", e.ID, first.ID); err != nil || len(list) != 92 || list[91].Number != 92 {
			t.Errorf("%d attempts, %v", len(list), err)
		}
	})
}

// TestRedeliveryWakesWhatRests: who asks for it expects that the endpoint is
// well.
func TestRedeliveryWakesWhatRests(t *testing.T) {
	t.Parallel()
	b := setup(t, databases["sqlite"](t))
	e, _ := b.endpoint()
	b.receiver.always(500)
	for i := range 6 {
		b.enqueue(message(fmt.Sprint("m", i), ""))
	}
	b.flush()
	b.receiver.always(200)
	if _, err := b.Redeliver(b.ctx, "shop-1", e.ID, b.delivery(e.ID).ID); err != nil {
		t.Fatal(err)
	}
	b.flush()
	if n := b.count("deliveries WHERE state = 'delivered'"); n != 6 {
		t.Errorf("%d are delivered", n)
	}
}

// TestAnAttemptThatIsLost is made again by another process when its lease has
// ended; what the first one finds out later changes nothing.
func TestAnAttemptThatIsLost(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d)
		e, _ := b.endpoint()
		b.enqueue(message("m1", "k"), message("m2", "k"))
		other := b.another()
		lost, err := other.Take(b.ctx, e.ID)
		if err != nil || lost == nil {
			t.Fatal(lost, err)
		}
		if c, err := b.Take(b.ctx, e.ID); c != nil || err != nil {
			t.Fatalf("a lane that is leased was taken: %v, %v", c, err)
		}
		b.clock.advance(30*time.Second - time.Millisecond)
		if c, err := b.Take(b.ctx, e.ID); c != nil || err != nil {
			t.Fatalf("before the lease ended: %v, %v", c, err)
		}
		b.clock.advance(time.Millisecond)
		b.flush()
		b.sent("m1", "m2")
		other.Send(b.ctx, b.ctx, lost) // late, and once too often
		b.sent("m1", "m2", "m1")
		if s := other.Stats(); s.Lost != 1 || s.Attempts.Success != 0 {
			t.Errorf("%+v", s)
		}
		b.receiver.always(500)
		b.enqueue(message("m3", "k"))
		mine, err := b.Take(b.ctx, e.ID)
		if err != nil || mine == nil {
			t.Fatal(mine, err)
		}
		other.Send(b.ctx, b.ctx, lost) // the lane is there again, and another's
		if s := other.Stats(); s.Lost != 2 {
			t.Errorf("%+v", s)
		}
		b.receiver.always(200)
		b.Send(b.ctx, b.ctx, mine)
		if got := b.delivery(e.ID); got.State != webhook.Delivered || got.Attempts != 1 || b.count("lanes") != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// TestAnAttemptThatIsBrokenOff by the end of the process does not count, and
// another process makes it at once.
func TestAnAttemptThatIsBrokenOff(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d)
		e, _ := b.endpoint()
		b.enqueue(message("m1", "k"))
		c, err := b.Take(b.ctx, e.ID)
		if err != nil || c == nil {
			t.Fatal(c, err)
		}
		working, end := context.WithCancel(b.ctx)
		b.receiver.answer = func(int, received) (int, error) { end(); return 0, context.Canceled }
		b.Send(b.ctx, working, c)
		if got := b.delivery(e.ID); got.Attempts != 0 || got.State != webhook.Pending || b.get(e.ID).Failures != 0 {
			t.Errorf("%+v", got)
		}
		b.receiver.always(200)
		b.flush()
		b.sent("m1", "m1")
		if s := b.Stats(); s.Broken != 1 || s.Attempts.Success != 1 {
			t.Errorf("%+v", s)
		}

		// One that succeeded at the last moment is not made again.
		b.enqueue(message("m2", "k"))
		if c, err = b.Take(b.ctx, e.ID); err != nil || c == nil {
			t.Fatal(c, err)
		}
		working, end = context.WithCancel(b.ctx)
		b.receiver.answer = func(int, received) (int, error) { end(); return 200, nil }
		b.Send(b.ctx, working, c)
		b.flush()
		b.sent("m1", "m1", "m2")
	})
}

// TestRetention: what has ended is deleted after a while, with its attempts and
// message; what waits for a disabled endpoint is dropped, and counted.
func TestRetention(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d)
		e, _ := b.endpoint()
		b.enqueue(message("m1", "k"))
		b.flush()
		b.clock.advance(29 * 24 * time.Hour)
		if _, err := b.Disable(b.ctx, "shop-1", e.ID); err != nil {
			t.Fatal(err)
		}
		b.enqueue(message("m2", "k"), message("m3", "k"), message("m4", ""))
		sweep := func() {
			t.Helper()
			if err := b.Sweep(b.ctx); err != nil {
				t.Fatal(err)
			}
		}
		rows := func(want ...int) {
			t.Helper()
			got := []int{b.count("messages"), b.count("deliveries"), b.count("attempts"), b.count("lanes")}
			if !slices.Equal(got, want) {
				t.Errorf("messages, deliveries, attempts, lanes: %v, want %v", got, want)
			}
		}
		sweep()
		rows(4, 4, 1, 2)
		b.clock.advance(25 * time.Hour)
		b.enqueue(message("m5", "k"))
		sweep()
		rows(4, 4, 0, 2)
		b.clock.advance(29 * 24 * time.Hour)
		sweep()
		rows(4, 4, 0, 1)
		list, err := b.Deliveries(b.ctx, "shop-1", e.ID, "", 10)
		if err != nil || list[0].State != webhook.Pending || list[1].State != webhook.Dropped || list[3].State != webhook.Dropped {
			t.Errorf("%+v, %v", list, err)
		}
		if s := b.Stats(); s.Dropped != 3 {
			t.Errorf("%+v", s)
		}
		if _, err := b.Enable(b.ctx, "shop-1", e.ID); err != nil {
			t.Fatal(err)
		}
		b.flush()
		b.sent("m1", "m5")
		b.clock.advance(31 * 24 * time.Hour)
		sweep()
		rows(0, 0, 0, 0)

		// Many of them.
		if _, err := db.InTx(b.ctx, d, func(tx *db.Tx) (int, error) {
			for i := range 1200 {
				if err := b.Enqueue(b.ctx, tx, message(fmt.Sprint("n", i), fmt.Sprint("k", i%7))); err != nil {
					return 0, err
				}
			}
			return 0, nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Disable(b.ctx, "shop-1", e.ID); err != nil {
			t.Fatal(err)
		}
		b.clock.advance(31 * 24 * time.Hour)
		sweep()
		rows(1200, 1200, 0, 0)
		b.clock.advance(31 * 24 * time.Hour)
		sweep()
		rows(0, 0, 0, 0)
	})
}

func TestDeliveriesArePaged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		b := setup(t, d)
		e, _ := b.endpoint()
		var want []string
		for i := range 7 {
			id := fmt.Sprint("m", i)
			want = append([]string{id}, want...)
			b.enqueue(message(id, ""))
		}
		var got []string
		before := ""
		for {
			list, err := b.Deliveries(b.ctx, "shop-1", e.ID, before, 3)
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range list {
				got = append(got, one.Message)
				before = one.ID
			}
			if len(list) < 3 {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// TestALeaseOfTheFutureIsOver: a sender whose clock was ahead keeps a delivery
// from others no longer than its lease would have been.
func TestALeaseOfTheFutureIsOver(t *testing.T) {
	t.Parallel()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, open(t))
			e, _ := b.endpoint("*")
			b.enqueue(message("m1", ""))
			b.clock.advance(2 * time.Hour)
			if c, err := b.Take(b.ctx, e.ID); c == nil || err != nil {
				t.Fatalf("%v, %v", c, err)
			}
			b.clock.advance(-2 * time.Hour)
			if !b.step(e.ID) {
				t.Error("a delivery is kept from others for two hours")
			}
			if c, err := b.Take(b.ctx, e.ID); c != nil || err != nil {
				t.Errorf("%v, %v after it was delivered", c, err)
			}
		})
	}
}
