package op_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
)

const (
	ReadBooks access.Permission = "books:read"
	LendBooks access.Permission = "books:lend"

	ErrNoBook fault.NotFound = "book_not_found"
	ErrLent   fault.Conflict = "book_already_lent"
)

type (
	Book struct {
		ISBN string `json:"isbn"`
		Lent bool   `json:"lent"`
	}
	ByISBN struct {
		ISBN string `json:"isbn"`
	}
	Library struct{}
)

func (Library) Get(_ context.Context, in ByISBN) (Book, error) { return Book{ISBN: in.ISBN}, nil }

func (Library) Lend(_ context.Context, in ByISBN) (Book, error) {
	return Book{}, ErrLent.Because("Another reader has it.")
}

func Example() {
	var library Library
	operations := []op.Operation{
		op.Query("books.get", "GET /books/{isbn}", library.Get,
			op.Allow(ReadBooks), op.Cache(time.Minute), op.Fails(ErrNoBook)),
		op.Command("books.lend", "POST /books/{isbn}/loans", library.Lend,
			op.Allow(LendBooks), op.Idempotent(24*time.Hour), op.Fails(ErrNoBook, ErrLent)),
	}
	fmt.Println("mistakes:", op.Check(operations))
	for _, o := range operations {
		s := o.Spec()
		fmt.Println(s.Kind, s.Name, s.Method, s.Path, s.Permissions, s.Handler)
	}
	// Output:
	// mistakes: <nil>
	// query books.get GET /books/{isbn} [books:read] Library.Get
	// command books.lend POST /books/{isbn}/loans [books:lend] Library.Lend
}

func ExampleCheck() {
	var library Library
	err := op.Check([]op.Operation{
		op.Query("books.get", "GET /books/{id}", library.Get),
		op.Command("books.lend", "GET /loans", library.Lend, op.Public(), op.MaxBody(-1)),
	})
	for line := range strings.Lines(err.Error()) {
		_, what, _ := strings.Cut(line, ": ") // leave out file and line
		fmt.Print(what)
	}
	// Output:
	// books.get: does not say who may call it; add op.Allow, op.Authenticated or op.Public
	// books.get: path /books/{id} names {id}, which the input op_test.ByISBN has no field for
	// books.lend: MaxBody(-1) leaves no room
	// books.lend: a command cannot have method "GET"; use POST, PUT, PATCH, DELETE
}

// A call is what a transport fills and runs.
func ExampleSpec() {
	var library Library
	lend := op.Command("books.lend", "POST /books/{isbn}/loans", library.Lend, op.Public(), op.Fails(ErrLent))

	call := lend.Spec().NewCall()
	defer call.Release()
	call.In().(*ByISBN).ISBN = "978-3-16-148410-0"
	err := call.Do(context.Background())
	fmt.Println(errors.Is(err, ErrLent), err)
	// Output: true book_already_lent: Another reader has it.
}

func ExamplePageOf() {
	books := []string{"a", "b", "c"} // limit+1 rows, read after the last page's key
	page := op.PageOf(books, 2, func(isbn string) string { return isbn })
	key, err := page.NextCursor.Key()
	fmt.Println(page.Data, page.HasMore, key, err)

	_, err = op.Cursor("edited").Key()
	fmt.Println(errors.Is(err, op.ErrCursor))
	// Output:
	// [a b] true b <nil>
	// true
}

func ExampleMatch() {
	current := revision(7)
	seen := op.WithMatch(context.Background(), `"6"`) // what the caller's If-Match said
	fmt.Println(errors.Is(op.Match(seen, current), fault.ErrStale))
	fmt.Println(op.Match(context.Background(), current)) // no If-Match: no condition
	// Output:
	// true
	// <nil>
}

type revision int

func (r revision) ETag() string { return fmt.Sprint(int(r)) }
