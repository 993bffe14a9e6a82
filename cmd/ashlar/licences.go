package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ashlar-go/ashlar/cmd/ashlar/internal/licence"
)

// licencesCommand looks at the licences of what a program is linked from.
type licencesCommand struct {
	Packages []string `arg:"" optional:"" name:"package" default:"." help:"The programs' packages."`
	Allow    []string `help:"Licences that are allowed, as SPDX names them, instead of the permissive ones."`
	Except   []string `help:"Modules that were looked at by somebody, and are allowed whatever their text says."`
}

// Run is called by kong.
func (c licencesCommand) Run(out printer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	modules, err := licence.Linked(ctx, ".", c.Packages...)
	if err != nil {
		return err
	}
	allowed := licence.Permissive()
	if len(c.Allow) > 0 {
		allowed = c.Allow
	}
	var errs []error
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, m := range modules {
		list := strings.Join(m.Licences, " and ")
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\n", list, m.Path, m.Version); err != nil {
			return err
		}
		if !slices.Contains(c.Except, m.Path) && slices.ContainsFunc(m.Licences, func(l string) bool { return !slices.Contains(allowed, l) }) {
			errs = append(errs, fmt.Errorf("%s %s is under %s, which is not among %s", m.Path, m.Version, list, strings.Join(allowed, ", ")))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return errors.Join(errs...)
}
