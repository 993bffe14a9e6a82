package ashlar_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/logs"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
	"github.com/ashlar-go/ashlar/serve"
)

// canary is a secret that is sent everywhere and must come back nowhere.
const canary = "canary-7f3a-secret"

// parcel is an input with a field of each kind that attacks care about.
type parcel struct {
	Amount int64             `json:"amount"`
	Name   string            `json:"name"`
	PIN    string            `json:"pin"`
	Tags   map[string]string `json:"tags,omitzero"`
	Line   struct {
		Count int32 `json:"count"`
	} `json:"line"`
	Express bool `json:"express,omitzero"`
}

func (o *parcel) Rules(r *rule.Set) {
	rule.Number(r, &o.Amount).Between(1, 1000)
	rule.Text(r, &o.Name).Len(1, 20)
	rule.Text(r, &o.PIN).Len(4, 40).Secret()
}

const goodOrder = `{"amount":5,"name":"ann","pin":"` + canary + `","line":{"count":1}}`

type orderList struct{ op.Paging }

// target is an app under attack.
type target struct {
	addr, token string
	key         auth.Key
	log         *logBuffer
}

// besiege serves an app with one role, clerk, and its token. The server's
// patience can be shortened, and pairs of names and values set more of the
// app's environment.
func besiege(t *testing.T, cfg serve.Config, env ...string) *target {
	t.Helper()
	x := &target{key: auth.GenerateKey(), log: &logBuffer{}}
	variables := map[string]string{
		"DATABASE_URL": ashlartest.Database(t), "ASHLAR_SIGNING_KEYS": x.key.Secret().Reveal(),
	}
	for i := 0; i < len(env); i += 2 {
		variables[env[i]] = env[i+1]
	}
	settings, err := config.Load[ashlar.Config](config.Map(variables))
	if err != nil {
		t.Fatal(err)
	}
	app, err := ashlar.Open(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Close() })
	app.Log = logs.New(x.log, logs.Options{Format: logs.JSON})
	app.Grant("clerk", "orders:write", "orders:read")
	app.Mount(ashlar.SignIn(app))
	app.Mount(ashlar.Module{Name: "orders", Operations: []op.Operation{
		op.Command("orders.place", "POST /orders", func(_ context.Context, o parcel) (parcel, error) {
			o.PIN = "" // never answered
			return o, nil
		}, op.Allow("orders:write"), op.MaxBody(64<<10)),
		op.Query("orders.list", "GET /orders", func(_ context.Context, in orderList) (op.Page[parcel], error) {
			_, err := in.Cursor.Key()
			return op.Page[parcel]{}, err
		}, op.Allow("orders:read")),
		op.Query("orders.get", "GET /orders/{name}", greet, op.Public()),
		op.Query("orders.locked", "GET /locked", func(context.Context, struct{}) (greeting, error) {
			return greeting{}, nil
		}, op.Allow("orders:lock")),
	}})
	if err := app.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	handler, err := app.Handler()
	if err != nil {
		t.Fatal(err)
	}
	person := auth.Credentials{Email: "ann@b.test", Password: "square-and-true"}
	if _, err := app.Accounts.Create(t.Context(), auth.NewAccount{Email: person.Email, Password: person.Password, Role: "clerk"}); err != nil {
		t.Fatal(err)
	}
	session, err := app.Accounts.SignIn(t.Context(), person)
	if err != nil {
		t.Fatal(err)
	}
	x.token = session.AccessToken
	cfg.Addr, cfg.DrainDelay, cfg.Log = "127.0.0.1:0", -1, app.Log
	x.addr = listening(t, handler, cfg)
	return x
}

// listening serves a handler until the test ends, and returns where.
func listening(t *testing.T, handler http.Handler, cfg serve.Config) (addr string) {
	t.Helper()
	server := serve.New(handler, cfg)
	at, err := server.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return at.String()
}

// answer is what came back, its body read.
type answer struct {
	status int
	header http.Header
	body   string
}

// send writes raw bytes and reads responses until the server closes.
func (x *target) send(t *testing.T, raw string) []answer {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", x.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(lost)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	var all []answer
	for in := bufio.NewReader(c); ; {
		resp, err := http.ReadResponse(in, nil)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return all
		}
		if err != nil {
			t.Fatalf("after %d responses: %v", len(all), err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		all = append(all, answer{resp.StatusCode, resp.Header, string(body)})
	}
}

// one sends a request with the token of the clerk and returns its response.
func (x *target) one(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	var raw strings.Builder
	fmt.Fprintf(&raw, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", method, path)
	if !slices.ContainsFunc(header, func(h string) bool { return strings.HasPrefix(h, "Authorization:") }) {
		header = append(header, "Authorization: Bearer "+x.token)
	}
	if body != "" {
		header = append(header, "Content-Type: application/json", fmt.Sprintf("Content-Length: %d", len(body)))
	}
	for _, line := range header {
		if line != "Authorization:" {
			raw.WriteString(line + "\r\n")
		}
	}
	raw.WriteString("\r\n" + body)
	all := x.send(t, raw.String())
	if len(all) != 1 {
		t.Fatalf("%d responses instead of 1", len(all))
	}
	return all[0]
}

// checkProblem holds what every refusal promises (P9.1, P6.6, P6.20).
func checkProblem(t *testing.T, got answer) {
	t.Helper()
	var p struct {
		Type, Title, Code string
		Status            int
		TraceID           string `json:"trace_id"`
	}
	if err := json.Unmarshal([]byte(got.body), &p); err != nil {
		t.Fatalf("no problem document: %v: %.200q", err, got.body)
	}
	if got.header.Get("Content-Type") != fault.MediaType || p.Status != got.status || p.Type == "" || p.Title == "" || p.Code == "" || p.TraceID == "" {
		t.Errorf("an incomplete problem, %s: %s", got.header.Get("Content-Type"), got.body)
	}
	if got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("unsafe headers: %v", got.header)
	}
	for _, leak := range []string{canary, ".go:", "goroutine", "panic", "SELECT", "sqlite"} {
		if strings.Contains(got.body, leak) {
			t.Errorf("the problem shows %q: %s", leak, got.body)
		}
	}
}

func statuses(all []answer) (list []int) {
	for _, a := range all {
		list = append(list, a.status)
	}
	return list
}

// logBuffer keeps a log that many goroutines write.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// about returns the access lines of a request. Every line must be JSON.
func (b *logBuffer) about(t *testing.T, requestID string) (lines []map[string]any) {
	t.Helper()
	for text := range strings.Lines(b.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("a line of the log is not JSON: %s", text)
		}
		if line["request_id"] == requestID && line["msg"] == "request" {
			lines = append(lines, line)
		}
	}
	return lines
}
