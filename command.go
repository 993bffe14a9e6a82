package ashlar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/supervise"
)

// commandLine is what can be typed after the app's name.
type commandLine struct {
	Serve    serveCommand    `cmd:"" help:"Serve until the process is told to stop (the default)."`
	Status   statusCommand   `cmd:"" help:"Show the workers that serve."`
	Reload   reloadCommand   `cmd:"" help:"Replace all workers by the program that is on disk now, without losing a request."`
	Stop     stopCommand     `cmd:"" help:"Have all workers finish what they have begun, and leave."`
	Logs     logsCommand     `cmd:"" help:"Show what workers have logged, and with -f what they log from now on."`
	Health   healthCommand   `cmd:"" help:"Ask the app that serves on this machine how it is; exits with 0 or 1."`
	Migrate  migrateCommand  `cmd:"" help:"Change the database's schema."`
	Ops      opsCommand      `cmd:"" help:"List the operations: who may call them, and what each promises."`
	OpenAPI  openAPICommand  `cmd:"" name:"openapi" help:"Print the OpenAPI 3.1 document."`
	Client   clientCommand   `cmd:"" help:"Print a client of the operations, for those who call them."`
	GraphQL  graphqlCommand  `cmd:"" name:"graphql" help:"Look at the GraphQL schema."`
	Contract contractCommand `cmd:"" help:"Compare what the app promises with what it has promised."`
	User     userCommand     `cmd:"" help:"Manage the people who can sign in."`
	Keys     keysCommand     `cmd:"" help:"Make keys that sign access tokens."`
	Jobs     jobsCommand     `cmd:"" help:"Look at background jobs, retry and discard them."`
	Audit    auditCommand    `cmd:"" help:"Show security events: who signed in, from where, and what failed."`
	Events   eventsCommand   `cmd:"" help:"Look at events, and at how far their consumers have come."`
	Config   configCommand   `cmd:"" help:"List the environment variables that every app reads."`
}

// appCommand is one parsed command, ready to run on an app.
type appCommand interface {
	run(ctx context.Context, a *App, io console) error
}

// declared marks commands that only look at what was declared: they run
// without a database, keys or listeners.
type declared interface{ declared() }

// alone marks commands that need no app at all, and so no valid settings.
type alone interface{ alone() }

// console is where a command talks to whoever typed it.
type console struct {
	in  *os.File
	out io.Writer
}

// printf writes to whoever typed the command. That nobody reads any more, as
// behind a closed pipe, is no failure of the command.
func (c console) printf(format string, args ...any) { _, _ = fmt.Fprintf(c.out, format, args...) }

// table writes rows in aligned columns, cells separated by tabs.
func (c console) table(rows ...string) error {
	_, err := io.WriteString(c.out, aligned(rows))
	return err
}

// typed is a command with its console, as it travels in the context from
// [Main] to [App.Run].
type typed struct {
	appCommand
	console
	unknown config.Mistakes   // variables that are set and that nothing reads
	worker  *supervise.Worker // that this process is; nil for one that serves alone
}

type commandKey struct{}

func withCommand(ctx context.Context, c *typed) context.Context {
	return context.WithValue(ctx, commandKey{}, c)
}

// commandOf returns the command that was typed, or serve for a program that
// does without Main.
func commandOf(ctx context.Context) *typed {
	if c, ok := ctx.Value(commandKey{}).(*typed); ok {
		return c
	}
	return &typed{appCommand: &serveCommand{}, console: console{os.Stdin, os.Stdout}}
}

func onlyDeclared(ctx context.Context) bool {
	_, only := commandOf(ctx).appCommand.(declared)
	return only
}

// helpShown is how kong's exit after --help reaches parseCommand.
type helpShown struct{}

// parseCommand returns the command, or nil if help was asked for and given.
func parseCommand(name string, args []string, in *os.File, out io.Writer) (command *typed, err error) {
	var line commandLine
	parser, err := kong.New(&line,
		kong.Name(name),
		kong.Description("Settings are environment variables; the command \"config\" lists them."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: false}),
		kong.Writers(out, out),
		kong.Exit(func(int) { panic(helpShown{}) }),
	)
	if err != nil {
		return nil, err
	}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case helpShown:
			command, err = nil, nil
		default:
			panic(p)
		}
	}()
	if len(args) == 0 || strings.HasPrefix(args[0], "-") && args[0] != "--help" && args[0] != "-h" {
		args = append([]string{"serve"}, args...)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return nil, fmt.Errorf("%w; \"%s --help\" lists the commands", err, name)
	}
	chosen, ok := reflect.TypeAssert[appCommand](parsed.Selected().Target.Addr())
	if !ok {
		return nil, fmt.Errorf("%s: say which of its commands; \"%s %s --help\" lists them", parsed.Command(), name, parsed.Command())
	}
	return &typed{appCommand: chosen, console: console{in, out}}, nil
}

// serveCommand serves. Its flags are variables under another spelling.
type serveCommand struct {
	Addr      string `help:"Where operations are served (ASHLAR_ADDR)."`
	AdminAddr string `help:"Where health and metrics are served (ASHLAR_ADMIN_ADDR)."`
	DataDir   string `help:"Where the embedded database and keys are kept (ASHLAR_DATA_DIR)."`
	Workers   string `help:"How many processes serve, under a parent that restarts and reloads them (ASHLAR_WORKERS)." placeholder:"N"`
}

// AfterApply is called by the parser. Config is loaded from the environment
// afterwards, by the program's own code, so that is where flags go.
func (c *serveCommand) AfterApply() error {
	return errors.Join(
		setenv("ASHLAR_ADDR", c.Addr),
		setenv("ASHLAR_ADMIN_ADDR", c.AdminAddr),
		setenv("ASHLAR_DATA_DIR", c.DataDir),
		setenv("ASHLAR_WORKERS", c.Workers),
	)
}

func setenv(name, value string) error {
	if value == "" {
		return nil
	}
	return os.Setenv(name, value)
}

func (c *serveCommand) run(ctx context.Context, a *App, io console) error {
	return a.serve(ctx, io.out, commandOf(ctx).worker)
}

// configCommand lists the variables.
type configCommand struct{}

func (configCommand) alone() {}

func (configCommand) run(_ context.Context, _ *App, io console) error {
	rows := []string{"VARIABLE\tDEFAULT\tMEANING"}
	for _, v := range config.Describe[Config]() {
		rows = append(rows, v.Name+"\t"+v.Default+"\t"+v.Doc)
	}
	return io.table(rows...)
}
