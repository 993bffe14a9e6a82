package ashlar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/logs"
	"github.com/ashlar-go/ashlar/logs/rotate"
	"github.com/ashlar-go/ashlar/serve"
	"github.com/ashlar-go/ashlar/supervise"
)

// parentConfig is what of [Config] a parent of workers reads. The rest may be
// wrong or missing: that is for a worker to say, all of it at once and together
// with the app's own.
type parentConfig struct {
	Env          Env           `env:"ASHLAR_ENV" default:"development"`
	Addr         string        `env:"ASHLAR_ADDR"`
	Port         uint16        `env:"PORT"`
	AdminAddr    string        `env:"ASHLAR_ADMIN_ADDR" default:"127.0.0.1:9090"`
	DataDir      string        `env:"ASHLAR_DATA_DIR" default:"./.data"`
	LogLevel     slog.Level    `env:"ASHLAR_LOG_LEVEL" default:"info"`
	LogFormat    LogFormat     `env:"ASHLAR_LOG_FORMAT" default:"auto"`
	LogFile      string        `env:"ASHLAR_LOG_FILE"`
	LogFileSize  int           `env:"ASHLAR_LOG_FILE_SIZE" default:"100"`
	LogFileAge   time.Duration `env:"ASHLAR_LOG_FILE_AGE" default:"168h"`
	LogFileCount int           `env:"ASHLAR_LOG_FILE_COUNT" default:"10"`
	LogFileGzip  bool          `env:"ASHLAR_LOG_FILE_GZIP" default:"true"`
	Workers      int           `env:"ASHLAR_WORKERS"`
	WorkerMemory int           `env:"ASHLAR_WORKER_MEMORY"`
	WorkerReady  time.Duration `env:"ASHLAR_WORKER_READY" default:"60s"`
	WorkerSilent time.Duration `env:"ASHLAR_WORKER_UNRESPONSIVE" default:"30s"`
	RunDir       string        `env:"ASHLAR_RUN_DIR"`
	DrainDelay   time.Duration `env:"ASHLAR_DRAIN_DELAY"`
	DrainTimeout time.Duration `env:"ASHLAR_DRAIN_TIMEOUT" default:"20s"`
}

// asConfig is the part of a Config that it is.
func (c parentConfig) asConfig() Config {
	return Config{
		Env: c.Env, Addr: c.Addr, Port: c.Port, AdminAddr: c.AdminAddr,
		LogFile: c.LogFile, LogFileSize: c.LogFileSize, LogFileAge: c.LogFileAge, LogFileCount: c.LogFileCount, LogFileGzip: c.LogFileGzip,
	}
}

// runDir is where the parent is commanded.
func (c parentConfig) runDir() string {
	if c.RunDir != "" {
		return c.RunDir
	}
	return filepath.Join(c.DataDir, "run")
}

// leaveTimeout is what a worker may take: its drain, and as long again for its
// tasks.
func (c parentConfig) leaveTimeout() time.Duration {
	return max(c.DrainDelay, 0) + 2*max(c.DrainTimeout, 0) + 5*time.Second
}

// parentOf reports whether the command is to serve with workers, and with which
// settings.
func parentOf(c *typed) (bool, parentConfig, error) {
	if _, serves := c.appCommand.(*serveCommand); !serves || c.worker != nil {
		return false, parentConfig{}, nil
	}
	asked, set := os.LookupEnv("ASHLAR_WORKERS")
	if !set || asked == "" || asked == "0" {
		return false, parentConfig{}, nil
	}
	cfg, err := config.Load[parentConfig](os.LookupEnv)
	switch {
	case err != nil:
		return false, cfg, err
	case cfg.Workers < 0:
		return false, cfg, errors.New("ASHLAR_WORKERS: must not be below 0")
	case wrongSilence(cfg.WorkerSilent):
		return false, cfg, errors.New(errSilence)
	}
	return cfg.Workers > 0, cfg, nil
}

// errSilence says which times a worker may be left without a sign of life.
const errSilence = "ASHLAR_WORKER_UNRESPONSIVE: must be at least 3s, or 0 for never: less is a pause that any process can have"

func wrongSilence(d time.Duration) bool { return d != 0 && d < 3*time.Second }

// workerProgram is what workers are started from.
type workerProgram struct {
	path          string
	args, environ []string
}

// serveWorkers is the whole life of a parent: it runs nothing of the app's own.
func serveWorkers(ctx context.Context, cfg parentConfig, from workerProgram, out, errs io.Writer) error {
	control, err := supervise.Open(cfg.runDir())
	if err != nil {
		return fmt.Errorf("%w (ASHLAR_RUN_DIR says where)", err)
	}
	defer func() { _ = control.Close() }()
	sink, closeSink, err := cfg.openSink(out)
	if err != nil {
		return err
	}
	defer closeSink()
	public, private, err := cfg.listen(ctx)
	if err != nil {
		return err
	}
	text := cfg.readByAPerson()
	if text {
		from.environ = append(from.environ, "ASHLAR_LOG_FORMAT=text")
	}
	f := &fleet{cfg: cfg}
	format := logs.JSON
	if text || cfg.LogFormat == "text" {
		format = logs.Text
	}
	f.log = logs.New(f, logs.Options{Level: cfg.LogLevel, Format: format})
	f.parent, err = supervise.New(supervise.Config{
		Workers: cfg.Workers, Program: from.path, Args: from.args, Env: from.environ,
		Sockets:      []supervise.Socket{{Name: publicSocket, Listener: public}},
		Tell:         map[string]string{adminAddress: private.Addr().String()},
		ReadyTimeout: cfg.WorkerReady, LeaveTimeout: cfg.leaveTimeout(), Memory: int64(cfg.WorkerMemory) << 20,
		Output: func(l supervise.Line) {
			to := sink
			if l.Error {
				to = errs
			}
			_, _ = io.WriteString(to, l.Text) // there is nowhere else to say it
		},
		Unresponsive: cfg.WorkerSilent, TellNow: f.tellNow, Joined: f.joined,
		Ended: f.ended, Log: f.log,
	})
	if err != nil {
		return errors.Join(err, public.Close(), private.Close())
	}
	f.made.Store(true)
	admin, err := f.admin()
	if err != nil {
		return errors.Join(err, public.Close(), private.Close())
	}
	f.manager = supervise.ServiceManager()
	f.log.Info("supervising", "addr", public.Addr().String(), "admin_addr", private.Addr().String(), "workers", cfg.Workers,
		"pid", os.Getpid(), "run_dir", cfg.runDir())
	return f.run(ctx, control, serve.New(admin, serve.Config{Listener: private, DrainDelay: -1, Log: f.log}))
}

// run runs the parent and what answers for it, and ends the latter last.
func (f *fleet) run(ctx context.Context, control *supervise.Control, admin *serve.Server) error {
	answering, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	stopped := make(chan struct{})
	commanded, administered := make(chan error, 1), make(chan error, 1)
	go func() { commanded <- control.Serve(answering, f.parent, stopped) }()
	go func() { administered <- admin.Run(answering) }()
	go f.reloadOnSignal(answering)
	go f.tell(answering)
	err := f.parent.Run(ctx)
	close(stopped)
	f.log.Info("stopped")
	time.AfterFunc(lastAnswer, end) // a client of stop reads its answer first
	return errors.Join(err, <-commanded, <-administered)
}

// tell says to probes and to the service manager how the workers are.
func (f *fleet) tell(ctx context.Context) {
	select {
	case <-f.parent.Ready():
	case <-f.parent.Stopping():
		return
	}
	f.health.Started()
	f.warn(f.manager.Ready(fmt.Sprintf("serving with %d workers", f.cfg.Workers)))
	go f.manager.KeepAlive(ctx, func() bool { return true })
	f.parent.Rest()
	<-f.parent.Stopping()
	f.health.Draining()
	f.warn(f.manager.Stopping())
}

func (f *fleet) warn(err error) {
	if err != nil {
		f.log.Warn("service manager", "error", err)
	}
}

// lastAnswer is how long those who asked for the end may take to read the answer.
const lastAnswer = 100 * time.Millisecond

// reloadOnSignal reloads for SIGHUP, as service managers and people ask for it.
// At a terminal it says that the terminal is gone, and ends the process as ever.
func (f *fleet) reloadOnSignal(ctx context.Context) {
	if term.IsTerminal(int(os.Stdin.Fd())) {
		return
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			f.warn(f.manager.Reloading())
			if err := f.parent.Reload(ctx, nil); errors.Is(err, supervise.ErrReloading) {
				f.log.Warn("SIGHUP ignored", "error", err) // other errors the parent logs itself
			}
			f.warn(f.manager.Ready(fmt.Sprintf("serving with %d workers", f.cfg.Workers)))
		}
	}
}

// openSink opens where the lines of all workers go.
func (c parentConfig) openSink(out io.Writer) (io.Writer, func(), error) {
	if c.LogFile == "" {
		return out, func() {}, nil
	}
	file, err := rotate.Open(c.asConfig().logFile())
	if err != nil {
		return nil, nil, fmt.Errorf("ASHLAR_LOG_FILE: %w", err)
	}
	return file, func() { _ = file.Close() }, nil
}

// readByAPerson reports whether the log goes to a developer's terminal, which
// workers cannot see.
func (c parentConfig) readByAPerson() bool {
	return c.LogFile == "" && c.LogFormat == "auto" && c.Env != Production && term.IsTerminal(int(os.Stdout.Fd()))
}

// listen opens both sockets.
func (c parentConfig) listen(ctx context.Context) (public, private net.Listener, err error) {
	cfg := c.asConfig()
	given, err := activated(c.Env == Production)
	if err != nil {
		return nil, nil, err
	}
	if private = given[adminSocket]; private == nil {
		if private, err = serve.Listen(ctx, cfg.AdminAddr); err != nil {
			return nil, nil, fmt.Errorf("ASHLAR_ADMIN_ADDR: %w", err)
		}
	}
	if public = given[publicSocket]; public == nil {
		if public, err = serve.Listen(ctx, cfg.PublicAddr()); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("ASHLAR_ADDR: %w", err), private.Close())
		}
	}
	return public, private, nil
}

// Write takes a line of the parent's own log.
func (f *fleet) Write(line []byte) (int, error) {
	if !f.made.Load() {
		return len(line), nil
	}
	return f.parent.Write(bytes.Clone(line))
}
