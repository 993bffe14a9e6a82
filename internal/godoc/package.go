// Package godoc collects the doc comments that an API is described with: those
// of handlers, and of the types that go in and out. They are written into the
// program, because a running one has no comments.
package godoc

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// File is the name of the generated file.
const File = "docs.gen.go"

// A Package is what the doc comments of one package say.
type Package struct {
	// Name is the package's name, Path its import path; that of a program is
	// "main", as in the running one.
	Name, Path string
	// Docs holds the comments, as CommonMark, by "Service.Capture", "Payment"
	// and "Payment.Amount".
	Docs map[string]string
}

// Collect reads the package in dir, tests and generated documentation left
// out. It collects the comments of handlers, that is of functions of the form
// func(context.Context, In) (Out, error) or
// func(context.Context, In) iter.Seq2[Out, error] which are exported or which
// the package gives to op.Query, op.Command, op.Stream or a relation, and of the types
// that those lead to. Exported structs with json tags count as well, because
// handlers of other packages may lead to them.
func Collect(dir string) (Package, error) {
	listed, err := build.ImportDir(dir, 0)
	if err != nil {
		return Package{}, err
	}
	p := Package{Name: listed.Name, Path: "main", Docs: map[string]string{}}
	if p.Name != "main" {
		if p.Path, err = importPath(dir); err != nil {
			return Package{}, err
		}
	}
	c := collector{docs: p.Docs, types: map[string]*ast.TypeSpec{}, comments: map[string]*ast.CommentGroup{}, given: map[string]bool{}, done: map[string]bool{}}
	files := token.NewFileSet()
	var functions []*ast.FuncDecl
	for _, name := range listed.GoFiles {
		if name == File {
			continue
		}
		f, err := parser.ParseFile(files, filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return Package{}, err
		}
		functions = append(functions, c.declare(f)...)
	}
	for _, fn := range functions {
		if fn.Name.IsExported() || c.given[fn.Name.Name] {
			c.function(fn)
		}
	}
	for name, spec := range c.types {
		if spec.Name.IsExported() && hasJSONTags(spec) {
			c.named(name)
		}
	}
	return p, nil
}

// importPath finds the module around dir, and so the path that dir has in it.
func importPath(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for root := abs; ; root = filepath.Dir(root) {
		text, err := os.ReadFile(filepath.Join(root, "go.mod")) //nolint:gosec // above the folder that whoever runs it named
		switch {
		case err == nil:
			below, err := filepath.Rel(root, abs)
			if err != nil {
				return "", err
			}
			module, err := modulePath(string(text))
			return path.Join(module, filepath.ToSlash(below)), err
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		case root == filepath.Dir(root):
			return "", fmt.Errorf("%s is in no module: there is no go.mod in it or above", dir)
		}
	}
}

func modulePath(gomod string) (string, error) {
	for line := range strings.Lines(gomod) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
			rest, _, _ = strings.Cut(rest, "//")
			return strings.Trim(strings.TrimSpace(rest), "\"`"), nil
		}
	}
	return "", errors.New("go.mod names no module")
}
