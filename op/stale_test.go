package op_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/op"
)

func TestStale(t *testing.T) {
	t.Parallel()
	fn := func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }
	if o := op.Query("a", "GET /a", fn, op.Public(), op.Stale(time.Second)); o.Spec().Stale != time.Second || op.Check([]op.Operation{o}) != nil {
		t.Errorf("%v", op.Check([]op.Operation{o}))
	}
	for want, o := range map[string]op.Operation{
		"Stale(0s) lets nothing be stale": op.Query("a", "GET /a", fn, op.Public(), op.Stale(0)),
		"Stale(-1s)":                      op.Query("a", "GET /a", fn, op.Public(), op.Stale(-time.Second)),
		"Stale and Keep exclude each other": op.Query("a", "GET /a", fn, op.Public(), op.Stale(time.Second),
			op.Cache(0, op.Keep(time.Second), op.OneForEveryone())),
	} {
		if err := op.Check([]op.Operation{o}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
