//go:build !race

// These tests decode on one goroutine, again and again, and have no race to find.

package main

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// TestEveryLostRuleIsCaught takes one rule after another out of what judges the
// inputs of every operation, and asks whether their neighbours notice: tests
// that do not would not have noticed its loss either.
func TestEveryLostRuleIsCaught(t *testing.T) {
	t.Parallel()
	kinds := map[string]int{}
	for _, o := range open(t).Operations() {
		neighbours := ashlartest.ForOperation(t, o, sound).Neighbours()
		for lost, kind := range rulesOf(t, o) {
			kinds[kind]++
			if !noticed(t, without(t, o, lost), neighbours) {
				t.Errorf("%s: nobody noticed that this was lost: %s", o.Spec().Name, lost)
			}
		}
	}
	for _, kind := range []string{"min", "max", "min_len", "max_len", "pattern", "format", "control", "enum", "min_items", "max_items", "unique", "required"} {
		if kinds[kind] == 0 {
			t.Errorf("no operation has a rule of the kind %s: nothing is shown for it", kind)
		}
	}
	t.Logf("lost, one by one: %v", kinds)
}

// rulesOf returns the rules of an operation's input, with their kinds.
func rulesOf(t *testing.T, o op.Operation) map[string]string {
	t.Helper()
	found := map[string]string{}
	mutate(describe(t, o), "", func(pointer, kind string, _ func()) { found[pointer+" "+kind] = kind })
	return found
}

// without returns what judges an operation's input once a rule is lost.
func without(t *testing.T, o op.Operation, lost string) *rule.Type {
	t.Helper()
	in := describe(t, o)
	var lose func()
	mutate(in, "", func(pointer, kind string, change func()) {
		if pointer+" "+kind == lost {
			lose = change
		}
	})
	lose()
	return in
}

func describe(t *testing.T, o op.Operation) *rule.Type {
	t.Helper()
	in, err := rule.Describe(o.Spec().In.Go)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// noticed reports whether some neighbour is not answered as it should be.
func noticed(t *testing.T, judge *rule.Type, neighbours []ashlartest.Neighbour) bool {
	t.Helper()
	decoder, err := codec.CompileDecoder(judge)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(neighbours, func(n ashlartest.Neighbour) bool {
		text, err := json.Marshal(n.In)
		if err != nil {
			t.Fatal(err)
		}
		err = decoder.Decode(text, reflect.New(judge.Go).Interface())
		if n.Inside {
			return err != nil
		}
		var found fault.Violations
		return !errors.As(err, &found) || len(found) != 1 || found[0].Pointer != n.Pointer || found[0].Code != n.Code
	})
}

// mutate offers every change that loses one rule of an object.
func mutate(t *rule.Type, at string, offer func(pointer, kind string, change func())) {
	for i, f := range t.Object.Fields {
		pointer := at + "/" + f.Name
		replace := func(change func(*rule.Field)) {
			own := *f
			change(&own)
			t.Object.Fields[i] = &own
		}
		if f.Required {
			offer(pointer, "required", func() { replace(func(f *rule.Field) { f.Required = false }) })
		}
		mutateValue(f.Type, pointer, func(of *rule.Type) { replace(func(f *rule.Field) { f.Type = of }) }, offer)
	}
}

func mutateValue(t *rule.Type, at string, put func(*rule.Type), offer func(pointer, kind string, change func())) {
	lose := func(is bool, kind string, change func(*rule.Type)) {
		if is {
			offer(at, kind, func() {
				own := *t
				change(&own)
				put(&own)
			})
		}
	}
	n, x, s := t.Number, t.Text, t.Size
	listed := len(t.Enum) > 0 // then nothing else counts
	lose(listed, "enum", func(t *rule.Type) { *t = rule.Type{Go: t.Go, Kind: t.Kind, Text: x, Number: n, Secret: t.Secret} })
	lose(!listed && n.HasMin, "min", func(t *rule.Type) { t.Number.HasMin = false })
	lose(!listed && n.HasMax, "max", func(t *rule.Type) { t.Number.HasMax = false })
	if t.Kind == rule.String && !listed {
		lose(x.Min > 0, "min_len", func(t *rule.Type) { t.Text.Min = 0 })
		lose(true, "max_len", func(t *rule.Type) { t.Text.Max = math.MaxInt32 })
		lose(x.Pattern != "", "pattern", func(t *rule.Type) {
			t.Text = rule.TextLimits{Min: x.Min, Max: x.Max, Format: x.Format, Control: x.Control}
		})
		lose(x.Format != "", "format", func(t *rule.Type) { t.Text.Format = "" })
		lose(x.Control != rule.AnyControl, "control", func(t *rule.Type) { t.Text.Control = rule.AnyControl })
	}
	lose(s.Min > 0, "min_items", func(t *rule.Type) { t.Size.Min = 0 })
	lose(s.Max > 0 && s.Max < rule.DefaultMaxItems, "max_items", func(t *rule.Type) { t.Size.Max = 0 })
	lose(s.Unique, "unique", func(t *rule.Type) { t.Size.Unique = false })
	switch t.Kind {
	case rule.Object:
		mutate(t, at, offer)
	case rule.List, rule.Map:
		mutateValue(t.Elem, at+"/…", func(of *rule.Type) {
			own := *t
			own.Elem = of
			put(&own)
		}, offer)
	default:
	}
}
