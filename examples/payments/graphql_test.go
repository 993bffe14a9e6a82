package main

import (
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/graphql"
)

// TestTheGraphQLSchema holds the schema to the one that was agreed on: a diff is
// a change of the contract.
func TestTheGraphQLSchema(t *testing.T) {
	t.Parallel()
	sdl, err := graphql.SDL(open(t).Operations())
	if err != nil {
		t.Fatal(err)
	}
	ashlartest.Golden(t, "testdata/schema.graphql", sdl)
}
