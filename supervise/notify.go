package supervise

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Notifier tells a service manager, systemd above all, how this process is. The
// zero Notifier tells nobody. See sd_notify(3).
type Notifier struct {
	socket   string
	watchdog time.Duration
}

// ServiceManager returns a notifier of the manager that started this process,
// as NOTIFY_SOCKET and WATCHDOG_USEC say; without them, one that tells nobody.
func ServiceManager() Notifier {
	n := Notifier{socket: os.Getenv("NOTIFY_SOCKET")}
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return n // it waits for another process
	}
	if usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	return n
}

// tell sends a state, such as READY=1.
func (n Notifier) tell(state ...string) error {
	if n.socket == "" {
		return nil
	}
	name := n.socket
	if strings.HasPrefix(name, "@") {
		name = "\x00" + name[1:] // of the abstract namespace
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: name})
	if err != nil {
		return fmt.Errorf("supervise: tell the service manager: %w", err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte(strings.Join(state, "\n"))); err != nil {
		return fmt.Errorf("supervise: tell the service manager: %w", err)
	}
	return nil
}

// Ready says that the service serves, and in a few words how.
func (n Notifier) Ready(status string) error {
	return n.tell("READY=1", "STATUS="+status, "MAINPID="+strconv.Itoa(os.Getpid()))
}

// Reloading says that a reload has begun; Ready ends it.
func (n Notifier) Reloading() error {
	return n.tell("RELOADING=1", "MONOTONIC_USEC="+strconv.FormatInt(monotonic().Microseconds(), 10))
}

// Stopping says that the service is about to end.
func (n Notifier) Stopping() error { return n.tell("STOPPING=1") }

// KeepAlive tells the manager's watchdog, twice in its time, that the service is
// alive, as long as alive says so, until ctx ends. It returns at once where
// there is no watchdog.
func (n Notifier) KeepAlive(ctx context.Context, alive func() bool) {
	if n.watchdog == 0 || n.socket == "" {
		return
	}
	tick := time.NewTicker(n.watchdog / 2)
	defer tick.Stop()
	for {
		if alive() {
			_ = n.tell("WATCHDOG=1") // the manager draws its own conclusions
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
