package pact_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar/contract/pact"
)

// A trial is a test that may fail without failing this one.
type trial struct {
	mu       sync.Mutex
	said     []string
	cleanups []func()
}

func (*trial) Helper() {}

func (t *trial) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said = append(t.said, fmt.Sprintf(format, args...))
}

func (t *trial) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (t *trial) Cleanup(f func())                  { t.cleanups = append(t.cleanups, f) }

func (t *trial) Failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.said) > 0
}

func (t *trial) end() string {
	for _, f := range t.cleanups {
		f()
	}
	return strings.Join(t.said, "\n")
}

func send(t *testing.T, method, address, text string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// record has a consumer send its two requests.
func record(t *testing.T, folder string, first bool) string {
	t.Helper()
	run := &trial{}
	web := pact.Consumer(run, "web", "orders", folder)
	if first {
		web.Given("an order", map[string]any{"total": 5}).Given("a clerk", nil).UponReceiving("a request for an order").
			WithRequest(pact.Request{Path: pact.Regex("/orders/ord_.+", "/orders/ord_1"), Query: map[string]any{"full": pact.Like("yes")}}).
			WillRespond(pact.Response{Header: map[string]any{"Content-Type": "application/json"}, Body: map[string]any{
				"id": pact.Regex("ord_.+", "ord_1"), "items": pact.EachLike(map[string]any{"n": pact.Integer(1), "name of it": pact.Like("x")}, 1),
				"made_at": pact.DateTime("yyyy-MM-dd'T'HH:mm:ssX", "2026-11-29T00:00:00Z"), "state": "open",
			}})
		if status, body := send(t, "GET", web.URL()+"/orders/ord_7?full=no", ""); status != 200 || !strings.Contains(body, `"items":[{"n":1,"name of it":"x"}]`) {
			t.Errorf("%d %s", status, body)
		}
	}
	web.UponReceiving("an order").
		WithRequest(pact.Request{Method: "POST", Path: "/orders", Body: map[string]any{"total": pact.Integer(5)}}).
		WillRespond(pact.Response{Status: 201})
	if status, _ := send(t, "POST", web.URL()+"/orders", `{"total": 7}`); status != 201 {
		t.Error(status)
	}
	return run.end()
}

func TestConsumerRecordsWhatItSends(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if said := record(t, dir, true); said != "" {
		t.Fatal(said)
	}
	file := filepath.Join(dir, "web-orders.json")
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, again := range []bool{true, false} { // the second time only one of the two, which keeps the other
		if said := record(t, dir, again); said != "" {
			t.Fatal(said)
		}
		if text, _ := os.ReadFile(file); !bytes.Equal(text, first) {
			t.Errorf("recorded again, it is\n%s\nand was\n%s", text, first)
		}
	}

	c := pact.Config{Provider: "orders", Sources: []pact.Source{pact.Folder(dir)}, States: map[string]pact.Setup{}}
	c.States["an order"] = shop().States["an order"]
	c.States["a clerk"] = c.States["an order"]
	if said := failures(t, withAnswers(c, `{"id": "ord_3", "items": [{"n": 2, "name of it": "y"}, {"n": 3, "name of it": "z"}], "made_at": "2027-01-01T00:00:00Z", "state": "open"}`)); !strings.Contains(said, "a clerk") {
		t.Errorf("a clerk without a total was set up: %s", said)
	}
	c.States["a clerk"] = func(context.Context, map[string]any) (map[string]any, error) { return map[string]any{}, nil }
	if said := failures(t, withAnswers(c, `{"id": "ord_3", "items": [{"n": 2, "name of it": "y"}, {"n": 3, "name of it": "z"}], "made_at": "2027-01-01T00:00:00Z", "state": "open"}`)); said != "" {
		t.Errorf("the provider kept the pact that was recorded: %s", said)
	}
	delete(c.States, "a clerk")
	if said := failures(t, withAnswers(c, `{}`)); !strings.Contains(said, `no setup is given for the state "a clerk"`) {
		t.Error(said)
	}
}

func withAnswers(c pact.Config, text string) pact.Config {
	c.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
			return
		}
		io.WriteString(w, text)
	})
	return c
}

func TestConsumerThatDoesOtherwise(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := &trial{}
	web := pact.Consumer(run, "web", "orders", dir)
	web.UponReceiving("an order").WithRequest(pact.Request{Method: "POST", Path: "/orders", Body: map[string]any{"total": pact.Integer(5)}}).WillRespond(pact.Response{Status: 201})
	web.UponReceiving("another").WithRequest(pact.Request{Path: "/others"}).WillRespond(pact.Response{})
	if status, body := send(t, "POST", web.URL()+"/orders", `{"total": "5", "more": 1}`); status != 500 || !strings.Contains(body, "no interaction fits POST /orders") {
		t.Errorf("%d %s", status, body)
	}
	said := run.end()
	for _, want := range []string{
		`no interaction fits POST /orders; the closest is "an order":`, "body at $.total: expected a whole number (matcher integer), got \"5\"",
		"body at $.more: expected nothing of that name, got 1", `nobody sent "an order"`, `nobody sent "another"`,
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%s\nsays nothing of %s", said, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "web-orders.json")); err == nil {
		t.Error("a pact was written all the same")
	}
}
