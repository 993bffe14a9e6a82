package op_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/op"
)

type (
	numbered struct{ N int }
	byKind   struct{ Kind string }
	setter   struct{ N int }
)

func (numbered) EventID() string       { return "n" }
func (*byKind) EventType() string      { return "k" }
func (setter) Cookies() []*http.Cookie { return nil }

// What items say of themselves is known before the first one, and that is no
// matter of pointers.
func TestWhatItemsSay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spec              *op.Spec
		identified, named bool
	}{
		"nothing": {op.Stream("a", "GET /a", items[byID, note], op.Public()).Spec(), false, false},
		"an id":   {op.Stream("a", "GET /a", items[byID, numbered], op.Public()).Spec(), true, false},
		"a kind":  {op.Stream("a", "GET /a", items[byID, byKind], op.Public()).Spec(), false, true},
		"a query": {op.Query("a", "GET /a", answer[byID, numbered], op.Public()).Spec(), false, false},
	} {
		if c.spec.Identified != c.identified || c.spec.Named != c.named {
			t.Errorf("%s: identified %t, named %t", name, c.spec.Identified, c.spec.Named)
		}
	}
}

func TestMistakesOfStreams(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o    op.Operation
		want string
	}{
		"nothing":   {op.Stream("a", "GET /a", items[struct{}, struct{}], op.Public()), "sends nothing"},
		"bytes":     {op.Stream("a", "GET /a", items[struct{}, op.File], op.Public()), "sends nothing"},
		"cookies":   {op.Stream("a", "GET /a", items[struct{}, setter], op.Public()), "cannot set cookies"},
		"computing": {op.Stream("a", "GET /a", items[struct{}, note], op.Public(), op.CPU()), "CPU would hold a processor"},
		"a stream":  {op.Stream("a", "GET /a", items[struct{}, note], op.Public(), op.Concurrency(2), op.Timeout(time.Hour)), ""},
	} {
		err := op.Check([]op.Operation{c.o})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFaultsOfAStream(t *testing.T) {
	t.Parallel()
	has := func(o op.Operation, f fault.Coded) bool {
		return slices.ContainsFunc(o.Spec().Faults(), func(g fault.Coded) bool { return g.Code() == f.Code() })
	}
	public, own := op.Stream("a", "GET /a", items[struct{}, note], op.Public()), op.Stream("a", "GET /a", items[struct{}, note], op.Authenticated())
	query := op.Query("a", "GET /a", answer[byID, note], op.Authenticated())
	for _, f := range []fault.Coded{op.ErrStreams, op.ErrStreamsFull} {
		if !has(public, f) || !has(own, f) || has(query, f) {
			t.Errorf("%s is declared by the wrong operations", f.Code())
		}
	}
	if has(public, op.ErrChanged) || !has(own, op.ErrChanged) {
		t.Error("permissions_changed is declared by the wrong streams")
	}
}

type opener struct{ opened int }

func (o *opener) Open() { o.opened++ }

func TestWhatAStreamsContextSays(t *testing.T) {
	t.Parallel()
	op.Opened(t.Context()) // of no stream
	o := &opener{}
	op.Opened(context.WithValue(t.Context(), scope.OpenKey{}, o))
	if o.opened != 1 {
		t.Errorf("opened %d times", o.opened)
	}
	if got := op.LastEventID(t.Context()); got != "" {
		t.Errorf("the last id is %q", got)
	}
	if got := op.LastEventID(op.WithLastEventID(t.Context(), "evt_1")); got != "evt_1" {
		t.Errorf("the last id is %q", got)
	}
}

var (
	_ op.Identified = numbered{}
	_ op.Named      = (*byKind)(nil)
)
