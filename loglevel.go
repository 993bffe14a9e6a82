package ashlar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
	"github.com/ashlar-go/ashlar/rule"
	"github.com/ashlar-go/ashlar/serve"
)

// eventLogLevel is how the audit log names a change of what is logged.
const eventLogLevel auth.EventKind = "log_level_changed"

// How long another level may hold. A day of DEBUG fills disks and bills.
const (
	levelShortest = time.Second
	levelLongest  = 24 * time.Hour
)

// changeLevel asks for another level of the log for a while.
type changeLevel struct {
	Level string `json:"level"`
	For   string `json:"for"`
}

// Rules says what can be asked for.
func (in *changeLevel) Rules(r *rule.Set) {
	rule.OneOf(r, &in.Level, "debug", "info", "warn", "error")
	rule.Text(r, &in.For).Len(2, 16).Example("10m")
}

// logLevel is what is logged now.
type logLevel struct {
	Level string     `json:"level"`
	Usual string     `json:"usual"` // ASHLAR_LOG_LEVEL
	Until *time.Time `json:"until"` // when the usual one is back; null while it holds
}

// mountLogLevel puts the level of the log on the admin listener. Who may read
// metrics from elsewhere may not change it: that takes a shell, or a forwarded
// port, on the machine.
func (a *App) mountLogLevel(mux *serve.Mux) error {
	var errs []error
	for _, o := range []op.Operation{
		op.Query("log.level.get", "GET /log/level", a.getLogLevel, op.Public()),
		op.Command("log.level.set", "PUT /log/level", a.setLogLevel, op.Public(), op.MaxBody(1<<10)),
		op.Command("log.level.reset", "DELETE /log/level", a.resetLogLevel, op.Public()),
	} {
		h, err := rest.New(o, rest.Config{Policy: a.Policy, Log: a.Log})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, mux.Handle(o.Spec().Pattern(), fromHere(h)))
	}
	return errors.Join(errs...)
}

func (a *App) getLogLevel(context.Context, struct{}) (logLevel, error) {
	now, usual, until := a.level.State()
	l := logLevel{Level: levelName(now), Usual: levelName(usual)}
	if !until.IsZero() {
		until = until.UTC()
		l.Until = &until
	}
	return l, nil
}

func (a *App) setLogLevel(ctx context.Context, in changeLevel) (logLevel, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(in.Level)); err != nil {
		return logLevel{}, err
	}
	while, err := time.ParseDuration(in.For)
	if err != nil || while < levelShortest || while > levelLongest {
		return logLevel{}, fault.Violations{{
			Pointer: "/for", Code: "duration",
			Detail: fmt.Sprintf("must be a duration from %s to %s, as 10m", levelShortest, levelLongest),
		}}
	}
	if err := a.recordLogLevel(ctx, fmt.Sprintf("%s for %s", in.Level, while)); err != nil {
		return logLevel{}, err
	}
	a.level.Set(level, while)
	return a.getLogLevel(ctx, struct{}{})
}

func (a *App) resetLogLevel(ctx context.Context, _ struct{}) (logLevel, error) {
	if err := a.recordLogLevel(ctx, "reset"); err != nil {
		return logLevel{}, err
	}
	a.level.Reset()
	return a.getLogLevel(ctx, struct{}{})
}

// recordLogLevel leaves a trace of the change before it is made: who silences
// a log must not silence that.
func (a *App) recordLogLevel(ctx context.Context, detail string) error {
	e := auth.NewEvent(ctx, eventLogLevel, auth.Succeeded)
	e.Detail = detail
	if err := a.Record(ctx, e); err != nil {
		return err
	}
	a.Log.WarnContext(ctx, "log level changed", "to", detail, "address", e.Address)
	return nil
}

func levelName(l slog.Level) string { return strings.ToLower(l.String()) }

// fromHere lets only this machine in: by its address, and by the name that was
// asked for, since a page in a browser on it can have a name of its own lead
// here.
func fromHere(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		name, _, _ := strings.Cut(r.Host, ":")
		if at, err := netip.ParseAddrPort(r.Host); err == nil && at.Addr().IsLoopback() {
			name = "localhost"
		}
		if err != nil || !peer.Addr().Unmap().IsLoopback() || name != "localhost" {
			scope.Refuse(w, fault.ErrDenied.Because("The log's level is seen and changed from the machine itself."))
			return
		}
		next.ServeHTTP(w, r)
	})
}
