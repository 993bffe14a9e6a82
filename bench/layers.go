package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/logs"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
	"github.com/ashlar-go/ashlar/serve"
	"github.com/ashlar-go/ashlar/trace/otlp"
)

// layer is one step from a bare handler to the whole stack: what has been
// added to the one before.
type layer struct {
	name string
	make func(ctx context.Context, dir string) (h http.Handler, token string, err error)
}

// layers are all of them, in the order in which they are added.
func layers() []layer {
	var on stackOf
	with := func(name string, add func(*stackOf)) layer {
		add(&on)
		return layer{name, on.handler}
	}
	return []layer{
		{"bare: encoding/json, check by hand", func(context.Context, string) (http.Handler, string, error) { return bareService(), "", nil }},
		{"operations: strict decoding, rules, encoding", func(context.Context, string) (http.Handler, string, error) {
			h, err := plainOperations()
			return h, "", err
		}},
		{"ids, security headers, recovery", func(context.Context, string) (http.Handler, string, error) {
			h, err := plainOperations()
			return serve.Observe(h, serve.Observer{HSTS: true}), "", err
		}},
		with("metrics", func(*stackOf) {}), // an app has them, with everything else that can be turned off
		with("access log", func(s *stackOf) { s.log = true }),
		with("CORS", func(s *stackOf) { s.cors = true }),
		with("access token and permission", func(s *stackOf) { s.access = true }),
		with("rate limits", func(s *stackOf) { s.limits = true }),
		with("load shedding", func(s *stackOf) { s.shed = true }),
		with("traces, 1 %", func(s *stackOf) { s.traces = true }),
	}
}

// operations are those of the measured service.
func operations(guard op.Option) []op.Operation {
	service := shop{stored()}
	return []op.Operation{
		op.Command("payments.authorize", "POST /v1/payments", service.authorize, guard, op.Created("")),
		op.Query("state", "GET /v1/state", service.state, op.Public()),
	}
}

// plainOperations are the operations with nothing around them.
func plainOperations() (http.Handler, error) {
	mux := &serve.Mux{}
	for _, o := range operations(op.Public()) {
		h, err := rest.New(o, rest.Config{})
		if err != nil {
			return nil, err
		}
		if err := mux.Handle(o.Spec().Pattern(), h); err != nil {
			return nil, err
		}
	}
	return mux, nil
}

// stackOf is an app of which only some parts are on.
type stackOf struct{ log, cors, access, limits, shed, traces bool }

func (s stackOf) handler(ctx context.Context, dir string) (h http.Handler, token string, err error) {
	rate, shed, guard := "off", "off", op.Public()
	if s.limits {
		rate = loadLimit
	}
	if s.shed {
		shed = "auto"
	}
	if s.access {
		guard = op.Allow(write)
	}
	settings := map[string]string{
		"DATABASE_URL": "sqlite::memory:", "ASHLAR_DATA_DIR": dir,
		"ASHLAR_LIMIT_PRINCIPAL": rate, "ASHLAR_LIMIT_ADDRESS": rate, "ASHLAR_SHED": shed,
	}
	if s.cors {
		settings["ASHLAR_CORS_ORIGINS"] = "https://app.example.com"
	}
	cfg, err := config.Load[ashlar.Config](config.Map(settings))
	if err != nil {
		return nil, "", err
	}
	app, err := ashlar.Open(ctx, cfg)
	if err != nil {
		return nil, "", err
	}
	file, err := os.Create(filepath.Join(dir, "access.log"))
	if err != nil {
		return nil, "", err
	}
	level := new(slog.LevelVar)
	if !s.log {
		level.Set(slog.LevelError)
	}
	app.Log = logs.New(logs.NewBuffer(file), logs.Options{Level: level})
	if s.traces {
		app.Trace(otlp.New(ctx))
	}
	app.Grant("merchant", write)
	app.Mount(ashlar.SignIn(app))
	app.Mount(ashlar.Module{Name: "shop", Operations: operations(guard)})
	if h, err = app.Handler(); err != nil {
		return nil, "", err
	}
	if err := app.Migrate(ctx); err != nil {
		return nil, "", err
	}
	token, err = signedIn(ctx, app)
	return h, token, err
}

// signedIn returns an access token of a new merchant.
func signedIn(ctx context.Context, app *ashlar.App) (token string, err error) {
	who := auth.NewAccount{Email: "shop@bench.test", Password: "square-and-true", Role: "merchant", Tenant: "mer_1"}
	if _, err := app.Accounts.Create(ctx, who); err != nil {
		return "", err
	}
	granted, err := app.Accounts.SignIn(ctx, auth.Credentials{Email: who.Email, Password: who.Password})
	return granted.AccessToken, err
}

// layerCalls are what each layer is measured with.
var layerCalls = []string{"Post", "State"}

// serveLayer serves each call in process and reports what it used.
func serveLayer(ctx context.Context, dir string, l layer) error {
	n, err := strconv.Atoi(os.Getenv(envCount))
	if err != nil {
		return err
	}
	h, token, err := l.make(ctx, dir)
	if err != nil {
		return err
	}
	for _, call := range layerCalls {
		p := newPost()
		serveTimes := p.serve
		p.request.Header.Set("Authorization", "Bearer "+token)
		if call == "State" {
			request := httptest.NewRequest(http.MethodGet, "/v1/state", http.NoBody)
			request.Header.Set("Accept", "application/json")
			serveTimes = func(h http.Handler, times int) error { return p.repeat(h, request, http.StatusOK, times) }
		}
		if err := serveTimes(h, max(n/10, 1)); err != nil {
			return err
		}
		before := usedSoFar()
		if err := serveTimes(h, n); err != nil {
			return err
		}
		if err := report(usedSoFar().since(before)); err != nil {
			return err
		}
	}
	return nil
}

// ledger is the measure of the layers, and prints its own table.
func ledger(o options, t *table) (err error) {
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // what could not be read is not kept either
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer sink.Close()
	all := layers()
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	for round := range o.rounds {
		at := round % len(all)
		for _, i := range append(append([]int{}, order[at:]...), order[:at]...) {
			if err := layerOnce(i, o, t, "OTEL_EXPORTER_OTLP_ENDPOINT="+sink.URL); err != nil {
				return fmt.Errorf("layer %q: %w", all[i].name, err)
			}
		}
	}
	return printLedger(all, t)
}

func layerOnce(i int, o options, t *table, env ...string) error {
	p, err := start(layerSide(i), o.dir, o.profiles, append(env, "GOMAXPROCS=1", envCount+"="+strconv.Itoa(o.count))...)
	if err != nil {
		return err
	}
	for _, call := range layerCalls {
		var u used
		if err := p.read(&u); err != nil {
			return errors.Join(err, p.stop())
		}
		n := float64(o.count)
		t.add(layerMeasure(call), layerSide(i), metric{float64(u.CPU) / n, "cpu-ns/op"}, metric{float64(u.Mallocs) / n, "allocs/op"}, metric{float64(u.Bytes) / n, "B/op"})
	}
	return p.stop()
}

func layerMeasure(call string) string { return "Layer" + call }

func layerSide(i int) string { return "layer-" + strconv.Itoa(i) }

// layerOf is the layer that a started process is to be.
func layerOf(side string) (l layer, ok bool) {
	number, ok := strings.CutPrefix(side, "layer-")
	i, err := strconv.Atoi(number)
	if !ok || err != nil || i < 0 || i >= len(layers()) {
		return layer{}, false
	}
	return layers()[i], true
}

// printLedger says what each layer took, and what it added to the one before:
// the median of the rounds' differences.
func printLedger(all []layer, t *table) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "POST: µs\tadded\tallocations\tadded\tGET: µs\tadded\tallocations\tadded\t  layer\n")
	for i, l := range all {
		for _, call := range layerCalls {
			for _, unit := range []struct {
				name  string
				scale float64
			}{{"cpu-ns/op", 1000}, {"allocs/op", 1}} {
				here := t.values(layerMeasure(call)+"/"+layerSide(i), unit.name)
				added := ""
				if i > 0 {
					added = fmt.Sprintf("%+.2f", medianDifference(here, t.values(layerMeasure(call)+"/"+layerSide(i-1), unit.name))/unit.scale)
				}
				fmt.Fprintf(w, "%.2f\t%s\t", median(here)/unit.scale, added)
			}
		}
		fmt.Fprintf(w, "  %s\n", l.name)
	}
	return w.Flush()
}

func medianDifference(here, before []float64) float64 {
	all := make([]float64, len(here))
	for i := range here {
		all[i] = here[i] - before[i]
	}
	return median(all)
}
