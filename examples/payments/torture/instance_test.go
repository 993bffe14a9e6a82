package torture

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// An instance is the program as a process of its own, which can end and be
// started again at another port.
type instance struct {
	name string
	dir  string
	env  []string
	log  *os.File // what all its processes print
	way  *proxy   // from the clients to it

	turn sync.Mutex // of whoever ends or stops it: one fault at a time

	mu     sync.Mutex
	cmd    *exec.Cmd // nil while it does not run
	gone   chan struct{}
	addr   string
	admin  string
	starts int
}

// newInstance prepares an instance; its files are in dir, which others may
// share.
func newInstance(t testing.TB, name, dir string, env ...string) *instance {
	t.Helper()
	log, err := os.Create(filepath.Join(logs(t), name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{name: name, dir: dir, log: log, env: append(os.Environ(), append([]string{
		"ASHLAR_ADDR=127.0.0.1:0", "ASHLAR_ADMIN_ADDR=127.0.0.1:0", "ASHLAR_DATA_DIR=" + dir, "ASHLAR_LOG_FORMAT=json",
		"ASHLAR_LIMIT_SIGN_IN=off", "PAYMENTS_SETTLE_AFTER=1s", "ASHLAR_WEBHOOK_PRIVATE_TARGETS=allow", "TORTURE_CLOCK=" + clockOf(dir, name),
	}, env...)...)}
	i.way = newProxy(t, i.address)
	t.Cleanup(func() {
		i.kill()
		_ = log.Close()
	})
	return i
}

// clockOf is the file that says what an instance's clock is set to.
func clockOf(dir, name string) string { return filepath.Join(dir, name+".clock") }

// logs is a folder for what the processes of a test print. It is kept when the
// test fails.
func logs(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(os.TempDir(), "torture-logs", t.Name())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the processes' logs are in %s", dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	return dir
}

func (i *instance) address() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.addr
}

// start starts the process and waits until it serves.
func (i *instance) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	cmd := exec.Command(program)
	cmd.Dir, cmd.Env, cmd.Stderr = i.dir, i.env, i.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	serving := make(chan [2]string, 1)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		i.read(out, serving)
		_ = cmd.Wait()
	}()
	i.mu.Lock()
	i.cmd, i.gone = cmd, gone
	i.starts++
	i.mu.Unlock()

	select {
	case at := <-serving:
		i.mu.Lock()
		i.addr, i.admin = at[0], at[1]
		i.mu.Unlock()
		return nil
	case <-gone:
		return fmt.Errorf("%s ended before it served", i.name)
	case <-ctx.Done():
		return fmt.Errorf("%s does not serve: %w", i.name, ctx.Err())
	}
}

// read copies what the process prints into the log, and says where it serves.
func (i *instance) read(out io.Reader, serving chan<- [2]string) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, _ = i.log.Write(append(lines.Bytes(), '\n'))
		var line struct {
			Msg, Addr string
			AdminAddr string `json:"admin_addr"`
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			select {
			case serving <- [2]string{line.Addr, line.AdminAddr}:
			default:
			}
		}
	}
}

// kill ends the process as a power cut would, and returns when it is gone.
func (i *instance) kill() { _ = i.end(syscall.SIGKILL, time.Minute) }

// stop asks the process to end, as a rolling deployment does.
func (i *instance) stop() error { return i.end(syscall.SIGTERM, 2*time.Minute) }

func (i *instance) end(how syscall.Signal, patience time.Duration) error {
	i.mu.Lock()
	cmd, gone := i.cmd, i.gone
	i.mu.Unlock()
	if cmd == nil {
		return nil
	}
	_ = cmd.Process.Signal(syscall.SIGCONT) // or it would never see the other one
	_ = cmd.Process.Signal(how)
	select {
	case <-gone:
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		return fmt.Errorf("%s did not end within %s of being asked to", i.name, patience)
	}
	i.mu.Lock()
	i.cmd, i.addr = nil, ""
	i.mu.Unlock()
	if code := cmd.ProcessState.ExitCode(); how == syscall.SIGTERM && code != 0 {
		return fmt.Errorf("%s ended with %d when it was asked to end", i.name, code)
	}
	return nil
}

// freeze stops the process in the middle of whatever it does, for a while: a
// virtual machine that is moved, a collector that takes long.
func (i *instance) freeze(d time.Duration) error {
	i.mu.Lock()
	cmd := i.cmd
	i.mu.Unlock()
	if cmd == nil {
		return errors.New(i.name + " does not run")
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(d)
	return cmd.Process.Signal(syscall.SIGCONT)
}
