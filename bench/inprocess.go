package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
)

const envCount = "ASHLAR_BENCH_COUNT"

// serveInProcess serves requests without a socket, first a tenth of them to
// warm up, and reports what the rest has used.
func serveInProcess(h http.Handler) error {
	n, err := strconv.Atoi(os.Getenv(envCount))
	if err != nil {
		return err
	}
	p := newPost()
	if err := p.serve(h, max(n/10, 1)); err != nil {
		return err
	}
	before := usedSoFar()
	if err := p.serve(h, n); err != nil {
		return err
	}
	return report(usedSoFar().since(before))
}

// post is a POST of the payment that can be served again and again at no cost
// of its own.
type post struct {
	body    bytes.Reader
	request *http.Request
	answer  discard
}

var payload = []byte(paymentBody)

func newPost() *post {
	p := &post{request: httptest.NewRequest("POST", "/v1/payments", http.NoBody), answer: discard{header: http.Header{}}}
	p.request.Header.Set("Content-Type", "application/json")
	p.request.Header.Set("Content-Length", strconv.Itoa(len(paymentBody)))
	p.request.ContentLength = int64(len(paymentBody))
	p.request.Body = io.NopCloser(&p.body)
	return p
}

func (p *post) serve(h http.Handler, times int) error {
	return p.repeat(h, p.request, http.StatusCreated, times)
}

func (p *post) repeat(h http.Handler, r *http.Request, status, times int) error {
	for range times {
		p.body.Reset(payload)
		clear(p.answer.header)
		p.answer.status, p.answer.bytes = 0, 0
		h.ServeHTTP(&p.answer, r)
	}
	if p.answer.status != status || p.answer.bytes == 0 {
		return fmt.Errorf("answered %d with %d bytes", p.answer.status, p.answer.bytes)
	}
	return nil
}

// discard counts an answer.
type discard struct {
	header        http.Header
	status, bytes int
}

func (d *discard) Header() http.Header    { return d.header }
func (d *discard) WriteHeader(status int) { d.status = status }
func (d *discard) Write(b []byte) (int, error) {
	d.bytes += len(b)
	return len(b), nil
}

// handlers is the first measure: one typed POST, in process.
func handlers(o options, t *table) error {
	for round := range o.rounds {
		for _, side := range turns(round, "bare", "ashlar") {
			u, err := handlerOnce(side, o)
			if err != nil {
				return fmt.Errorf("%s handler: %w", side, err)
			}
			n := float64(o.count)
			t.add("Handler", side,
				metric{float64(u.CPU) / n, "cpu-ns/op"},
				metric{float64(u.Mallocs) / n, "allocs/op"},
				metric{float64(u.Bytes) / n, "B/op"})
		}
	}
	t.note("handler: CPU %.2f of bare (to reach: 0.35), %.0f allocations (to reach: 4)",
		t.ratio("Handler", "ashlar", "bare", "cpu-ns/op"), median(t.values("Handler/ashlar", "allocs/op")))
	return nil
}

// handlerOnce runs on one processor, or the collector would take the idle one
// for more than it needs, which counts against whoever makes more garbage.
func handlerOnce(side string, o options) (u used, err error) {
	p, err := start("handler-"+side, o.dir, o.profiles, "GOMAXPROCS=1", envCount+"="+strconv.Itoa(o.count))
	if err != nil {
		return u, err
	}
	err = p.read(&u)
	return u, errors.Join(err, p.stop())
}

// turns changes the order of the sides from round to round, so that neither
// always comes after the other.
func turns(round int, sides ...string) []string {
	k := round % len(sides)
	return append(append([]string{}, sides[k:]...), sides[:k]...)
}
