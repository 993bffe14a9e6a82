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
	app := open(t)
	sdl, err := graphql.SDL(app.Operations(), app.Relations()...)
	if err != nil {
		t.Fatal(err)
	}
	ashlartest.Golden(t, "testdata/schema.graphql", sdl)
}
