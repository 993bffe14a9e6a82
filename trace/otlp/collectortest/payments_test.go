package collectortest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// What must not be in any trace: a card, its code, a password.
const (
	cardNumber = "4242424242424242"
	slowCard   = "4000000000006975" // the network takes two seconds
	canary     = "canary7f3a"
	password   = "square-and-true" // of the demonstration's people
)

// payments is the example's own binary, running.
type payments struct {
	url string
	cmd *exec.Cmd
}

func build(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "payments")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-C", "../../..", "-o", exe, "./examples/payments")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return exe
}

func run(t *testing.T, exe string, env ...string) *payments {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), exe)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ASHLAR_ADDR=127.0.0.1:0", "ASHLAR_ADMIN_ADDR=127.0.0.1:0", "ASHLAR_DATA_DIR="+dir, "ASHLAR_LOG_FORMAT=json")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &payments{cmd: cmd}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
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

// stop ends the program as a platform does. What it traced is exported then.
func (p *payments) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the program ended with %v", err)
	}
}

func (p *payments) post(t *testing.T, path, token, body string, header ...string) (status int, answer map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+path, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	_ = json.NewDecoder(w.Body).Decode(&answer)
	return w.StatusCode, answer
}

func (p *payments) signIn(t *testing.T) string {
	t.Helper()
	status, answer := p.post(t, "/v1/auth/login", canary+"-token", `{"email":"merchant@demo.test","password":"`+password+`"}`)
	token, _ := answer["access_token"].(string)
	if status != http.StatusOK || token == "" {
		t.Fatalf("sign-in answers %d %v", status, answer)
	}
	return token
}

func order(card string) string {
	return `{"amount":100,"currency":"EUR","reference":"r-1","capture":true,"card":{"number":"` + card + `","exp_month":12,"exp_year":2040,"cvc":"739"}}`
}

// TestPaymentArrives pays, and finds the payment in the collector: the request,
// what it asked of the database and of the card network, each under what asked
// for it, and nothing that is secret.
func TestPaymentArrives(t *testing.T) {
	t.Parallel()
	c := collect(t)
	p := run(t, build(t), "OTEL_EXPORTER_OTLP_ENDPOINT="+c.url, "OTEL_SERVICE_NAME=payments-test", "OTEL_TRACES_SAMPLER=always_on")
	token := p.signIn(t)
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	if status, answer := p.post(t, "/v1/payments?token="+canary+"-query", token, order(cardNumber), "Idempotency-Key", "k-1"); status != http.StatusUnprocessableEntity {
		t.Fatalf("a parameter that nobody knows is answered %d %v", status, answer)
	}
	if status, answer := p.post(t, "/v1/payments", token, order(cardNumber), "Idempotency-Key", "k-1", "Traceparent", parent); status != http.StatusCreated {
		t.Fatalf("the payment is answered %d %v", status, answer)
	}
	p.post(t, "/v1/auth/login", "", `{"email":"`+canary+`@x.test","password":"`+canary+`-password"}`)
	p.stop(t)

	_, all := c.spans()
	var request span
	for _, s := range all {
		if s.Name() == "payments.authorize" && s.attr("http.response.status_code") == "201" {
			request = s
		}
	}
	if request.Span == (ptrace.Span{}) {
		t.Fatalf("no payment among %d spans", len(all))
	}
	if request.TraceID().String() != parent[3:35] || request.ParentSpanID().String() != parent[36:52] ||
		request.Kind() != ptrace.SpanKindServer || request.service != "payments-test" {
		t.Errorf("the request: trace %s, parent %s, kind %s, service %s", request.TraceID(), request.ParentSpanID(), request.Kind(), request.service)
	}
	for key, want := range map[string]string{
		"http.request.method": "POST", "http.route": "/v1/payments", "url.path": "/v1/payments", "client.address": "127.0.0.1",
	} {
		if got := request.attr(key); got != want {
			t.Errorf("%s is %q, not %q", key, got, want)
		}
	}
	byID, below := map[string]span{}, map[string]string{} // name to its parent's name
	for _, s := range all {
		byID[s.SpanID().String()] = s
	}
	statements := 0
	for _, s := range all {
		if s.TraceID() != request.TraceID() || s.SpanID() == request.SpanID() {
			continue
		}
		above, ok := byID[s.ParentSpanID().String()]
		if !ok {
			t.Errorf("%s hangs nowhere", s.Name())
			continue
		}
		if s.StartTimestamp()+slack < above.StartTimestamp() || s.EndTimestamp() > above.EndTimestamp()+slack {
			t.Errorf("%s is not within %s", s.Name(), above.Name())
		}
		below[s.Name()] = above.Name()
		if text := s.attr("db.query.text"); text != "" {
			statements++
			if s.Kind() != ptrace.SpanKindClient || s.attr("db.system.name") != "sqlite" || s.attr("db.operation.name") == "" {
				t.Errorf("a statement: %v", s.Attributes().AsRaw())
			}
		}
	}
	for name, above := range map[string]string{
		"card network: authorize": "payments.authorize",
		"INSERT payments":         "transaction",
		"transaction":             "payments.authorize",
	} {
		if below[name] != above {
			t.Errorf("%s stands below %q, not %q", name, below[name], above)
		}
	}
	if statements < 5 {
		t.Errorf("%d statements", statements)
	}
	c.wantNoSecret(t, token)
}

// slack is what two readings of the clock may lie apart, in nanoseconds.
const slack = 1_000_000

// TestSlowIsKept samples nothing: the payment that took two seconds is there all
// the same, with what it waited for, and the quick one is not.
func TestSlowIsKept(t *testing.T) {
	t.Parallel()
	c := collect(t)
	p := run(t, build(t), "OTEL_EXPORTER_OTLP_ENDPOINT="+c.url, "OTEL_TRACES_SAMPLER=always_off", "OTEL_BSP_SCHEDULE_DELAY=100")
	token := p.signIn(t)
	for key, card := range map[string]string{"quick": cardNumber, "slow": slowCard} {
		if status, answer := p.post(t, "/v1/payments", token, order(card), "Idempotency-Key", key); status != http.StatusCreated {
			t.Fatalf("%s is answered %d %v", key, status, answer)
		}
	}
	for range 500 { // it does not wait for the end of the program
		if _, all := c.spans(); len(all) > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.stop(t)
	byName, all := c.spans()
	payments := 0
	for _, s := range all {
		if s.Name() == "payments.authorize" {
			payments++
		}
	}
	network := byName["card network: authorize"]
	if payments != 1 || network.Span == (ptrace.Span{}) || byName["INSERT payments"].Span == (ptrace.Span{}) {
		t.Fatalf("kept: %d payments, %d spans", payments, len(all))
	}
	if took := time.Duration(network.EndTimestamp() - network.StartTimestamp()); took < 2*time.Second {
		t.Errorf("the network took %s", took)
	}
	c.wantNoSecret(t, token)
}

func (c *collector) wantNoSecret(t *testing.T, token string) {
	t.Helper()
	text := c.text(t)
	if !strings.Contains(text, "INSERT INTO payments") {
		t.Error("there is nothing to look for secrets in")
	}
	for what, secret := range map[string]string{
		"the card": cardNumber, "the slow card": slowCard, "the card's code": `"739"`, "a planted secret": canary, "a password": password, "the access token": token,
	} {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("the traces hold %s: …%s…", what, text[max(0, at-150):min(len(text), at+50)])
		}
	}
}
