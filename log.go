package ashlar

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"

	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/job"
	"github.com/ashlar-go/ashlar/logs"
	"github.com/ashlar-go/ashlar/logs/rotate"
)

// openLog opens what the settings say: standard output, or a file while the app
// serves. Its other commands run beside the one that serves, and two processes
// cannot put the same file aside.
func (a *App) openLog(ctx context.Context) error {
	a.level = logs.NewLevel(a.cfg.LogLevel)
	o := logs.Options{Level: a.level, Context: requestIDs}
	c := commandOf(ctx)
	// The lines of workers go through their parent, which alone writes the file.
	if _, serves := c.appCommand.(*serveCommand); serves && a.cfg.LogFile != "" && c.worker == nil {
		file, err := rotate.Open(a.cfg.logFile())
		if err != nil {
			return fmt.Errorf("ASHLAR_LOG_FILE: %w", err)
		}
		a.logFile, a.lines = file, logs.NewBuffer(file)
		if a.cfg.LogFormat == "text" {
			o.Format = logs.Text
		}
	} else {
		a.lines = logs.NewBuffer(os.Stdout)
		if a.cfg.LogFormat == "text" ||
			a.cfg.LogFormat == "auto" && !a.cfg.Production() && term.IsTerminal(int(os.Stdout.Fd())) {
			o.Format = logs.Text
			_ = a.lines.Close() // a person reads along: nothing is held back
		}
	}
	a.Log = logs.New(a.lines, o)
	a.health.Log = a.Log
	return nil
}

// CopyLog has the log's lines written to w too, as JSON, whatever form they have
// elsewhere: to a collector, for which logs/otlp is made. Lines wait for w in a
// buffer of their own, and what does not fit is dropped and counted. Call it
// once the app is open, before Handler and Run; an err is reported by Run, and
// without a w nothing changes, so that the call fits around a function that
// finds both out:
//
//	app.CopyLog(otlp.New(ctx))
func (a *App) CopyLog(w io.WriteCloser, err error) {
	a.note(err)
	if err != nil || w == nil {
		return
	}
	c := logCopy{logs.NewBuffer(w), w}
	a.copies = append(a.copies, c)
	a.Log = slog.New(slog.NewMultiHandler(a.Log.Handler(),
		logs.NewHandler(c.lines, logs.Options{Level: a.level, Context: requestIDs})))
	a.health.Log = a.Log
}

// lateLog is the app's log as it will be: for what is made before CopyLog.
type lateLog struct{ app *App }

func (l lateLog) Enabled(ctx context.Context, level slog.Level) bool {
	return l.app.Log.Enabled(ctx, level)
}

func (l lateLog) Handle(ctx context.Context, r slog.Record) error {
	return l.app.Log.Handler().Handle(ctx, r)
}

func (l lateLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return l.app.Log.Handler().WithAttrs(attrs)
}

func (l lateLog) WithGroup(name string) slog.Handler { return l.app.Log.Handler().WithGroup(name) }

// logCopy is where else the log goes.
type logCopy struct {
	lines *logs.Buffer
	end   io.Closer
}

// linesDropped is how many lines were lost, in all places.
func (a *App) linesDropped() float64 {
	n := a.lines.Dropped()
	for _, c := range a.copies {
		n += c.lines.Dropped()
	}
	return float64(n)
}

// logFile is how the log is kept in files.
func (c Config) logFile() rotate.Config {
	return rotate.Config{
		Path: c.LogFile, Size: c.LogFileSize, Age: c.LogFileAge, Count: c.LogFileCount, Plain: !c.LogFileGzip,
	}
}

// endLog writes out what the log holds back, and has it hold back nothing from
// then on. A log that fails must not fail the app.
func (a *App) endLog() {
	_ = a.lines.Close()
	for _, c := range a.copies {
		_ = c.lines.Flush() // a request for each line from now on would be too much
	}
}

// closeLog ends the log for good.
func (a *App) closeLog() {
	a.endLog()
	if a.logFile != nil {
		_ = a.logFile.Close()
	}
	for _, c := range a.copies {
		_ = c.lines.Close()
		_ = c.end.Close()
	}
}

// requestIDs puts the ids of the request or the job into each line that it
// writes.
func requestIDs(ctx context.Context, line *logs.Line) {
	if run, ok := job.Current(ctx); ok {
		line.Text("queue", run.Queue)
		line.Text("job", run.ID)
		line.Attr(slog.Int("attempt", run.Attempt))
	}
	s := scope.Context(ctx)
	if s == nil || s.TraceID == "" {
		return
	}
	line.Text("trace_id", s.TraceID)
	if s.RequestID != s.TraceID {
		line.Text("request_id", s.RequestID)
	}
}
