package logs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/logs"
)

// sink records what reaches it, and by how many calls.
type sink struct {
	mu    sync.Mutex
	text  bytes.Buffer
	calls int
	fail  error
	block chan struct{} // if set, Write waits until it closes
}

func (s *sink) Write(p []byte) (int, error) {
	if s.block != nil {
		<-s.block
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.fail != nil {
		return 0, s.fail
	}
	return s.text.Write(p)
}

func (s *sink) got() (string, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String(), s.calls
}

func (s *sink) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Reset()
	s.calls = 0
}

func (s *sink) failWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func put(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if n, err := io.WriteString(w, text); n != len(text) || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
}

func TestBufferWritesTogetherAndSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		b := logs.NewBuffer(s)
		for range 2 {
			s.forget()
			put(t, b, "one\n")
			time.Sleep(9 * time.Millisecond)
			put(t, b, "two\n")
			synctest.Wait()
			if got, _ := s.got(); got != "" {
				t.Fatalf("written early: %q", got)
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if got, calls := s.got(); got != "one\ntwo\n" || calls != 1 {
				t.Fatalf("after 10ms: %q in %d calls", got, calls)
			}
			time.Sleep(time.Second)
		}
		if _, calls := s.got(); calls != 1 {
			t.Errorf("%d calls with nothing to write", calls-1)
		}
	})
}

func TestBufferDoesNotWaitWhenHalfFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		b := logs.NewBuffer(s)
		line := strings.Repeat("x", 1023) + "\n"
		for range 32 {
			put(t, b, line)
		}
		synctest.Wait() // without a sleep, time stands still
		if got, calls := s.got(); got != strings.Repeat(line, 32) || calls != 1 {
			t.Fatalf("%d bytes in %d calls", len(got), calls)
		}
	})
}

// TestALogThatHangsStopsNobody holds P13.13: telemetry never blocks, and what
// it drops is counted.
func TestALogThatHangsStopsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{block: make(chan struct{})}
		b := logs.NewBuffer(s)
		log := logs.New(b, logs.Options{})
		const lines = 20_000
		text := strings.Repeat("x", 1000)
		began := time.Now()
		for i := range lines {
			log.Info(text, "i", i)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("INFO waited %s", took)
		}
		for range 100 {
			log.Warn("still room")
			log.Error("still room")
		}
		if took := time.Since(began); took > 5*time.Millisecond {
			t.Errorf("a hundred errors waited %s for a log that hangs", took)
		}
		if err := b.Flush(); !errors.Is(err, logs.ErrStalled) {
			t.Errorf("Flush = %v", err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("Flush waited %s", took)
		}
		dropped := b.Dropped()
		close(s.block)
		synctest.Wait()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		got, _ := s.got()
		if kept := len(got); kept > 5<<20 || kept < 3<<20 {
			t.Errorf("%d bytes were kept while nothing could be written", kept)
		}
		if n := strings.Count(got, text); uint64(n)+dropped != lines {
			t.Errorf("%d lines of %d arrived, %d were counted as dropped", n, lines, dropped)
		}
		if n := strings.Count(got, "still room"); n != 200 {
			t.Errorf("%d lines of 200 at WARN and ERROR arrived", n)
		}
		if want := fmt.Sprintf(`"level":"WARN","msg":"log lines dropped","lines":%d}`, dropped); strings.Count(got, want) != 1 {
			t.Errorf("no single line says %s", want)
		}
		s.forget()
		log.Error("later")
		if got, _ := s.got(); strings.Contains(got, "dropped") {
			t.Errorf("told twice: %s", got)
		}
	})
}

func TestWhatCannotBeWrittenIsCountedAndTold(t *testing.T) {
	t.Parallel()
	s := &sink{}
	b := logs.NewBuffer(s)
	log := logs.New(b, logs.Options{Format: logs.Text})
	s.failWith(errors.New("disk full"))
	for range 2 {
		for range 3 {
			log.Info("lost")
		}
		if b.Flush() == nil {
			t.Error("Flush does not say so")
		}
	}
	if n := b.Dropped(); n != 6 {
		t.Errorf("%d lines are counted, 6 were lost", n)
	}
	s.failWith(nil)
	log.Info("back")
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.got(); !strings.Contains(got, "back\n") || !strings.HasSuffix(got, "WARN  log lines dropped lines=6\n") {
		t.Errorf("written: %q", got)
	}
}

// halting takes half of what it is given, once.
type halting struct {
	strings.Builder
	once sync.Once
}

func (h *halting) Write(p []byte) (int, error) {
	n, err := len(p), error(nil)
	h.once.Do(func() { n, err = len(p)/2+1, io.ErrShortWrite })
	h.Builder.Write(p[:n])
	return n, err
}

func TestATornLineDoesNotTearTheNext(t *testing.T) {
	t.Parallel()
	var out halting
	b := logs.NewBuffer(&out)
	put(t, b, "one\ntwo\n")
	if err := b.Flush(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Flush = %v", err)
	}
	put(t, b, "three\n")
	if err := b.Flush(); err != nil {
		t.Error(err)
	}
	if got := out.String(); got != "one\nt\nthree\n" || b.Dropped() != 1 {
		t.Errorf("%q, %d lost", got, b.Dropped())
	}
}

func TestBufferRefusesALineBeyondItsBound(t *testing.T) {
	t.Parallel()
	b := logs.NewBuffer(io.Discard)
	if _, err := b.Write(make([]byte, 5<<20)); !errors.Is(err, logs.ErrDropped) || b.Dropped() != 1 {
		t.Errorf("%v, %d dropped", err, b.Dropped())
	}
}

func TestBufferTakesALineLongerThanItself(t *testing.T) {
	t.Parallel()
	s := &sink{}
	b := logs.NewBuffer(s)
	long := strings.Repeat("x", 200<<10) + "\n"
	put(t, b, "before\n")
	put(t, b, long)
	put(t, b, "after\n")
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.got(); got != "before\n"+long+"after\n" {
		t.Errorf("%d bytes, or in another order", len(got))
	}
}

func TestBufferTellsOfFailuresOnce(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	s := &sink{}
	b := logs.NewBuffer(s)
	s.failWith(full)
	put(t, b, "lost\n")
	if err := b.Flush(); !errors.Is(err, full) {
		t.Errorf("Flush = %v", err)
	}
	s.failWith(nil)
	put(t, b, "kept\n")
	if err := b.Flush(); err != nil {
		t.Errorf("Flush after the failure = %v", err)
	}
	if got, _ := s.got(); got != "kept\n" {
		t.Errorf("written: %q", got)
	}
	s.failWith(full)
	put(t, b, "lost\n")
	if err := b.Close(); !errors.Is(err, full) {
		t.Errorf("Close = %v", err)
	}
	if _, err := io.WriteString(b, "lost\n"); !errors.Is(err, full) {
		t.Errorf("Write after Close = %v", err)
	}
}

// brief writes less than it is given, and breaks the contract by not saying so.
type brief struct{}

func (brief) Write(p []byte) (int, error) { return len(p) / 2, nil }

func TestBufferNoticesShortWrites(t *testing.T) {
	t.Parallel()
	b := logs.NewBuffer(brief{})
	put(t, b, "a line\n")
	if err := b.Flush(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Flush = %v", err)
	}
}

func TestClosedBufferWritesThrough(t *testing.T) {
	t.Parallel()
	s := &sink{}
	b := logs.NewBuffer(s)
	put(t, b, "early\n")
	for range 2 {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	put(t, b, "late\n")
	if got, calls := s.got(); got != "early\nlate\n" || calls != 2 {
		t.Errorf("%q in %d calls", got, calls)
	}
}

func TestWarningsAreNotHeldBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		log := logs.New(logs.NewBuffer(s), logs.Options{})
		for level, calls := range map[slog.Level]int{slog.LevelInfo: 0, slog.LevelWarn: 1, slog.LevelError: 1} {
			s.forget()
			log.Log(t.Context(), level, "m")
			if level < slog.LevelError { // which waits
				synctest.Wait()
			}
			if _, got := s.got(); got != calls {
				t.Errorf("%s: %d writes at once, want %d", level, got, calls)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestBufferKeepsLinesWholeAndInOrder(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 3000
	s := &sink{}
	b := logs.NewBuffer(s)
	log := logs.New(b, logs.Options{})
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				level := slog.LevelInfo
				if i%500 == 0 {
					level = slog.LevelWarn
				}
				log.Log(t.Context(), level, "m", "writer", w, "i", i)
			}
			if w == 0 {
				_ = b.Close() // under fire
			}
		})
	}
	all.Wait()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	next := map[string]int{}
	text, _ := s.got()
	for line := range strings.Lines(text) {
		got := parse(t, line)
		writer := fmt.Sprint(got["writer"])
		if got["i"] != float64(next[writer]) {
			t.Fatalf("writer %s: line %v, want %d", writer, got["i"], next[writer])
		}
		next[writer]++
	}
	for writer, n := range next {
		if n != each {
			t.Errorf("writer %s: %d lines of %d", writer, n, each)
		}
	}
	if len(next) != writers {
		t.Errorf("%d writers", len(next))
	}
}
