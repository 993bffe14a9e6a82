package tsclient_test

import (
	"bytes"
	"context"
	"flag"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
	"github.com/ashlar-go/ashlar/tsclient"
)

var update = flag.Bool("update", false, "rewrite the files under testdata")

const (
	read access.Permission = "odd:read"

	errGone fault.Gone = "thing_gone"
)

// What names and shapes can be odd: a type that is called like one of the
// browser's, members that are no identifiers, comments that would end a comment.
type (
	Response struct {
		ID       string              `json:"id"`
		OwnerID  string              `json:"owner_id"`
		Weekday  weekday             `json:"weekday"`
		Hyphened string              `json:"two-words"`
		Maybe    *int64              `json:"maybe"`
		Rarely   *string             `json:"rarely,omitzero"`
		Parts    []part              `json:"parts"`
		Parents  map[string]Response `json:"parents,omitempty"`
		Bytes    []byte              `json:"bytes"`
		At       time.Time           `json:"at"`
		Inline   struct {
			X float64 `json:"x"`
		} `json:"inline"`
		Anything any `json:"anything"`
	}
	part struct {
		Name string `json:"name"`
	}
	weekday uint8
	change  struct {
		ID    string                `json:"id"`
		Name  rule.Optional[string] `json:"name,omitzero"`
		Part  part                  `json:"part"`
		Since time.Time             `json:"since,omitzero"`
	}
	byID struct {
		ID string `json:"id"`
	}
	byOwner struct {
		OwnerID string `json:"owner_id"`
		byID
	}
	many struct {
		Tags []string `json:"tags,omitzero"`
		op.Paging
	}
)

func (d *weekday) Rules(r *rule.Set) { rule.OneOf(r, d, 1, 2, 3) }

func odd() []op.Operation {
	find := func(context.Context, byID) (Response, error) { return Response{}, nil }
	owned := func(context.Context, byOwner) (Response, error) { return Response{}, nil }
	list := func(context.Context, many) (op.Page[Response], error) { return op.Page[Response]{}, nil }
	edit := func(context.Context, change) (Response, error) { return Response{}, nil }
	nothing := func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }
	file := func(context.Context, byID) (op.File, error) { return op.File{}, nil }
	tick := func(context.Context, struct{}) iter.Seq2[part, error] { return func(func(part, error) bool) {} }
	operations := []op.Operation{
		op.Query("owners.things.get", "GET /owners/{owner_id}/things/{id}", owned, op.Allow(read), op.Fails(errGone)),
		op.Query("things.get", "GET /things/{id}", find, op.Public()),
		op.Query("things.list", "GET /things", list, op.Allow(read)),
		op.Command("things.edit_all", "PATCH /things/{id}", edit, op.Allow(read), op.Idempotent(time.Hour),
			op.Deprecated(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC))),
		op.Command("things", "POST /nothing", nothing, op.Authenticated()),
		op.Query("things.get.file", "GET /things/{id}/file", file, op.Public()),
		op.Stream("ticks", "GET /ticks", tick, op.Public()),
	}
	op.Explain(operations, op.Docs{"github.com/ashlar-go/ashlar/tsclient_test.Response": "A Response */ is odd.\nIt has two lines."})
	operations[0].Spec().Docs["github.com/ashlar-go/ashlar/tsclient_test.Response.At"] = "when it was"
	return operations
}

// TestTheSourceIsWhatItWas. Its golden file is all but what every client has in
// common; the tests of the payments example compile both.
func TestTheSourceIsWhatItWas(t *testing.T) {
	t.Parallel()
	common, err := os.ReadFile("runtime.ts")
	if err != nil {
		t.Fatal(err)
	}
	info := tsclient.Info{Name: "odd-things", Version: "1.2"}
	source, err := tsclient.Source(info, odd())
	if err != nil {
		t.Fatal(err)
	}
	got, ok := bytes.CutSuffix(source, common)
	if !ok {
		t.Fatal("the source does not end in runtime.ts")
	}
	file := filepath.Join("testdata", "odd.ts")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
	for range 5 { // maps are walked in another order each time
		if again, err := tsclient.Source(info, odd()); err != nil || !bytes.Equal(again, source) {
			t.Fatal("two clients of the same operations differ: ", err)
		}
	}
}

func TestMistakesAreNotWritten(t *testing.T) {
	t.Parallel()
	mistaken := op.Query("things.get", "GET /things/{id}", func(context.Context, struct{}) (part, error) { return part{}, nil })
	if source, err := tsclient.Source(tsclient.Info{}, []op.Operation{mistaken}); err == nil || source != nil {
		t.Errorf("got %d bytes, %v", len(source), err)
	}
}

// TestNothingIsStillAClient: an app without operations, and without a name.
func TestNothingIsStillAClient(t *testing.T) {
	t.Parallel()
	source, err := tsclient.Source(tsclient.Info{}, nil)
	if err != nil || !strings.Contains(string(source), "export class Api {") {
		t.Errorf("%v\n%.300s", err, source)
	}
}
