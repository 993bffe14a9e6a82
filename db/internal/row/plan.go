// Package row writes the columns of a result into Go values by a plan that is
// compiled once per type and list of columns. It holds the unsafe pointer
// arithmetic of package db.
package row

import (
	"fmt"
	"reflect"
	"sync"
	"unsafe"
)

// Source is the current row of a result: db.Rows, as much as a plan needs.
type Source interface {
	Scan(dst ...any) error
}

// Plan says where each column of a result goes in a value of one type. It is
// safe for concurrent use.
type Plan struct {
	typ     reflect.Type
	columns []string
	targets []target
	states  sync.Pool // of *state
}

// target is one column's place: the offset in the value and how to make the
// pointer that a driver scans into.
type target struct {
	offset uintptr
	typ    reflect.Type
	form   form
}

// state is what scanning one row needs, reused from row to row.
type state struct {
	dst      []any
	indirect []indirect
}

// Columns are the columns the plan was compiled for.
func (p *Plan) Columns() []string { return p.columns }

// Compile maps columns to typ: by name to the fields of a struct, or the only
// column to a scalar.
func Compile(typ reflect.Type, columns []string) (*Plan, error) {
	p := &Plan{typ: typ, columns: columns}
	p.states.New = func() any {
		return &state{dst: make([]any, len(p.targets)), indirect: make([]indirect, len(p.targets))}
	}
	if !isRecord(typ) {
		if len(columns) != 1 {
			return nil, fmt.Errorf("db: %s holds one column, the query returns %d: %q", typ, len(columns), columns)
		}
		f, err := formOf(typ)
		if err != nil {
			return nil, fmt.Errorf("db: column %q: %w", columns[0], err)
		}
		p.targets = []target{{typ: typ, form: f}}
		return p, nil
	}

	fields, err := fieldsOf(typ)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(columns))
	for _, c := range columns {
		field, ok := fields[c]
		switch {
		case !ok:
			return nil, fmt.Errorf("db: column %q has no field in %s: tag one with `db:%q` or leave the column out of the query", c, typ, c)
		case seen[c]:
			return nil, fmt.Errorf("db: column %q is twice in the query for %s: rename one with AS", c, typ)
		}
		seen[c] = true
		f, err := formOf(field.typ)
		if err != nil {
			return nil, fmt.Errorf("db: column %q, field %s of %s: %w", c, field.name, typ, err)
		}
		p.targets = append(p.targets, target{offset: field.offset, typ: field.typ, form: f})
	}
	return p, nil
}

// Scan writes the current row of src into out, whose type p was compiled for.
func Scan[T any](p *Plan, src Source, out *T) error {
	if p.typ != reflect.TypeFor[T]() {
		panic("row: plan of " + p.typ.String() + " used for " + reflect.TypeFor[T]().String())
	}
	return p.scan(src, unsafe.Pointer(out))
}

func (p *Plan) scan(src Source, base unsafe.Pointer) error {
	s := p.states.Get().(*state)
	for i := range p.targets {
		t := &p.targets[i]
		s.dst[i] = t.pointer(unsafe.Add(base, t.offset), &s.indirect[i])
	}
	err := src.Scan(s.dst...)
	clear(s.dst) // a pooled state must not keep the caller's row alive
	clear(s.indirect)
	p.states.Put(s)
	if err != nil {
		return fmt.Errorf("db: row of %s: %w", p.typ, err)
	}
	return nil
}
