package backing

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// binaries is the folder with the newest postgres and initdb.
func binaries() (string, error) {
	if found, err := exec.LookPath("postgres"); err == nil {
		if found, err = filepath.EvalSymlinks(found); err == nil && hasInitdb(filepath.Dir(found)) {
			return filepath.Dir(found), nil
		}
	}
	// Debian keeps the server out of PATH, a folder for each version.
	folders, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	folders = slices.DeleteFunc(folders, func(dir string) bool { return !hasInitdb(dir) })
	if len(folders) == 0 {
		return "", errMissing
	}
	return slices.MaxFunc(folders, func(a, b string) int { return version(a) - version(b) }), nil
}

func hasInitdb(dir string) bool {
	_, err := exec.LookPath(filepath.Join(dir, "initdb"))
	return err == nil
}

func version(bin string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin))) // 0 for what is no number
	return n
}

// cluster is the files of a server, and its process while there is one.
type cluster struct {
	bin, dir string
	options  []string
	port     string
	keeper   *exec.Cmd // the shell that ends the server when this process ends
	hold     io.Closer // its input
	ended    chan struct{}
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }
func (c *cluster) addr() string { return net.JoinHostPort("127.0.0.1", c.port) }
func (c *cluster) url() string {
	return "postgres://ashlar@" + c.addr() + "/postgres?sslmode=disable"
}

// init makes the files. PostgreSQL refuses to run as root, so they belong to
// somebody else then.
func (c *cluster) init() error {
	initdb := exec.Command(filepath.Join(c.bin, "initdb"), "-D", c.data(), "-U", "ashlar", //nolint:gosec,noctx // of the system; it takes a second
		"--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if err := unprivileged(initdb, c.dir); err != nil {
		return err
	}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// copy makes the files of a standby that follows another server.
func (c *cluster) copy(of *cluster) error {
	backup := exec.Command(filepath.Join(c.bin, "pg_basebackup"), "-D", c.data(), "-d", of.url(), //nolint:gosec,noctx // of the system; it takes a second
		"-R", "-X", "stream", "-c", "fast", "--no-sync")
	if err := unprivileged(backup, c.dir); err != nil {
		return err
	}
	if out, err := backup.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w: %s", err, out)
	}
	return nil
}

// keep runs the server and ends it when the input does, which it does with the
// process that holds the other end, however that ends. $1 is a folder to remove
// afterwards, or nothing.
const keep = `folder=$1; shift
exec 3<&0
"$@" 3<&- & server=$!
{ cat <&3 >/dev/null; kill -INT "$server"; } 2>/dev/null & watcher=$!
wait "$server"
kill "$watcher" 2>/dev/null
[ -z "$folder" ] || rm -rf "$folder"`

// start runs the server and waits until it answers.
func (c *cluster) start(remove bool) error {
	const attempts = 5
	var err error
	for n := range attempts { // another program may take the port first
		if n == 0 && c.port != "" {
			err = c.run(remove) // again, at the address it had
		} else if c.port, err = anyPort(); err == nil {
			err = c.run(remove)
		}
		if err == nil {
			return nil
		}
	}
	return err
}

func (c *cluster) run(remove bool) error {
	log, err := os.Create(filepath.Join(c.dir, "log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the server has its own
	folder := ""
	if remove {
		folder = c.dir
	}
	args := []string{
		"-c", keep, "keep", folder, filepath.Join(c.bin, "postgres"), "-D", c.data(), "-p", c.port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "log_min_messages=fatal",
		// What is killed here is the server, never the machine.
		"-c", "fsync=off", "-c", "max_connections=200",
	}
	for _, o := range c.options {
		args = append(args, "-c", o)
	}
	keeper := exec.Command("sh", args...) //nolint:gosec,noctx // the test's own words; its input ends it
	if err := unprivileged(keeper, c.dir); err != nil {
		return err
	}
	keeper.Stdout, keeper.Stderr = log, log
	hold, err := keeper.StdinPipe()
	if err != nil {
		return err
	}
	if err := keeper.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = keeper.Wait() // how it ended shows in what it printed
		close(ended)
	}()
	c.keeper, c.hold, c.ended = keeper, hold, ended
	for deadline := time.Now().Add(3 * time.Minute); ; {
		err := Administer(context.Background(), c.url(), "SELECT 1")
		switch {
		case err == nil:
			return nil
		case time.Now().After(deadline):
			return errors.Join(err, c.kill(), c.said())
		}
		select {
		case <-ended:
			return errors.Join(errors.New("the server ended at once"), c.kill(), c.said())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// said is what the server has logged.
func (c *cluster) said() error {
	text, err := os.ReadFile(filepath.Join(c.dir, "log"))
	if err != nil {
		return err
	}
	return errors.New(string(text))
}

func (c *cluster) lock() string { return filepath.Join(c.data(), "postmaster.pid") }

// pid is the server's own, from the file that it keeps while it runs.
func (c *cluster) pid() int {
	f, err := os.Open(c.lock())
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Scan()
	n, _ := strconv.Atoi(strings.TrimSpace(lines.Text())) // 0 while it is written
	return n
}

// running reports whether the server was started and has not ended.
func (c *cluster) running() bool {
	select {
	case <-c.ended:
		return false
	default:
		return c.hold != nil
	}
}

// each visits the server's processes, the first one first. One that has ended
// meanwhile is no error.
func (c *cluster) each(visit func(*os.Process) error) error {
	parent := c.pid()
	if parent == 0 {
		return errors.New("the server does not run")
	}
	for _, pid := range append([]int{parent}, children(parent)...) {
		p, err := os.FindProcess(pid)
		if err == nil {
			err = visit(p)
		}
		if err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
	}
	return nil
}

// kill ends all of the server's processes at once.
func (c *cluster) kill() error {
	if c.hold == nil {
		return nil
	}
	var err error
	if c.running() {
		err = c.each((*os.Process).Kill)
	}
	err = errors.Join(err, c.left())
	if e := os.Remove(c.lock()); !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e) // its number may be another process's when the server starts again
	}
	return err
}

// shut ends the server in order.
func (c *cluster) shut() error {
	if c.hold == nil {
		return nil
	}
	return c.left()
}

// left closes the keeper's input, on which it ends the server, and waits.
func (c *cluster) left() error {
	err := c.hold.Close()
	if errors.Is(err, os.ErrClosed) { // since the keeper has ended
		err = nil
	}
	c.hold = nil
	select {
	case <-c.ended:
	case <-time.After(30 * time.Second):
		err = errors.Join(err, errors.New("the server does not end"), c.keeper.Process.Kill())
	}
	return err
}

// children are the processes that a process has started.
func children(parent int) []int {
	out, err := exec.Command("ps", "-A", "-o", "pid=", "-o", "ppid=").Output() //nolint:noctx // it ends at once
	if err != nil {
		return nil
	}
	var list []int
	for line := range strings.Lines(string(out)) {
		var pid, ppid int
		if _, err := fmt.Sscan(line, &pid, &ppid); err == nil && ppid == parent {
			list = append(list, pid)
		}
	}
	return list
}

// anyPort is a port of loopback where nobody listens. It is below those that
// systems give to who asks for any, so that a server which has ended finds it
// free when it starts again: no connection has taken it meanwhile.
func anyPort() (string, error) {
	const lowest, beyond = 20_000, 32_768
	for range 100 {
		port := strconv.Itoa(lowest + rand.IntN(beyond-lowest)) //nolint:gosec // not a secret
		if l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:"+port); err == nil {
			return port, l.Close()
		}
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port, l.Close()
}
