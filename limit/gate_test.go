package limit_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/limit"
)

// site is a gate with a queue of a length that the test sets, and a clock that
// the test moves.
type site struct {
	*limit.Gate
	length int
	now    time.Duration
	said   []bool // what Changed was told
}

func newSite(most int) *site {
	s := &site{}
	s.Gate = limit.NewGate(limit.GateConfig{
		Queues: []limit.Queue{
			{Name: "idle", Len: func() int { return 0 }, Standing: 100, Short: 4},
			{Name: "busy", Len: func() int { return s.length }, Standing: 100, Short: 4},
		},
		Most:  most,
		Clock: func() time.Duration { return s.now },
		Changed: func(shedding bool, queue string, length int) {
			if shedding && (queue != "busy" || length <= 100) {
				panic(queue)
			}
			s.said = append(s.said, shedding)
		},
	})
	return s
}

// ask asks once after a pause and reports whether it was let in; if so it
// leaves at once.
func (s *site) ask(after time.Duration, p limit.Priority) bool {
	s.now += after
	if s.Enter(p) != nil {
		return false
	}
	s.Leave()
	return true
}

// overload asks until the gate sheds.
func (s *site) overload(t interface{ Fatal(...any) }) {
	s.length = 500
	for range 1000 {
		s.ask(5*time.Millisecond, limit.High)
		if s.Stats().Shedding {
			return
		}
	}
	t.Fatal("a queue stands for five seconds and nothing is shed")
}

// TestAQueueThatStandsIsShed holds P14.10: the excess is refused at once, with
// when to come back.
func TestAQueueThatStandsIsShed(t *testing.T) {
	t.Parallel()
	s := newSite(0)
	s.length = 101
	admitted := 0
	for s.ask(5*time.Millisecond, limit.Normal) {
		if admitted++; admitted > 100 {
			t.Fatal("nothing is shed")
		}
	}
	if s.now < 100*time.Millisecond || s.now > 200*time.Millisecond {
		t.Errorf("shedding began after %v", s.now)
	}
	err := s.Enter(limit.Normal)
	f, ok := fault.Of(err)
	if !errors.Is(err, fault.ErrOverloaded) || !ok || f.Status() != http.StatusServiceUnavailable {
		t.Errorf("refused with %v", err)
	}
	for range 10 {
		if p := fault.ProblemOf(s.Enter(limit.Normal), ""); p.RetryAfter < time.Second || p.RetryAfter > 3*time.Second {
			t.Errorf("asks to come back in %v", p.RetryAfter)
		}
	}
	if st := s.Stats(); st.Inside != 0 || st.Episodes != 1 || st.Admitted != [3]uint64{0, uint64(admitted), 0} || st.Shed[limit.Normal] != 12 {
		t.Errorf("stats are %+v", st)
	}
}

func TestNothingIsShedBelowSaturation(t *testing.T) {
	t.Parallel()
	for what, length := range map[string]func(i int) int{
		"a short queue that stands":              func(int) int { return 100 },
		"a long queue that empties now and then": func(i int) int { return 5000 * min(1, i%7) },
		"bursts":                                 func(i int) int { return 5000 * (i / 8 % 2) },
	} {
		s := newSite(0)
		for i := range 10_000 {
			s.length = length(i)
			if !s.ask(3*time.Millisecond, limit.Low) {
				t.Fatalf("%s: request %d was refused", what, i)
			}
		}
	}
}

// TestFewRequestsAreNeverShed: whoever asks four times in a second does not
// overload anything, whatever else keeps the processors busy.
func TestFewRequestsAreNeverShed(t *testing.T) {
	t.Parallel()
	s := newSite(0)
	s.length = 10_000
	for i := range 1000 {
		if !s.ask(1001*time.Millisecond, limit.Low) {
			t.Fatalf("request %d was refused", i)
		}
	}
}

func TestSlowRequestsAreNoOverload(t *testing.T) {
	t.Parallel()
	s := newSite(0)
	for range 8192 { // all of them wait for somebody else's network
		s.now += time.Millisecond
		if err := s.Enter(limit.Low); err != nil {
			t.Fatal(err)
		}
	}
	// More would take memory without bound.
	if err := s.Enter(limit.High); !errors.Is(err, fault.ErrOverloaded) {
		t.Errorf("one more: %v", err)
	}
	s.Leave() // one of them is a stream from now on
	if err := s.Enter(limit.Low); err != nil {
		t.Errorf("in place of one that left: %v", err)
	}
}

func TestTheImportantOnesGoLast(t *testing.T) {
	t.Parallel()
	s := newSite(0)
	s.overload(t)
	hold := func(what string, wants map[int][3]bool) {
		t.Helper()
		for length, want := range wants {
			s.length = length
			got := [3]bool{s.ask(0, limit.Low), s.ask(0, limit.Normal), s.ask(0, limit.High)}
			if got != want {
				t.Errorf("%s, behind %d: low, normal, high are let in: %v, want %v", what, length, got, want)
			}
		}
	}
	high := map[int][3]bool{
		0: {true, true, true}, 1: {true, true, true}, 2: {false, true, true}, 3: {false, false, true},
		4: {false, false, true}, 5: {}, 1000: {},
	}
	hold("at first", high)
	if s.length = 4; !s.ask(0, 200) {
		t.Error("an unknown priority is not high")
	}

	// It suffices to refuse the low ones: the others do not notice.
	storm := func(p limit.Priority) {
		s.length = 500
		for range 100 {
			s.ask(3*time.Millisecond, p)
		}
	}
	storm(limit.Low)
	hold("in a storm of low ones", map[int][3]bool{
		0: {true, true, true}, 4: {true, true, true}, 5: {false, true, true}, 100: {false, true, true}, 101: {},
	})
	storm(limit.Normal)
	hold("in a storm of normal ones", map[int][3]bool{
		2: {true, true, true}, 4: {false, true, true}, 5: {false, false, true}, 100: {false, false, true}, 101: {},
	})
	storm(limit.High)
	hold("in a storm of high ones", high)
}

func TestSheddingEndsWhenHardlyAnybodyIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(0)
	s.overload(t)
	for i := range 500 { // a fifth must go: the overload lasts
		s.length = 1000 * (1 - min(1, i%5))
		s.ask(10*time.Millisecond, limit.High)
	}
	if !s.Stats().Shedding {
		t.Fatal("shedding ended while a fifth was refused")
	}
	for i := range 300 { // a twentieth: a queue has its ups and downs
		s.length = 1000 * (1 - min(1, i%20))
		s.ask(10*time.Millisecond, limit.High)
	}
	if s.Stats().Shedding {
		t.Fatal("shedding goes on though hardly anybody is refused")
	}
	s.overload(t)
	if want := []bool{true, false, true}; len(s.said) != 3 || s.said[0] != want[0] || s.said[1] != want[1] || s.said[2] != want[2] {
		t.Errorf("it was told %v", s.said)
	}
	s.length = 0
	s.now += time.Hour // nobody came, so nobody looked
	if !s.ask(0, limit.Low) || !s.ask(time.Second, limit.Low) || s.Stats().Shedding {
		t.Error("shedding outlives the night")
	}
}

// TestGateProperties: whatever happens, what was let in and refused is what
// came by, what is inside is what has not left, and nobody is refused where
// somebody less important would be let in.
func TestGateProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 30).Draw(t, "most")
		s := newSite(most)
		inside, offered := 0, 0
		t.Repeat(map[string]func(*rapid.T){
			"wait":  func(t *rapid.T) { s.now += time.Duration(rapid.Int64Range(0, 3e9).Draw(t, "ns")) },
			"queue": func(t *rapid.T) { s.length = rapid.IntRange(0, 300).Draw(t, "length") },
			"overload": func(t *rapid.T) {
				if inside < most {
					before := s.Stats()
					s.overload(t)
					after := s.Stats()
					for p := range after.Shed {
						offered += int(after.Admitted[p] + after.Shed[p] - before.Admitted[p] - before.Shed[p])
					}
				}
			},
			"leave": func(t *rapid.T) {
				if inside == 0 {
					t.Skip("nobody is inside")
				}
				inside--
				s.Leave()
			},
			"enter": func(t *rapid.T) {
				refused := false
				for p := limit.High; ; p-- { // the same moment for each priority
					err := s.Enter(p)
					offered++
					if err == nil && refused {
						t.Fatalf("priority %d is let in where a higher one is refused", p)
					}
					if refused = err != nil; !refused {
						inside++
					}
					if p == limit.Low {
						break
					}
				}
			},
			"": func(t *rapid.T) {
				st := s.Stats()
				if st.Inside != inside || st.Inside < 0 || st.Inside > most {
					t.Fatalf("%d are inside, not %d, of at most %d", st.Inside, inside, most)
				}
				sum := 0
				for p := range st.Shed {
					sum += int(st.Admitted[p] + st.Shed[p])
				}
				if sum != offered {
					t.Fatalf("%d were counted of %d", sum, offered)
				}
			},
		})
	})
}

// TestGateCountsUnderConcurrency enters from many goroutines at once.
func TestGateCountsUnderConcurrency(t *testing.T) {
	t.Parallel()
	const clients, each, most = 32, 500, 20
	g := limit.NewGate(limit.GateConfig{Most: most, Queues: []limit.Queue{{Len: func() int { return 0 }}}})
	var running sync.WaitGroup
	for i := range clients {
		running.Go(func() {
			for range each {
				if g.Enter(limit.Priority(i%3)) != nil {
					continue
				}
				if n := g.Stats().Inside; n < 1 {
					t.Errorf("%d are inside, and one asks", n)
				}
				g.Leave()
			}
		})
	}
	running.Wait()
	s, sum := g.Stats(), uint64(0)
	for p := range s.Shed {
		sum += s.Admitted[p] + s.Shed[p]
	}
	if s.Inside != 0 || sum != clients*each {
		t.Errorf("stats are %+v", s)
	}
}

func TestProcessorsAreReadFromTheRuntime(t *testing.T) { //nolint:paralleltest // AllocsPerRun refuses to run beside others
	q := limit.Processors()
	if q.Standing < 96 || q.Short < 2 || q.Len() < 0 {
		t.Errorf("%+v with %d waiting", q, q.Len())
	}
	if n := testing.AllocsPerRun(100, func() { q.Len() }); n > 0 {
		t.Errorf("a look allocates %v times", n)
	}
}

func TestWrapAnswers(t *testing.T) {
	t.Parallel()
	s := newSite(1)
	h := s.Wrap(limit.Normal, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if s.Stats().Inside != 1 {
			t.Error("the handler runs outside")
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	ask := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		return w
	}
	if w := ask(); w.Code != http.StatusNoContent || s.Stats().Inside != 0 {
		t.Errorf("answered %d, %d are inside", w.Code, s.Stats().Inside)
	}
	if err := s.Enter(limit.Low); err != nil {
		t.Fatal(err)
	}
	if w := ask(); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("answered %d with %v", w.Code, w.Header())
	}
}

func TestBulkhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := limit.NewBulkhead(2)
		for range 2 {
			if err := b.Enter(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, leave := context.WithCancel(t.Context())
		impatient, patient := make(chan error, 1), make(chan error, 1)
		go func() { impatient <- b.Enter(ctx) }()
		go func() { patient <- b.Enter(t.Context()) }()
		synctest.Wait()
		if s := b.Stats(); s != (limit.BulkheadStats{Running: 2, Waiting: 2}) {
			t.Errorf("stats are %+v", s)
		}
		began := time.Now()
		if err := b.Enter(t.Context()); !errors.Is(err, fault.ErrBusy) || time.Since(began) > 0 {
			t.Errorf("the fifth: %v after %v", err, time.Since(began))
		}
		leave()
		if err := <-impatient; !errors.Is(err, context.Canceled) {
			t.Errorf("who left: %v", err)
		}
		b.Leave()
		if err := <-patient; err != nil {
			t.Errorf("who waited: %v", err)
		}
		began = time.Now()
		if err := b.Enter(t.Context()); !errors.Is(err, fault.ErrBusy) || time.Since(began) != time.Second {
			t.Errorf("who waits in vain: %v after %v", err, time.Since(began))
		}
		b.Leave()
		b.Leave()
		if s := b.Stats(); s != (limit.BulkheadStats{Refused: 3}) {
			t.Errorf("stats are %+v", s)
		}
	})
}

// TestEnteringAllocatesNothing, overloaded or not.
func TestEnteringAllocatesNothing(t *testing.T) {
	s := newSite(0)
	if n := testing.AllocsPerRun(1000, func() { s.ask(time.Millisecond, limit.Normal) }); n > 0 {
		t.Errorf("entering allocates %v times", n)
	}
	s.overload(t)
	if n := testing.AllocsPerRun(1000, func() { s.ask(0, limit.Normal) }); n > 0 {
		t.Errorf("being refused allocates %v times", n)
	}
}

func BenchmarkGate(b *testing.B) {
	b.Run("open", func(b *testing.B) {
		g := limit.NewGate(limit.GateConfig{})
		b.ReportAllocs()
		for b.Loop() {
			if g.Enter(limit.Normal) == nil {
				g.Leave()
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		g := limit.NewGate(limit.GateConfig{})
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if g.Enter(limit.Normal) == nil {
					g.Leave()
				}
			}
		})
	})
	b.Run("refused", func(b *testing.B) {
		s := newSite(0)
		s.overload(b)
		b.ReportAllocs()
		for b.Loop() {
			if s.Enter(limit.Normal) == nil {
				b.Fatal("let in")
			}
		}
	})
	b.Run("look", func(b *testing.B) {
		q := limit.Processors()
		b.ReportAllocs()
		for b.Loop() {
			q.Len()
		}
	})
}
