package supervise

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestOnlyTimeThatTheParentWasRunCounts(t *testing.T) {
	t.Parallel()
	const most = 10 * time.Second
	var s silence
	pass := func(n int, late bool) (tooLong bool) {
		for range n {
			_, long := s.passed(time.Second, late, most)
			tooLong = tooLong || long
		}
		return tooLong
	}
	if ask, long := s.passed(time.Second, false, most); !ask || long {
		t.Errorf("first %v, %v", ask, long)
	}
	if ask, _ := s.passed(time.Second, false, most); ask {
		t.Error("asked again without an answer")
	}
	if pass(8, false) {
		t.Error("too early")
	}
	if pass(1, true) || pass(9, false) {
		t.Error("what was before the parent came late counts")
	}
	if !pass(1, false) {
		t.Error("a long silence was not noticed")
	}
	if !s.begin() || s.begin() || pass(100, false) {
		t.Error("replaced twice")
	}
	s.over()
	if !pass(1, false) {
		t.Error("a replacement that failed was the last")
	}
	s.answered()
	if ask, long := s.passed(time.Hour, false, most); !ask || long {
		t.Errorf("after an answer %v, %v", ask, long)
	}
	if pass(9, false) {
		t.Error("the silence of before counts")
	}
}

func TestADumpIsBounded(t *testing.T) {
	t.Parallel()
	var d dump
	if d.take("before\n") {
		t.Error("taken before it began")
	}
	d.begin()
	d.take("SIGQUIT: quit\nPC=0x47a221 m=0 sigcode=0\n\n")
	for i := range 200 { // each at a place of its own
		d.take(fmt.Sprintf("goroutine %d [running]:\nmain.alone%d(0x1)\n\t/a.go:%d +0x1f\n%s\n\n", i, i, i, strings.Repeat("x", 400)))
	}
	for i := range 12 { // late, and waiting for one lock
		d.take(fmt.Sprintf("goroutine %d [sync.Mutex.Lock, %d minutes]:\nmain.pay(0x%x, {0x1})\n\t/pay.go:7 +0x%x\ncreated by main.serve in goroutine %d\n\t/serve.go:9 +0x12\n\n", 500+i, i, i, i, i))
	}
	d.take("rax    0x0\nrbx    0x1\n")
	text, left := d.text()
	if !strings.HasPrefix(text, "12 of: goroutine 500 [sync.Mutex.Lock, 0 minutes]:\nmain.pay(") || strings.Contains(text, "rax") {
		t.Errorf("begins with %.200s", text)
	}
	if n := strings.Count(text, "1 of: "); len(text) > longestDump || left == 0 || n+left != 200 {
		t.Errorf("%d bytes, %d alone, %d left out", len(text), n, left)
	}
	line := strings.Repeat("y", 1023) + "\n"
	for range longestRead / len(line) {
		d.take(line)
	}
	if d.b.Len() > longestRead {
		t.Errorf("%d bytes are kept", d.b.Len())
	}
}
