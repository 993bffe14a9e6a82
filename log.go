package ashlar

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/term"

	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/logs"
	"github.com/ashlar-go/ashlar/logs/rotate"
)

// openLog opens what the settings say: standard output, or a file while the app
// serves. Its other commands run beside the one that serves, and two processes
// cannot put the same file aside.
func (a *App) openLog(ctx context.Context) error {
	a.level = logs.NewLevel(a.cfg.LogLevel)
	o := logs.Options{Level: a.level, Context: requestIDs}
	if _, serves := commandOf(ctx).appCommand.(*serveCommand); serves && a.cfg.LogFile != "" {
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

// logFile is how the log is kept in files.
func (c Config) logFile() rotate.Config {
	return rotate.Config{
		Path: c.LogFile, Size: c.LogFileSize, Age: c.LogFileAge, Count: c.LogFileCount, Plain: !c.LogFileGzip,
	}
}

// endLog writes out what the log holds back, and has it hold back nothing from
// then on.
func (a *App) endLog() { _ = a.lines.Close() } // a log that fails must not fail the app

// closeLog ends the log for good.
func (a *App) closeLog() {
	a.endLog()
	if a.logFile != nil {
		_ = a.logFile.Close() // neither
	}
}

// requestIDs puts the ids of the request into each line that it writes.
func requestIDs(ctx context.Context, line *logs.Line) {
	s := scope.Context(ctx)
	if s == nil || s.TraceID == "" {
		return
	}
	line.Text("trace_id", s.TraceID)
	if s.RequestID != s.TraceID {
		line.Text("request_id", s.RequestID)
	}
}
