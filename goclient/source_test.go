package goclient_test

import (
	"bytes"
	"context"
	"iter"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/goclient"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

type (
	// File is called like a type of the client itself.
	File struct {
		ID    string           `json:"id"`
		Day   day              `json:"day"`
		Parts map[string]*File `json:"parts,omitempty"`
	}
	day   uint8
	asked struct {
		ID string `json:"id"`
	}
)

func (d *day) Rules(r *rule.Set) { rule.OneOf(r, d, 1, 2) }

func operations() []op.Operation {
	return []op.Operation{
		op.Query("files.get", "GET /files/{id}", func(context.Context, asked) (File, error) { return File{}, nil }, op.Public()),
		op.Stream("files", "GET /files", func(context.Context, struct{}) iter.Seq2[File, error] { return func(func(File, error) bool) {} }, op.Public()),
	}
}

// TestSource: names give way to those of the client. What whole clients do is
// tried by the payments example.
func TestSource(t *testing.T) {
	t.Parallel()
	source, err := goclient.Source(goclient.Info{Package: "files"}, operations())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"package files\n", "type File2 struct {", "func (c *Client) FilesGet(ctx context.Context, in FilesGetInput, calls ...Call) (File2, error) {",
		"func (c *Client) Files(ctx context.Context) iter.Seq2[File2, error] {", "type Day uint8", "map[string]*File2",
	} {
		if !strings.Contains(string(source), want) {
			t.Errorf("there is no %s", want)
		}
	}
	for range 5 { // maps are walked in another order each time
		if again, err := goclient.Source(goclient.Info{Package: "files"}, operations()); err != nil || !bytes.Equal(again, source) {
			t.Fatal("two clients of the same operations differ: ", err)
		}
	}
}

func TestMistakesAreNotWritten(t *testing.T) {
	t.Parallel()
	mistaken := op.Query("files.get", "GET /files/{id}", func(context.Context, struct{}) (File, error) { return File{}, nil })
	for name, list := range map[string][]op.Operation{"files": {mistaken}, "no name": operations()} {
		if source, err := goclient.Source(goclient.Info{Package: name}, list); err == nil || source != nil {
			t.Errorf("%s: got %d bytes, %v", name, len(source), err)
		}
	}
}
