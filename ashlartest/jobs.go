package ashlartest

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/job"
)

// RunJobs runs the jobs that are due, one after another, and those that they
// add, and returns how many runs that were. With ahead it runs them as if it
// were so much later: those that wait for another attempt, and those of
// schedules. A job that fails does not fail the test; [Enqueued] and the app's
// log tell.
func (a *App) RunJobs(ahead time.Duration) int {
	a.t.Helper()
	a.Handler()
	jobs, err := a.Jobs()
	if err != nil || jobs == nil {
		a.t.Fatalf("no module has jobs (%v)", err)
	}
	n, err := jobs.RunDue(a.t.Context(), ahead)
	if err != nil {
		a.t.Fatalf("run jobs: %v", err)
	}
	return n
}

// Enqueued returns the payloads of the jobs that wait in a queue, in the order in
// which they were added.
func Enqueued[P any](a *App, q job.Queue[P]) []P {
	a.t.Helper()
	a.Handler()
	var payloads []P
	for _, state := range []job.State{job.Queued, job.Scheduled, job.Retrying} {
		list, err := job.List(a.t.Context(), a.DB, job.Filter{Queue: string(q), State: state, Limit: 1000})
		if err != nil {
			a.t.Fatal(err)
		}
		for _, j := range slices.Backward(list) {
			var p P
			if err := json.Unmarshal(j.Payload, &p); err != nil {
				a.t.Fatalf("%s: %v", j.ID, err)
			}
			payloads = append(payloads, p)
		}
	}
	return payloads
}
