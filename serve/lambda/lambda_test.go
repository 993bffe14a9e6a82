package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/serve/lambda"
)

// posted is what a function sent to the runtime API.
type posted struct {
	path   string
	header http.Header
	body   string
	err    error // of reading the body
}

// A platform is a runtime API that sends events and keeps what comes back.
type platform struct {
	events chan []byte
	posted chan posted
	left   time.Duration // until the deadline of an event
	status int           // what a post is answered with
}

// wait is how long a test waits for what must come.
const wait = 2 * time.Minute

// function serves h on a platform until the test ends.
func function(t *testing.T, h http.HandlerFunc, cfg lambda.Config, set ...func(*platform)) *platform {
	t.Helper()
	p := &platform{events: make(chan []byte, 10), posted: make(chan posted, 10), left: time.Minute, status: http.StatusAccepted}
	for _, f := range set {
		f(p)
	}
	api := httptest.NewServer(p)
	t.Cleanup(api.Close)
	cfg.API = strings.TrimPrefix(api.URL, "http://")
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- lambda.Serve(ctx, h, cfg) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-done:
			if err != nil && p.status < 400 {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(wait):
			t.Error("Serve does not end with its context")
		}
	})
	return p
}

// ServeHTTP implements [http.Handler].
func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/invocation/next") {
		select {
		case e := <-p.events:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "id-1")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(p.left).UnixMilli(), 10))
			_, _ = w.Write(e)
		case <-r.Context().Done():
		}
		return
	}
	body, err := io.ReadAll(r.Body)
	p.posted <- posted{strings.TrimPrefix(r.URL.Path, "/2018-06-01/runtime/"), r.Header, string(body), err}
	w.WriteHeader(p.status)
}

func (p *platform) answer(t *testing.T) posted {
	t.Helper()
	select {
	case a := <-p.posted:
		return a
	case <-time.After(wait):
		t.Fatal("the function does not answer")
		return posted{}
	}
}

// send sends an event of testdata, and returns the answer.
func (p *platform) send(t *testing.T, file string) posted {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	p.events <- text
	return p.answer(t)
}

type reply struct {
	Status  int               `json:"statusCode"`
	Headers map[string]string `json:"headers"`
	Cookies []string          `json:"cookies"`
	Body    string            `json:"body"`
	Base64  bool              `json:"isBase64Encoded"`
}

func replied(t *testing.T, p posted) reply {
	t.Helper()
	var r reply
	if p.path != "invocation/id-1/response" {
		t.Fatalf("no answer: %+v", p)
	}
	if err := json.Unmarshal([]byte(p.body), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHTTPAPI(t *testing.T) {
	t.Parallel()
	type seen struct {
		method, path, query, host, remote, cookie, auth, many, body string
		length                                                      int64
		deadline                                                    bool
	}
	var got seen
	p := function(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		session, _ := r.Cookie("__Host-session")
		theme, _ := r.Cookie("theme")
		_, deadline := r.Context().Deadline()
		got = seen{
			r.Method, r.URL.Path, fmt.Sprint(r.URL.Query()["tag"]), r.Host, r.RemoteAddr, session.Value + theme.Value,
			r.Header.Get("Authorization"), r.Header.Get("X-Many"), string(body), r.ContentLength, deadline,
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Add("Set-Cookie", "a=1; Path=/")
		w.Header().Add("Set-Cookie", "b=2; Expires=Sun, 29 Nov 2026 03:00:00 GMT")
		w.Header().Add("Vary", "Accept")
		w.Header().Add("Vary", "Origin")
		w.WriteHeader(http.StatusCreated)
		w.Header().Set("Too", "late")
		_, _ = w.Write([]byte(`{"id":"pay_1","note":"ü"}`))
	}, lambda.Config{})
	a := replied(t, p.send(t, "http-api.json"))
	want := seen{
		"POST", "/payments/pay 1", "[a b c]", "a1b2c3.execute-api.eu-central-1.amazonaws.com", "203.0.113.7:0", "abcdark",
		"Bearer t", "one,two", `{"amount": 50_00}`, 17, true,
	}
	if got != want {
		t.Errorf("the handler saw\n%+v, want\n%+v", got, want)
	}
	if want := (reply{
		Status: 201, Headers: map[string]string{"Content-Type": "application/json", "Vary": "Accept, Origin"},
		Cookies: []string{"a=1; Path=/", "b=2; Expires=Sun, 29 Nov 2026 03:00:00 GMT"}, Body: `{"id":"pay_1","note":"ü"}`,
	}); !reflect.DeepEqual(a, want) {
		t.Errorf("the answer is\n%+v, want\n%+v", a, want)
	}
}

func TestFunctionURL(t *testing.T) {
	t.Parallel()
	var body []byte
	var remote, target string
	p := function(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		remote, target = r.RemoteAddr, r.RequestURI
		_, _ = w.Write([]byte{0xff, 0, 1}) // no text
	}, lambda.Config{})
	a := replied(t, p.send(t, "function-url.json"))
	if !bytes.Equal(body, []byte{0xff, 0, 0xfe, 1}) || remote != "[2001:db8::7]:0" || target != "/files/logo" {
		t.Errorf("the handler saw %x from %s at %s", body, remote, target)
	}
	if a.Status != 200 || !a.Base64 || a.Body != "/wAB" || a.Headers["Content-Type"] != "application/octet-stream" {
		t.Errorf("the answer is %+v", a)
	}
}

func TestCompressedAnswerIsNoText(t *testing.T) {
	t.Parallel()
	p := function(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		_, _ = w.Write([]byte("looks like text"))
	}, lambda.Config{})
	if a := replied(t, p.send(t, "function-url.json")); !a.Base64 {
		t.Errorf("%+v", a)
	}
}

func TestEmptyAnswer(t *testing.T) {
	t.Parallel()
	p := function(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, lambda.Config{})
	if a := replied(t, p.send(t, "function-url.json")); a.Status != 204 || a.Body != "" {
		t.Errorf("%+v", a)
	}
}

// TestContextEndsBeforeLambdaDoes: what runs into the time-out can still say so.
func TestContextEndsBeforeLambdaDoes(t *testing.T) {
	t.Parallel()
	p := function(t, func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		w.WriteHeader(http.StatusGatewayTimeout)
	}, lambda.Config{Margin: time.Hour}, func(p *platform) { p.left = time.Hour - time.Minute })
	if a := replied(t, p.send(t, "function-url.json")); a.Status != 504 {
		t.Errorf("%+v", a)
	}
}

// TestStreamIsRefused where answers are sent whole: it would be sent at its
// end, which for a stream is Lambda's time-out.
func TestStreamIsRefused(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	p := function(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if err := http.NewResponseController(w).Flush(); err == nil {
			ended <- errors.New("a stream was begun")
			return
		}
		<-r.Context().Done()
		if _, err := w.Write([]byte("data: 1\n\n")); err == nil {
			ended <- errors.New("a stream was written")
			return
		}
		ended <- r.Context().Err()
	}, lambda.Config{})
	a := replied(t, p.send(t, "http-api.json"))
	if a.Status != 501 || a.Headers["Content-Type"] != "application/problem+json" || !strings.Contains(a.Body, `"code":"streams_unavailable"`) {
		t.Errorf("%+v", a)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the handler: %v", err)
	}
}

// TestStream sends each part when it is written.
func TestStream(t *testing.T) {
	t.Parallel()
	p := function(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Add("Set-Cookie", "a=1")
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, "data: 2\n\n")
	}, lambda.Config{Stream: true})
	a := p.send(t, "function-url.json")
	if a.path != "invocation/id-1/response" || a.err != nil || a.header.Get("Lambda-Runtime-Function-Response-Mode") != "streaming" ||
		a.header.Get("Content-Type") != "application/vnd.awslambda.http-integration-response" {
		t.Errorf("%+v", a)
	}
	head, body, ok := strings.Cut(a.body, "\x00\x00\x00\x00\x00\x00\x00\x00")
	if !ok || head != `{"statusCode":200,"headers":{"Content-Type":"text/event-stream"},"cookies":["a=1"]}` || body != "data: 1\n\ndata: 2\n\n" {
		t.Errorf("%q", a.body)
	}
}

// TestStreamThatBreaksIsCutOff: what looks whole must be whole.
func TestStreamThatBreaksIsCutOff(t *testing.T) {
	t.Parallel()
	p := function(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half")
		if r.URL.Path == "/files/logo" {
			panic("in the middle")
		}
	}, lambda.Config{Stream: true})
	if a := p.send(t, "function-url.json"); a.err == nil {
		t.Errorf("the answer looks whole: %q", a.body)
	}
	if a := p.send(t, "http-api.json"); a.err != nil { // and the next one is answered
		t.Errorf("%+v", a)
	}
}

func TestWhatIsNotAnswered(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := function(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PUT" {
			panic("mine")
		}
		_, _ = w.Write(make([]byte, 5<<20)) // more than 6 MB as base64
		_, _ = w.Write([]byte{0xff})
	}, lambda.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	for file, want := range map[string]string{
		"rest-api.json":     "Runtime.BadEvent",
		"function-url.json": "Runtime.HandlerPanic",
		"http-api.json":     "Runtime.AnswerTooLarge",
	} {
		a := p.send(t, file)
		if a.path != "invocation/id-1/error" || a.header.Get("Lambda-Runtime-Function-Error-Type") != want || strings.Contains(a.body, "mine") {
			t.Errorf("%s: %+v", file, a)
		}
	}
	for _, event := range []string{
		`[]`, `{`, `{"version":"2.0"}`, `{"version":"2.0","rawPath":"no-slash","requestContext":{"http":{"method":"GET"}}}`,
		`{"version":"2.0","rawPath":"/","isBase64Encoded":true,"body":"%","requestContext":{"http":{"method":"GET"}}}`,
	} {
		p.events <- []byte(event)
		if a := p.answer(t); a.path != "invocation/id-1/error" || !strings.Contains(a.body, "Runtime.BadEvent") {
			t.Errorf("%s: %+v", event, a)
		}
	}
}

func TestServeSaysWhereItIs(t *testing.T) {
	t.Setenv("AWS_LAMBDA_RUNTIME_API", "")
	if err := lambda.Serve(t.Context(), http.NotFoundHandler(), lambda.Config{}); err == nil || !strings.Contains(err.Error(), "does not run on AWS Lambda") || lambda.Here() {
		t.Errorf("elsewhere: %v", err)
	}
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 500) }))
	defer broken.Close()
	t.Setenv("AWS_LAMBDA_RUNTIME_API", strings.TrimPrefix(broken.URL, "http://"))
	if err := lambda.Serve(t.Context(), http.NotFoundHandler(), lambda.Config{}); err == nil || !strings.Contains(err.Error(), "500") || !lambda.Here() {
		t.Errorf("a broken runtime API: %v", err)
	}
}
