package ashlartest

import (
	"bytes"
	"encoding/json"
	"errors"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// A Factory makes inputs that are valid by construction: from what the type's
// Rules say, so that a rule that is added or changed needs no change of tests.
// What only a Validate method knows is tried until it holds.
//
//	orders := ashlartest.NewFactory(t, func(in *payment.Authorize) { in.Card.Number = "4242424242424242" })
//	orders.State("captured", func(in *payment.Authorize) { in.Capture = true })
//
//	any := orders.Make()
//	small := orders.Make(func(in *payment.Authorize) { in.Amount = 1 })
//	taken := orders.MakeIn("captured")
//
// What it makes follows from the test's name, or from ASHLAR_TEST_SEED, and is
// so the same in every run. It is for one goroutine.
type Factory[In any] struct {
	t      testing.TB
	g      *generator
	base   func(any)
	states map[string]func(*In)
}

// NewFactory returns a factory. Each base changes everything that it makes: it
// says what rules cannot, such as the id of what has to be there.
func NewFactory[In any](t testing.TB, base ...func(*In)) *Factory[In] {
	t.Helper()
	f := factory[In](t, reflect.TypeFor[In]())
	f.base = func(in any) {
		for _, change := range base {
			change(in.(*In))
		}
	}
	return f
}

// ForOperation returns a factory of an operation's inputs, for tests that go
// through all operations of an app. Base is given a pointer to the operation's
// own type, and may be nil.
func ForOperation(t testing.TB, o op.Operation, base func(in any)) *Factory[any] {
	t.Helper()
	f := factory[any](t, o.Spec().In.Go)
	f.g.inPath(o.Spec().PathFields)
	if f.base = base; base == nil {
		f.base = func(any) {}
	}
	return f
}

func factory[In any](t testing.TB, of reflect.Type) *Factory[In] {
	t.Helper()
	g, err := newGenerator(of, seedOf(t))
	if err != nil {
		t.Fatalf("%s: %v", of, err)
	}
	if _, told := tellers.LoadOrStore(t, true); !told {
		t.Cleanup(func() {
			tellers.Delete(t)
			if t.Failed() {
				t.Logf("the inputs were made with ASHLAR_TEST_SEED=%d", g.seed)
			}
		})
	}
	return &Factory[In]{t: t, g: g, states: map[string]func(*In){}}
}

// tellers are the tests that will tell their seed if they fail.
var tellers sync.Map

func seedOf(t testing.TB) uint64 {
	t.Helper()
	if text := os.Getenv("ASHLAR_TEST_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("ASHLAR_TEST_SEED is no number: %v", err)
		}
		return seed
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(t.Name()))
	return h.Sum64()
}

// With returns a copy of the factory for another test, such as one of several
// apps.
func (f *Factory[In]) With(t testing.TB) *Factory[In] {
	t.Helper()
	other := *f
	other.t = t
	return &other
}

// State names a change that makes a valid input into another one.
func (f *Factory[In]) State(name string, change func(*In)) { f.states[name] = change }

// Make returns a valid input, another one each time. Changes come last, and may
// make it invalid.
func (f *Factory[In]) Make(changes ...func(*In)) In {
	f.t.Helper()
	in := f.valid(some).Elem().Interface().(In)
	for _, change := range changes {
		change(&in)
	}
	return in
}

// MakeIn returns a valid input in a state that [Factory.State] has named.
func (f *Factory[In]) MakeIn(state string, changes ...func(*In)) In {
	f.t.Helper()
	change := f.states[state]
	if change == nil {
		f.t.Fatalf("there is no state %q; there are %s", state, strings.Join(slices.Sorted(maps.Keys(f.states)), ", "))
	}
	return f.Make(append([]func(*In){change}, changes...)...)
}

// valid returns a pointer to a valid input.
func (f *Factory[In]) valid(members presence) reflect.Value {
	f.t.Helper()
	_, in := f.pinned(members)
	return in
}

// pinned returns one with what it was before base had changed it.
func (f *Factory[In]) pinned(members presence) (before map[string]any, in reflect.Value) {
	f.t.Helper()
	before, in, err := f.g.valid(members, f.base)
	if err != nil {
		f.t.Fatalf("no valid %s could be made; say in NewFactory what its rules do not: %v", f.g.of.Go, err)
	}
	return before, in
}

// presence says which members an input has.
type presence int

const (
	some  presence = iota // those that it must, and others by chance
	every                 // all of them
)

// A generator makes values of one type.
type generator struct {
	of      *rule.Type
	seed    uint64
	rand    *rand.Rand
	encoder *codec.Encoder
	decoder *codec.Decoder
}

func newGenerator(t reflect.Type, seed uint64) (*generator, error) {
	of, err := rule.Describe(t)
	if err != nil {
		return nil, err
	}
	if of.Kind != rule.Object {
		return nil, errors.New("only structs of fields are inputs")
	}
	g := &generator{of: of, seed: seed, rand: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // no secret
	if g.encoder, err = codec.CompileEncoder(of); err != nil {
		return nil, err
	}
	g.decoder, err = codec.CompileDecoder(of)
	return g, err
}

// mostTries bounds how often another value is made because one was refused.
const mostTries = 300

// inPath has texts that stand in a path be none that no path can have.
func (g *generator) inPath(members []string) {
	for _, name := range members {
		if f := g.of.Object.Field(name); f != nil && f.Type.Kind == rule.String {
			own := *f.Type
			own.Text.Min = max(own.Text.Min, 1)
			f.Type = &own
		}
	}
}

// valid returns a pointer to a valid input, and what it was before base had
// changed it, as it is sent.
func (g *generator) valid(members presence, base func(any)) (before map[string]any, in reflect.Value, err error) {
	for range mostTries {
		in = reflect.New(g.of.Go)
		g.fill(in.Elem(), g.of, members, 0)
		if before, err = g.members(in); err != nil {
			return nil, in, err
		}
		base(in.Interface())
		var text []byte
		if text, err = g.encoder.Append(nil, in.Interface()); err != nil {
			return nil, in, err
		}
		if err = g.check(text); err == nil {
			return before, in, nil
		}
	}
	return nil, in, err
}

// check is what the app does with a body: it reads, and looks at every rule.
func (g *generator) check(text []byte) error {
	return g.decoder.Decode(bytes.Clone(text), reflect.New(g.of.Go).Interface())
}

// members returns an input as it is sent.
func (g *generator) members(in reflect.Value) (map[string]any, error) {
	text, err := g.encoder.Append(nil, in.Interface())
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	members := map[string]any{}
	err = d.Decode(&members)
	return members, err
}
