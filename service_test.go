//go:build linux

package ashlar_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// service is a program as systemd starts it: with its sockets open, and with a
// place to say how it is.
func service(t *testing.T, names string, env []string, sockets ...net.Listener) (cmd *exec.Cmd, told func(string)) {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify") //nolint:usetesting // short: the path of a socket has its limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	at := filepath.Join(dir, "s")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: at})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	cmd = app(t, "laden", append([]string{"NOTIFY_SOCKET=" + at, "ASHLAR_ADMIN_ADDR=127.0.0.1:0", "ASHLAR_WORKER_READY=2m"}, env...))
	if len(sockets) > 0 {
		// Who forks knows the process id only then.
		cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$0"`, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
		cmd.Env = append(cmd.Env, "LISTEN_FDS="+strconv.Itoa(len(sockets)), "LISTEN_FDNAMES="+names)
	}
	for _, l := range sockets {
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		t.Cleanup(func() { _ = f.Close() })
	}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if testing.Short() || !testing.Verbose() {
		cmd.Stdout = nil
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, func(want string) {
		t.Helper()
		b := make([]byte, 4096)
		for {
			_ = manager.SetReadDeadline(time.Now().Add(lost))
			n, err := manager.Read(b)
			if err != nil {
				t.Fatalf("%s was not told: %v", want, err)
			}
			if strings.Contains(string(b[:n]), want) {
				return
			}
		}
	}
}

func free(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestAServiceOfSystemd(t *testing.T) {
	t.Parallel()
	for name, env := range map[string][]string{
		"one process":  {"WATCHDOG_USEC=200000"},
		"with workers": {"WATCHDOG_USEC=200000", "ASHLAR_WORKERS=2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			public, admin := free(t), free(t)
			cmd, told := service(t, "admin:public", env, admin, public)
			told("READY=1")
			// Both answer: the sockets were known by their names.
			if status, _ := fetch(t, "http://"+public.Addr().String()+"/hello/you"); status != 200 {
				t.Errorf("status %d", status)
			}
			if status, _ := fetch(t, "http://"+admin.Addr().String()+"/livez"); status != 200 {
				t.Errorf("status %d of the private side", status)
			}
			told("WATCHDOG=1")
			if len(env) > 1 {
				if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
					t.Fatal(err)
				}
				told("RELOADING=1\nMONOTONIC_USEC=")
				told("READY=1")
				if status, _ := fetch(t, "http://"+public.Addr().String()+"/hello/you"); status != 200 {
					t.Errorf("status %d after a reload", status)
				}
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			told("STOPPING=1")
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestASocketOfSystemdThatIsNotForDevelopment(t *testing.T) {
	t.Parallel()
	everywhere, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer everywhere.Close()
	for _, workers := range []string{"0", "2"} {
		cmd, _ := service(t, "shop.socket", []string{"ASHLAR_WORKERS=" + workers}, everywhere)
		if cmd.Wait() == nil {
			t.Error("development serves the world")
		}
	}
}

// TestARestartBehindASocketRefusesNobody has a service manager's socket outlive
// the service: what comes meanwhile waits in it.
func TestARestartBehindASocketRefusesNobody(t *testing.T) {
	t.Parallel()
	for name, env := range map[string][]string{"one process": nil, "with workers": {"ASHLAR_WORKERS=2"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			public := free(t)
			env := append([]string{"ASHLAR_LIMIT_ADDRESS=off"}, env...)
			cmd, told := service(t, "public", env, public)
			told("READY=1")
			l := under("http://"+public.Addr().String(), plain, shape{clients: 4, fresh: true})
			for range 3 {
				l.wait(50)
				if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				if err := cmd.Wait(); err != nil {
					t.Error(err)
				}
				cmd, told = service(t, "public", env, public)
				told("READY=1")
			}
			l.wait(50)
			sent, failed, first := l.end()
			t.Logf("%d of %d requests failed", failed, sent)
			if failed > 0 {
				t.Error(first)
			}
		})
	}
}
