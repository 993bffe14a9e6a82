package ashlartest_test

import (
	"context"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// The kit is tried on a small notebook: notes of an account, one that cannot
// be had twice.
const (
	read  access.Permission = "notes:read"
	write access.Permission = "notes:write"

	errNoNote fault.NotFound = "note_not_found"
	errTaken  fault.Conflict = "title_taken"
)

type note struct {
	ID      int64  `json:"id"`
	Account string `json:"account"`
	Title   string `json:"title"`
}

type newNote struct {
	Title string `json:"title"`
}

func (n *newNote) Rules(r *rule.Set) { rule.Text(r, &n.Title).Len(1, 10) }

type byID struct {
	ID int64 `json:"id"`
}

type notebook struct{ db *db.DB }

func (b notebook) create(ctx context.Context, in newNote) (note, error) {
	return db.InTx(ctx, b.db, func(tx *db.Tx) (note, error) {
		n, err := db.One[note](ctx, tx, `INSERT INTO notes (account, title) VALUES ($1, $2) RETURNING id, account, title`,
			access.From(ctx).Account, in.Title)
		switch {
		case db.IsUnique(err):
			return note{}, errTaken
		case in.Title == "kept":
			return note{}, db.Keep(errTaken.Because("kept all the same"))
		}
		return n, err
	})
}

func (b notebook) get(ctx context.Context, in byID) (note, error) {
	list, err := db.All[note](ctx, b.db, `SELECT id, account, title FROM notes WHERE id = $1 AND account = $2`, in.ID, access.From(ctx).Account)
	if err == nil && len(list) == 0 {
		err = errNoNote
	}
	if err != nil {
		return note{}, err
	}
	return list[0], nil
}

func (b notebook) module() ashlar.Module {
	return ashlar.Module{
		Name: "notes",
		Operations: []op.Operation{
			op.Command("notes.create", "POST /notes", b.create, op.Allow(write), op.Created("/notes/{id}"), op.Idempotent(time.Hour), op.Fails(errTaken)),
			op.Query("notes.get", "GET /notes/{id}", b.get, op.Allow(read), op.Fails(errNoNote)),
		},
		Migrations: fstest.MapFS{
			"1_notes.sqlite.sql":   {Data: []byte("-- +goose Up\nCREATE TABLE notes (id INTEGER PRIMARY KEY, account TEXT NOT NULL, title TEXT NOT NULL UNIQUE);\n")},
			"1_notes.postgres.sql": {Data: []byte("-- +goose Up\nCREATE TABLE notes (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account TEXT NOT NULL, title TEXT NOT NULL UNIQUE);\n")},
		},
	}
}

var call = ashlartest.Call[note]

func open(t testing.TB) *ashlartest.App {
	app := ashlartest.Open(t)
	app.Mount(notebook{app.DB}.module())
	app.Grant("clerk", read, write)
	return app
}

func TestCall(t *testing.T) {
	t.Parallel()
	app := open(t)
	ann, bob := app.As("ann", read, write), app.AsRole("u1", "bob", "clerk")

	n := call(ann, "notes.create", newNote{Title: "one"}).OK()
	if got := call(ann, "notes.get", byID{n.ID}).OK(); got != n {
		t.Errorf("got %+v, want %+v", got, n)
	}
	call(bob, "notes.get", byID{n.ID}).Fails(errNoNote)
	call(bob, "notes.create", newNote{Title: "one"}).Fails(errTaken)
	call(ann, "notes.create", newNote{}).Invalid("/title")
	call(ann, "notes.create", map[string]any{"title": 1, "x": 2}).Invalid("/x", "/title")
	call(app.As("ann", read), "notes.create", newNote{Title: "two"}).Denied()
	call(app.Anonymous(), "notes.get", byID{n.ID}).Fails(fault.ErrUnauthenticated)
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	app := open(t)
	ann := app.As("ann", write)

	first := call(ann.Key("k"), "notes.create", newNote{Title: "one"})
	again := call(ann.Key("k"), "notes.create", newNote{Title: "one"})
	if first.OK() != again.OK() || first.Replayed() || !again.Replayed() || first.Header("Location") != again.Header("Location") {
		t.Errorf("a retry is not the first answer: %s %s", first.Body(), again.Body())
	}
	call(ann.Key("k"), "notes.create", newNote{Title: "two"}).Fails(fault.ErrKeyReused)
	call(ann.With("Idempotency-Key", " "), "notes.create", newNote{Title: "two"}).Fails(fault.ErrKeyMalformed)
	// A failure leaves nothing behind, so the key is free for another try.
	call(ann.Key("f"), "notes.create", newNote{Title: "one"}).Fails(errTaken)
	call(ann.Key("f"), "notes.create", newNote{Title: "three"}).OK()
	// A kept failure is the answer to its key.
	call(ann.Key("kept"), "notes.create", newNote{Title: "kept"}).Fails(errTaken)
	if r := call(ann.Key("kept"), "notes.create", newNote{Title: "kept"}); !r.Replayed() {
		t.Errorf("a kept failure ran again: %s", r.Body())
	}
	// Keys belong to a principal.
	call(app.As("bob", write).Key("k"), "notes.create", newNote{Title: "four"}).OK()
}

// A test that opens an app, migrates its database and calls it: what a unit
// test of a service costs.
func BenchmarkUnitTest(b *testing.B) {
	for b.Loop() {
		app := open(b)
		call(app.As("ann", write), "notes.create", newNote{Title: "one"}).OK()
		if err := app.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
