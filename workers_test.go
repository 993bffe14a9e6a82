//go:build linux

package ashlar_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ashlar-go/ashlar/supervise"
)

// fleet is the good app with workers.
type fleet struct {
	*serving
	t     testing.TB
	dir   string
	ready time.Duration // until something served
}

func startWorkers(t testing.TB, n int, env ...string) *fleet {
	t.Helper()
	f := &fleet{t: t, dir: t.TempDir()}
	began := time.Now()
	f.serving = start(t, append([]string{
		"ASHLAR_TEST_APP=laden", "ASHLAR_WORKERS=" + strconv.Itoa(n), "ASHLAR_DATA_DIR=" + f.dir, "ASHLAR_LIMIT_ADDRESS=off", "ASHLAR_WORKER_READY=2m",
	}, env...)...)
	f.ready = time.Since(began)
	t.Cleanup(func() {
		_ = f.cmd.Process.Kill() // again, where the test stopped it
		if text := f.out.String(); t.Failed() {
			t.Log(text[max(len(text)-4000, 0):])
		}
	})
	f.eventually("all workers serve", func(st supervise.Status) bool { return serves(st) == n && len(st.Workers) == n })
	return f
}

func serves(st supervise.Status) (n int) {
	for _, w := range st.Workers {
		if w.State == supervise.Serving {
			n++
		}
	}
	return n
}

// command runs a command beside the app.
func (f *fleet) command(args ...string) (string, int) {
	f.t.Helper()
	return output(f.t, app(f.t, "good", []string{"ASHLAR_DATA_DIR=" + f.dir}, args...))
}

func (f *fleet) status() supervise.Status {
	f.t.Helper()
	out, code := f.command("status", "--json")
	var st supervise.Status
	if err := json.Unmarshal([]byte(out), &st); err != nil || code != 0 {
		f.t.Fatalf("status: %d, %v: %s", code, err, out)
	}
	return st
}

func (f *fleet) eventually(what string, ok func(supervise.Status) bool) supervise.Status {
	f.t.Helper()
	for end := time.Now().Add(lost); ; time.Sleep(20 * time.Millisecond) {
		st := f.status()
		if ok(st) {
			return st
		}
		if time.Now().After(end) {
			f.t.Fatalf("not in time: %s: %+v", what, st)
		}
	}
}

// load is what clients send while something happens to the workers.
type load struct {
	sent, failed atomic.Int64
	stop         context.CancelFunc
	done         sync.WaitGroup

	mu    sync.Mutex
	first error
}

// shape is one kind of client.
type shape struct {
	clients int
	fresh   bool          // a connection for each request
	think   time.Duration // the longest pause between requests
	path    string        // another than /say
}

// under sends until the load is ended. No client retries anything: each request
// without a whole 200 counts as failed.
func under(url string, transport func() *http.Transport, shapes ...shape) *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{stop: stop}
	for _, s := range shapes {
		for range s.clients {
			own := transport()
			own.DisableKeepAlives = s.fresh
			l.done.Go(func() {
				defer own.CloseIdleConnections()
				client := &http.Client{Transport: own, Timeout: lost}
				for ctx.Err() == nil {
					l.note(ask(client, url, s.path))
					if s.think > 0 {
						time.Sleep(rand.N(s.think))
					}
				}
			})
		}
	}
	return l
}

// ask sends one request. It is a POST whose body cannot be read twice, since
// net/http sends a GET again without a word when its connection has ended.
func ask(c *http.Client, url, path string) error {
	if path == "" {
		path = "/say"
	}
	r, err := http.NewRequest(http.MethodPost, url+path, io.MultiReader(strings.NewReader(`{"name":"you"}`)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := c.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode != http.StatusOK || !strings.Contains(string(text), "Hello you")) {
		err = fmt.Errorf("%s: %s", response.Status, text)
	}
	return err
}

func (l *load) note(err error) {
	l.sent.Add(1)
	if err == nil {
		return
	}
	l.failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == nil {
		l.first = err
	}
}

// end ends the load and returns what came of it.
func (l *load) end() (sent, failed int64, first error) {
	l.stop()
	l.done.Wait()
	return l.sent.Load(), l.failed.Load(), l.first
}

// wait returns when so many more requests were sent.
func (l *load) wait(n int64) {
	for from, end := l.sent.Load(), time.Now().Add(lost); l.sent.Load() < from+n && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// reloads is how often a test reloads: more where somebody has the time.
func reloads() int {
	if n, err := strconv.Atoi(os.Getenv("ASHLAR_TEST_RELOADS")); err == nil {
		return n
	}
	return 5
}

func plain() *http.Transport { return &http.Transport{MaxIdleConnsPerHost: 1} }

func TestReloadsUnderLoadLoseNothing(t *testing.T) {
	t.Parallel()
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	roots := writeCertificate(t, 1, cert, key)
	secured := func(h2 bool) func() *http.Transport {
		return func() *http.Transport {
			return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: h2}
		}
	}
	mix := []shape{{clients: 4}, {clients: 4, path: "/slowly"}, {clients: 3, fresh: true}, {clients: 50, think: 200 * time.Millisecond}, {clients: 8, think: 3 * time.Second}}
	for name, c := range map[string]struct {
		env       []string
		transport func() *http.Transport
		shapes    []shape
	}{
		"HTTP/1.1":          {nil, plain, mix},
		"HTTP/1.1 with TLS": {[]string{"ASHLAR_TLS_CERT=" + cert, "ASHLAR_TLS_KEY=" + key}, secured(false), []shape{{clients: 2}, {clients: 20, think: 200 * time.Millisecond}}},
		"HTTP/2":            {[]string{"ASHLAR_TLS_CERT=" + cert, "ASHLAR_TLS_KEY=" + key}, secured(true), []shape{{clients: 2}, {clients: 20, think: 200 * time.Millisecond}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startWorkers(t, 2, c.env...)
			url := f.public
			if c.env != nil {
				url = strings.Replace(url, "http://", "https://", 1)
			}
			l := under(url, c.transport, c.shapes...)
			for range reloads() {
				l.wait(50)
				if out, code := f.command("reload"); code != 0 {
					t.Fatalf("exit code %d: %s", code, out)
				}
			}
			l.wait(50)
			sent, failed, first := l.end()
			t.Logf("%d reloads: %d of %d requests failed", reloads(), failed, sent)
			if failed > 0 {
				t.Errorf("the first: %v", first)
			}
			if st := f.status(); st.Reloads != reloads() {
				t.Errorf("status %+v", st)
			}
			// What was answered by workers that are gone is still counted.
			if _, text := fetch(t, f.admin+"/metrics"); counted(text, "http_server_requests_total{") < float64(sent) {
				t.Errorf("of %d requests the metrics count %v", sent, counted(text, "http_server_requests_total{"))
			}
			f.stop(t)
		})
	}
}

// TestStreamsGoOnThroughReloads has clients of both kinds come back after each
// reload with what they saw last, and looks for gaps.
func TestStreamsGoOnThroughReloads(t *testing.T) {
	t.Parallel()
	f := startWorkers(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen [4]parcels
	var listening sync.WaitGroup
	for i := range seen {
		connect := sseOnce
		if i%2 == 1 {
			connect = socketOnce
		}
		listening.Go(func() {
			last := ""
			for ctx.Err() == nil {
				connect(ctx, f.public+"/followed", &last, &seen[i])
			}
		})
	}
	n := 0
	ship := func() {
		n++
		body := strings.NewReader(fmt.Sprintf(`{"id":"%d"}`, n))
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.public+"/parcels", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(r)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("parcel %d: %v, %v", n, response, err)
		}
		response.Body.Close()
	}
	everybody := func(what string, ok func(ids []int) bool) {
		t.Helper()
		for end := time.Now().Add(lost); ; time.Sleep(5 * time.Millisecond) {
			all := true
			for i := range seen {
				all = all && ok(seen[i].ids())
			}
			if all {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %v %v %v %v", what, seen[0].ids(), seen[1].ids(), seen[2].ids(), seen[3].ids())
			}
		}
	}
	for begun, end := false, time.Now().Add(lost); !begun; begun = seen[0].any() && seen[1].any() && seen[2].any() && seen[3].any() {
		ship()
		time.Sleep(5 * time.Millisecond)
		if time.Now().After(end) {
			t.Fatal("no stream brings anything")
		}
	}
	for range reloads() {
		for range 5 {
			ship()
		}
		done := make(chan string, 1)
		go func() {
			out, code := f.command("reload")
			if code == 0 {
				out = ""
			}
			done <- out
		}()
		for wrong, ended := "", false; !ended; {
			ship()
			select {
			case wrong = <-done:
				ended = true
			default:
			}
			if wrong != "" {
				t.Fatal(wrong)
			}
		}
	}
	everybody("not all that was shipped has come", func(ids []int) bool { return len(ids) > 0 && ids[len(ids)-1] == n })
	cancel()
	listening.Wait()
	came := 0
	for i := range seen {
		ids := seen[i].ids()
		came += seen[i].connections()
		for j, id := range ids {
			if id != ids[0]+j {
				t.Fatalf("stream %d: parcel %d after %d", i, id, ids[j-1])
			}
		}
	}
	t.Logf("%d reloads, %d parcels, %d connections of %d streams: none missed, none twice", reloads(), n, came, len(seen))
	f.stop(t)
}

// parcels are what one stream has brought.
type parcels struct {
	mu    sync.Mutex
	all   []int
	conns int
}

func (p *parcels) add(item []byte) {
	var c consignment
	if json.Unmarshal(item, &c) != nil {
		return
	}
	n, _ := strconv.Atoi(c.ID)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, n)
}

func (p *parcels) ids() []int { p.mu.Lock(); defer p.mu.Unlock(); return slices.Clone(p.all) }

func (p *parcels) any() bool { return len(p.ids()) > 0 }

func (p *parcels) opened() { p.mu.Lock(); defer p.mu.Unlock(); p.conns++ }

func (p *parcels) connections() int { p.mu.Lock(); defer p.mu.Unlock(); return p.conns }

// sseOnce reads server-sent events until they end.
func sseOnce(ctx context.Context, url string, last *string, into *parcels) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	if *last != "" {
		r.Header.Set("Last-Event-ID", *last)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return
	}
	defer response.Body.Close()
	into.opened()
	id, name := "", ""
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch key {
		case "id":
			id = value
		case "event":
			name = value
		case "data":
			if name != "end" && id != "" {
				into.add([]byte(value))
				*last = id
			}
		case "":
			name = ""
		}
	}
}

// socketOnce reads a WebSocket until it ends.
func socketOnce(ctx context.Context, url string, last *string, into *parcels) {
	header := http.Header{}
	if *last != "" {
		header.Set("Last-Event-ID", *last)
	}
	c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		return
	}
	defer c.CloseNow()
	into.opened()
	for {
		_, text, err := c.Read(ctx)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(text, &m) == nil && m.Data != nil && m.ID != "" {
			into.add(m.Data)
			*last = m.ID
		}
	}
}

// counted adds up the lines of metrics that begin so.
func counted(text, prefix string) (sum float64) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			v, _ := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:len(line)-1], 64)
			sum += v
		}
	}
	return sum
}

func TestAKilledWorkerLosesOnlyItsOwnRequests(t *testing.T) {
	t.Parallel()
	f := startWorkers(t, 2)
	const clients, kills = 8, 5
	l := under(f.public, plain, shape{clients: clients})
	for range kills {
		l.wait(200)
		before := f.status()
		victim := before.Workers[rand.N(2)].PID
		if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		f.eventually("another serves", func(st supervise.Status) bool {
			return serves(st) == 2 && st.Workers[0].PID != victim && st.Workers[1].PID != victim
		})
	}
	l.wait(200)
	sent, failed, first := l.end()
	t.Logf("%d kills: %d of %d requests failed, the first: %v", kills, failed, sent, first)
	// Each client has one request under way, and one that it sends on a connection
	// of which it has not yet heard that it is gone.
	if failed > kills*clients*2 {
		t.Errorf("more failed than can have been under way")
	}
	if st := f.status(); st.Workers[0].Restarts+st.Workers[1].Restarts != kills {
		t.Errorf("status %+v", st)
	}
	f.stop(t)
}

// No worker can live in so little, so each is replaced again and again.
func TestReplacingWorkersForTheirMemoryLosesNothing(t *testing.T) {
	t.Parallel()
	f := startWorkers(t, 2, "ASHLAR_WORKER_MEMORY=32")
	l := under(f.public, plain, shape{clients: 4}, shape{clients: 20, think: 200 * time.Millisecond})
	st := f.eventually("workers are replaced", func(st supervise.Status) bool {
		return st.Workers[0].Restarts+st.Workers[1].Restarts >= 2
	})
	l.wait(50)
	sent, failed, first := l.end()
	t.Logf("%d replacements: %d of %d requests failed", st.Workers[0].Restarts+st.Workers[1].Restarts, failed, sent)
	if failed > 0 {
		t.Error(first)
	}
	f.eventuallyLogged("holds too much memory", 2)
	f.stop(t)
}

func TestAStoppedWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	f := startWorkers(t, 2, "ASHLAR_WORKER_UNRESPONSIVE=3s")
	victim := f.status().Workers[1].PID
	const clients = 6
	l := under(f.public, plain, shape{clients: clients, fresh: true})
	l.wait(50)
	if err := syscall.Kill(victim, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	st := f.eventually("another serves", func(st supervise.Status) bool {
		return serves(st) == 2 && len(st.Workers) == 2 && st.Workers[1].PID != victim
	})
	l.wait(200)
	sent, failed, first := l.end()
	t.Logf("%d of %d requests failed, the first: %v", failed, sent, first)
	if failed > clients { // that it had begun when it was stopped
		t.Errorf("more failed than can have been under way")
	}
	if w := st.Workers[1]; w.Restarts != 1 || !strings.Contains(w.Why, "no sign of life for 3s") {
		t.Errorf("status %+v", w)
	}
	for end := time.Now().Add(lost); !strings.Contains(f.out.String(), "where the worker that gave no sign of life was"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no stacks are logged")
		}
	}
	f.stop(t)
}

// TestAWorkerWhoseHandlersHangIsReplaced takes the half minute that a call may.
func TestAWorkerWhoseHandlersHangIsReplaced(t *testing.T) {
	t.Parallel()
	f := startWorkers(t, 1, "ASHLAR_WORKER_UNRESPONSIVE=3s")
	before := f.status().Workers[0].PID
	l := under(f.public, plain, shape{clients: 12, path: "/never"})
	st := f.eventually("another serves", func(st supervise.Status) bool {
		return serves(st) == 1 && st.Workers[0].PID != before && st.Workers[0].Restarts > 0 // counted a moment later
	})
	l.stop() // or the next one would hang too
	if w := st.Workers[0]; w.Restarts != 1 || !strings.Contains(w.Why, "no sign of life") {
		t.Errorf("status %+v", w)
	}
	if err := ask(http.DefaultClient, f.public, ""); err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(lost); !strings.Contains(f.out.String(), "ashlar_test.speech.func"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("where the handlers hang is not logged")
		}
	}
	_ = f.cmd.Process.Kill() // its worker may have got a call that hangs
}

func TestAChangedLogLevelHoldsForLaterWorkers(t *testing.T) {
	t.Parallel()
	f := startWorkers(t, 2)
	ask := func(method, body string) (l struct {
		Level string
		Until *time.Time
	},
	) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, f.admin+"/log/level", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if err := json.NewDecoder(response.Body).Decode(&l); err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", method, response.Status, err)
		}
		return l
	}
	set := ask(http.MethodPut, `{"level":"debug","for":"2h"}`)
	if set.Until == nil {
		t.Fatalf("set: %+v", set)
	}
	first := f.status().Workers[0].PID // who answers for all
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	f.eventually("it is another", func(st supervise.Status) bool { return serves(st) == 2 && st.Workers[0].PID != first })
	if l := ask(http.MethodGet, ""); l.Level != "debug" || l.Until == nil || l.Until.Sub(*set.Until).Abs() > time.Minute {
		t.Errorf("after a restart: %+v, not %+v", l, set)
	}
	if out, code := f.command("reload"); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	if l := ask(http.MethodGet, ""); l.Level != "debug" {
		t.Errorf("after a reload: %+v", l)
	}
	for i := range 6 { // a change that overtakes the start of a worker holds for it too
		level := []string{"warn", "error"}[i%2]
		done := make(chan int)
		go func() { _, code := f.command("reload"); done <- code }()
		time.Sleep(rand.N(150 * time.Millisecond)) // whenever it is, the end is the same
		ask(http.MethodPut, fmt.Sprintf(`{"level":%q,"for":"1h"}`, level))
		if code := <-done; code != 0 {
			t.Fatalf("exit code %d", code)
		}
		for end := time.Now().Add(lost); ask(http.MethodGet, "").Level != level; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("change %d: not %s", i, level)
			}
		}
	}
	ask(http.MethodDelete, "")
	if out, code := f.command("reload"); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	if l := ask(http.MethodGet, ""); l.Level != "info" || l.Until != nil {
		t.Errorf("when it was reset: %+v", l)
	}
	f.stop(t)
}

func TestABadReloadChangesNothing(t *testing.T) {
	t.Parallel()
	f := startWorkers(t, 2, "ASHLAR_TEST_PROGRAM=copy")
	program := f.cmd.Path
	env := filepath.Join(f.cmd.Dir, ".env")
	before := f.status()
	l := under(f.public, plain, shape{clients: 2}, shape{clients: 10, think: 100 * time.Millisecond})
	for name, c := range map[string]struct {
		do   func() error
		want string
	}{
		"a setting that is wrong":  {func() error { return os.WriteFile(env, []byte("ASHLAR_TOKEN_TTL=9h\n"), 0o600) }, "ASHLAR_TOKEN_TTL"},
		"a migration that fails":   {func() error { return os.WriteFile(env, []byte("ASHLAR_TEST_MIGRATION=nonsense\n"), 0o600) }, "2_nonsense.sql"},
		"a program that ends":      {func() error { return replaceProgram(program, "/bin/false") }, "exit status 1 before it was ready"},
		"a program that is no one": {func() error { return replaceProgram(program, "/etc/passwd") }, "no program that can be started"},
	} {
		_ = os.Remove(env)
		if err := replaceProgram(program, os.Args[0]); err != nil {
			t.Fatal(err)
		}
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		l.wait(20)
		out, code := f.command("reload")
		if code != 1 || !strings.Contains(out, c.want) || !strings.Contains(out, "go on") {
			t.Errorf("%s: exit code %d: %s", name, code, out)
		}
	}
	l.wait(20)
	sent, failed, first := l.end()
	t.Logf("%d of %d requests failed", failed, sent)
	if failed > 0 {
		t.Error(first)
	}
	after := f.status()
	for i := range before.Workers {
		if before.Workers[i].PID != after.Workers[i].PID {
			t.Errorf("worker %d was replaced", i+1)
		}
	}
	f.stop(t)
}

func TestCommandsOfWorkers(t *testing.T) {
	t.Parallel()
	f := startWorkers(t, 2)
	status, body := fetch(t, f.admin+"/readyz")
	if status != 200 || !strings.Contains(body, `"database":"ok"`) {
		t.Errorf("readiness %d: %s", status, body)
	}
	for range 20 {
		if status, _ := fetch(t, f.public+"/hello/you"); status != 200 {
			t.Fatal(status)
		}
	}
	if _, body := fetch(t, f.public+"/hello/panic"); !strings.Contains(body, "internal") {
		t.Errorf("answer %s", body)
	}
	f.eventuallyLogged(`"op":"greetings.public"`, 21)
	if out, code := f.command("logs", "-n", "1000", "--op", "greetings.public", "--level=error"); code != 0 || strings.Count(out, "\n") != 1+1 || !strings.Contains(out, "panic") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if out, code := f.command("logs", "--level=loud"); code != 1 || !strings.Contains(out, "--level") {
		t.Errorf("exit code %d: %s", code, out)
	}
	f.followLogs()
	if out, code := f.command("status"); code != 0 || strings.Count(out, "serving") != 2 || !strings.Contains(out, "MiB") {
		t.Errorf("exit code %d: %s", code, out)
	}
	// A change of the level reaches every worker.
	req, err := http.NewRequest(http.MethodPut, f.admin+"/log/level", strings.NewReader(`{"level":"debug","for":"10m"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(req)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%v %v", response, err)
	}
	response.Body.Close()
	f.eventuallyLogged("log level changed", 2)
	second := app(t, "good", []string{"ASHLAR_ADDR=" + strings.TrimPrefix(f.public, "http://"), "ASHLAR_ADMIN_ADDR=127.0.0.1:0"})
	if out, code := output(t, second); code != 1 || !strings.Contains(out, "address already in use by process ") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if out, code := f.command("serve", "--workers=2"); code != 1 || !strings.Contains(out, fmt.Sprintf("process %d serves with workers", f.cmd.Process.Pid)) {
		t.Errorf("exit code %d: %s", code, out)
	}
	if err := f.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	f.eventually("SIGHUP reloads", func(st supervise.Status) bool { return st.Reloads == 1 })
	if out, code := f.command("stop"); code != 0 || !strings.Contains(out, "stopped") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if err := <-f.done; err != nil {
		t.Error(err)
	}
	if out, code := f.command("status"); code != 1 || !strings.Contains(out, "serve --workers") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// eventuallyLogged waits until so many lines of the log say so.
func (f *fleet) eventuallyLogged(text string, n int) {
	f.t.Helper()
	for end := time.Now().Add(lost); ; time.Sleep(10 * time.Millisecond) {
		out, _ := f.command("logs", "-n", "1000")
		if strings.Count(out, text) >= n {
			return
		}
		if time.Now().After(end) {
			f.t.Fatalf("%q is not logged %d times: %s", text, n, out)
		}
	}
}

func TestTheParentAloneWritesTheLogFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "logs", "app.log")
	cmd := app(t, "good", []string{
		"ASHLAR_WORKERS=3", "ASHLAR_ADDR=127.0.0.1:0", "ASHLAR_ADMIN_ADDR=127.0.0.1:0", "ASHLAR_LOG_FILE=" + file, "ASHLAR_DATA_DIR=" + dir,
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []byte
	for end := time.Now().Add(lost); strings.Count(string(lines), `"msg":"serving"`) < 3; time.Sleep(10 * time.Millisecond) {
		lines, _ = os.ReadFile(file)
		if time.Now().After(end) {
			t.Fatalf("the workers do not serve: %s", lines)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	lines, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(lines)) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a torn line: %s", line)
		}
	}
	// Each of the workers and the parent, to its last line.
	if n := strings.Count(string(lines), `"msg":"stopped"`); n != 4 {
		t.Errorf("%d of 4 processes say that they stopped", n)
	}
}

// followLogs follows the log until a request of its own shows.
func (f *fleet) followLogs() {
	f.t.Helper()
	cmd := app(f.t, "good", []string{"ASHLAR_DATA_DIR=" + f.dir}, "logs", "-f", "-n", "0", "--trace", "4bf92f3577b34da6a3ce929d0e0e4736")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	seen := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(pipe).ReadString('\n')
		seen <- line
	}()
	for end := time.Now().Add(lost); ; {
		r, err := http.NewRequest(http.MethodGet, f.public+"/hello/you", nil)
		if err != nil {
			f.t.Fatal(err)
		}
		r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			f.t.Fatal(err)
		}
		response.Body.Close()
		select {
		case line := <-seen:
			if !strings.Contains(line, `"op":"greetings.public"`) {
				f.t.Errorf("line %q", line)
			}
			_ = cmd.Process.Signal(os.Interrupt)
			if err := cmd.Wait(); err != nil {
				f.t.Errorf("logs -f ended with %v", err)
			}
			return
		case <-time.After(50 * time.Millisecond):
			if time.Now().After(end) {
				f.t.Fatal("nothing is followed")
			}
		}
	}
}

func TestWorkersLeaveWhenTheirParentIsKilled(t *testing.T) {
	t.Parallel()
	f := startWorkers(t, 2)
	st := f.status()
	if err := f.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, w := range st.Workers {
		for end := time.Now().Add(lost); syscall.Kill(w.PID, 0) == nil; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("process %d stays", w.PID)
			}
		}
	}
}

func TestAFirstWorkerThatFails(t *testing.T) {
	t.Parallel()
	out, code := output(t, app(t, "good", []string{"ASHLAR_WORKERS=2", "ASHLAR_ADDR=127.0.0.1:0", "ASHLAR_ADMIN_ADDR=127.0.0.1:0", "ASHLAR_TOKEN_TTL=9h"}))
	if code != 1 || !strings.Contains(out, "worker 1: exit status 1 before it was ready") || strings.Count(out, "ASHLAR_TOKEN_TTL") < 1 {
		t.Errorf("exit code %d: %s", code, out)
	}
	out, code = output(t, app(t, "good", []string{"ASHLAR_WORKERS=many", "ASHLAR_ADDR=127.0.0.1:0"}))
	if code != 1 || !strings.Contains(out, "ASHLAR_WORKERS") {
		t.Errorf("exit code %d: %s", code, out)
	}
}
