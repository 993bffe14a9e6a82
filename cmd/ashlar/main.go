// Command ashlar makes and develops applications. An application serves and
// runs itself: its own binary is its command.
//
//	ashlar gen [--check] [DIR ...]
//	ashlar image [PACKAGE] [-o image.tar | --push registry/name:tag]
//	ashlar deploy [TARGET ...] [--check | --keep | --force]
//	ashlar licences [PACKAGE ...]
//
// Gen writes docs.gen.go beside a package's source: its doc comments, which
// become the summaries and descriptions of the API document. Ask for it where
// the operations are declared:
//
//	//go:generate go run github.com/ashlar-go/ashlar/cmd/ashlar gen
//
// or, where go.mod has the line "tool github.com/ashlar-go/ashlar/cmd/ashlar":
//
//	//go:generate go tool ashlar gen
//
// Image makes an OCI image of a program: the program, root certificates, time
// zones, a user that is nobody, and nothing else, with its bill of materials
// (CycloneDX). It needs no container engine, and the same commit gives the same
// digest.
//
// Deploy writes the files that bring an app to Docker, Kubernetes, systemd and platforms,
// and later keeps those up to date that nobody has changed.
//
// Licences prints under which licence each module is that programs are linked
// from, and fails if one is not permissive.
package main

import (
	"io"
	"os"

	"github.com/alecthomas/kong"
)

type commands struct {
	Gen      gen             `cmd:"" help:"Write docs.gen.go beside a package's source: the doc comments that the API document is made of."`
	Image    imageCommand    `cmd:"" help:"Make an OCI image of a program, without a container engine."`
	Deploy   deployCommand   `cmd:"" help:"Write the files that bring an app to Docker, Kubernetes, systemd and platforms."`
	Licences licencesCommand `cmd:"" help:"Show the licences of the modules that programs are linked from, and fail if one is not allowed."`
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit code: 0, 1 for what went wrong, 2 for what was asked
// wrongly.
func run(args []string, out, complaints io.Writer) int {
	var c commands
	exited := -1
	parser, err := kong.New(&c, kong.Name("ashlar"), kong.Description("Makes and develops applications."),
		kong.Writers(out, complaints), kong.UsageOnError(), kong.Exit(func(code int) { exited = code }))
	if err != nil {
		panic(err) // the commands above are mistaken
	}
	ctx, err := parser.Parse(args)
	if exited >= 0 { // help was asked for
		return exited
	}
	if err != nil {
		parser.Errorf("%v", err)
		return 2
	}
	if err := ctx.Run(printer{out}); err != nil {
		parser.Errorf("%v", err)
		return 1
	}
	return 0
}

// printer is where a command prints what it did.
type printer struct{ io.Writer }
