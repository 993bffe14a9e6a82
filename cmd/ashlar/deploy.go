package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/ashlar-go/ashlar/cmd/ashlar/internal/deploy"
)

// deployCommand writes files that bring an app into the world.
type deployCommand struct {
	Targets []string `arg:"" optional:"" name:"target" help:"Where to: docker, compose, kubernetes, systemd, railway, render, ecs, apprunner, lambda, github, or all."`
	Name    string   `help:"What the app is called; the last word of the module's path if not said."`
	Package string   `help:"The program's package, as ./cmd/shop; found if there is one."`
	Image   string   `help:"Where the image is kept, as registry/name."`
	Force   bool     `xor:"changed" help:"Write over files that somebody has changed."`
	Keep    bool     `xor:"changed" help:"Leave files that somebody has changed, and write the others."`
	Check   bool     `help:"Write nothing; fail if a file is not what would be written, and nobody has changed it. Without a target: all that were written."`
}

// Run is called by kong.
func (c deployCommand) Run(out printer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	targets, err := deploy.Choose(c.Targets)
	if err != nil {
		return err
	}
	if len(targets) == 0 && !c.Check {
		return out.targets()
	}
	root, app, err := deploy.Find(ctx, ".", deploy.App{Name: c.Name, Package: c.Package, Image: c.Image})
	if err != nil {
		return err
	}
	if c.Check {
		left, err := deploy.Check(root, app, targets)
		return errors.Join(err, out.list("yours    ", left))
	}
	how := deploy.Refuse
	switch {
	case c.Force:
		how = deploy.Force
	case c.Keep:
		how = deploy.Keep
	}
	wrote, left, err := deploy.Write(root, app, targets, how)
	if err != nil {
		return err
	}
	if err := errors.Join(out.list("wrote    ", wrote), out.list("yours    ", left)); err != nil {
		return err
	}
	if len(wrote) == 0 {
		_, err := fmt.Fprintln(out, "all is as it would be written")
		return err
	}
	for _, t := range targets {
		if _, err := fmt.Fprintf(out, "\n%s: %s\n", t.Name, app.Adapt(t.Next)); err != nil {
			return err
		}
	}
	return nil
}

// list prints a line for each name.
func (p printer) list(what string, names []string) error {
	for _, name := range names {
		if _, err := fmt.Fprintln(p, what+name); err != nil {
			return err
		}
	}
	return nil
}

// targets prints what can be asked for.
func (p printer) targets() error {
	var b strings.Builder
	for _, t := range deploy.Targets() {
		fmt.Fprintf(&b, "%-11s %s\n", t.Name, t.About)
	}
	_, err := fmt.Fprint(p, b.String())
	return err
}
