package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ashlartest"
)

// process is the program itself, running on its own.
type process struct {
	url    string
	client *http.Client
	cmd    *exec.Cmd
}

// start runs the program with its data in dir, and waits until it serves.
func start(t testing.TB, dir string, env ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), exe)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ASHLAR_TEST_SERVE=1", "ASHLAR_ADDR=127.0.0.1:0", "ASHLAR_ADMIN_ADDR=127.0.0.1:0",
		"ASHLAR_DATA_DIR="+dir, "DATABASE_URL="+ashlartest.DatabaseIn(t, dir), "ASHLAR_LOG_FORMAT=json")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 256}, Timeout: 2 * time.Minute,
	}}
	t.Cleanup(p.kill)

	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var line struct{ Msg, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			p.url = "http://" + line.Addr
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return p
		}
	}
	t.Fatalf("the program ended before it served: %v", cmd.Wait())
	return nil
}

// kill ends the process as a power cut would. It may be called twice.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.client.CloseIdleConnections()
}

// call sends a request. A status of 0 says that the connection broke.
func (p *process) call(method, path, token, key string, in, out any) (status int) {
	body := new(bytes.Buffer)
	if in != nil {
		if err := json.NewEncoder(body).Encode(in); err != nil {
			panic(fmt.Sprintf("%T is no JSON: %v", in, err))
		}
	}
	r, err := http.NewRequest(method, p.url+path, body)
	if err != nil {
		panic(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	w, err := p.client.Do(r)
	if err != nil {
		return 0
	}
	defer w.Body.Close()
	answer, err := io.ReadAll(w.Body)
	if err != nil {
		return 0
	}
	if out != nil && len(answer) > 0 && json.Unmarshal(answer, out) != nil {
		return 0
	}
	return w.StatusCode
}

// signIn returns the access token of one of the demonstration's users.
func (p *process) signIn(t testing.TB, name string) string {
	t.Helper()
	var session struct {
		Token string `json:"access_token"`
	}
	status := p.call(http.MethodPost, "/v1/auth/login", "", "",
		map[string]string{"email": name + "@demo.test", "password": demoPassword}, &session)
	if status != http.StatusOK || strings.Count(session.Token, ".") != 2 {
		t.Fatalf("sign-in of %s answered %d", name, status)
	}
	return session.Token
}
