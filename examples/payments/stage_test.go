package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"testing"
)

// A stage is the service as a process, behind a proxy that fails when told to.
type stage struct {
	t      *testing.T
	dir    string
	env    []string
	script []string // the environment of scripts
	proxy  *httptest.Server
	orders *httptest.Server

	mu      sync.Mutex
	service *process
	lose    string // the path whose next answer is lost
	stall   string // the path whose requests wait
	refuse  struct {
		path                 string
		status, times, after int
	}
	seen []passed
	open map[context.Context]context.CancelFunc
}

// passed is a request that went through.
type passed struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Key    string `json:"key"`
}

func newStage(t *testing.T, env ...string) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir(), env: append(env, "ASHLAR_LIMIT_SIGN_IN=off", "ASHLAR_LOG_LEVEL=info"), seen: []passed{}, open: map[context.Context]context.CancelFunc{}}
	s.service = start(t, s.dir, s.env...)
	s.proxy = httptest.NewServer(http.HandlerFunc(s.pass))
	s.orders = httptest.NewServer(http.HandlerFunc(s.obey))
	t.Cleanup(func() {
		s.cut()
		s.orders.Close()
		s.proxy.Close()
	})
	return s
}

// pass hands a request to the service.
func (s *stage) pass(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	target, err := url.Parse(s.service.url)
	stalled, lost, refused := s.stall == r.URL.Path, s.lose == r.URL.Path, false
	if lost {
		s.lose = ""
	}
	if f := &s.refuse; f.path == r.URL.Path && f.times > 0 {
		f.times--
		refused = true
	}
	status, after := s.refuse.status, s.refuse.after
	if !stalled && !refused {
		s.seen = append(s.seen, passed{r.Method, r.URL.Path, r.Header.Get("Idempotency-Key")})
	}
	ctx, cancel := context.WithCancel(r.Context())
	s.open[ctx] = cancel
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.open, ctx)
		s.mu.Unlock()
		cancel()
	}()
	switch {
	case err != nil:
		panic(err)
	case stalled:
		<-ctx.Done()
		panic(http.ErrAbortHandler)
	case refused:
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", strconv.Itoa(after))
		w.WriteHeader(status)
		code := map[int]string{http.StatusTooManyRequests: "rate_limited", http.StatusServiceUnavailable: "overloaded"}[status]
		fmt.Fprintf(w, `{"type":"about:blank","title":"Refused","status":%d,"code":%q}`, status, code)
		return
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host = p.In.Host
		},
		FlushInterval: -1,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:      nil,
	}
	if lost {
		proxy.ModifyResponse = func(*http.Response) error { return http.ErrAbortHandler }
	}
	proxy.ServeHTTP(w, r.WithContext(ctx))
}

// cut ends whatever is open.
func (s *stage) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cancel := range s.open {
		cancel()
	}
}

// obey does what a script asks for.
func (s *stage) obey(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	number := func(name string) int {
		n, err := strconv.Atoi(q.Get(name))
		if err != nil {
			s.t.Error(err)
		}
		return n
	}
	switch r.URL.Path {
	case "/cut":
		s.cut()
	case "/kill":
		s.service.kill()
	case "/restart":
		s.service.kill()
		again := start(s.t, s.dir, s.env...)
		s.mu.Lock()
		s.service = again
		s.mu.Unlock()
	case "/seen":
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := json.NewEncoder(w).Encode(s.seen); err != nil {
			s.t.Error(err)
		}
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		switch r.URL.Path {
		case "/lose":
			s.lose = q.Get("path")
		case "/stall":
			s.stall = q.Get("path")
		case "/refuse":
			s.refuse.path, s.refuse.status, s.refuse.times, s.refuse.after = q.Get("path"), number("status"), number("times"), number("after")
		default:
			http.NotFound(w, r)
		}
	}
}
