package limit

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
)

// Goroutines for each processor that may wait for it. A handler that computes
// for a millisecond makes the ones before it wait as many milliseconds as there
// are.
const (
	runnableStanding = 48
	runnableShort    = 2
)

// Processors is the queue of goroutines that could run and have no processor.
// Requests wait there before anything of them is read, which no count of
// requests shows. Its bounds grow with GOMAXPROCS.
func Processors() Queue {
	n := runtime.GOMAXPROCS(0)
	r := &runnable{}
	r.sample[0].Name = "/sched/goroutines/runnable:goroutines"
	return Queue{Name: "processors", Len: r.len, Standing: runnableStanding * max(n, 2), Short: runnableShort * n}
}

// runnable reads one figure of the runtime, one reader at a time. The others
// take what was read last, which is hardly a microsecond old.
type runnable struct {
	last   atomic.Int64
	mu     sync.Mutex
	sample [1]metrics.Sample
}

func (r *runnable) len() int {
	if r.mu.TryLock() {
		metrics.Read(r.sample[:])
		if v := r.sample[0].Value; v.Kind() == metrics.KindUint64 {
			r.last.Store(int64(v.Uint64()))
		}
		r.mu.Unlock()
	}
	return int(r.last.Load())
}
