//go:build linux

package supervise_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/supervise"
)

// patience bounds what should come soon. It costs time only where it does not.
const patience = 2 * time.Minute

// TestMain lets the test binary be a worker: the parent in a test starts it as
// it would start a program of its own.
func TestMain(m *testing.M) {
	w, err := supervise.Join()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	case w != nil:
		os.Exit(work(w))
	}
	os.Exit(m.Run())
}

// own ends the answers of workers that run this very test, and no copy.
const own = " "

// marker precedes what a copy of the program is told about itself.
const marker = "\nBEHAVE:"

// behaviour is what was written behind the program that this process runs.
func behaviour() string {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	end := make([]byte, 64)
	n, err := f.ReadAt(end, info.Size()-int64(len(end)))
	if err != nil {
		return err.Error()
	}
	_, after, _ := bytes.Cut(end[:n], []byte(marker))
	return string(after)
}

// work is the program of the workers.
func work(w *supervise.Worker) int {
	how := behaviour()
	fmt.Printf("worker %d begins as %q\n", w.Number(), how)
	switch how {
	case "exit":
		fmt.Fprintln(os.Stderr, "BANK_URL: not set")
		return 3
	case "hang":
		fmt.Println("waiting for a lock that never comes")
		<-w.Draining()
		return 0
	case "second":
		if w.Number() == 2 {
			fmt.Fprintln(os.Stderr, "the second fails")
			return 4
		}
	}
	l, err := w.Listener("public")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if how == "flaky" {
		_ = w.Ready(nil)
		return 5
	}
	var hog [][]byte
	var served sync.Mutex
	var asked atomic.Int32
	requests := uint64(0)
	server := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		served.Lock()
		defer served.Unlock()
		requests++
		switch r.URL.Path {
		case "/crash":
			os.Exit(9)
		case "/hog":
			for range 96 {
				b := make([]byte, 1<<20)
				for i := range b {
					b[i] = byte(i)
				}
				hog = append(hog, b)
			}
		case "/asked":
			fmt.Fprint(rw, asked.Load())
			return
		case "/mute":
			w.Alive(func() bool { select {} })
		case "/ill":
			w.Alive(func() bool { return false })
		case "/faint": // and well again at the third look
			looks := 0
			w.Alive(func() bool { looks++; asked.Add(1); return looks > 2 })
		case "/mode":
			flags, err := socketFlags(l)
			fmt.Fprint(rw, flags&syscall.O_NONBLOCK != 0, err)
			return
		case "/env":
			fmt.Fprint(rw, os.Environ())
			return
		}
		fmt.Fprintf(rw, "%d %d %s", w.Number(), os.Getpid(), how)
	})}
	w.Alive(func() bool { asked.Add(1); return true })
	aside := w.Sent("aside")
	go func() { _ = server.Serve(aside) }()
	go func() { _ = server.Serve(l) }()
	if err := w.Ready(func() uint64 { served.Lock(); defer served.Unlock(); return requests }); err != nil {
		return 1
	}
	<-w.Draining()
	if how == "stay" {
		select {}
	}
	_ = server.Shutdown(context.Background())
	_ = w.Leave(bytes.Repeat([]byte("legacy"), 20_000))
	return 0
}

func socketFlags(l net.Listener) (flags uintptr, err error) {
	raw, err := l.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	controlErr := raw.Control(func(fd uintptr) {
		var errno syscall.Errno
		if flags, _, errno = syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFL, 0); errno != 0 {
			err = errno
		}
	})
	return flags, errors.Join(err, controlErr)
}

// put writes the program anew, with what it is told about itself.
func put(t *testing.T, path, how string) {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, append(self, marker+how...), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		t.Fatal(err)
	}
}

// family is a parent under test.
type family struct {
	t      *testing.T
	parent *supervise.Parent
	dir    string
	path   string
	url    string
	stop   context.CancelFunc
	ended  chan error

	mu     sync.Mutex
	out    strings.Builder
	legacy map[int]int
}

// raise starts a parent whose workers run a copy of this test.
func raise(t *testing.T, change func(*supervise.Config)) *family {
	t.Helper()
	f := &family{t: t, dir: filepath.Join(t.TempDir(), "run"), ended: make(chan error, 1), legacy: map[int]int{}}
	f.path = filepath.Join(t.TempDir(), "program")
	put(t, f.path, "v1") // which is for a reload to start: the first workers run this test
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.url = "http://" + l.Addr().String()
	cfg := supervise.Config{
		Workers: 2, Program: f.path, Sockets: []supervise.Socket{{Name: "public", Listener: l}},
		Args: []string{"-test.run=^$"}, Pause: time.Millisecond, ReadyTimeout: patience, LeaveTimeout: patience,
		Output: func(l supervise.Line) { f.write(l.Text) },
		Log:    slog.New(slog.NewTextHandler(writer(f.write), nil)),
		Ended:  func(p supervise.Process, legacy []byte) { f.mu.Lock(); f.legacy[p.PID] = len(legacy); f.mu.Unlock() },
	}
	if change != nil {
		change(&cfg)
	}
	if f.parent, err = supervise.New(cfg); err != nil {
		t.Fatal(err)
	}
	control, err := supervise.Open(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	stopped := make(chan struct{})
	serving, end := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- control.Serve(serving, f.parent, stopped) }()
	go func() {
		err := f.parent.Run(ctx)
		close(stopped)
		f.ended <- err
	}()
	t.Cleanup(func() {
		stop()
		select {
		case <-stopped:
		case <-time.After(patience):
			t.Error("the parent does not end")
		}
		end()
		if err := errors.Join(<-served, control.Close()); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(f.written())
		}
	})
	return f
}

type writer func(string)

func (w writer) Write(p []byte) (int, error) { w(string(p)); return len(p), nil }

func (f *family) write(s string) { f.mu.Lock(); defer f.mu.Unlock(); f.out.WriteString(s) }

func (f *family) written() string { f.mu.Lock(); defer f.mu.Unlock(); return f.out.String() }

// eventually waits until ok.
func (f *family) eventually(what string, ok func() bool) {
	f.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("not within %s: %s; %+v", patience, what, f.parent.Status())
		}
	}
}

func (f *family) all() *family {
	f.t.Helper()
	f.eventually("all workers serve", func() bool { return f.parent.Serving() == len(f.parent.Status().Workers) })
	return f
}

// get asks on a connection of its own.
func (f *family) get(path string) (string, error) {
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	r, err := c.Get(f.url + path)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return string(body), err
}

func (f *family) must(path string) string {
	f.t.Helper()
	var body string
	f.eventually("an answer", func() bool {
		var err error
		body, err = f.get(path)
		return err == nil // these workers leave by http.Server.Shutdown, which may drop a request
	})
	return body
}

func (f *family) pids() map[int]int {
	pids := map[int]int{}
	for _, w := range f.parent.Status().Workers {
		if w.State != supervise.Leaving {
			pids[w.Worker] = w.PID
		}
	}
	return pids
}

func TestWorkersShareASocketAndLeaveTogether(t *testing.T) {
	t.Parallel()
	f := raise(t, nil).all()
	if body := f.must("/"); !strings.HasSuffix(body, own) {
		t.Errorf("answer %q", body)
	}
	if body := f.must("/mode"); body != "true <nil>" {
		t.Errorf("the shared socket does not block: %s", body)
	}
	for _, name := range []string{"ASHLAR_SUPERVISED=", "NOTIFY_SOCKET="} {
		if strings.Contains(f.must("/env"), name) {
			t.Errorf("a worker's programs would inherit %s", name)
		}
	}
	pids := f.pids()
	f.stop()
	if err := <-f.ended; err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if syscall.Kill(pid, 0) == nil {
			t.Errorf("process %d is still there", pid)
		}
		if got := f.legacy[pid]; got != 120_000 {
			t.Errorf("process %d left %d bytes behind", pid, got)
		}
	}
	if _, err := f.get("/"); err == nil {
		t.Error("the socket is still open")
	}
}

func TestAWorkerThatCrashesIsStartedAgain(t *testing.T) {
	t.Parallel()
	f := raise(t, nil).all()
	before := f.pids()
	if err := syscall.Kill(before[1], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	f.eventually("worker 1 is another", func() bool { p := f.pids()[1]; return p != 0 && p != before[1] && f.parent.Serving() == 2 })
	st := f.parent.Status()
	if st.Workers[0].Restarts != 1 || st.Workers[1].Restarts != 0 || !strings.Contains(st.Workers[0].Why, "signal: killed") {
		t.Errorf("status %+v", st)
	}
	if f.pids()[2] != before[2] {
		t.Error("the other worker was replaced too")
	}
}

func TestAParentGivesUpOnWorkersThatAlwaysCrash(t *testing.T) {
	t.Parallel()
	f := raise(t, func(c *supervise.Config) { c.GiveUp, c.LongestPause = 3, 5*time.Millisecond })
	f.all()
	put(t, f.path, "flaky")
	// It becomes ready, so a reload cannot know; the way out is to give up.
	_ = f.parent.Reload(t.Context(), nil)
	select {
	case err := <-f.ended:
		if !errors.Is(err, supervise.ErrGaveUp) || !strings.Contains(err.Error(), "exit status 5") {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatalf("it goes on: %+v", f.parent.Status())
	}
}

func TestAReloadStartsWhatLiesOnDisk(t *testing.T) {
	t.Parallel()
	f := raise(t, nil).all()
	before := f.pids()
	put(t, f.path, "v2")
	var notes []string
	if err := supervise.Connect(f.dir).Reload(t.Context(), func(s string) { notes = append(notes, s) }); err != nil {
		t.Fatal(err)
	}
	if len(notes) != 3 || !strings.Contains(notes[2], "reloaded in") {
		t.Errorf("notes %q", notes)
	}
	for worker, pid := range f.pids() {
		if before[worker] == pid {
			t.Errorf("worker %d was not replaced", worker)
		}
	}
	for range 20 {
		if body := f.must("/"); !strings.HasSuffix(body, " v2") {
			t.Fatalf("answer %q", body)
		}
	}
	for _, pid := range before {
		if syscall.Kill(pid, 0) == nil {
			t.Errorf("process %d is still there", pid)
		}
	}
}

func TestABadProgramLeavesTheOldOneServing(t *testing.T) {
	t.Parallel()
	for how, c := range map[string]struct {
		timeout time.Duration
		want    []string
	}{
		"exit":   {patience, []string{"worker 1: exit status 3 before it was ready", "BANK_URL: not set", "the old ones go on"}},
		"hang":   {3 * time.Second, []string{"not ready within 3s", "waiting for a lock", "the old ones go on"}},
		"second": {patience, []string{"worker 2: exit status 4", "the second fails", "run the old program again"}},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			f := raise(t, func(cfg *supervise.Config) { cfg.ReadyTimeout = patience }).all()
			if c.timeout != patience {
				// The good one must become ready on a busy machine, the bad one never does.
				f.parent.SetReadyTimeout(c.timeout)
			}
			before := f.pids()
			put(t, f.path, how)
			err := supervise.Connect(f.dir).Reload(t.Context(), nil)
			if err == nil {
				t.Fatal("the reload succeeded")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in the error: %v", want, err)
				}
			}
			if body := f.must("/"); !strings.HasSuffix(body, own) {
				t.Errorf("answer %q", body)
			}
			if how != "second" && fmt.Sprint(f.pids()) != fmt.Sprint(before) {
				t.Errorf("workers %v were %v", f.pids(), before)
			}
			// A crash starts the program that worked, whatever lies on disk.
			f.parent.SetReadyTimeout(patience)
			killed := f.pids()[1]
			if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			f.eventually("worker 1 is back", func() bool { p := f.pids()[1]; return p != 0 && p != killed && f.parent.Serving() == 2 })
			for range 10 {
				if body := f.must("/"); !strings.HasSuffix(body, own) {
					t.Fatalf("answer %q", body)
				}
			}
		})
	}
	t.Run("no program at all", func(t *testing.T) {
		t.Parallel()
		f := raise(t, nil).all()
		if err := os.WriteFile(f.path+".x", []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(f.path+".x", f.path); err != nil {
			t.Fatal(err)
		}
		if err := f.parent.Reload(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no program that can be started") {
			t.Error(err)
		}
		if err := os.Remove(f.path); err != nil {
			t.Fatal(err)
		}
		if err := f.parent.Reload(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no such file") {
			t.Error(err)
		}
		f.must("/")
	})
}

func TestAWorkerThatDoesNotLeaveIsKilled(t *testing.T) {
	t.Parallel()
	f := raise(t, func(c *supervise.Config) { c.LeaveTimeout = 100 * time.Millisecond }).all()
	put(t, f.path, "stay")
	if err := f.parent.Reload(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	f.stop()
	if err := <-f.ended; err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(f.written(), "worker killed") {
		t.Error("it was not told")
	}
}

func TestStatusAndLogsOverTheSocket(t *testing.T) {
	t.Parallel()
	f := raise(t, nil).all()
	client := supervise.Connect(f.dir)
	for range 10 {
		f.must("/")
	}
	var st supervise.Status
	f.eventually("the requests show", func() bool {
		var err error
		if st, err = client.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
		return st.Workers[0].Requests+st.Workers[1].Requests >= 10 && st.Workers[0].Memory > 1<<20
	})
	if st.PID != os.Getpid() || st.Program != f.path || st.Workers[0].State != supervise.Serving {
		t.Errorf("status %+v", st)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var got []string
	if err := client.Logs(ctx, supervise.Filter{Worker: 2}, 10, true, func(l supervise.Line) error {
		got = append(got, l.Text)
		if l.Worker != 2 || l.PID != st.Workers[1].PID {
			t.Errorf("line %+v", l)
		}
		cancel()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0] != "worker 2 begins as \"\"\n" {
		t.Errorf("lines %q", got)
	}
	for name, mode := range map[string]os.FileMode{"": 0o700, "pid": 0o600, "control.sock": 0o600} {
		info, err := os.Stat(filepath.Join(f.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != mode {
			t.Errorf("%q is open to others: %s", name, info.Mode())
		}
	}
	if id, err := os.ReadFile(filepath.Join(f.dir, "pid")); err != nil || strings.TrimSpace(string(id)) != strconv.Itoa(os.Getpid()) {
		t.Errorf("pid %s, %v", id, err)
	}
	if _, err := supervise.Open(f.dir); err == nil || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())+" serves with workers") {
		t.Error(err)
	}
	if err := client.Stop(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := <-f.ended; err != nil {
		t.Fatal(err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 120))
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none"), long} {
		if _, err := supervise.Connect(dir).Status(t.Context()); !errors.Is(err, supervise.ErrNobody) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	open := t.TempDir()
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := supervise.Open(open); err == nil || !strings.Contains(err.Error(), "others may enter") {
		t.Error(err)
	}
	if info, err := os.Stat(open); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the mode was changed: %v, %v", info.Mode(), err)
	}
	c, err := supervise.Open(long)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAProcessIsReachedThroughItsParent(t *testing.T) {
	t.Parallel()
	f := raise(t, nil).all()
	for _, p := range f.parent.Processes() {
		c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
			return p.Dial("aside")
		}}}
		r, err := c.Get("http://worker/")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if want := fmt.Sprintf("%d %d ", p.Worker, p.PID); err != nil || string(body) != want {
			t.Errorf("answer %q, %v; want %q", body, err, want)
		}
	}
}

func TestAWorkerThatHoldsTooMuchIsReplaced(t *testing.T) {
	t.Parallel()
	f := raise(t, func(c *supervise.Config) { c.Workers, c.Memory = 1, 64<<20 }).all()
	before := f.pids()[1]
	f.must("/hog")
	f.eventually("it is another", func() bool { p := f.pids()[1]; return p != before && p != 0 })
	if f.parent.Status().Workers[0].Restarts != 1 {
		t.Errorf("status %+v", f.parent.Status())
	}
}

func TestAWorkerThatGivesNoSignOfLifeIsReplaced(t *testing.T) {
	t.Parallel()
	for name, silence := range map[string]func(f *family, pid int) error{
		"a process that is stopped":    func(_ *family, pid int) error { return syscall.Kill(pid, syscall.SIGSTOP) },
		"a check that does not return": func(f *family, _ int) error { f.must("/mute"); return nil },
		"a check that reports false":   func(f *family, _ int) error { f.must("/ill"); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := raise(t, func(c *supervise.Config) { c.Workers, c.Unresponsive = 1, 2*time.Second }).all()
			before := f.pids()[1]
			if err := silence(f, before); err != nil {
				t.Fatal(err)
			}
			f.eventually("it is another", func() bool { p := f.pids()[1]; return p != before && p != 0 })
			if body := f.must("/"); strings.Contains(body, strconv.Itoa(before)) {
				t.Errorf("answered by the one of before: %s", body)
			}
			f.eventually("where it was is logged", func() bool { return strings.Contains(f.written(), "where the worker that gave no sign") })
			if text := f.written(); !strings.Contains(text, "goroutine ") || strings.Contains(text, "\nSIGQUIT") {
				t.Error("no stacks, or not as one record")
			}
			st := f.parent.Status().Workers[0]
			if st.Restarts != 1 || st.Why != "no sign of life for 2s" {
				t.Errorf("status %+v", st)
			}
		})
	}
}

// A worker is asked again only when it has answered.
func TestAWorkerThatLivesSaysSo(t *testing.T) {
	t.Parallel()
	f := raise(t, func(c *supervise.Config) { c.Workers, c.Unresponsive = 1, patience }).all()
	before := f.pids()
	f.eventually("it was asked three times", func() bool { n, err := strconv.Atoi(f.must("/asked")); return err == nil && n >= 3 })
	f.must("/faint")
	first, _ := strconv.Atoi(f.must("/asked"))
	f.eventually("it was asked again when it was well", func() bool { n, err := strconv.Atoi(f.must("/asked")); return err == nil && n >= first+5 })
	if after := f.pids(); !maps.Equal(before, after) {
		t.Errorf("%v, then %v", before, after)
	}
}

func TestASettingThatCannotBe(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]supervise.Config{
		"0 workers":            {},
		"cannot live in":       {Workers: 1, Memory: 1},
		"find the program":     {Workers: 1, Program: "./no-such-program"},
		"has no descriptor":    {Workers: 1, Program: "/proc/self/exe", Sockets: []supervise.Socket{{Name: "x", Listener: noListener{}}}},
		"executable file not ": {Workers: 1, Program: "no-such-program-in-path"},
	} {
		if _, err := supervise.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

type noListener struct{ net.Listener }
