package scope_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/trace"
)

type note struct{}

func TestValueAnswersFromFieldsAndPassesTheRestOn(t *testing.T) {
	t.Parallel()
	above := trace.New()
	parent := context.WithValue(trace.With(context.Background(), above), note{}, "from above")
	parent = access.With(parent, access.Principal{ID: "outer"})
	s := scope.New(parent)

	if got := trace.From(s); got != above {
		t.Errorf("without a trace of its own the scope answers %+v", got)
	}
	if got := access.From(s).ID; got != "outer" {
		t.Errorf("without a principal of its own the scope answers %q", got)
	}
	s.Trace, s.Principal = trace.New(), access.Principal{ID: "usr_1", Account: "acc_1"}
	if got := trace.From(s); got != s.Trace {
		t.Errorf("trace.From = %+v, want %+v", got, s.Trace)
	}
	if got := access.From(s); got != s.Principal {
		t.Errorf("access.From = %+v, want %+v", got, s.Principal)
	}
	if got := s.Value(note{}); got != "from above" {
		t.Errorf("parent's value = %v", got)
	}
	if scope.Context(s) != s || scope.Context(context.WithValue(s, note{}, 1)) != s {
		t.Error("Context does not find the scope")
	}
	if scope.Context(parent) != nil {
		t.Error("Context found a scope where there is none")
	}
}

func TestDeadlineWithoutDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope.New(t.Context())
		if _, ok := s.Deadline(); ok {
			t.Fatal("a new scope has a deadline")
		}
		s.SetTimeout(time.Second)
		s.SetTimeout(time.Hour) // later than what holds: no effect
		if at, ok := s.Deadline(); !ok || time.Until(at) != time.Second {
			t.Fatalf("Deadline() = %v, %v", at, ok)
		}
		time.Sleep(time.Second - time.Nanosecond)
		if err := s.Err(); err != nil {
			t.Fatalf("Err() before the deadline = %v", err)
		}
		time.Sleep(time.Nanosecond)
		if err := s.Err(); err != context.DeadlineExceeded {
			t.Fatalf("Err() at the deadline = %v", err)
		}
		select {
		case <-s.Done():
		default:
			t.Fatal("Done is open after the deadline")
		}
		if err := s.Err(); err != context.DeadlineExceeded {
			t.Fatalf("Err() changed to %v", err)
		}
	})
}

func TestDoneFiresAtTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope.New(t.Context())
		s.SetTimeout(time.Second)
		start := time.Now()
		<-s.Done()
		if waited := time.Since(start); waited != time.Second || s.Err() != context.DeadlineExceeded {
			t.Fatalf("Done after %v with %v", waited, s.Err())
		}
	})
}

func TestParentEndsTheScope(t *testing.T) {
	t.Parallel()
	for name, timeout := range map[string]time.Duration{"no deadline": 0, "with a deadline": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				parent, gone := context.WithCancel(t.Context())
				s := scope.New(parent)
				if timeout > 0 {
					s.SetTimeout(timeout)
				}
				done := s.Done()
				gone()
				<-done
				if s.Err() != context.Canceled {
					t.Fatalf("Err() = %v", s.Err())
				}
			})
		})
	}
}

func TestParentsDeadlineWinsWhenSooner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s := scope.New(parent)
		s.SetTimeout(time.Minute)
		if at, _ := s.Deadline(); time.Until(at) != time.Second {
			t.Fatalf("Deadline() = %v", at)
		}
		<-s.Done()
		if s.Err() != context.DeadlineExceeded {
			t.Fatalf("Err() = %v", s.Err())
		}
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*scope.Scope){
		"unarmed":          func(*scope.Scope) {},
		"deadline unarmed": func(s *scope.Scope) { s.SetTimeout(time.Hour) },
		"deadline armed":   func(s *scope.Scope) { s.SetTimeout(time.Hour); s.Done() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scope.New(context.Background())
			before(s)
			s.Close()
			if s.Err() != context.Canceled {
				t.Errorf("Err() = %v", s.Err())
			}
			select {
			case <-s.Done():
			default:
				t.Error("Done is open after Close")
			}
			if s.Err() != context.Canceled {
				t.Errorf("Err() changed to %v", s.Err())
			}
		})
	}
}

// A child made with the standard library must attach to the scope's own
// cancellation: the bubble would report a goroutine that is left behind.
func TestChildrenAttachWithoutGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope.New(t.Context())
		s.SetTimeout(time.Second)
		child, cancel := context.WithCancel(s)
		defer cancel()
		<-child.Done()
		if child.Err() != context.DeadlineExceeded || context.Cause(child) != context.DeadlineExceeded {
			t.Fatalf("child ends with %v, cause %v", child.Err(), context.Cause(child))
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	parent, cancel := context.WithCancel(context.Background())
	s := scope.New(parent)
	s.SetTimeout(time.Hour)
	for range 8 {
		go func() {
			<-s.Done()
			_ = s.Err()
			_ = trace.From(s)
		}()
	}
	_, _ = s.Deadline()
	cancel()
	<-s.Done()
	s.Close()
}

// wrapped is a third party's writer around an observed one.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

type observed struct {
	http.ResponseWriter
	s *scope.Scope
}

func (o observed) Scope() *scope.Scope { return o.s }

func TestFromLooksThroughWriters(t *testing.T) {
	t.Parallel()
	s := scope.New(context.Background())
	plain := httptest.NewRecorder()
	if got := scope.From(wrapped{wrapped{observed{plain, s}}}); got != s {
		t.Errorf("From(wrapped) = %v", got)
	}
	if got := scope.From(wrapped{plain}); got != nil {
		t.Errorf("From(plain) = %v", got)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	if scope.Drain(context.Background()) != nil {
		t.Error("a drain channel where there is no server")
	}
	drain := make(chan struct{})
	s := scope.New(scope.WithDrain(context.Background(), drain))
	close(drain)
	<-scope.Drain(s)
}

func TestFactsDoNotAllocate(t *testing.T) {
	s := scope.New(context.Background())
	s.Trace, s.Principal = trace.New(), access.Principal{ID: "usr_1"}
	if n := testing.AllocsPerRun(100, func() {
		s.SetTimeout(time.Second)
		_ = trace.From(s)
		_ = access.From(s)
		_ = s.Err()
	}); n != 0 {
		t.Errorf("reading the facts of a request allocates %v times", n)
	}
}

func TestRefusalsAreObserved(t *testing.T) {
	t.Parallel()
	s := scope.New(t.Context())
	s.TraceID = "0af7651916cd43dd8448eb211c80319c"
	w := httptest.NewRecorder()
	scope.Refuse(observed{w, s}, fault.ErrNotFound)
	const want = `{"type":"/problems/not-found","title":"Not found","status":404,"code":"not_found","trace_id":"0af7651916cd43dd8448eb211c80319c"}`
	if w.Code != http.StatusNotFound || w.Body.String() != want || s.Code != "not_found" {
		t.Errorf("got %d %s, noted as %q", w.Code, w.Body, s.Code)
	}
	alone := httptest.NewRecorder()
	if scope.Refuse(alone, fault.ErrNotFound); alone.Code != http.StatusNotFound || strings.Contains(alone.Body.String(), "trace_id") {
		t.Errorf("unobserved: got %d %s", alone.Code, alone.Body)
	}
}
