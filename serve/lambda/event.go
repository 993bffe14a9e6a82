package lambda

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// An event is a request in the payload format 2.0, which HTTP APIs and function
// URLs share.
type event struct {
	Version string            `json:"version"`
	Path    string            `json:"rawPath"`
	Query   string            `json:"rawQueryString"`
	Cookies []string          `json:"cookies"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Base64  bool              `json:"isBase64Encoded"`
	Context struct {
		Stage  string `json:"stage"`
		Domain string `json:"domainName"`
		HTTP   struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
	} `json:"requestContext"`
}

// requestOf returns the request that an event stands for.
func requestOf(text []byte) (*http.Request, error) {
	var e event
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, fmt.Errorf("an event that is no JSON object: %w", err)
	}
	if e.Version != "2.0" || e.Context.HTTP.Method == "" {
		return nil, errors.New("an event that is no request: HTTP APIs with payload format 2.0 and function URLs are answered, REST APIs and other sources are not")
	}
	target, err := e.target()
	if err != nil {
		return nil, err
	}
	body := []byte(e.Body)
	if e.Base64 {
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, fmt.Errorf("an event whose body is not base64: %w", err)
		}
	}
	header := http.Header{}
	for name, value := range e.Headers {
		// Two lines of one name come as one, with a comma: that is what HTTP
		// says they mean.
		header.Set(textproto.CanonicalMIMEHeaderKey(name), value)
	}
	if len(e.Cookies) > 0 {
		header.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	host := header.Get("Host")
	if host == "" {
		host = e.Context.Domain
	}
	// What concerns a connection is between the caller and AWS.
	for _, name := range []string{"Host", "Connection", "Upgrade", "Transfer-Encoding", "Content-Length"} {
		header.Del(name)
	}
	request := &http.Request{
		Method: e.Context.HTTP.Method, URL: target, RequestURI: target.RequestURI(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Host: host,
		Body: http.NoBody, ContentLength: int64(len(body)),
		RemoteAddr: net.JoinHostPort(e.Context.HTTP.SourceIP, "0"),
	}
	if len(body) > 0 {
		request.Body = io.NopCloser(bytes.NewReader(body))
	}
	return request, nil
}

// target is what was asked for. A stage that is not the default one stands
// before the path, and the app knows nothing of it.
func (e *event) target() (*url.URL, error) {
	path := e.Path
	if stage := e.Context.Stage; stage != "" && stage != "$default" {
		if rest, ok := strings.CutPrefix(path, "/"+stage); ok && (rest == "" || rest[0] == '/') {
			path = rest
		}
	}
	if path == "" {
		path = "/"
	}
	raw := path
	if e.Query != "" {
		raw += "?" + e.Query
	}
	if target, err := url.ParseRequestURI(raw); err == nil && path[0] == '/' {
		return target, nil
	}
	return nil, fmt.Errorf("an event for %q, which is no path", raw)
}
