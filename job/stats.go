package job

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// Stats is a snapshot of a [Runner].
type Stats struct {
	// At is when the rows were counted; the zero Time before the first count.
	At     time.Time
	Queues []QueueStats // of the runner's handlers, in their order
}

// QueueStats is what is known of a queue. Numbers of jobs are the database's, so
// all processes tell the same; they are counted up to 100 000. Numbers of runs are
// this process's, since its start.
type QueueStats struct {
	Queue     string
	Queued    int64         // could run now
	Scheduled int64         // wait for their time
	Retrying  int64         // wait for another attempt
	Running   int64         // run
	Dead      int64         // have failed for good
	Oldest    time.Duration // how long the job that has waited the longest could have run

	Runs map[Outcome]int64
}

// counts is what Stats tells.
type counts struct {
	mu    sync.Mutex
	asked bool // since the last count
	at    time.Time
	list  []QueueStats
	place map[string]int
}

func (c *counts) declare(queues []*queue) {
	c.asked = true
	c.place = map[string]int{}
	for i, q := range queues {
		c.place[q.spec.queue] = i
		c.list = append(c.list, QueueStats{Queue: q.spec.queue, Runs: map[Outcome]int64{}})
	}
}

func (c *counts) add(queue string, outcome Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.place[queue]; ok {
		c.list[at].Runs[outcome]++
	}
}

// Stats returns a snapshot. Rows are counted every few seconds while somebody
// asks, and not for each call.
func (r *Runner) Stats() Stats {
	c := &r.counts
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = true
	s := Stats{At: c.at, Queues: make([]QueueStats, len(c.list))}
	for i, q := range c.list {
		s.Queues[i], s.Queues[i].Runs = q, maps.Clone(q.Runs)
	}
	return s
}

const (
	countEvery = 5 * time.Second
	countMost  = 100_000
)

// count counts the rows of each queue, unless nobody wants to know.
func (r *Runner) count(ctx context.Context, now time.Time) error {
	r.due.count = now.Add(countEvery)
	c := &r.counts
	c.mu.Lock()
	asked := c.asked
	c.asked = false
	c.mu.Unlock()
	if !asked {
		return nil
	}
	for i, q := range r.queues {
		n, err := countQueue(ctx, r.cfg.DB, q.spec.queue)
		if err != nil {
			return fmt.Errorf("count the jobs of %s: %w", q.spec.queue, err)
		}
		c.mu.Lock()
		s := &c.list[i]
		s.Queued, s.Scheduled, s.Retrying, s.Running, s.Dead, s.Oldest = n.Queued, n.Scheduled, n.Retrying, n.Running, n.Dead, 0
		if n.Oldest != nil {
			s.Oldest = max(now.Sub(time.UnixMilli(*n.Oldest)), 0)
		}
		c.at = now
		c.mu.Unlock()
	}
	return nil
}

type counted struct {
	Queued, Scheduled, Retrying, Running, Dead int64
	Oldest                                     *int64
}

// countQueue reads index entries only, and a bounded number of them. The oldest
// is the first of one of the priorities.
func countQueue(ctx context.Context, q db.Querier, queue string) (counted, error) {
	return db.One[counted](ctx, q, `
		SELECT
			(SELECT count(*) FROM (SELECT 1 FROM ashlar_jobs WHERE state = 'queued' AND queue = $1 LIMIT $2) AS a) AS queued,
			(SELECT count(*) FROM (SELECT 1 FROM ashlar_jobs WHERE state = 'scheduled' AND queue = $1 AND attempt = 0 LIMIT $2) AS b) AS scheduled,
			(SELECT count(*) FROM (SELECT 1 FROM ashlar_jobs WHERE state = 'scheduled' AND queue = $1 AND attempt > 0 LIMIT $2) AS c) AS retrying,
			(SELECT count(*) FROM (SELECT 1 FROM ashlar_jobs WHERE state = 'running' AND queue = $1 LIMIT $2) AS d) AS running,
			(SELECT count(*) FROM (SELECT 1 FROM ashlar_jobs WHERE state = 'dead' AND queue = $1 LIMIT $2) AS e) AS dead,
			(SELECT min(due_at) FROM (
				SELECT (SELECT min(due_at) FROM ashlar_jobs WHERE state = 'queued' AND queue = $1 AND priority = p) AS due_at
				FROM (SELECT -1 AS p UNION ALL SELECT 0 UNION ALL SELECT 1) AS priorities) AS firsts) AS oldest`, queue, countMost)
}
