package godoc

import (
	"go/ast"
	"go/token"
	"reflect"
	"strconv"
	"strings"
)

type collector struct {
	docs     map[string]string
	types    map[string]*ast.TypeSpec
	comments map[string]*ast.CommentGroup // of the types
	given    map[string]bool              // functions and methods that are given to package op
	done     map[string]bool
}

// declare notes the types of a file and what it declares operations with, and
// returns its functions.
func (c *collector) declare(f *ast.File) (functions []*ast.FuncDecl) {
	ast.Inspect(f, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && len(call.Args) > 2 && declares(call.Fun) {
			switch handler := call.Args[2].(type) {
			case *ast.Ident:
				c.given[handler.Name] = true
			case *ast.SelectorExpr:
				c.given[handler.Sel.Name] = true
			}
		}
		return true
	})
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			functions = append(functions, d)
		case *ast.GenDecl:
			if d.Tok != token.TYPE {
				continue
			}
			for _, spec := range d.Specs {
				t := spec.(*ast.TypeSpec)
				c.types[t.Name.Name] = t
				c.comments[t.Name.Name] = firstText(t.Doc, d.Doc, t.Comment)
				if len(d.Specs) > 1 { // then d.Doc is about the group
					c.comments[t.Name.Name] = firstText(t.Doc, t.Comment)
				}
			}
		}
	}
	return functions
}

func declares(f ast.Expr) bool {
	switch generic := f.(type) { // a relation names its parent's type
	case *ast.IndexExpr:
		f = generic.X
	case *ast.IndexListExpr:
		f = generic.X
	}
	return isSelector(f, "op", "Query") || isSelector(f, "op", "Command") || isSelector(f, "op", "Stream") ||
		isSelector(f, "op", "RelateOne") || isSelector(f, "op", "RelateMany")
}

func firstText(groups ...*ast.CommentGroup) *ast.CommentGroup {
	for _, g := range groups {
		if g.Text() != "" {
			return g
		}
	}
	return nil
}

// function collects a handler's comment and what its signature leads to.
func (c *collector) function(fn *ast.FuncDecl) {
	in, out, ok := signature(fn.Type)
	if !ok {
		return
	}
	name := fn.Name.Name
	if fn.Recv != nil {
		name = receiver(fn.Recv.List[0].Type) + "." + name
	}
	c.add(name, fn.Doc)
	c.expression(in)
	c.expression(out)
}

// signature returns the input and output of a handler.
func signature(t *ast.FuncType) (in, out ast.Expr, ok bool) {
	var params, results []ast.Expr
	for _, list := range []struct {
		from *ast.FieldList
		to   *[]ast.Expr
	}{{t.Params, &params}, {t.Results, &results}} {
		if list.from == nil {
			continue
		}
		for _, f := range list.from.List {
			for range max(1, len(f.Names)) {
				*list.to = append(*list.to, f.Type)
			}
		}
	}
	if len(params) < 2 || !isSelector(params[0], "context", "Context") {
		return nil, nil, false
	}
	if of, relates := related(params, results); relates {
		return params[1], of, true
	}
	if len(params) != 2 {
		return nil, nil, false
	}
	switch len(results) {
	case 1: // a stream
		pair, ok := results[0].(*ast.IndexListExpr)
		if !ok || !isSelector(pair.X, "iter", "Seq2") || len(pair.Indices) != 2 || !isError(pair.Indices[1]) {
			return nil, nil, false
		}
		return params[1], pair.Indices[0], true
	case 2:
		return params[1], results[0], isError(results[1])
	}
	return nil, nil, false
}

// related returns what a relation leads to: the values of the map that its
// function returns, which takes keys and perhaps a limit.
func related(params, results []ast.Expr) (of ast.Expr, ok bool) {
	if len(params) > 3 || len(results) != 2 || !isError(results[1]) {
		return nil, false
	}
	found, isMap := results[0].(*ast.MapType)
	if _, keys := params[1].(*ast.ArrayType); !keys || !isMap {
		return nil, false
	}
	return found.Value, true
}

func isSelector(e ast.Expr, pkg, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == pkg
}

func isError(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "error"
}

// receiver returns the type that a method is declared on.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.ParenExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// expression follows every name of this package in a type expression.
func (c *collector) expression(e ast.Expr) {
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			return false // of another package
		case *ast.Field:
			c.expression(n.Type)
			return false
		case *ast.Ident:
			c.named(n.Name)
		}
		return true
	})
}

// named collects the comments of a type of this package.
func (c *collector) named(name string) {
	spec := c.types[name]
	if spec == nil || c.done[name] {
		return
	}
	c.done[name] = true
	c.add(name, c.comments[name])
	s, ok := spec.Type.(*ast.StructType)
	if !ok {
		c.expression(spec.Type)
		return
	}
	for _, f := range s.Fields.List {
		for _, n := range f.Names {
			c.add(name+"."+n.Name, firstText(f.Doc, f.Comment))
		}
		c.expression(f.Type)
	}
}

func (c *collector) add(name string, comment *ast.CommentGroup) {
	if text := markdown(comment.Text()); text != "" {
		c.docs[name] = text
	}
}

func hasJSONTags(spec *ast.TypeSpec) bool {
	s, ok := spec.Type.(*ast.StructType)
	if !ok {
		return false
	}
	for _, f := range s.Fields.List {
		if f.Tag == nil {
			continue
		}
		tag, err := strconv.Unquote(f.Tag.Value)
		if name, ok := reflect.StructTag(tag).Lookup("json"); err == nil && ok && !strings.HasPrefix(name, "-") {
			return true
		}
	}
	return false
}
