package live

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

type task func()

func (t task) do() { t() }

// Hands do what they are given, wait for more as long as there may be more, and
// end after that; also a task that ends its goroutine leaves nobody waiting.
func TestHands(t *testing.T) {
	t.Parallel()
	var h hands
	free := func() int {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.free)
	}
	var many sync.WaitGroup
	done := make([]bool, 100)
	held := make(chan bool)
	for n := range done {
		many.Go(func() {
			a := aid{hands: &h}
			a.have(task(func() {
				<-held // so that each needs a hand of its own
				done[n] = true
			}))
			a.have(task(func() {}))
		})
	}
	close(held)
	many.Wait()
	for n, d := range done {
		if !d {
			t.Fatalf("task %d was not done", n)
		}
	}
	if n := free(); n < 1 || n > mostFree {
		t.Errorf("%d hands wait", n)
	}
	a := aid{hands: &h}
	a.have(task(runtime.Goexit))
	before := free()
	a.have(task(func() {}))
	if n := free(); n != max(before, 1) {
		t.Errorf("%d hands wait, there were %d", n, before)
	}
	h.dismiss(true)
	a.have(task(func() {}))
	for deadline := time.Now().Add(2 * time.Minute); free() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d hands wait where there is nothing to do", free())
		}
	}
}
