package job_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/job"
)

// wire is a job.Bus that passes messages within the test.
type wire struct {
	mu        sync.Mutex
	receivers []func([]byte)
	said      []string
	deaf      bool
	joined    chan bool
}

func (w *wire) Publish(_ context.Context, channel string, message []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deaf {
		return errors.New("the wire is cut")
	}
	w.said = append(w.said, channel+" "+string(message))
	for _, receive := range w.receivers {
		receive(message)
	}
	return nil
}

func (w *wire) Subscribe(ctx context.Context, _ string, receive func([]byte)) error {
	w.mu.Lock()
	if w.deaf {
		w.mu.Unlock()
		return errors.New("the wire is cut")
	}
	w.receivers = append(w.receivers, receive)
	w.mu.Unlock()
	receive(nil)
	w.joined <- true
	<-ctx.Done()
	return ctx.Err()
}

func (w *wire) messages() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.said)
}

// TestOtherProcessesAreWoken: with polls an hour apart only the bus can tell.
func TestOtherProcessesAreWoken(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		bus := &wire{joined: make(chan bool, 10)}
		config := func(c *job.Config) { c.Bus, c.Now, c.Poll = bus, nil, time.Hour }
		begun, release := make(chan string, 10), make(chan bool)
		handler := func(name string) job.Handler {
			return job.On(settle, func(ctx context.Context, p payment) error {
				begun <- name
				select {
				case <-release:
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}, job.Concurrency(1))
		}
		k.start(k.runner(config)) // runs nothing itself, and tells of what this process adds
		k.start(k.runner(config, handler("a")))
		receive(t, bus.joined, "the first to listen")
		receive(t, bus.joined, "the second to listen")

		add(k, settle, payment{})
		receive(t, begun, "the first job")
		k.await(func() bool { return slices.Contains(bus.messages(), "ashlar_jobs job payment.settle") }, "the bus to tell")

		// The first worker is full: another one is needed, which looks when it starts.
		second := add(k, settle, payment{})
		k.start(k.runner(config, handler("b")))
		if name := receive(t, begun, "the second job"); name != "b" {
			t.Errorf("%s runs it", name)
		}
		k.tx(func(ctx context.Context, tx *db.Tx) error { return job.Cancel(ctx, tx, second) })
		k.gets(second, job.Cancelled)
		release <- true
	})
}

// TestWithoutTheBusJobsAreFound: by polling.
func TestWithoutTheBusJobsAreFound(t *testing.T) {
	t.Parallel()
	k := newKit(t, openSQLite(t))
	bus := &wire{deaf: true, joined: make(chan bool, 10)}
	done := make(chan bool)
	k.start(k.runner(func(c *job.Config) { c.Bus, c.Now, c.Poll = bus, nil, 5*time.Millisecond }, job.On(settle, func(context.Context, payment) error { done <- true; return nil })))
	k.start(k.runner(func(c *job.Config) { c.Bus, c.Now = bus, nil }))
	k.await(func() bool {
		add(k, settle, payment{})
		receive(t, done, "the job")
		return len(bus.messages()) == 0
	}, "the job")
	k.await(func() bool { return strings.Contains(k.log.String(), "polling only") }, "the log to tell")
	k.logged("polling only", "the wire is cut")
}
