// Package chromium drives a real browser in tests: it opens pages, evaluates
// expressions in them, and keeps whatever a console would show in red and
// every address that was asked for. It speaks the DevTools protocol over a
// pipe: no port, no library, no driver.
package chromium

import (
	"bufio"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Browser is a Chromium with one page, for one test. Whatever goes wrong in
// the browser itself ends the test.
type Browser struct {
	t       *testing.T
	to      io.Writer
	session string

	mu       sync.Mutex
	id       int
	waiting  map[int]chan message
	noise    []string // what a console would show in red
	requests []string
}

type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// Start starts the Chromium that ASHLAR_TEST_CHROMIUM or PATH names, and ends
// it with the test. The test is skipped without one, unless ASHLAR_TEST_STRICT
// says that nothing may be.
func Start(t *testing.T) *Browser {
	t.Helper()
	program, err := exec.LookPath(cmp.Or(os.Getenv("ASHLAR_TEST_CHROMIUM"), "chromium"))
	if err != nil {
		if os.Getenv("ASHLAR_TEST_STRICT") == "1" {
			t.Fatal("chromium is missing: ", err)
		}
		t.Skip("chromium is missing; install it or name it in ASHLAR_TEST_CHROMIUM: ", err)
	}
	readCommands, commands, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, writeAnswers, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	process := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", //nolint:gosec,noctx // whoever runs the tests named it; the cleanup ends it, after the test's context
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--remote-debugging-pipe", "--user-data-dir="+t.TempDir())
	process.ExtraFiles = []*os.File{readCommands, writeAnswers} // 3 and 4, as Chromium expects them
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	b := &Browser{t: t, to: commands, waiting: map[int]chan message{}}
	var reader sync.WaitGroup
	reader.Go(func() { b.listen(answers) })
	t.Cleanup(func() {
		b.call("Browser.close", nil, nil)
		_ = process.Wait() // it was asked to end; how it says so does not matter
		err := errors.Join(readCommands.Close(), writeAnswers.Close(), commands.Close())
		reader.Wait()
		if err := errors.Join(err, answers.Close()); err != nil {
			t.Error(err)
		}
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// listen hands answers to those who wait for them, and keeps what went wrong.
func (b *Browser) listen(from io.Reader) {
	in := bufio.NewReader(from)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			return // the browser has ended
		}
		var m message
		if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
			b.complain(err.Error())
			continue
		}
		if m.ID != 0 {
			b.mu.Lock()
			waiting := b.waiting[m.ID]
			delete(b.waiting, m.ID)
			b.mu.Unlock()
			waiting <- m
			continue
		}
		var event struct {
			Type    string
			Entry   struct{ Level, Source, Text, URL string }
			Request struct{ URL string }
		}
		if err := json.Unmarshal(m.Params, &event); err != nil { //nolint:musttag // the protocol's names differ in case only
			b.complain(err.Error())
		}
		switch {
		case m.Method == "Network.requestWillBeSent":
			b.mu.Lock()
			b.requests = append(b.requests, event.Request.URL)
			b.mu.Unlock()
		case m.Method == "Runtime.exceptionThrown",
			m.Method == "Runtime.consoleAPICalled" && (event.Type == "error" || event.Type == "warning" || event.Type == "assert"):
			b.complain(string(m.Params))
		case m.Method == "Log.entryAdded" && (event.Entry.Level == "error" || event.Entry.Source == "security"):
			b.complain(fmt.Sprintf("%s: %s %s", event.Entry.Source, event.Entry.Text, event.Entry.URL))
		}
	}
}

func (b *Browser) complain(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.noise = append(b.noise, text)
}

// Requests returns the addresses that the page asked for since the last call,
// data: ones included.
func (b *Browser) Requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.requests
	b.requests = nil
	return all
}

// Complaints returns what went wrong since the last call: exceptions, errors
// and warnings of the console, failed requests, violations of a policy.
func (b *Browser) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.noise
	b.noise = nil
	return all
}

func (b *Browser) call(method string, params, result any) {
	b.t.Helper()
	if params == nil {
		params = map[string]any{}
	}
	b.mu.Lock()
	b.id++
	answer := make(chan message, 1)
	b.waiting[b.id] = answer
	text, err := json.Marshal(struct {
		ID        int    `json:"id"`
		SessionID string `json:"sessionId,omitempty"`
		Method    string `json:"method"`
		Params    any    `json:"params"`
	}{b.id, b.session, method, params})
	if err == nil {
		_, err = b.to.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		b.t.Fatal(err)
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
	case <-time.After(time.Minute):
		b.t.Fatalf("%s: no answer in a minute", method)
	}
}

// Run evaluates an expression in the page, awaits it if it is a promise, and
// returns its value.
func (b *Browser) Run(expression string) any {
	b.t.Helper()
	var got struct {
		Result           struct{ Value any }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true}, &got)
	if got.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s %s\n%q", expression, got.ExceptionDetails.Text, got.ExceptionDetails.Exception.Description, b.Complaints())
	}
	return got.Result.Value
}

// Until waits for an expression to become true, as the page works in its own
// time: 30 seconds, then the test has failed.
func (b *Browser) Until(expression string) {
	b.t.Helper()
	b.Run(`new Promise((done, fail) => {
		const start = Date.now();
		const look = () => {
			if (` + expression + `) done(true);
			else if (Date.now() - start > 30000) fail(new Error('not in 30 s'));
			else setTimeout(look, 20);
		};
		look();
	})`)
}

// Open goes to a page in a window of the given width and colour scheme.
func (b *Browser) Open(url string, width, height int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	b.call("Page.navigate", map[string]any{"url": "about:blank"}, nil) // a change of the fragment alone loads nothing
	b.Until(`location.href === 'about:blank'`)
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	path, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "#")
	b.Until(`location.href.startsWith('http://` + path + `') && document.readyState === 'complete'`)
}

// Screenshot saves what the window shows.
func (b *Browser) Screenshot(file string) {
	b.t.Helper()
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(file, png, 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
