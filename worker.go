package ashlar

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/ashlar-go/ashlar/health"
	"github.com/ashlar-go/ashlar/serve"
	"github.com/ashlar-go/ashlar/supervise"
)

// The names under which parent and workers know their sockets, and what else
// workers are told.
const (
	publicSocket = "public"
	adminSocket  = "admin"
	adminAddress = "admin address"
	levelNow     = "log level"
)

// doors are where the app listens.
type doors struct {
	public, private serve.Config
	production      bool
	worker          *supervise.Worker // nil for a process that serves alone
}

func (a *App) doors(secure *tls.Config) *doors {
	all := serve.Config{DrainDelay: a.cfg.DrainDelay, DrainTimeout: a.cfg.DrainTimeout, Log: a.Log}
	d := &doors{public: all, private: all, production: a.cfg.Production()}
	d.public.Addr, d.private.Addr = a.cfg.PublicAddr(), a.cfg.AdminAddr
	d.public.OnDrain, d.public.Finish = a.health.Draining, a.endStreams
	d.public.TLS, d.public.HTTP2 = secure, secure != nil
	// Without a load balancer nobody has to see readiness go before the end.
	if d.public.DrainDelay == 0 && !a.cfg.Production() {
		d.public.DrainDelay = -1
	}
	d.private.DrainDelay = -1
	return d
}

// join puts what the parent has in the place of sockets of the app's own. The
// private side of a worker is asked by its parent alone.
func (d *doors) join(w *supervise.Worker) (err error) {
	if d.worker = w; w == nil {
		return d.activate()
	}
	d.private.Listener = w.Sent(adminSocket)
	if d.public.TLS == nil {
		d.public.Adopt = w.Sent(publicSocket)
		d.public.HandOver = func(c syscall.Conn) error { return w.HandOver(publicSocket, c) }
	}
	d.public.Listener, err = w.Listener(publicSocket)
	return err
}

// activate takes the sockets that a service manager has opened.
func (d *doors) activate() error {
	given, err := activated(d.production)
	if err != nil {
		return err
	}
	if l := given[publicSocket]; l != nil {
		d.public.Listener = l
	}
	if l := given[adminSocket]; l != nil {
		d.private.Listener = l
	}
	return nil
}

// activated returns the sockets that a service manager has opened. What holds
// for addresses of development holds for them too.
func activated(production bool) (map[string]net.Listener, error) {
	given, err := supervise.Activated(publicSocket, adminSocket)
	if err != nil || production {
		return given, err
	}
	for name, l := range given {
		if !loopback(l.Addr().String()) {
			err = errors.Join(err, fmt.Errorf("ASHLAR_ENV: development listens on loopback only, and the service manager's socket %q is at %s", name, l.Addr()))
		}
	}
	return given, err
}

// admin is the private handler as it is asked. What a worker's parent passes on
// it has looked at: who asks is then this machine.
func (d *doors) admin(h http.Handler) http.Handler {
	if d.worker == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr, r.Host = "127.0.0.1:0", "localhost"
		h.ServeHTTP(w, r)
	})
}

// lives has a worker give a sign of life when it has one.
func (d *doors) lives(private http.Handler, s *stuck) {
	if d.worker == nil {
		return
	}
	h := d.admin(private)
	d.worker.Alive(func() bool { return alive(h, s, time.Now()) })
}

// alive reports whether a private side says that it lives, and calls of the
// operations end. Where they do not while the app is not ready either, as when its
// database says nothing, another worker would do no better.
func alive(private http.Handler, s *stuck, now time.Time) bool {
	return says(private, "/livez") && (!s.at(now) || !says(private, "/readyz"))
}

func says(private http.Handler, path string) bool {
	r, err := http.NewRequest(http.MethodGet, "http://localhost"+path, nil) //nolint:noctx // it is answered here
	if err != nil {
		return false
	}
	answer := onlyStatus{header: http.Header{}}
	private.ServeHTTP(&answer, r)
	return answer.status == http.StatusOK
}

// onlyStatus is an answer of which the rest does not matter.
type onlyStatus struct {
	header http.Header
	status int
}

func (o *onlyStatus) Header() http.Header { return o.header }

func (o *onlyStatus) WriteHeader(status int) {
	if o.status == 0 {
		o.status = status
	}
}

func (o *onlyStatus) Write(b []byte) (int, error) {
	o.WriteHeader(http.StatusOK)
	return len(b), nil
}

// adminAt is where the private side is found.
func (d *doors) adminAt(own net.Addr) string {
	if d.worker == nil {
		return own.String()
	}
	return d.worker.Told(adminAddress)
}

func (a *App) sayServing(w *supervise.Worker, publicAt, adminAt string) {
	attrs := []any{"addr", publicAt, "admin_addr", adminAt, "env", string(a.cfg.Env), "version", version()}
	if w != nil {
		attrs = append(attrs, "worker", w.Number())
	}
	a.Log.Info("serving", attrs...)
}

// readyTick is how often a worker looks whether it can serve at last.
const readyTick = 100 * time.Millisecond

// sayReady waits until the app is ready, as /readyz would say, and tells the
// parent. A process that serves alone tells the service manager, if there is
// one, and is asked by others.
func (a *App) sayReady(ctx context.Context, w *supervise.Worker, s *serve.Server) error {
	if w == nil {
		a.manage(ctx)
		return nil
	}
	for a.health.Ready(ctx).Status != health.OK {
		select {
		case <-ctx.Done():
			return nil // to leave again is in order
		case <-time.After(readyTick):
		}
	}
	return w.Ready(s.Requests)
}

// manage tells the service manager that this process serves, that it lives, and
// when it begins to end.
func (a *App) manage(ctx context.Context) {
	manager := supervise.ServiceManager()
	warn := func(err error) {
		if err != nil {
			a.Log.Warn("service manager", "error", err)
		}
	}
	warn(manager.Ready("serving"))
	go manager.KeepAlive(context.WithoutCancel(ctx), func() bool { return true }) // the drain counts as life
	context.AfterFunc(ctx, func() { warn(manager.Stopping()) })
}

// leaveMetrics leaves the counters of a worker to its parent, who goes on
// showing them: a counter does not fall because a process ends.
func (a *App) leaveMetrics(w *supervise.Worker) error {
	if w == nil {
		return nil
	}
	snapshot, err := a.metrics.Snapshot()
	if err != nil {
		return err
	}
	_ = w.Leave(snapshot) // a parent that is gone shows nothing
	return nil
}

// follow returns a context that ends when the parent says that this worker is
// to leave, and why.
func follow(ctx context.Context, w *supervise.Worker) (context.Context, context.CancelCauseFunc) {
	ctx, leave := context.WithCancelCause(ctx)
	if w == nil {
		return ctx, leave
	}
	go func() {
		<-w.Draining()
		if w.Last() {
			leave(nil)
			return
		}
		leave(serve.ErrSuccessor)
	}()
	return ctx, leave
}
