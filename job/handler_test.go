package job_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/job"
)

// TestMistakesAreReportedTogether: each with its file and line.
func TestMistakesAreReportedTogether(t *testing.T) {
	t.Parallel()
	fine := func(context.Context, payment) error { return nil }
	const bad job.Queue[payment] = "payment.Settle"
	const loop job.Queue[chan int] = "payment.loop"
	err := job.Check([]job.Handler{
		{},
		job.On(settle, fine),
		job.On(settle, fine),
		job.On(notify, nil),
		job.On(bad, fine),
		job.On(loop, func(context.Context, chan int) error { return nil }),
		job.On(job.Queue[payment](""), fine),
		job.On(job.Queue[payment]("a"), fine, job.Attempts(0), job.Timeout(0), job.Concurrency(-1), job.InTotal(1001), job.Keep(-1),
			job.Backoff(2, 1), job.Backoff(0, 1), job.Attempts(101), job.Timeout(25*time.Hour)),
		job.On(job.Queue[payment]("b"), fine, job.Cron("0 3 * *", "UTC"), job.Cron("0 3 * * *", "Europe/Atlantis"), job.Cron("0 3 * * *", ""),
			job.Cron("0 3 * * *", "Local"), job.Cron("0 0 30 2 *", "UTC"), job.Every(time.Millisecond), job.Every(366*24*time.Hour+1),
			job.Every(time.Minute), job.Every(60*time.Second), job.Every(time.Hour, job.SkipLate(0)), job.Cron("0 0 * * *"+strings.Repeat(" ", 200), "UTC")),
	})
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{
		"a job.Handler is the zero value",
		"payment.settle: the queue has a handler already, at job/handler_test.go:",
		"payment.notify: has no function",
		`payment.Settle: the queue's name is not of the form "payment.settle"`,
		"payment.loop: a chan int cannot be kept as JSON",
		"unnamed queue: the queue's name is not of the form",
		"a: Attempts(0): must be from 1 to 100",
		"a: Attempts(101)",
		"a: Timeout(0s): must be above 0 and at most 24h0m0s",
		"a: Timeout(25h0m0s)",
		"a: Concurrency(-1): must be from 1 to 1000",
		"a: InTotal(1001)",
		"a: Keep(-1ns): must not be negative",
		"a: Backoff(2ns, 1ns)",
		"a: Backoff(0s, 1ns)",
		`b: Cron: cron expression "0 3 * *": has 4 fields`,
		`b: Cron("0 3 * * *", "Europe/Atlantis"): the time zone is not known`,
		`b: Cron("0 3 * * *", ""): the time zone`,
		`b: Cron("0 3 * * *", "Local"): the time zone`,
		`b: Cron: cron expression "0 0 30 2 *": never happens`,
		"b: Every(1ms): must be from 1s",
		"b: Every(8784h0m0.000000001s)",
		"b: every 1m0s: is said twice",
		"b: every 1h0m0s: SkipLate(0s)",
		"is longer than 200 bytes",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not reported: %s", want)
		}
	}
	place := regexp.MustCompile(`^job/handler_test\.go:\d+: `)
	for line := range strings.Lines(err.Error()) {
		if !place.MatchString(line) && !strings.Contains(line, "zero value") {
			t.Errorf("has no place: %s", line)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestARunnerIsRefused(t *testing.T) {
	t.Parallel()
	_, err := job.New(job.Config{
		Workers: -1, Poll: -1, Lease: -1, KeepDead: -1,
		Handlers: []job.Handler{{}, job.On(settle, func(context.Context, payment) error { return nil }, job.CPU())},
	})
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{"needs a database", "Workers must not", "Poll must not", "Lease must not", "KeepDead must not", "zero value", "CPU() needs a runner with a Pool"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
