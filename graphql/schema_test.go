package graphql_test

import (
	"context"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/op"
)

func nothing(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }

func TestTheSchemaSaysWhatWasDeclared(t *testing.T) {
	t.Parallel()
	s := newShop(t)

	sdl, err := graphql.SDL(s.operations)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"  billsGet(\n    id: String!\n  ): Bill\n",
		"  billsList(\n    first: Int\n    after: String\n    state: State\n  ): BillConnection\n",
		"  billsCreate(\n    amount: Int64!\n    state: State\n    card: CardInput!\n    tags: [String!]\n    note: String\n  ): Bill\n",
		"  billsDelete(\n    id: String!\n  ): Boolean @deprecated(reason: \"Since 2026-01-01.\")\n",
		"enum State {\n  open\n  closed\n}\n",
		"  amount: Int64!\n", "  note: String\n", "  card: Card!\n", "  tags: [String!]!\n", "  metadata: JSON\n", "  made: DateTime!\n", "  lines: [Card!]\n",
	} {
		if !strings.Contains(sdl, part) {
			t.Errorf("the schema lacks\n%s", part)
		}
	}
	for _, part := range []string{"billsFile", "Subscription", "Page "} {
		if strings.Contains(sdl, part) {
			t.Errorf("the schema has %s", part)
		}
	}
	backwards := make([]op.Operation, 0, len(s.operations))
	for _, o := range s.operations {
		backwards = append([]op.Operation{o}, backwards...)
	}
	if again, err := graphql.SDL(backwards); err != nil || again != sdl {
		t.Errorf("in another order the same operations make another schema (%v)", err)
	}
	if t.Failed() {
		t.Log(sdl)
	}
}

func TestTwoOperationsOfOneFieldAreRefused(t *testing.T) {
	t.Parallel()
	_, err := graphql.SDL([]op.Operation{
		op.Command("a.b_c", "POST /one", nothing, op.Public()),
		op.Command("a.b.c", "POST /two", nothing, op.Public()),
	})
	if err == nil || !strings.Contains(err.Error(), "aBC is already taken by a.b.c") {
		t.Errorf("the error is %v", err)
	}
}
