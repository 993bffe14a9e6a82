// Package backing gives tests the services that a real deployment has: a
// server that the environment names, else one that the test starts itself on a
// free port, else a skip that says what was missing.
package backing

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Redis returns the URL of a Redis, and a prefix that no other test gives its
// keys and channels. The server is that of ASHLAR_TEST_REDIS_URL, which others
// use too, so nothing without the prefix may be touched; without it the test
// gets one of its own.
func Redis(tb testing.TB) (url, prefix string) {
	tb.Helper()
	prefix = "test-" + strings.ToLower(rand.Text()) + ":"
	if url = os.Getenv("ASHLAR_TEST_REDIS_URL"); url != "" {
		return url, prefix
	}
	return RedisServer(tb).URL(), prefix
}

// A RedisProcess is a Redis that belongs to one test, which may do to it what
// befalls servers.
type RedisProcess struct {
	tb      testing.TB
	addr    string
	command []string
	pidfile string
	process *os.Process   // nil while there is none
	ended   chan struct{} // closed when the process is no more
	guard   *exec.Cmd     // ends the server if this process ends before it
}

// RedisServer starts a Redis for the test alone and ends it with the test.
// Options are those of its command line, such as "--requirepass", "secret".
// The test is skipped where there is no redis-server or valkey-server in PATH,
// unless ASHLAR_TEST_STRICT says that nothing may be.
func RedisServer(tb testing.TB, options ...string) *RedisProcess {
	tb.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		program, err = exec.LookPath("valkey-server")
	}
	if err != nil {
		const missing = "neither redis-server nor valkey-server is in PATH, and ASHLAR_TEST_REDIS_URL names no Redis"
		if os.Getenv("ASHLAR_TEST_STRICT") == "1" {
			tb.Fatal(missing)
		}
		tb.Skip(missing)
	}
	s := &RedisProcess{tb: tb}
	tb.Cleanup(s.Kill)
	const attempts = 5
	for range attempts { // another program may take the port first
		port, dir := Port(tb), tb.TempDir()
		s.addr, s.pidfile = net.JoinHostPort("127.0.0.1", port), filepath.Join(dir, "pid")
		s.command = append([]string{
			program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
			"--dir", dir, "--pidfile", s.pidfile, "--loglevel", "warning",
		}, options...)
		if err = s.run(); err == nil {
			return s
		}
	}
	tb.Fatalf("start Redis: %v", err)
	return nil
}

// Port is a port of loopback where nobody listens, for a server that the test
// starts itself.
func Port(tb testing.TB) string {
	tb.Helper()
	port, err := anyPort()
	if err != nil {
		tb.Fatal(err)
	}
	return port
}

// run starts the process and waits until it answers.
func (s *RedisProcess) run() error {
	if err := os.Remove(s.pidfile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	child := exec.Command(s.command[0], s.command[1:]...) //nolint:gosec,noctx // the test's own words; the cleanup ends it
	child.Stdout = s.tb.Output()
	if err := child.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = child.Wait() // how it ended shows in what it printed
		close(ended)
	}()
	s.process, s.ended = child.Process, ended
	s.guard = guard(child.Process.Pid)
	for deadline := time.Now().Add(2 * time.Minute); ; {
		err := s.ask()
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			s.Kill()
			return errors.New("the server ended at once: " + child.ProcessState.String())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.Kill()
			return err
		}
	}
}

// guard starts what kills a process when this one ends without having done so,
// as a test does that runs out of time. It is nil where there is no shell.
func guard(pid int) *exec.Cmd {
	watch := exec.Command("sh", "-c", `cat >/dev/null; kill -9 "$1"`, "sh", strconv.Itoa(pid)) //nolint:gosec,noctx // a number
	if _, err := watch.StdinPipe(); err != nil || watch.Start() != nil {
		return nil
	}
	return watch
}

// ask reports whether the server answers, if only that a password is needed.
// It writes its file when it has the port; before, somebody else may answer
// there.
func (s *RedisProcess) ask() error {
	if _, err := os.Stat(s.pidfile); err != nil {
		return err
	}
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(context.Background(), "tcp", s.addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(answer, "+PONG") && !strings.HasPrefix(answer, "-NOAUTH") {
		return fmt.Errorf("it answers %q", answer)
	}
	return nil
}

// Addr is where the server listens, host:port.
func (s *RedisProcess) Addr() string { return s.addr }

// URL is the server's, without a password.
func (s *RedisProcess) URL() string { return "redis://" + s.addr }

// Kill ends the server at once, with all that it holds. Its port refuses
// connections from then on.
func (s *RedisProcess) Kill() {
	if s.process == nil {
		return
	}
	if s.guard != nil { // first, or it could hit whoever gets the number next
		_ = s.guard.Process.Kill()
		_ = s.guard.Wait()
	}
	_ = s.process.Kill() // it may have ended by itself
	<-s.ended
	s.process = nil
}

// Stop suspends the server: its connections stay open, new ones are taken by
// the system, and nothing is answered.
func (s *RedisProcess) Stop() {
	s.tb.Helper()
	signalled(s.tb, suspend(s.process))
}

// Start has the server run again: on from where it was stopped, or anew and
// empty at the same address after it was killed.
func (s *RedisProcess) Start() {
	s.tb.Helper()
	if s.process != nil {
		signalled(s.tb, resume(s.process))
		return
	}
	if err := s.run(); err != nil {
		s.tb.Fatalf("start Redis again: %v", err)
	}
}

// signalled skips the test on a system that cannot suspend a process.
func signalled(tb testing.TB, err error) {
	tb.Helper()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		tb.Skip("this system cannot suspend a process")
	case err != nil:
		tb.Fatal(err)
	}
}
