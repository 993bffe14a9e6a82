package ashlar

import (
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ashlar-go/ashlar/op"
)

// AccessMatrix returns who may call what, as a table for people and for a
// golden test: every operation against nobody and every role, "yes" or "-".
// It is worked out by the policy that admits requests. A plain handler, whose
// access the app cannot know, stands at the end with "?" for everybody. What
// the table cannot say is which objects a role may touch.
func (a *App) AccessMatrix() string {
	roles := a.Policy.Roles()
	rows := []string{"OPERATION\tROUTE\tNEEDS\tnobody\t" + strings.Join(roles, "\t")}
	for _, o := range a.operations {
		s := o.Spec()
		row := []string{s.Name, s.Method + " " + s.Path, accessOf(s), mark(s.Access == op.ByEveryone)}
		admitted := a.rolesOf(s)
		for _, role := range roles {
			row = append(row, mark(s.Access != op.ByPermission || slices.Contains(admitted, role)))
		}
		rows = append(rows, strings.Join(row, "\t"))
	}
	for _, raw := range a.raw {
		rows = append(rows, "(handler)\t"+raw.pattern+"\tits own affair"+strings.Repeat("\t?", 1+len(roles)))
	}
	return aligned(rows)
}

func mark(may bool) string {
	if may {
		return "yes"
	}
	return "-"
}

// aligned sets rows of cells in columns; tabs separate the cells of a row.
func aligned(rows []string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = io.WriteString(w, row+"\n") // a Builder takes everything
	}
	_ = w.Flush()
	return b.String()
}
