package ashlar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/health"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/metric"
	"github.com/ashlar-go/ashlar/serve"
	"github.com/ashlar-go/ashlar/supervise"
)

// fleet is a parent's workers as one app: what the private listener shows.
type fleet struct {
	cfg     parentConfig
	parent  *supervise.Parent
	made    atomic.Bool // there is a parent to write to
	log     *slog.Logger
	health  health.Checks
	metrics metric.Fleet
	manager supervise.Notifier

	level    changedLevel
	scraping sync.Mutex // so that the counters of a process that ends meanwhile are not counted twice
	mu       sync.Mutex
	seen     map[supervise.Process][]byte // the last snapshot of each that runs
}

// admin is the handler of the private listener.
func (f *fleet) admin() (http.Handler, error) {
	own := metric.New()
	err := errors.Join(
		own.GaugeFunc("ashlar_workers", "Workers that were asked for.", func() float64 { return float64(f.cfg.Workers) }),
		own.GaugeFunc("ashlar_workers_serving", "Workers that serve.", func() float64 { return float64(f.parent.Serving()) }),
		own.CounterFunc("ashlar_worker_restarts_total", "Times that a worker was started again, because it had ended, held too much memory or gave no sign of life.", func() (n float64) {
			for _, w := range f.parent.Status().Workers {
				n += float64(w.Restarts)
			}
			return n
		}),
		own.CounterFunc("ashlar_reloads_total", "Times that all workers were replaced.", func() float64 { return float64(f.parent.Status().Reloads) }),
	)
	f.health.Log = f.log
	f.health.Add("workers", func(context.Context) error {
		if f.parent.Serving() == 0 {
			return errors.New("no worker serves")
		}
		return nil
	})
	mux, probes := &serve.Mux{}, f.health.Handler()
	shown := f.metrics.Handler(own, f.parts)
	level, change := fromHere(http.HandlerFunc(f.askAll)), fromHere(http.HandlerFunc(f.changeLevel))
	err = errors.Join(err,
		mux.Handle("GET /livez", probes),
		mux.Handle("GET /readyz", f.readiness(probes)),
		mux.Handle("GET /startupz", probes),
		mux.Handle("GET /metrics", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f.scraping.Lock()
			defer f.scraping.Unlock()
			shown.ServeHTTP(w, r)
		})),
		mux.Handle("GET /log/level", level),
		mux.Handle("PUT /log/level", change),
		mux.Handle("DELETE /log/level", change),
	)
	return serve.Observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer f.parent.Rest()
		mux.ServeHTTP(w, r)
	}), serve.Observer{}), err
}

// askTimeout bounds what a worker may take to answer its parent.
const askTimeout = 3 * time.Second

// workerAnswer is what a worker answered.
type workerAnswer struct {
	status int
	media  string
	body   []byte
}

func (a workerAnswer) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", a.media)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // who is gone does not mind
}

// askWorker asks the private side of one process.
func askWorker(ctx context.Context, p supervise.Process, method, path string, header http.Header, body []byte) (workerAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	transport := &http.Transport{
		DisableKeepAlives: true, DisableCompression: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return p.Dial(adminSocket) },
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, bytes.NewReader(body)) //nolint:gosec // it is dialled to the worker, whatever the name
	if err != nil {
		return workerAnswer{}, err
	}
	for _, name := range []string{"Accept", "Content-Type"} {
		if v := header.Get(name); v != "" {
			r.Header.Set(name, v)
		}
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return workerAnswer{}, fmt.Errorf("worker %d: %w", p.Worker, err)
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	got, err := io.ReadAll(response.Body)
	return workerAnswer{response.StatusCode, response.Header.Get("Content-Type"), got}, err
}

// readiness is that of the workers: as good as that of the best of them, once
// the parent has none of its own to complain about.
func (f *fleet) readiness(own http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var last *workerAnswer
		if f.health.Ready(r.Context()).Status == health.OK {
			for _, p := range f.parent.Processes() {
				a, err := askWorker(r.Context(), p, r.Method, "/readyz", r.Header, nil)
				if err != nil {
					continue
				}
				if last = &a; a.status == http.StatusOK {
					break
				}
			}
		}
		if last == nil {
			own.ServeHTTP(w, r)
			return
		}
		last.write(w)
	})
}

// longestAsk bounds the body of what is passed on.
const longestAsk = 1 << 10

// askAll passes a request on to every worker, and answers as the first does.
func (f *fleet) askAll(w http.ResponseWriter, r *http.Request) {
	if first := f.passOn(w, r); first != nil {
		first.write(w)
	}
}

// passOn returns what the first worker answered; nil means that there is none,
// which has been said to who asks.
func (f *fleet) passOn(w http.ResponseWriter, r *http.Request) *workerAnswer {
	body, err := io.ReadAll(io.LimitReader(r.Body, longestAsk))
	if err != nil {
		return nil // who asks is gone
	}
	var first *workerAnswer
	for _, p := range f.parent.Processes() {
		a, err := askWorker(r.Context(), p, r.Method, r.URL.Path, r.Header, body)
		if err != nil {
			f.log.Warn("a worker was not reached", "worker", p.Worker, "path", r.URL.Path, "error", err)
			continue
		}
		if first == nil {
			first = &a
		}
	}
	if first == nil {
		scope.Refuse(w, fault.ErrUnavailable.Because("No worker answers."))
	}
	return first
}

// parts reads the metrics of every process. One that does not answer is shown
// as it was last.
func (f *fleet) parts(ctx context.Context) []metric.Part {
	processes := f.parent.Processes()
	parts := make([]metric.Part, len(processes))
	var asking sync.WaitGroup
	for i, p := range processes {
		asking.Go(func() {
			parts[i] = metric.Part{Worker: strconv.Itoa(p.Worker), Snapshot: f.snapshot(ctx, p)}
		})
	}
	asking.Wait()
	return parts
}

// inProtobuf asks for metrics in the form of a snapshot.
const inProtobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

func (f *fleet) snapshot(ctx context.Context, p supervise.Process) []byte {
	a, err := askWorker(ctx, p, http.MethodGet, "/metrics", http.Header{"Accept": {inProtobuf}}, nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil || a.status != http.StatusOK {
		return f.seen[p]
	}
	if f.seen == nil {
		f.seen = map[supervise.Process][]byte{}
	}
	f.seen[p] = a.body
	return a.body
}

// ended keeps the counters of a process that has ended: those that it left
// behind, or, if it crashed, those that were seen last.
func (f *fleet) ended(p supervise.Process, legacy []byte) {
	f.scraping.Lock()
	defer f.scraping.Unlock()
	f.mu.Lock()
	if len(legacy) == 0 {
		legacy = f.seen[p]
	}
	delete(f.seen, p)
	f.mu.Unlock()
	if err := f.metrics.End(legacy); err != nil {
		f.log.Warn("the counters of a worker are lost", "worker", p.Worker, "error", err)
	}
}
