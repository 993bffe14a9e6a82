package supervise

import (
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
	line := strings.Repeat("x", 1023) + "\n"
	for range 100 {
		if !d.take(line) {
			t.Error("not taken")
		}
	}
	if text, left := d.text(); len(text) != longestDump || left != 100-longestDump/len(line) {
		t.Errorf("%d bytes, %d lines left out", len(text), left)
	}
}
