package db

import (
	"errors"
	"slices"
	"strings"
)

// Constraint is a rule of the schema that a statement broke. Adapters return
// it; callers use [IsUnique], [IsForeignKey], [IsCheck] and [IsNotNull].
type Constraint struct {
	Kind    Kind
	Name    string   // the constraint or index, when the database tells
	Table   string   // when the database tells
	Columns []string // when the database tells
	Cause   error    // the driver's own error
}

// Kind is the kind of a broken [Constraint].
type Kind string

// The kinds of constraint.
const (
	Unique     Kind = "unique"
	ForeignKey Kind = "foreign key"
	Check      Kind = "check"
	NotNull    Kind = "not null"
)

// Error tells the kind and as much of the place as the database told.
func (c *Constraint) Error() string {
	var b strings.Builder
	b.WriteString("db: ")
	b.WriteString(string(c.Kind))
	b.WriteString(" constraint")
	if c.Name != "" {
		b.WriteString(" ")
		b.WriteString(c.Name)
	}
	if len(c.Columns) > 0 {
		b.WriteString(" on ")
		b.WriteString(c.Table)
		b.WriteString("(")
		b.WriteString(strings.Join(c.Columns, ", "))
		b.WriteString(")")
	}
	if c.Cause != nil {
		b.WriteString(": ")
		b.WriteString(c.Cause.Error())
	}
	return b.String()
}

// Unwrap is the driver's own error.
func (c *Constraint) Unwrap() error { return c.Cause }

// IsUnique reports whether err is a broken unique or primary key constraint.
// With names it must also be one of them: the name of the constraint or index
// where the database tells it, a column ("email"), or "table.column". Give
// the constraint's name and the column, and the test holds on every adapter.
func IsUnique(err error, names ...string) bool { return broke(err, Unique, names) }

// IsForeignKey reports whether err is a reference to a row that is not there,
// or the removal of a row that is still referred to. Only some databases tell
// which constraint it was.
func IsForeignKey(err error, names ...string) bool { return broke(err, ForeignKey, names) }

// IsCheck reports whether err is a broken CHECK constraint, with the name of
// one of names if there are any.
func IsCheck(err error, names ...string) bool { return broke(err, Check, names) }

// IsNotNull reports whether err is a NULL in a column that allows none, and
// the column is one of names if there are any.
func IsNotNull(err error, names ...string) bool { return broke(err, NotNull, names) }

func broke(err error, kind Kind, names []string) bool {
	c, ok := errors.AsType[*Constraint](err)
	if !ok || c.Kind != kind {
		return false
	}
	if len(names) == 0 {
		return true
	}
	for _, name := range names {
		table, column, dotted := strings.Cut(name, ".")
		switch {
		case name == c.Name,
			!dotted && slices.Contains(c.Columns, name),
			dotted && table == c.Table && slices.Contains(c.Columns, column):
			return true
		}
	}
	return false
}
