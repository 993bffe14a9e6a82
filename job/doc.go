// Package job runs work later, and never loses it: a job is a row that commits
// with the transaction that asks for it, or not at all.
//
//	const Settle job.Queue[Payment] = "payment.settle"
//
//	_, err := db.InTx(ctx, d, func(tx *db.Tx) (Payment, error) {
//		…
//		return p, Settle.Add(ctx, tx, p, job.After(time.Hour))
//	})
//
//	runner, err := job.New(job.Config{DB: d, Handlers: []job.Handler{
//		job.On(Settle, settle, job.Attempts(8), job.Timeout(30*time.Second)),
//		job.On(CloseBooks, closeBooks, job.Cron("0 3 * * *", "Europe/Berlin")),
//	}})
//	err = runner.Run(ctx) // until ctx ends; then it drains
//
// The tables are those of [Migrations]. Any number of processes may run jobs of
// one database; on SQLite they take turns at writing.
//
// # What is promised
//
// A job whose transaction committed runs until its handler returns nil, its
// attempts are used up (then it is a dead letter, kept to be looked at, retried
// or discarded) or somebody cancels it. It may run more than once: when a process
// dies in the middle, its jobs are run again, after [Config.Lease] and
// [Config.Poll] at the latest. So effects must bear repetition, or be made in the
// transaction that calls [Complete]: that commits them with the end of the job,
// and fails for every run but one.
//
// A process holds a lease on each job that it runs and renews it; whoever has
// lost it, because it stood still or was cut off, cannot end the job any more.
//
// # Clocks
//
// Times are of the clock of the process that writes them, so clocks should differ
// by much less than [Config.Lease]. What one does that is wrong by more delays
// nothing for long: the pause before another attempt is as long as it was meant
// to be, a schedule goes on with its next tick, and a lease that no clock can be
// trusted with, of the future or of long ago, is over when it was not renewed for
// as long as it is, by a clock that nobody sets. So it is never taken from a
// worker that lives. What stays: a tick may be early, and then come again in its
// time; [At], [After] and [UniqueFor] go by the clock of whoever adds the job; and
// what is over is kept for as much longer or shorter.
//
// Of the jobs that wait in a queue the first to run are those of the highest
// [Priority], and of these the ones that are due the longest. Queues have places
// of their own (see [Concurrency]), so none keeps another waiting for long.
//
// What waits is bounded by the disk alone: to refuse a job would be to lose it.
// Bound what adds jobs, and watch the depth and age of each queue in
// [Runner.Stats].
package job
