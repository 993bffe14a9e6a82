package op_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestWhatDoesNotCompile type-checks declarations against the package as it
// is built: the mistakes below must be found by the compiler, before Check.
func TestWhatDoesNotCompile(t *testing.T) {
	t.Parallel()
	check := checker(t)
	for what, c := range map[string]struct{ declaration, want string }{
		"a query":             {`op.Query("a", "GET /a", read, op.Public(), op.Cache(time.Second))`, ""},
		"a command":           {`op.Command("a", "POST /a", read, op.Public(), op.Idempotent(time.Hour), op.IfMatch(), op.MaxBody(1), op.Created("/a"))`, ""},
		"a stream":            {`op.Stream("a", "GET /a", watch, op.Public(), op.Timeout(time.Hour))`, ""},
		"a team's own policy": {`op.Query("a", "GET /a", read, op.Options(op.Public(), op.Timeout(time.Second), op.Fails(fault.ErrStale)))`, ""},

		"a cache on a command":         {`op.Command("a", "POST /a", read, op.Cache(time.Second))`, "does not implement op.CommandOption"},
		"a cache on a stream":          {`op.Stream("a", "GET /a", watch, op.Cache(time.Second))`, "does not implement op.StreamOption"},
		"keys on a query":              {`op.Query("a", "GET /a", read, op.Idempotent(time.Hour))`, "does not implement op.QueryOption"},
		"keys on a stream":             {`op.Stream("a", "GET /a", watch, op.Idempotent(time.Hour))`, "does not implement op.StreamOption"},
		"a match on a query":           {`op.Query("a", "GET /a", read, op.IfMatch())`, "does not implement op.QueryOption"},
		"a demanded match on a query":  {`op.Query("a", "GET /a", read, op.RequireIfMatch())`, "does not implement op.QueryOption"},
		"a body's limit on a query":    {`op.Query("a", "GET /a", read, op.MaxBody(1))`, "does not implement op.QueryOption"},
		"a query that creates":         {`op.Query("a", "GET /a", read, op.Created(""))`, "does not implement op.QueryOption"},
		"a stream that is accepted":    {`op.Stream("a", "GET /a", watch, op.Accepted(""))`, "does not implement op.StreamOption"},
		"a cache in a common policy":   {`op.Options(op.Cache(time.Second))`, "does not implement op.Option"},
		"a command that keeps":         {`op.Command("a", "POST /a", read, op.Keep(time.Second))`, "does not implement op.CommandOption"},
		"what is kept without a cache": {`op.Query("a", "GET /a", read, op.Keep(time.Second))`, "does not implement op.QueryOption"},
		"a query that invalidates":     {`op.Query("a", "GET /a", read, op.Invalidates("a"))`, "does not implement op.QueryOption"},
		"keys in a common policy":      {`op.Options(op.Idempotent(time.Second))`, "does not implement op.Option"},
		"a function without a context": {`op.Query("a", "GET /a", func(In) (Out, error) { return Out{}, nil }, op.Public())`, "does not match"},
		"a function without an error":  {`op.Query("a", "GET /a", func(context.Context, In) Out { return Out{} }, op.Public())`, "does not match"},
		"a function without an input":  {`op.Command("a", "POST /a", func(context.Context) (Out, error) { return Out{}, nil }, op.Public())`, "does not match"},
		"a stream that answers once":   {`op.Stream("a", "GET /a", read, op.Public())`, "does not match"},
		"a query that streams":         {`op.Query("a", "GET /a", watch, op.Public())`, "does not match"},
		"a text for a permission":      {`op.Allow(string("payments:read"))`, "cannot use string"},
		"a text for a fault":           {`op.Fails("payment_not_found")`, "cannot use"},
		"any error for a fault":        {`op.Fails(errors.New("x"))`, "does not implement fault.Coded"},
		"an option of one's own":       {`op.Query("a", "GET /a", read, own{})`, "does not implement op.QueryOption"},
		"a cursor where a key belongs": {`op.NewCursor(op.Cursor("x"))`, "cannot use"},
		"a match without a version":    {`op.Match(context.Background(), Out{})`, "does not implement op.Tagged"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			err := check(c.declaration)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("is refused: %v", err)
			case c.want != "" && err == nil:
				t.Errorf("compiles: %s", c.declaration)
			case c.want != "" && !strings.Contains(err.Error(), c.want):
				t.Errorf("is refused for another reason: %v", err)
			}
		})
	}
}

const program = `package declares

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
)

type (
	In  struct{ ID string }
	Out struct{ ID string }
	own struct{}
)

func (own) query() {}

func read(context.Context, In) (Out, error)              { return Out{}, nil }
func watch(context.Context, In) iter.Seq2[Out, error] { return nil }

var (
	_ = errors.New
	_ = time.Second
	_ = access.From
	_ fault.Coded
	_ = watch
	_ = %s
)
`

// checker returns a function that type-checks one declaration.
func checker(t *testing.T) func(declaration string) error {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", ".", "errors", "iter")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatal("the compiler's view of this package:", err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		exports[path] = file
	}
	open := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	return func(declaration string) error {
		// Importers are not safe for concurrent use: each check has its own.
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "declares.go", fmt.Sprintf(program, declaration), 0)
		if err != nil {
			return fmt.Errorf("no Go: %w", err)
		}
		cfg := types.Config{Importer: importer.ForCompiler(fset, "gc", open)}
		_, err = cfg.Check("declares", fset, []*ast.File{file}, nil)
		return err
	}
}
