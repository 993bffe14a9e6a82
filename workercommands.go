package ashlar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/supervise"
)

// parentFlags say which parent is meant, as [parentConfig] does.
type parentFlags struct {
	DataDir string `help:"Where the embedded database and keys are kept (ASHLAR_DATA_DIR)."`
	RunDir  string `help:"Where the socket of the parent is (ASHLAR_RUN_DIR)."`
}

// AfterApply is called by the parser.
func (f *parentFlags) AfterApply() error {
	return errors.Join(setenv("ASHLAR_DATA_DIR", f.DataDir), setenv("ASHLAR_RUN_DIR", f.RunDir))
}

func (parentFlags) alone() {}

// client is that of the parent on this machine. Of all settings only its place
// is read, as by the command "health".
func (parentFlags) client() (supervise.Client, error) {
	at, err := config.Load[struct {
		DataDir string `env:"ASHLAR_DATA_DIR" default:"./.data"`
		RunDir  string `env:"ASHLAR_RUN_DIR"`
	}](os.LookupEnv)
	if err != nil {
		return supervise.Client{}, err
	}
	return supervise.Connect(parentConfig{DataDir: at.DataDir, RunDir: at.RunDir}.runDir()), nil
}

// explained says what to do where no parent answers.
func explained(err error) error {
	if errors.Is(err, supervise.ErrNobody) {
		return fmt.Errorf("%w: start one with \"serve --workers N\", or say with --run-dir or --data-dir which is meant", err)
	}
	return err
}

type statusCommand struct {
	parentFlags

	JSON bool `help:"Print it as JSON, for programs."`
}

func (c statusCommand) run(ctx context.Context, _ *App, io console) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	st, err := client.Status(ctx)
	if err != nil {
		return explained(err)
	}
	if c.JSON {
		e := json.NewEncoder(io.out)
		e.SetIndent("", "  ")
		return e.Encode(st)
	}
	now := time.Now()
	io.printf("%s, process %d for %s, %s; reloaded %d times\n", st.Program, st.PID, age(now, st.Since), mebibytes(st.Memory), st.Reloads)
	rows := []string{"WORKER\tSTATE\tPROCESS\tAGE\tRESTARTS\tMEMORY\tCPU\tREQUESTS/S\tREQUESTS"}
	for _, w := range st.Workers {
		rows = append(rows, fmt.Sprintf("%d\t%s\t%d\t%s\t%d\t%s\t%.0f%%\t%.0f\t%d",
			w.Worker, w.State, w.PID, age(now, w.Since), w.Restarts, mebibytes(w.Memory), 100*w.CPU, w.Rate, w.Requests))
	}
	if err := io.table(rows...); err != nil {
		return err
	}
	for _, w := range st.Workers {
		if w.Why != "" && w.State != supervise.Leaving {
			io.printf("\nworker %d ended last: %s\n", w.Worker, w.Why)
		}
	}
	return nil
}

func age(now, since time.Time) string {
	if since.IsZero() {
		return "-"
	}
	return now.Sub(since).Round(time.Second).String()
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

type reloadCommand struct{ parentFlags }

func (c reloadCommand) run(ctx context.Context, _ *App, io console) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	return explained(client.Reload(ctx, func(note string) { io.printf("%s\n", note) }))
}

type stopCommand struct{ parentFlags }

func (c stopCommand) run(ctx context.Context, _ *App, io console) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := client.Stop(ctx, func(note string) { io.printf("%s\n", note) }); err != nil {
		return explained(err)
	}
	io.printf("stopped\n")
	return nil
}

type logsCommand struct {
	parentFlags

	Follow bool   `short:"f" help:"Go on with what is logged from now on, until interrupted."`
	Lines  int    `short:"n" default:"100" help:"How many of the last lines to show; the parent keeps up to 1000."`
	Level  string `help:"Only lines of this level and above: debug, info, warn or error."`
	Op     string `help:"Only lines of this operation, or of all whose names begin so."`
	Trace  string `help:"Only lines of this trace id."`
	Worker int    `help:"Only lines of this worker, from 1."`
}

func (c logsCommand) run(ctx context.Context, _ *App, out console) error {
	filter := supervise.Filter{Level: c.Level, Operation: c.Op, Trace: strings.ToLower(c.Trace), Worker: c.Worker}
	if err := filter.Check(); err != nil {
		return fmt.Errorf("--level: %q is none of debug, info, warn and error", c.Level)
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	return explained(client.Logs(ctx, filter, c.Lines, c.Follow, func(l supervise.Line) error {
		_, err := io.WriteString(out.out, l.Text)
		return err
	}))
}
