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
	"github.com/ashlar-go/ashlar/supervise"
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
	environ := os.Environ() // before .env: a worker reads that for itself, and so as it is by then
	worker, err := supervise.Join()
	if err != nil {
		report(errs, name, err)
		return 1
	}
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
	ctx, leave := follow(ctx, worker)
	defer leave(nil)
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() { time.AfterFunc(oneStop, stop) })
	command.worker = worker
	if _, ok := command.appCommand.(alone); ok {
		err = command.run(ctx, nil, command.console)
	} else if isParent, settings, wrong := parentOf(command); wrong != nil {
		err = wrong
	} else if isParent {
		err = serveWorkers(ctx, settings, workerProgram{args[0], args[1:], environ}, out, errs)
	} else {
		command.unknown = config.Unknown[Config](ownVariables(os.Environ()), "ASHLAR_")
		err = withUnknown(command.unknown, run(withCommand(ctx, command)))
	}
	if err != nil {
		report(errs, name, err)
		return 1
	}
	return 0
}

// errUnknown is how Open refuses to start beside variables that nothing reads.
// Main names them, together with those that run found wrong.
var errUnknown = errors.New("unknown variables are set")

// withUnknown joins the unknown variables to the error of run.
func withUnknown(unknown config.Mistakes, err error) error {
	if len(unknown) == 0 {
		return err
	}
	if wrong, ok := errors.AsType[config.Mistakes](err); ok {
		return append(unknown, wrong...)
	}
	if errors.Is(err, errUnknown) {
		return unknown
	}
	return errors.Join(unknown, err)
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
// by its platform: a file left behind must not change what runs there. For the
// same reason a file cannot ask for production, and must not end up with the
// demo accounts of development because it did.
func loadDotEnv(path string) error {
	file, err := os.Open(path) //nolint:gosec // always .env; tests name their own
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
	switch set := os.Getenv("ASHLAR_ENV"); {
	case set == string(Production):
		return nil
	case set == "" && variables["ASHLAR_ENV"] == string(Production):
		return fmt.Errorf("%s: ASHLAR_ENV: production does not read this file; set the variable in the environment itself", path)
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
