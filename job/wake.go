package job

import (
	"context"
	"strings"
	"sync"
	"time"
)

// channel is where transactions of this process, and by way of the bus those of
// others, say what they did.
const channel = "ashlar_jobs"

// What is said. The rest of the message is the queue.
const (
	newJob    = "job "
	newDue    = "due"    // a job was added for later
	newCancel = "cancel" // a running job shall stop
)

// Bus passes messages to other processes. Losing one loses no job: it is found
// by polling.
type Bus interface {
	Publish(ctx context.Context, channel string, message []byte) error
	// Subscribe blocks until ctx ends. A nil message after each connection
	// means that something may have been missed.
	Subscribe(ctx context.Context, channel string, receive func(message []byte)) error
}

// news is what the runner has not heard yet. It is written by handlers that
// return, by transactions that commit and by the bus.
type news struct {
	wake chan struct{} // of one place

	mu     sync.Mutex
	ended  []ending
	here   map[string]bool // what this process did
	there  map[string]bool // what others did
	missed bool            // anything may have happened

	outward chan struct{} // of one place; nil without a bus
	out     map[string]bool
}

// maxNews bounds what is kept of what others said, which may be anything.
const maxNews = 1000

// hear is told by transactions of this process.
func (n *news) hear(message string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.here == nil {
		n.here = map[string]bool{}
	}
	n.here[message] = true
	n.nudge()
}

// receive is told by the bus.
func (n *news) receive(message []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.there == nil {
		n.there = map[string]bool{}
	}
	if message == nil || len(n.there) >= maxNews {
		n.missed = true
	} else {
		n.there[string(message)] = true
	}
	n.nudge()
}

// end is told by a handler that has returned.
func (n *news) end(e ending) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = append(n.ended, e)
	n.nudge()
}

func (n *news) nudge() {
	select {
	case n.wake <- struct{}{}:
	default: // it is awake
	}
}

// announce has the bus tell others.
func (n *news) announce(message string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.outward == nil {
		return
	}
	n.out[message] = true
	select {
	case n.outward <- struct{}{}:
	default:
	}
}

// listen takes the news in.
func (r *Runner) listen() {
	n := &r.news
	n.mu.Lock()
	ended, here, there, missed := n.ended, n.here, n.there, n.missed
	n.ended, n.here, n.there, n.missed = nil, nil, nil, false
	n.mu.Unlock()

	for _, e := range ended {
		r.leave(e)
	}
	for message := range there {
		r.heed(message)
	}
	for message := range here {
		if q := r.heed(message); q != nil && q.running < q.limit && len(r.runs) < r.cfg.Workers {
			q.tell = true // should they be more than fit in here
			continue
		}
		if message != newDue { // others find those by polling, in time
			n.announce(message)
		}
	}
	if missed {
		r.due.poll = time.Time{}
	}
}

// heed has the runner look at what a message is about, and returns its queue if
// it is run here.
func (r *Runner) heed(message string) *queue {
	name, ok := strings.CutPrefix(message, newJob)
	if !ok {
		r.due.poll = time.Time{}
		return nil
	}
	q := r.byName[name]
	if q != nil {
		q.ready = true
	}
	return q
}

// connect starts what talks to the bus.
func (r *Runner) connect(ctx context.Context) (end func()) {
	if r.cfg.Bus == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.news.mu.Lock()
	r.news.outward, r.news.out = make(chan struct{}, 1), map[string]bool{}
	r.news.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { r.subscribe(ctx) })
	both.Go(func() { r.publish(ctx) })
	return func() {
		cancel()
		both.Wait()
	}
}

func (r *Runner) subscribe(ctx context.Context) {
	for pause := time.Second; ctx.Err() == nil; pause = min(2*pause, time.Minute) {
		err := r.cfg.Bus.Subscribe(ctx, channel, r.news.receive)
		if ctx.Err() != nil {
			return
		}
		r.cfg.Log.WarnContext(ctx, "jobs: not told by other processes, polling only", "error", err, "retry_in", pause)
		rest(ctx, pause)
	}
}

// quiet is how long the bus is left alone after it was used.
const quiet = 20 * time.Millisecond

func (r *Runner) publish(ctx context.Context) {
	n, failing := &r.news, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.outward:
		}
		n.mu.Lock()
		out := n.out
		n.out = map[string]bool{}
		n.mu.Unlock()
		for message := range out {
			err := r.say(ctx, message)
			if err != nil && !failing && ctx.Err() == nil {
				r.cfg.Log.WarnContext(ctx, "jobs: other processes are not told, they poll", "error", err)
			}
			failing = err != nil
		}
		rest(ctx, quiet)
	}
}

func (r *Runner) say(ctx context.Context, message string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return r.cfg.Bus.Publish(ctx, channel, []byte(message))
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
