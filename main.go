package ashlar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ashlar-go/ashlar/config"
)

// Main is the whole of a program's main function: it reads the command line,
// calls run with a context that ends on SIGINT or SIGTERM, prints what went
// wrong, and exits with 0 or 1; a command line that cannot be understood
// exits with 2. Another signal a second later ends the process at once.
//
// The command line offers the app's own commands (serve, migrate, ops,
// openapi, user, keys); --help lists them. A flag is an environment variable
// spelled on the command line and wins over it. In development a file .env
// in the working directory fills in variables that are not set.
func Main(run func(ctx context.Context) error) {
	os.Exit(exitCode(context.Background(), run, os.Args, os.Stdin, os.Stdout, os.Stderr))
}

func exitCode(ctx context.Context, run func(context.Context) error, args []string, in *os.File, out, errs io.Writer) int {
	name := strings.TrimSuffix(filepath.Base(args[0]), ".exe")
	if err := loadDotEnv(".env"); err != nil {
		report(errs, name, err)
		return 1
	}
	command, err := parseCommand(name, args[1:], in, out)
	if err != nil {
		report(errs, name, err)
		return 2
	}
	if command == nil { // --help has been answered
		return 0
	}
	if mistakes := config.Unknown[Config](ownVariables(os.Environ()), "ASHLAR_"); len(mistakes) > 0 {
		report(errs, name, mistakes)
		return 1
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() { time.AfterFunc(oneStop, stop) })
	if _, ok := command.appCommand.(alone); ok {
		err = command.run(ctx, nil, command.console)
	} else {
		err = run(withCommand(ctx, command))
	}
	if err != nil {
		report(errs, name, err)
		return 1
	}
	return 0
}

// oneStop is the time within which a second signal means the same stop: a
// terminal and a supervisor often both send one. Later ones meet the default,
// which is the end at once.
const oneStop = time.Second

// report prints an error, one line for each of those it joins.
func report(w io.Writer, name string, err error) {
	for line := range strings.SplitSeq(strings.TrimSpace(err.Error()), "\n") {
		_, _ = fmt.Fprintf(w, "%s: %s\n", name, line) // there is nowhere else to say it
	}
}

// loadDotEnv fills in unset variables from a file. Production is configured
// by its platform: a file left behind must not change what runs there.
func loadDotEnv(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	variables, err := config.ParseDotEnv(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	kind, set := os.LookupEnv("ASHLAR_ENV")
	if !set {
		kind = variables["ASHLAR_ENV"]
	}
	if kind == string(Production) {
		return nil
	}
	for name, value := range variables {
		if _, set := os.LookupEnv(name); !set {
			if err := os.Setenv(name, value); err != nil {
				return fmt.Errorf("%s: %s: %w", path, name, err)
			}
		}
	}
	return nil
}

// ownVariables leaves out those that only tests read.
func ownVariables(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(v string) bool { return strings.HasPrefix(v, "ASHLAR_TEST_") })
}
