package job_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/job"
)

func (k *kit) retry(id string) error {
	return k.try(func(ctx context.Context, tx *db.Tx) error { return job.Retry(ctx, tx, id) })
}

func (k *kit) discard(id string) error {
	return k.try(func(ctx context.Context, tx *db.Tx) error { return job.Discard(ctx, tx, id) })
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		fail := errors.New("down")
		r := k.runner(nil, job.On(settle, func(context.Context, payment) error { return fail }, job.Attempts(1)))
		dead := add(k, settle, payment{ID: "p"}, job.Unique("p"))
		other := add(k, settle, payment{}, job.High)
		k.due(r)
		list, err := job.List(t.Context(), k.db, job.Filter{State: job.Dead, Queue: "payment.settle"})
		if err != nil || len(list) != 2 || list[1].ID != dead || list[1].Error != "down" || string(list[1].Payload) != `{"id":"p"}` {
			t.Fatalf("the dead letters are %+v, %v", list, err)
		}

		// A twin came meanwhile.
		twin := addFor(k, settle, payment{}, job.Unique("p"), job.After(time.Hour))
		if err := k.retry(dead); !errors.Is(err, job.ErrState) || !strings.Contains(err.Error(), twin.ID) {
			t.Errorf("beside its twin it is retried: %v", err)
		}
		k.tx(func(ctx context.Context, tx *db.Tx) error { return job.Cancel(ctx, tx, twin.ID) })
		if err := k.retry(dead); err != nil {
			t.Fatal(err)
		}
		k.is(dead, job.Queued, 0)
		if !addFor(k, settle, payment{}, job.Unique("p")).Twin {
			t.Error("a job that is retried does not hold its key")
		}
		fail = nil
		k.due(r)
		k.is(dead, job.Done, 1)

		for id, want := range map[string]error{dead: nil, other: nil, "job_unknown": job.ErrNotFound} {
			if err := k.discard(id); !errors.Is(err, want) {
				t.Errorf("discard %s: %v", id, err)
			}
			if err := k.discard(id); !errors.Is(err, job.ErrNotFound) {
				t.Errorf("discard %s again: %v", id, err)
			}
			if err := k.retry(id); !errors.Is(err, job.ErrNotFound) {
				t.Errorf("retry %s when it is gone: %v", id, err)
			}
		}
	})
}

// TestWhatTheStateForbids tries everything on a job in each state.
func TestWhatTheStateForbids(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		h := newHand()
		r := k.stepped(nil, job.On(settle, h.run, job.Attempts(2), job.Backoff(time.Hour, time.Hour)))
		end := func(err error) {
			t.Helper()
			h.outcome <- err
			k.await(func() bool { return r.Ended() == 1 }, "the end")
			k.step(r)
		}
		for state, c := range map[job.State]struct {
			attempt                int
			cancel, retry, discard error
		}{
			job.Scheduled: {0, nil, nil, job.ErrState},
			job.Queued:    {0, nil, nil, job.ErrState},
			job.Running:   {1, nil, job.ErrState, job.ErrState},
			job.Retrying:  {1, nil, nil, job.ErrState},
			job.Done:      {1, job.ErrState, job.ErrState, nil},
			job.Dead:      {1, job.ErrState, nil, nil},
			job.Cancelled: {0, job.ErrState, nil, nil},
		} {
			for what, try := range map[string]struct {
				do   func(ctx context.Context, tx *db.Tx, id string) error
				want error
			}{"cancel": {job.Cancel, c.cancel}, "retry": {job.Retry, c.retry}, "discard": {job.Discard, c.discard}} {
				var options []job.AddOption
				if state == job.Scheduled {
					options = append(options, job.After(time.Hour))
				}
				id := add(k, settle, payment{}, options...)
				if state != job.Queued && state != job.Scheduled && state != job.Cancelled {
					k.step(r)
					receive(t, h.begun, "the run")
				}
				switch state {
				case job.Queued, job.Scheduled, job.Running:
				case job.Done:
					end(nil)
				case job.Dead:
					end(job.Permanent(errors.New("no")))
				case job.Retrying:
					end(errors.New("no"))
				case job.Cancelled:
					k.tx(func(ctx context.Context, tx *db.Tx) error { return job.Cancel(ctx, tx, id) })
				}
				k.is(id, state, c.attempt)
				err := k.try(func(ctx context.Context, tx *db.Tx) error { return try.do(ctx, tx, id) })
				if !errors.Is(err, try.want) {
					t.Errorf("%s of a job that is %s: got %v, want %v", what, state, err, try.want)
				}
				if state == job.Running {
					end(nil)
				}
				if _, err := db.Exec(t.Context(), k.db, `DELETE FROM ashlar_jobs`); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestList(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		var settles, all []string
		for range 5 {
			settles = append(settles, add(k, settle, payment{}))
			all = append(all, settles[len(settles)-1], add(k, notify, payment{}, job.After(time.Hour)))
		}
		slices.Reverse(settles)
		slices.Reverse(all)
		ids := func(f job.Filter) (ids []string) {
			t.Helper()
			list, err := job.List(t.Context(), k.db, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range list {
				ids = append(ids, i.ID)
			}
			return ids
		}
		for name, c := range map[string]struct{ got, want []string }{
			"all":       {ids(job.Filter{}), all},
			"of one":    {ids(job.Filter{Queue: "payment.settle"}), settles},
			"queued":    {ids(job.Filter{State: job.Queued}), settles},
			"a page":    {ids(job.Filter{Limit: 3}), all[:3]},
			"the next":  {ids(job.Filter{Limit: 3, Before: all[2]}), all[3:6]},
			"of a kind": {ids(job.Filter{Queue: "payment.settle", State: job.Scheduled}), nil},
			"none":      {ids(job.Filter{Queue: "payment.other"}), nil},
		} {
			if !slices.Equal(c.got, c.want) {
				t.Errorf("%s: got %v, want %v", name, c.got, c.want)
			}
		}
		for _, state := range job.States() {
			ids(job.Filter{State: state})
		}
		for _, f := range []job.Filter{{State: "odd"}, {Limit: -1}, {Limit: 1001}} {
			if _, err := job.List(t.Context(), k.db, f); err == nil {
				t.Errorf("%+v is answered", f)
			}
		}
	})
}

func TestStats(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		h := newHand()
		r := k.stepped(nil, job.On(settle, h.run, job.Concurrency(1), job.Backoff(1000*time.Hour, 1000*time.Hour)), job.On(notify, h.run))
		end := func(err error) {
			h.outcome <- err
			k.await(func() bool { return r.Ended() == 1 }, "the end")
			k.step(r)
		}
		for _, outcome := range []error{nil, errors.New("again"), job.Permanent(errors.New("no"))} {
			add(k, settle, payment{})
			k.step(r)
			receive(t, h.begun, "the run")
			end(outcome)
		}
		add(k, settle, payment{}) // which runs
		k.step(r)
		receive(t, h.begun, "the run")
		add(k, settle, payment{}, job.After(time.Minute))
		add(k, settle, payment{}, job.Low)
		k.clock.advance(10 * time.Second)
		add(k, settle, payment{}, job.High)
		k.clock.advance(5 * time.Second)
		k.step(r)
		r.Stats()
		k.clock.advance(5 * time.Second)
		k.step(r)

		s := r.Stats()
		if !s.At.Equal(k.clock.now()) || len(s.Queues) != 2 {
			t.Fatalf("got %+v", s)
		}
		got := s.Queues[0]
		if got.Queue != "payment.settle" || got.Queued != 2 || got.Scheduled != 1 || got.Retrying != 1 || got.Running != 1 || got.Dead != 1 || got.Oldest != 20*time.Second {
			t.Errorf("got %+v", got)
		}
		if got.Runs[job.WasDone] != 1 || got.Runs[job.WasRetried] != 1 || got.Runs[job.WasDead] != 1 {
			t.Errorf("the runs are %v", got.Runs)
		}
		if other := s.Queues[1]; other.Queued+other.Scheduled+other.Retrying+other.Running+other.Dead != 0 || other.Oldest != 0 {
			t.Errorf("the other queue has %+v", other)
		}
		h.outcome <- nil
	})
}
