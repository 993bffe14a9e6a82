package supervise

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"
)

// Config says what a [Parent] runs. Each duration that is zero has the default
// that its comment gives.
type Config struct {
	// Workers is how many processes serve, at least 1.
	Workers int
	// Program is the file that a reload starts, as it was typed; empty means
	// os.Args[0]. It is looked up once, when the parent is made, so that a
	// later reload starts what then lies at that place.
	Program string
	// Args are the arguments of a worker, without the program's name.
	Args []string
	// Env is the environment of a worker; nil means the parent's. What is
	// meant for one process of a service manager (NOTIFY_SOCKET, LISTEN_FDS and
	// their like) is taken out.
	Env []string
	// Sockets are what the workers accept from. The parent keeps them open, and
	// closes them when Run ends.
	Sockets []Socket

	// Tell is told to every worker, see [Worker.Told]. TellNow, if set, is asked
	// at the start of each for more of it.
	Tell    map[string]string
	TellNow func() map[string]string
	// Joined, if set, is called when a process has begun to serve, on a goroutine
	// of its own.
	Joined func(Process)

	// ReadyTimeout is how long a worker may take to become ready. Zero means
	// 60s. Migrations of the first worker count.
	ReadyTimeout time.Duration
	// LeaveTimeout is how long a worker may take to leave before it is killed;
	// keep it above the drain time-out of the server in it. Zero means 30s.
	LeaveTimeout time.Duration
	// Pause comes before the first restart of a worker that crashed; it doubles
	// with each crash in a row, up to LongestPause. Zero means 100ms and 30s.
	Pause, LongestPause time.Duration
	// Healthy is how long a worker must have served for the next crash to count
	// as the first. Zero means 60s.
	Healthy time.Duration
	// GiveUp is how many crashes in a row end the attempts of one worker, until
	// the next reload. When all have given up, Run ends with an error. Zero
	// means 10.
	GiveUp int
	// Memory is how many bytes a worker may hold (resident) before another is
	// started in its place. The runtime of each is told to keep to nine tenths
	// of it, unless GOMEMLIMIT says something. Zero means no bound.
	Memory int64

	// Unresponsive is how long a worker may give no sign of life (see
	// [Worker.Alive]) before it is replaced. It is asked once in a second. Time in
	// which this process itself was not run when it should have been does not
	// count. Zero means that nobody asks.
	Unresponsive time.Duration

	// Output receives every line that workers write, the end of line included,
	// one at a time. While it blocks, so do they. Nil means standard output and
	// standard error.
	Output func(Line)
	// Ended, if set, is called when a process has ended, with what it left behind
	// by [Worker.Leave]: nothing if it crashed.
	Ended func(p Process, legacy []byte)
	// Log receives what happens to workers. Nil logs nothing.
	Log *slog.Logger
}

// Socket is a listening socket with the name by which workers ask for it.
type Socket struct {
	Name     string
	Listener net.Listener
}

// Line is what a worker wrote.
type Line struct {
	Worker int    `json:"worker"` // from 1
	PID    int    `json:"pid"`
	Error  bool   `json:"error,omitempty"` // it was written to standard error
	Text   string `json:"text"`
}

// ErrUnsupported is returned by [New] where workers cannot be had.
var ErrUnsupported = errors.New("supervise: workers need Linux; serve with one process here")

func (c Config) withDefaults() (Config, error) {
	if c.Workers < 1 {
		return c, fmt.Errorf("supervise: %d workers: at least 1 is needed", c.Workers)
	}
	if c.Memory != 0 && c.Memory < leastMemory {
		return c, fmt.Errorf("supervise: a worker cannot live in %d bytes: at least %d MiB are needed", c.Memory, leastMemory>>20)
	}
	if c.Program == "" {
		c.Program = os.Args[0]
	}
	if c.Env == nil {
		c.Env = os.Environ()
	}
	orDuration(&c.ReadyTimeout, time.Minute)
	orDuration(&c.LeaveTimeout, 30*time.Second)
	orDuration(&c.Pause, 100*time.Millisecond)
	orDuration(&c.LongestPause, 30*time.Second)
	orDuration(&c.Healthy, time.Minute)
	if c.GiveUp == 0 {
		c.GiveUp = 10
	}
	if c.Output == nil {
		c.Output = toStandard
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// leastMemory is what the runtime of an idle server needs with room to move.
const leastMemory = 32 << 20

func orDuration(d *time.Duration, standard time.Duration) {
	if *d <= 0 {
		*d = standard
	}
}

func toStandard(l Line) {
	to := os.Stdout
	if l.Error {
		to = os.Stderr
	}
	_, _ = to.WriteString(l.Text) // there is nowhere else to say it
}
