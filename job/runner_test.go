package job_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/job"
	"github.com/ashlar-go/ashlar/trace"
	"github.com/ashlar-go/ashlar/work"
)

func TestAJobRunsAfterTheCommit(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		got := make(chan payment, 1)
		k.start(k.runner(func(c *job.Config) { c.Poll, c.Now = time.Hour, nil }, job.On(settle, func(_ context.Context, p payment) error {
			got <- p
			return nil
		})))
		id := add(k, settle, payment{"p1", 7})
		if p := receive(t, got, "the job"); p != (payment{"p1", 7}) {
			t.Errorf("got %+v", p)
		}
		info := k.gets(id, job.Done)
		if info.Attempt != 1 || info.Attempts != job.DefaultAttempts || info.StartedAt.IsZero() || info.EndedAt.Before(info.StartedAt) || info.Error != "" {
			t.Errorf("it is %+v", info)
		}
	})
}

// TestAttempts: a job that fails is tried again after its pause, until it works
// or has no attempt left.
func TestAttempts(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		fails := 2
		r := k.runner(nil, job.On(settle, func(ctx context.Context, p payment) error {
			if run, ok := job.Current(ctx); !ok || run.Queue != "payment.settle" || run.Attempts != 3 {
				t.Errorf("runs as %+v, %t", run, ok)
			}
			if fails--; fails >= 0 {
				return fmt.Errorf("no answer %d", fails)
			}
			return nil
		}, job.Attempts(3), job.Backoff(time.Minute, time.Hour)))

		id := add(k, settle, payment{ID: "p"})
		due := func(ahead time.Duration, runs int) {
			t.Helper()
			k.clock.advance(ahead)
			if n, err := r.RunDue(t.Context(), 0); n != runs || err != nil {
				t.Errorf("%d runs, %v; want %d", n, err, runs)
			}
		}
		due(0, 1)
		info := k.is(id, job.Retrying, 1)
		if info.Error != "no answer 1" || info.DueAt.After(k.clock.now().Add(time.Minute)) {
			t.Errorf("waits as %+v", info)
		}
		due(time.Minute, 1)
		info = k.is(id, job.Retrying, 2)
		if info.DueAt.After(k.clock.now().Add(2 * time.Minute)) {
			t.Errorf("waits as %+v", info)
		}
		due(2*time.Minute, 1)
		k.is(id, job.Done, 3)

		fails = 100
		id = add(k, settle, payment{})
		for range 5 {
			k.clock.advance(time.Hour)
			if _, err := r.RunDue(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
		if info = k.is(id, job.Dead, 3); info.EndedAt.IsZero() || !strings.HasPrefix(info.Error, "no answer") {
			t.Errorf("is dead as %+v", info)
		}
		k.logged(`"level":"ERROR"`, id, `"outcome":"dead"`, "no answer", `"attempt":3`)
	})
}

func TestHowAHandlerFails(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		broken := errors.New("broken")
		var fail func(ctx context.Context) error
		r := k.runner(nil, job.On(settle, func(ctx context.Context, _ payment) error { return fail(ctx) }, job.Timeout(2*time.Second), job.Attempts(2)))
		for name, c := range map[string]struct {
			fail  func(ctx context.Context) error
			state job.State
			says  string
			logs  []string
		}{
			"for good":            {func(context.Context) error { return fmt.Errorf("no: %w", job.Permanent(broken)) }, job.Dead, "no: broken", []string{`"level":"ERROR"`}},
			"with a time to wait": {func(context.Context) error { return job.RetryAfter(time.Hour, broken) }, job.Retrying, "broken", []string{`"retry_in"`}},
			"by a panic":          {func(context.Context) error { panic("oh") }, job.Retrying, "panic: oh", []string{`"level":"ERROR"`, `"stack":"goroutine `, "runner_test.go"}},
			"by a nil pointer":    {func(context.Context) error { return missing(nil) }, job.Retrying, "panic: runtime error: invalid memory", nil},
			"by Goexit":           {func(context.Context) error { runtime.Goexit(); return nil }, job.Retrying, "ended its goroutine", nil},
			"too slowly":          {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, job.Retrying, "the time of 2s was over: context deadline exceeded", nil},
			"with a long text":    {func(context.Context) error { return errors.New(strings.Repeat("ü", 5000)) }, job.Retrying, "üü…", nil},
			"with no text at all": {func(context.Context) error { return errors.New("\x00\xff") }, job.Retrying, "\ufffd\ufffd", nil},
		} {
			fail = c.fail
			id := add(k, settle, payment{})
			if n, err := r.RunDue(t.Context(), 0); n != 1 || err != nil {
				t.Fatalf("%s: %d runs, %v", name, n, err)
			}
			info := k.is(id, c.state, 1)
			if !strings.Contains(info.Error, c.says) || len(info.Error) > 2000 {
				t.Errorf("%s: the job says %q", name, info.Error)
			}
			k.logged(append(c.logs, id)...)
			if name == "with a time to wait" && !info.DueAt.Equal(k.clock.now().Add(time.Hour)) {
				t.Errorf("%s: it waits until %s", name, info.DueAt)
			}
			if c.state != job.Dead {
				k.tx(func(ctx context.Context, tx *db.Tx) error { return job.Cancel(ctx, tx, id) })
			}
		}
		if job.Permanent(nil) != nil || job.RetryAfter(1, nil) != nil {
			t.Error("nothing failed, and yet it did")
		}
	})
}

func missing(p *payment) error { return errors.New(p.ID) }

// TestAPayloadThatDoesNotRead is a dead letter at once, which says why and not
// what there was.
func TestAPayloadThatDoesNotRead(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		r := k.runner(nil, job.On(settle, func(context.Context, payment) error { t.Error("ran"); return nil }))
		for payload, reason := range map[string]string{
			`{"id":"p","amount":"4242"}`:  `member "amount" is no int64`,
			`{"id":"p","amount":4242.75}`: `member "amount" is no int64`,
			`[4242]`:                      `member "(all)" is no job_test.payment`,
			`{"id":4242`:                  "it is no JSON from byte 10 on",
		} {
			id := add(k, job.Queue[json.RawMessage](settle), json.RawMessage(`{}`))
			if _, err := db.Exec(t.Context(), k.db, `UPDATE ashlar_jobs SET payload = $1 WHERE id = $2`, payload, id); err != nil {
				t.Fatal(err)
			}
			if n, err := r.RunDue(t.Context(), 0); n != 1 || err != nil {
				t.Fatalf("%d runs, %v", n, err)
			}
			if info := k.is(id, job.Dead, 1); !strings.Contains(info.Error, reason) || strings.Contains(info.Error, "4242") {
				t.Errorf("%s: %s", payload, info.Error)
			}
		}
		// What is new or gone in the type is no reason.
		id := add(k, job.Queue[map[string]any](notify), map[string]any{"gone": 1})
		r = k.runner(nil, job.On(notify, func(_ context.Context, p payment) error { return nil }))
		if _, err := r.RunDue(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		k.is(id, job.Done, 1)
	})
}

func TestTheOrderOfAQueue(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		var ran []string
		r := k.runner(nil, job.On(settle, func(_ context.Context, p payment) error { ran = append(ran, p.ID); return nil }))
		for _, c := range []struct {
			id      string
			options []job.AddOption
		}{
			{"low", []job.AddOption{job.Low}},
			{"first", nil},
			{"later", []job.AddOption{job.After(time.Minute)}},
			{"second", nil},
			{"high later", []job.AddOption{job.After(2 * time.Minute), job.High}},
			{"high", []job.AddOption{job.High}},
		} {
			add(k, settle, payment{ID: c.id}, c.options...)
			k.clock.advance(time.Millisecond)
		}
		k.clock.advance(time.Minute)
		if _, err := r.RunDue(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := r.RunDue(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		if want := []string{"high", "first", "second", "later", "low", "high later"}; !slices.Equal(ran, want) {
			t.Errorf("ran %q, want %q", ran, want)
		}
	})
}

// TestPlaces: no more run at once than a queue, and a process, may.
func TestPlaces(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		var narrow, wide, first, total atomic.Int64
		var mu sync.Mutex
		most, all := 0, 0
		count := func(change int) {
			mu.Lock()
			defer mu.Unlock()
			all += change
			most = max(most, all)
		}
		var together sync.WaitGroup
		together.Add(3)
		handler := func(now *atomic.Int64, bound int64) func(context.Context, payment) error {
			return func(context.Context, payment) error {
				if n := now.Add(1); n > bound {
					t.Errorf("%d run at once, want at most %d", n, bound)
				}
				count(1)
				if first.Add(1) <= 3 { // three must meet, or nothing goes on
					together.Done()
					together.Wait()
				}
				time.Sleep(time.Millisecond) // so that others meet too
				count(-1)
				now.Add(-1)
				total.Add(1)
				return nil
			}
		}
		k.start(k.runner(func(c *job.Config) { c.Workers, c.Now = 5, nil },
			job.On(settle, handler(&narrow, 2), job.Concurrency(2)), job.On(notify, handler(&wide, 3))))
		for range 40 {
			add(k, settle, payment{})
			add(k, notify, payment{})
		}
		k.await(func() bool { return total.Load() == 80 }, "all jobs")
		mu.Lock()
		defer mu.Unlock()
		if most > 5 || most < 3 {
			t.Errorf("%d ran at once, want 3 to 5", most)
		}
	})
}

// TestTenWorkersShare: ten processes that race for jobs run each of them once.
func TestTenWorkersShare(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		const jobs = 600
		var mu sync.Mutex
		ran, total := map[string]int{}, 0
		for range 10 {
			k.start(k.runner(func(c *job.Config) { c.Poll, c.Now, c.Workers = 20*time.Millisecond, nil, 4 }, job.On(settle, func(ctx context.Context, _ payment) error {
				run, _ := job.Current(ctx)
				mu.Lock()
				defer mu.Unlock()
				ran[run.ID]++
				total++
				return nil
			})))
		}
		for range 3 {
			k.tx(func(ctx context.Context, tx *db.Tx) error {
				for range jobs / 3 {
					if err := settle.Add(ctx, tx, payment{}); err != nil {
						return err
					}
				}
				return nil
			})
		}
		k.await(func() bool {
			n, err := db.One[int](t.Context(), k.db, `SELECT count(*) FROM ashlar_jobs WHERE state = 'done' AND attempt = 1`)
			return n == jobs && err == nil
		}, "all jobs")
		mu.Lock()
		defer mu.Unlock()
		if total != jobs || len(ran) != jobs {
			t.Errorf("%d jobs ran %d times", len(ran), total)
		}
	})
}

// TestInTotal: three processes together run no more of a queue than it bears.
func TestInTotal(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		var now, total atomic.Int64
		const jobs = 30
		for range 3 {
			k.start(k.runner(func(c *job.Config) { c.Poll, c.Now = 10*time.Millisecond, nil }, job.On(settle, func(context.Context, payment) error {
				if n := now.Add(1); n > 2 {
					t.Errorf("%d run at once, want at most 2", n)
				}
				time.Sleep(time.Millisecond)
				now.Add(-1)
				total.Add(1)
				return nil
			}, job.InTotal(2))))
		}
		for range jobs {
			add(k, settle, payment{})
		}
		k.await(func() bool { return total.Load() == jobs }, "all jobs")
	})
}

// TestComputingJobsTakeTheirTurn: while the pool is full a job goes back, and
// no attempt is counted.
func TestComputingJobsTakeTheirTurn(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		pool := work.New(work.Config{Slots: 1, Queue: -1})
		r := k.runner(func(c *job.Config) { c.Pool = pool }, job.On(settle, func(context.Context, payment) error {
			if s := pool.Stats(); s.Running != 1 {
				t.Errorf("runs outside of the pool: %+v", s)
			}
			return nil
		}, job.CPU()))
		if err := pool.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := add(k, settle, payment{})
		if _, err := r.RunDue(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		k.is(id, job.Scheduled, 0)
		pool.Leave()
		if _, err := r.RunDue(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		k.is(id, job.Done, 1)
		if s := pool.Stats(); s.Running != 0 {
			t.Errorf("the pool is left as %+v", s)
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		cancel := func(id string) error {
			return k.try(func(ctx context.Context, tx *db.Tx) error { return job.Cancel(ctx, tx, id) })
		}
		begun := make(chan string)
		handler := func(ctx context.Context, p payment) error {
			begun <- p.ID
			<-ctx.Done()
			if cause := context.Cause(ctx); cause != job.ErrCancelled {
				t.Errorf("ctx ended for %v", cause)
			}
			if p.ID == "finishes" {
				return nil
			}
			return ctx.Err()
		}
		id := add(k, settle, payment{}, job.Unique("k"))
		if err := cancel(id); err != nil {
			t.Fatal(err)
		}
		k.is(id, job.Cancelled, 0)
		if err := cancel(id); !errors.Is(err, job.ErrState) {
			t.Errorf("to cancel it again is %v", err)
		}
		if err := cancel("job_unknown"); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("to cancel what is not there is %v", err)
		}
		if addFor(k, settle, payment{}, job.Unique("k"), job.After(time.Hour)).Twin {
			t.Error("a cancelled job keeps its twins out")
		}

		// One that runs, cancelled by another process: only polling tells.
		k.start(k.runner(func(c *job.Config) { c.Poll, c.Now = 5*time.Millisecond, nil }, job.On(settle, handler)))
		for what, want := range map[string]job.State{"stops": job.Cancelled, "finishes": job.Done} {
			id := add(k, settle, payment{ID: what})
			receive(t, begun, "the job")
			if _, err := db.Exec(t.Context(), k.db, `UPDATE ashlar_jobs SET cancel_at = 1 WHERE id = $1`, id); err != nil {
				t.Fatal(err)
			}
			k.gets(id, want)
		}
		// And by this one, at once.
		k.start(k.runner(func(c *job.Config) { c.Poll, c.Now = time.Hour, nil }, job.On(notify, handler)))
		id = add(k, notify, payment{})
		receive(t, begun, "the job")
		if err := cancel(id); err != nil {
			t.Fatal(err)
		}
		if err := cancel(id); err != nil && !errors.Is(err, job.ErrState) {
			t.Errorf("to cancel it again is %v", err)
		}
		k.gets(id, job.Cancelled)
	})
}

func TestReportAndResult(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		begun, release := make(chan bool), make(chan bool)
		r := k.stepped(nil, job.On(settle, func(ctx context.Context, p payment) error {
			job.Report(ctx, 1, 10, "rows\x00"+strings.Repeat("x", 300))
			if err := job.Result(ctx, make(chan int)); err == nil {
				t.Error("a channel is a result")
			}
			if err := job.Result(ctx, strings.Repeat("x", job.MaxResult)); err == nil {
				t.Error("a result of any size is kept")
			}
			begun <- true
			<-release
			job.Report(ctx, 9, 10, "almost")
			return job.Result(ctx, map[string]int{"rows": 10})
		}))
		id := add(k, settle, payment{})
		k.step(r)
		receive(t, begun, "the job")
		k.clock.advance(time.Second)
		k.step(r)
		info := k.is(id, job.Running, 1)
		if info.Done != 1 || info.Total != 10 || len(info.Note) > 200 || !strings.HasPrefix(info.Note, "rows\ufffdxxx") {
			t.Errorf("while it runs it says %+v", info)
		}
		close(release)
		k.await(func() bool { return r.Ended() == 1 }, "the end")
		k.step(r)
		info = k.is(id, job.Done, 1)
		if info.Done != 9 || info.Note != "almost" || string(info.Result) != `{"rows":10}` {
			t.Errorf("in the end it says %+v", info)
		}

		job.Report(t.Context(), 1, 1, "outside") // does nothing
		if err := job.Result(t.Context(), 1); err == nil {
			t.Error("outside of a job there is a result")
		}
		if _, ok := job.Current(t.Context()); ok {
			t.Error("outside of a job there is one")
		}
	})
}

// TestProgressStays: what a run has reported is shown until another one reports.
func TestProgressStays(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		run := 0
		r := k.stepped(nil, job.On(settle, func(ctx context.Context, _ payment) error {
			run++
			switch run {
			case 1:
				job.Report(ctx, 7, 10, "rows")
				return errors.New("the network is away")
			case 2:
				return errors.New("the database is away")
			}
			job.Report(ctx, 8, 10, "")
			return nil
		}, job.Backoff(time.Second, time.Second)))
		id := add(k, settle, payment{})
		for ended, want := range []int64{7, 7, 8} {
			var info job.Info
			k.await(func() bool {
				k.step(r)
				info = k.get(id)
				return info.Attempt == ended+1 && info.State != job.Running
			}, "the end of a run")
			if info.Done != want || info.Total != 10 {
				t.Errorf("after run %d it says %+v", ended+1, info)
			}
			k.clock.advance(2 * time.Second)
		}
	})
}

// TestComplete: the effect commits with the job's end, however the handler ends
// afterwards.
func TestComplete(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		if _, err := db.Exec(t.Context(), k.db, `CREATE TABLE effects (id TEXT NOT NULL)`); err != nil {
			t.Fatal(err)
		}
		refused := errors.New("refused")
		handler := func(ctx context.Context, p payment) error {
			_, err := db.InTx(ctx, k.db, func(tx *db.Tx) (struct{}, error) {
				_, err := db.Exec(ctx, tx, `INSERT INTO effects (id) VALUES ($1)`, p.ID)
				err = errors.Join(err, job.Complete(ctx, tx))
				if run, _ := job.Current(ctx); p.ID == "rolled back" && run.Attempt == 1 {
					err = errors.Join(err, refused)
				}
				return struct{}{}, err
			})
			if err == nil && p.ID == "fails late" {
				return errors.New("too late to matter")
			}
			return err
		}
		r := k.runner(nil, job.On(settle, handler, job.Backoff(1, 1)), job.On(notify, handler, job.Keep(0)))
		ids := map[string]string{}
		for _, what := range []string{"plain", "rolled back", "fails late"} {
			ids[what] = add(k, settle, payment{ID: what})
		}
		gone := add(k, notify, payment{ID: "not kept"})
		for range 3 {
			k.clock.advance(time.Second)
			if _, err := r.RunDue(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
		k.is(ids["plain"], job.Done, 1)
		k.is(ids["rolled back"], job.Done, 2)
		k.is(ids["fails late"], job.Done, 1)
		if _, err := job.Get(t.Context(), k.db, gone); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("a job that is not kept is there: %v", err)
		}
		if n, err := db.One[int](t.Context(), k.db, `SELECT count(*) FROM effects`); n != 4 || err != nil {
			t.Errorf("%d effects of 4 jobs, %v", n, err)
		}
		err := k.try(job.Complete)
		if err == nil {
			t.Error("outside of a job one is completed")
		}
		if n := r.Stats().Queues[0].Runs[job.WasDone]; n != 3 {
			t.Errorf("%d runs count as done, want 3", n)
		}
	})
}

// TestDrain: running jobs may end within the grace; those that do not go back,
// and their attempt does not count.
func TestDrain(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		begun, release := make(chan bool), make(chan bool)
		handler := func(ctx context.Context, p payment) error {
			begun <- true
			switch p.ID {
			case "ends in time":
				<-release
				return nil
			case "obeys":
				<-ctx.Done()
				if context.Cause(ctx) != job.ErrDraining {
					t.Errorf("ctx ended for %v", context.Cause(ctx))
				}
				return ctx.Err()
			case "ends after all":
				<-ctx.Done()
				return nil
			default: // does not obey
				<-release
				return errors.New("nobody hears this")
			}
		}
		first := k.runner(func(c *job.Config) { c.Grace, c.Now = 3*time.Second, nil }, job.On(settle, handler, job.Concurrency(8)))
		stop := k.start(first)
		ids := map[string]string{}
		for _, what := range []string{"ends in time", "obeys", "ends after all"} {
			ids[what] = add(k, settle, payment{ID: what})
			receive(t, begun, what)
		}
		go func() { release <- true }()
		stop()
		k.is(ids["ends in time"], job.Done, 1)
		k.is(ids["ends after all"], job.Done, 1)
		k.is(ids["obeys"], job.Queued, 0)

		stop = k.start(k.runner(func(c *job.Config) { c.Grace, c.Now = -1, nil }, job.On(notify, handler)))
		id := add(k, notify, payment{ID: "does not obey"})
		receive(t, begun, "the job")
		stop()
		k.is(id, job.Queued, 0)
		close(release)

		done := make(chan bool, 2)
		k.start(k.runner(func(c *job.Config) { c.Now = nil },
			job.On(settle, func(context.Context, payment) error { done <- true; return nil }),
			job.On(notify, func(context.Context, payment) error { done <- true; return nil })))
		receive(t, done, "the next process")
		receive(t, done, "the next process")
		k.gets(ids["obeys"], job.Done)
		k.gets(id, job.Done)
	})
}

// TestTheTraceGoesOn: a job's log lines and spans are of the trace that added it.
func TestTheTraceGoesOn(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		exported := &exporter{}
		tracer := trace.NewTracer(trace.Options{Exporter: exported, Sampler: trace.Ratio(0).ParentBased()})
		tc := trace.New().WithSampled(true)
		var inside trace.Context
		r := k.runner(nil, job.On(settle, func(ctx context.Context, _ payment) error {
			inside = trace.From(ctx)
			_, span := trace.Start(ctx, "step")
			span.End()
			return errors.New("failed")
		}))
		k.tx(func(ctx context.Context, tx *db.Tx) error { return settle.Add(trace.With(ctx, tc), tx, payment{}) })
		if _, err := r.RunDue(trace.WithTracer(t.Context(), tracer), 0); err != nil {
			t.Fatal(err)
		}
		if err := tracer.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if inside.TraceID != tc.TraceID || inside.SpanID == tc.SpanID {
			t.Errorf("inside it is %s of %s", inside.SpanIDString(), inside.TraceIDString())
		}
		k.logged(`"outcome":"retried"`, `"trace_id":"`+tc.TraceIDString()+`"`)
		if names := exported.names(); !slices.Equal(names, []string{"job payment.settle", "step"}) || exported.spans[0].parent != tc.SpanID || !exported.spans[0].failed {
			t.Errorf("exported %v %+v", names, exported.spans)
		}

		// One that nobody traced gets a trace of its own.
		other := k.runner(nil, job.On(notify, func(ctx context.Context, _ payment) error { inside = trace.From(ctx); return nil }))
		add(k, notify, payment{})
		if _, err := other.RunDue(t.Context(), 0); err != nil || !inside.Valid() || inside.TraceID == tc.TraceID {
			t.Errorf("inside it is %+v, %v", inside, err)
		}
	})
}

type exporter struct {
	mu    sync.Mutex
	spans []exportedSpan
}

type exportedSpan struct {
	name   string
	parent [8]byte
	failed bool
}

func (e *exporter) Export(_ context.Context, spans []*trace.Record) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range spans {
		e.spans = append(e.spans, exportedSpan{s.Name, s.Parent, s.Error != ""})
	}
	return nil
}

func (e *exporter) Close(context.Context) error { return nil }

func (e *exporter) names() (list []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.spans {
		list = append(list, s.name)
	}
	return list
}

// TestIdleCostsAlmostNothing counts what a runner with nothing to do asks of the
// database: one statement that reads each Poll, and a few each minute.
func TestIdleCostsAlmostNothing(t *testing.T) {
	t.Parallel()
	d := openSQLite(t)
	var reads, writes atomic.Int64
	d.Watch(func(_ context.Context, e db.Event) {
		switch e.Step {
		case db.Query:
			reads.Add(1)
		case db.Transaction, db.Statement:
			writes.Add(1)
		}
	})
	k := newKit(t, d)
	r := k.stepped(nil,
		job.On(settle, func(context.Context, payment) error { return nil }),
		job.On(notify, func(context.Context, payment) error { return nil }),
		job.On(tidy, func(context.Context, struct{}) error { return nil }, job.Cron("0 3 1 1 *", "UTC")))
	for range 5 {
		k.step(r)
	}
	reads.Store(0)
	writes.Store(0)
	steps := 0
	for end := k.clock.now().Add(time.Hour); k.clock.now().Before(end); steps++ {
		k.clock.advance(max(r.Idle(), time.Millisecond))
		if err := r.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if reads.Load() > 3700 || writes.Load() > 130 || steps > 3800 {
		t.Errorf("an idle hour takes %d reads and %d writes in %d steps; want a read each second and a write each minute", reads.Load(), writes.Load(), steps)
	}
}

func TestOnlyOneRunAtATime(t *testing.T) {
	t.Parallel()
	k := newKit(t, openSQLite(t))
	begun, release := make(chan bool), make(chan bool)
	r := k.runner(func(c *job.Config) { c.Now = nil }, job.On(settle, func(context.Context, payment) error {
		begun <- true
		<-release
		return nil
	}))
	k.start(r)
	add(k, settle, payment{})
	receive(t, begun, "the job")
	if err := r.Run(t.Context()); err == nil {
		t.Error("it runs twice")
	}
	if _, err := r.RunDue(t.Context(), 0); err == nil {
		t.Error("it runs beside itself")
	}
	close(release)
}

// TestRunDueEndsWithItsContext: what runs is told to stop and goes back.
func TestRunDueEndsWithItsContext(t *testing.T) {
	t.Parallel()
	k := newKit(t, openSQLite(t))
	ctx, cancel := context.WithCancel(t.Context())
	r := k.runner(func(c *job.Config) { c.Grace = -1 }, job.On(settle, func(ctx context.Context, _ payment) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}))
	id := add(k, settle, payment{})
	if _, err := r.RunDue(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	k.is(id, job.Queued, 0)
}

func TestObserve(t *testing.T) {
	t.Parallel()
	k := newKit(t, openSQLite(t))
	var seen []job.Observation
	r := k.runner(func(c *job.Config) { c.Observe = func(o job.Observation) { seen = append(seen, o) } },
		job.On(settle, func(ctx context.Context, p payment) error {
			k.clock.advance(2 * time.Second)
			return map[string]error{"dies": job.Permanent(fault.ErrDenied)}[p.ID]
		}))
	add(k, settle, payment{}, job.After(time.Minute))
	add(k, settle, payment{ID: "dies"}, job.After(time.Minute))
	k.clock.advance(time.Minute + 5*time.Second)
	if _, err := r.RunDue(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	want := []job.Observation{{"payment.settle", job.WasDone, 2 * time.Second, 5 * time.Second}, {"payment.settle", job.WasDead, 2 * time.Second, 7 * time.Second}}
	if !slices.Equal(seen, want) {
		t.Errorf("saw %+v, want %+v", seen, want)
	}
}

// TestTheDatabaseFails: the runner says so once, and goes on when it is back.
func TestTheDatabaseFails(t *testing.T) {
	t.Parallel()
	k := newKit(t, openSQLite(t))
	done := make(chan bool)
	k.start(k.runner(func(c *job.Config) { c.Now, c.Poll = nil, 10*time.Millisecond }, job.On(settle, func(context.Context, payment) error { done <- true; return nil })))
	add(k, settle, payment{})
	receive(t, done, "the first job")
	if _, err := db.Exec(t.Context(), k.db, `ALTER TABLE ashlar_jobs RENAME TO elsewhere`); err != nil {
		t.Fatal(err)
	}
	k.await(func() bool { return strings.Contains(k.log.String(), "the database fails") }, "the log to tell")
	if _, err := db.Exec(t.Context(), k.db, `ALTER TABLE elsewhere RENAME TO ashlar_jobs`); err != nil {
		t.Fatal(err)
	}
	add(k, settle, payment{})
	receive(t, done, "the second job")
	k.await(func() bool { return strings.Contains(k.log.String(), "the database is back") }, "the log to tell")
	if n := strings.Count(k.log.String(), "the database fails"); n != 1 {
		t.Errorf("the log tells it %d times", n)
	}
}

func TestJitter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		attempt int
		bound   time.Duration
	}{{1, time.Second}, {2, 2 * time.Second}, {5, 16 * time.Second}, {12, 2048 * time.Second}, {13, time.Hour}, {100, time.Hour}} {
		low, high := c.bound, time.Duration(0)
		for range 2000 {
			d := job.Jitter(c.attempt, time.Second, time.Hour)
			low, high = min(low, d), max(high, d)
		}
		if high > c.bound || high < c.bound*9/10 || low > c.bound/10 {
			t.Errorf("the pauses after attempt %d go from %s to %s, want zero to %s", c.attempt, low, high, c.bound)
		}
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{1: "($3)", 2: "($3, $4)", 3: "($3, $4, $5, $6)"} {
		text, args := job.Parameters(3, strings.Split("abc"[:n], ""))
		if text != want || len(args) != strings.Count(want, "$") || args[len(args)-1] != "abc"[n-1:n] {
			t.Errorf("%d values are %s of %v", n, text, args)
		}
	}
}
