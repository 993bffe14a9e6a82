package lambda

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"
)

// An answer is a response in the payload format 2.0.
type answer struct {
	Status  int               `json:"statusCode"`
	Headers map[string]string `json:"headers,omitempty"`
	Cookies []string          `json:"cookies,omitempty"`
	Body    string            `json:"body,omitempty"`
	Base64  bool              `json:"isBase64Encoded,omitempty"`
}

// headOf is an answer without its body. A name has one value in this format,
// but for cookies, which cannot be joined.
func headOf(status int, header http.Header) answer {
	a := answer{Status: status, Headers: map[string]string{}}
	for name, values := range header {
		switch http.CanonicalHeaderKey(name) {
		case "Set-Cookie":
			a.Cookies = values
		case "Connection", "Transfer-Encoding", "Content-Length": // AWS's affair
		default:
			a.Headers[name] = strings.Join(values, ", ")
		}
	}
	return a
}

// recorder keeps an answer until it is whole.
type recorder struct {
	header http.Header
	sent   http.Header // as it was when the status was written
	status int
	body   bytes.Buffer
	leave  func() // ends the request's context
	stream bool   // it would never be whole
}

// Header implements [http.ResponseWriter].
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *recorder) WriteHeader(status int) {
	if w.status != 0 || status < http.StatusOK { // there are no hints on the way here
		return
	}
	w.status, w.sent = status, w.header.Clone()
	if isStream(w.sent) {
		w.stream = true
		w.leave()
	}
}

var errStream = errors.New("an answer that is sent whole cannot be a stream: serve with lambda.Config.Stream")

// Write implements [io.Writer].
func (w *recorder) Write(text []byte) (int, error) {
	detect(w.header, w.status, text)
	w.WriteHeader(http.StatusOK)
	if w.stream {
		return 0, errStream
	}
	return w.body.Write(text)
}

// FlushError is called by [http.ResponseController].
func (w *recorder) FlushError() error {
	w.WriteHeader(http.StatusOK)
	if w.stream {
		return errStream
	}
	return nil
}

func (w *recorder) answer() answer {
	w.WriteHeader(http.StatusOK)
	if w.stream {
		return answer{
			Status:  http.StatusNotImplemented,
			Headers: map[string]string{"Content-Type": "application/problem+json", "Cache-Control": "no-store"},
			Body:    `{"type":"/problems/streams-unavailable","title":"Streams unavailable","status":501,"code":"streams_unavailable","detail":"Answers are sent whole here. Ask where the service runs as a process."}`,
		}
	}
	a := headOf(w.status, w.sent)
	if text := w.body.Bytes(); utf8.Valid(text) && w.sent.Get("Content-Encoding") == "" {
		a.Body = string(text)
	} else {
		a.Body, a.Base64 = base64.StdEncoding.EncodeToString(text), true
	}
	return a
}

// streamer sends an answer on while it is written: a head in JSON, eight zero
// bytes, and the body as it is.
type streamer struct {
	header http.Header
	to     io.Writer
	begun  bool
}

// Header implements [http.ResponseWriter].
func (w *streamer) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *streamer) WriteHeader(status int) { _ = w.begin(status) } // the next Write says it

func (w *streamer) begin(status int) error {
	if w.begun || status < http.StatusOK {
		return nil
	}
	w.begun = true
	head, err := json.Marshal(headOf(status, w.header))
	if err != nil {
		return err
	}
	const separator = "\x00\x00\x00\x00\x00\x00\x00\x00"
	_, err = w.to.Write(append(head, separator...))
	return err
}

// Write implements [io.Writer].
func (w *streamer) Write(text []byte) (int, error) {
	if !w.begun {
		detect(w.header, 0, text)
	}
	if err := w.begin(http.StatusOK); err != nil {
		return 0, err
	}
	return w.to.Write(text)
}

// FlushError is called by [http.ResponseController]. What was written is on
// its way: nothing is kept back.
func (w *streamer) FlushError() error { return w.begin(http.StatusOK) }

// detect says what a body is if the handler has not, as net/http does.
func detect(header http.Header, status int, text []byte) {
	if _, said := header["Content-Type"]; !said && status == 0 && header.Get("Content-Encoding") == "" {
		header.Set("Content-Type", http.DetectContentType(text))
	}
}

func isStream(header http.Header) bool {
	return strings.HasPrefix(header.Get("Content-Type"), "text/event-stream")
}
