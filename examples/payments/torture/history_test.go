package torture

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// A request is one exchange with an idempotency key, as its client saw it.
type request struct {
	client      int
	operation   string // keys belong to an operation
	key         string
	fingerprint string // names the body
	call, back  int64  // nanoseconds since the start; back is 0 while there is no answer
	outcome     outcome
	answer      string // names the answer: status and id
}

// An outcome is what a client knows after its request.
type outcome uint8

const (
	unknown  outcome = iota // no answer, or one that leaves open what happened
	refused                 // certainly without effect: in flight elsewhere, too many, not signed in
	answered                // for good
	misused                 // the key stands for another request
)

func (o outcome) String() string { return [...]string{"unknown", "refused", "answered", "misused"}[o] }

// A history is every request that was made.
type history struct {
	start time.Time
	mu    sync.Mutex
	all   []request
}

func newHistory() *history { return &history{start: time.Now()} }

func (h *history) now() int64 { return int64(time.Since(h.start)) + 1 }

func (h *history) add(r request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, r)
}

// slot is what a key stands for: nothing, a request without an answer yet, or a
// request and its answer.
type slot struct{ fingerprint, answer string }

// keys is the specification: a key takes the first request that comes with it,
// and from then on gives that request's answer to whoever brings the same
// request, and to nobody else.
var keys = porcupine.NondeterministicModel{
	Init: func() []any { return []any{slot{}} },
	Step: func(state, input, output any) []any {
		s, in, out := state.(slot), input.(request), output.(request)
		free := s == slot{}
		same := s.fingerprint == in.fingerprint
		switch out.outcome {
		case answered:
			if free || same && (s.answer == "" || s.answer == out.answer) {
				return []any{slot{in.fingerprint, out.answer}}
			}
		case misused:
			if !free && !same {
				return []any{s}
			}
		case refused:
			return []any{s}
		case unknown:
			if free {
				return []any{s, slot{fingerprint: in.fingerprint}}
			}
			return []any{s}
		}
		return nil
	},
	DescribeOperation: func(input, output any) string {
		in, out := input.(request), output.(request)
		return fmt.Sprintf("client %d: %s %s %s -> %s %s", in.client, in.operation, in.key, in.fingerprint, out.outcome, out.answer)
	},
}

// linearizable reports the keys whose requests cannot have taken effect one
// after the other, each at some moment between its call and its answer. A
// request without an answer may take effect at any later time, or never.
func linearizable(all []request) (broken []string, checked int) {
	byKey := map[string][]porcupine.Operation{}
	for _, r := range all {
		back := r.back
		if r.outcome == unknown {
			back = math.MaxInt64
		}
		key := r.operation + " " + r.key
		byKey[key] = append(byKey[key], porcupine.Operation{ClientId: r.client, Input: r, Call: r.call, Output: r, Return: back})
	}
	model := keys.ToModel()
	for key, operations := range byKey {
		if !porcupine.CheckOperations(model, operations) {
			broken = append(broken, key)
		}
	}
	slices.Sort(broken)
	return broken, len(byKey)
}

// TestTheModelKnowsGoodFromBad shows that the checker catches what it is there
// to catch: histories written by hand, each with its verdict.
func TestTheModelKnowsGoodFromBad(t *testing.T) {
	t.Parallel()
	at := func(call, back int64, fingerprint string, o outcome, answer string) request {
		return request{operation: "pay", key: "k", fingerprint: fingerprint, call: call, back: back, outcome: o, answer: answer}
	}
	for name, c := range map[string]struct {
		good     bool
		requests []request
	}{
		"a retry gets the same answer":                    {true, []request{at(1, 2, "a", answered, "1"), at(3, 4, "a", answered, "1")}},
		"a retry after silence gets the first answer":     {true, []request{at(1, 0, "a", unknown, ""), at(3, 4, "a", answered, "1")}},
		"silence that took effect later":                  {true, []request{at(1, 0, "a", unknown, ""), at(2, 3, "a", refused, ""), at(4, 5, "a", answered, "1")}},
		"another request is turned away":                  {true, []request{at(1, 2, "a", answered, "1"), at(3, 4, "b", misused, "")}},
		"turned away by what is still under way":          {true, []request{at(1, 9, "a", answered, "1"), at(2, 3, "b", misused, "")}},
		"twins at once":                                   {true, []request{at(1, 5, "a", answered, "1"), at(2, 6, "a", answered, "1"), at(2, 3, "a", refused, "")}},
		"two effects":                                     {false, []request{at(1, 2, "a", answered, "1"), at(3, 4, "a", answered, "2")}},
		"two effects at once":                             {false, []request{at(1, 5, "a", answered, "1"), at(2, 6, "a", answered, "2")}},
		"two effects, one answered after silence":         {false, []request{at(1, 0, "a", unknown, ""), at(3, 4, "a", answered, "1"), at(5, 6, "a", answered, "2")}},
		"the key of one request answers another":          {false, []request{at(1, 2, "a", answered, "1"), at(3, 4, "b", answered, "1")}},
		"the key of one request gives another its own":    {false, []request{at(1, 2, "a", answered, "1"), at(3, 4, "b", answered, "2")}},
		"turned away although nobody had used the key":    {false, []request{at(1, 2, "a", misused, ""), at(3, 4, "a", answered, "1")}},
		"turned away although the request was the same":   {false, []request{at(1, 2, "a", answered, "1"), at(3, 4, "a", misused, "")}},
		"the answer was there before anybody had asked":   {false, []request{at(1, 2, "b", misused, ""), at(3, 4, "a", answered, "1"), at(5, 6, "a", answered, "1")}},
		"an answer is forgotten, and the key given again": {false, []request{at(1, 2, "a", answered, "1"), at(3, 4, "b", answered, "2"), at(5, 6, "a", misused, "")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if broken, _ := linearizable(c.requests); (len(broken) == 0) != c.good {
				t.Errorf("judged the wrong way round: broken = %v", broken)
			}
		})
	}
}

// TestTheModelCatchesAStoreThatForgetsToLock runs a store with the oldest of
// defects, looking before it writes without holding on in between, and the same
// store without it.
func TestTheModelCatchesAStoreThatForgetsToLock(t *testing.T) {
	t.Parallel()
	run := func(locked bool) (broken int) {
		h, store := newHistory(), &careless{locked: locked, kept: map[string]string{}}
		var clients sync.WaitGroup
		for client := range 8 {
			clients.Go(func() {
				for n := range 200 {
					key := fmt.Sprint(n)
					r := request{client: client, operation: "pay", key: key, fingerprint: "same", call: h.now()}
					r.answer = store.pay(key)
					r.outcome, r.back = answered, h.now()
					h.add(r)
				}
			})
		}
		clients.Wait()
		found, _ := linearizable(h.all)
		return len(found)
	}
	if n := run(true); n != 0 {
		t.Errorf("a store that works was found broken for %d keys", n)
	}
	for try := 0; run(false) == 0; try++ {
		if try == 20 {
			t.Fatal("a store that pays twice passed twenty times")
		}
	}
}

// careless pays once for each key, if nobody else asks at the same moment.
type careless struct {
	locked bool
	whole  sync.Mutex
	mu     sync.Mutex
	kept   map[string]string
}

func (s *careless) pay(key string) (answer string) {
	if s.locked {
		s.whole.Lock()
		defer s.whole.Unlock()
	}
	s.mu.Lock()
	answer, known := s.kept[key]
	s.mu.Unlock()
	if known {
		return answer
	}
	runtime.Gosched() // whoever else is there comes in between, on a busy machine too
	answer = fmt.Sprint(rand.Uint64())
	s.mu.Lock()
	s.kept[key] = answer
	s.mu.Unlock()
	return answer
}
