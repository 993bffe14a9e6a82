package ashlar

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/metric"
	"github.com/ashlar-go/ashlar/serve"
)

// unmatched stands for the operation of requests that reach none: unknown
// paths, methods that a path does not have, preflights. Whatever they invent,
// they are counted in one place.
const unmatched = "unmatched"

// endpoint counts the requests of one operation. It is found through the
// request's scope, and its children through their place in it, so that a
// request pays for no lookup.
type endpoint struct {
	m        *meters
	op       string
	active   metric.Gauge
	received metric.Histogram
	sent     metric.Histogram
	took     [classes]atomic.Pointer[metric.Histogram]
	requests [methods][classes]atomic.Pointer[metric.Counter] // some 0.5 kB

	learning sync.Mutex                                // of faults
	faults   atomic.Pointer[map[string]metric.Counter] // by code; replaced, not changed
}

// endpoint returns what counts the requests of op. What they are likely to be
// is there from the start, so that a first failure is a rise and no new series.
func (m *meters) endpoint(op string, likely ...string) *endpoint {
	e := &endpoint{m: m, op: op, active: m.active.Declare(op), received: m.received.Declare(op), sent: m.sent.Declare(op)}
	e.faults.Store(&map[string]metric.Counter{})
	for _, method := range likely {
		for _, class := range []int{success, clientFault, serverFault} {
			e.count(methodIndex(method), class)
		}
		e.time(success)
	}
	return e
}

// count returns a child that is made when it is first needed: most operations
// have few of all that there can be.
func (e *endpoint) count(method, class int) metric.Counter {
	place := &e.requests[method][class]
	if made := place.Load(); made != nil {
		return *made
	}
	return keep(place, e.m.requests, e.op, methodNames[method], classNames[class])
}

func (e *endpoint) time(class int) metric.Histogram {
	place := &e.took[class]
	if made := place.Load(); made != nil {
		return *made
	}
	return keep(place, e.m.durations, e.op, classNames[class])
}

// maxCodes is how many fault codes an operation is known to answer. Codes are
// constants; this bounds the mistake of one that is not.
const maxCodes = 100

// fault looks its child up: only those who fail pay for that.
func (e *endpoint) fault(code string) metric.Counter {
	if c, ok := (*e.faults.Load())[code]; ok {
		return c
	}
	return e.learn(code)
}

// learn adds a code to those that are known, which others read meanwhile.
func (e *endpoint) learn(code string) metric.Counter {
	e.learning.Lock()
	defer e.learning.Unlock()
	known := *e.faults.Load()
	if c, ok := known[code]; ok {
		return c
	}
	if len(known) >= maxCodes {
		return e.m.faults.Declare(e.op, metric.Other)
	}
	more := maps.Clone(known)
	more[code] = e.m.faults.Declare(e.op, code)
	e.faults.Store(&more)
	return more[code]
}

// keep makes a child and puts it in its place; whoever does so at the same time
// has the same child.
func keep[M any](place *atomic.Pointer[M], f *metric.Family[M], values ...string) M {
	made := f.Declare(values...)
	place.Store(&made)
	return made
}

// meter has the requests that next answers counted as op's.
func (m *meters) meter(op string, next http.Handler, likely ...string) http.Handler {
	e := m.endpoint(op, likely...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s := scope.From(w); s != nil {
			s.Meter = e
			e.active.Inc()
		}
		next.ServeHTTP(w, r)
	})
}

// done is told of each request when it was answered.
func (m *meters) done(ctx context.Context, x serve.Exchange) {
	s := scope.Context(ctx)
	e, ok := s.Meter.(*endpoint)
	if ok {
		e.active.Dec()
	} else {
		e = m.unmatched
	}
	class := classIndex(x.Status)
	e.count(methodIndex(x.Method), class).Inc()
	if took := e.time(class); s.Trace.Sampled() {
		took.ObserveTraced(x.Duration.Seconds(), x.TraceID)
	} else {
		took.ObserveDuration(x.Duration)
	}
	if x.Received > 0 {
		e.received.Observe(float64(x.Received))
	}
	if x.Bytes > 0 {
		e.sent.Observe(float64(x.Bytes))
	}
	if x.Code != "" {
		e.fault(x.Code).Inc()
	}
}

// The classes of status codes.
const (
	aborted = iota // the connection was cut before there was a status
	informational
	success
	redirection
	clientFault
	serverFault
	classes
)

var classNames = [classes]string{"aborted", "1xx", "2xx", "3xx", "4xx", "5xx"}

func classIndex(status int) int {
	if status < 100 || status >= 600 {
		return aborted
	}
	return status / 100
}

// The methods that are told apart; callers can invent others.
const methods = 10

var methodNames = [methods]string{"_OTHER", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}

func methodIndex(method string) int {
	switch method {
	case http.MethodGet:
		return 1
	case http.MethodHead:
		return 2
	case http.MethodPost:
		return 3
	case http.MethodPut:
		return 4
	case http.MethodPatch:
		return 5
	case http.MethodDelete:
		return 6
	case http.MethodOptions:
		return 7
	case http.MethodTrace:
		return 8
	case http.MethodConnect:
		return 9
	}
	return 0
}
