package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/logs"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
	"github.com/ashlar-go/ashlar/serve"
)

const (
	read  access.Permission = "payments:read"
	write access.Permission = "payments:write"
)

// ashlarHandler is one operation on its own: decode, validate, encode.
func ashlarHandler() http.Handler {
	_, h := rest.Handler(op.Command("payments.authorize", "POST /v1/payments", shop{}.authorize,
		op.Public(), op.Created("")))
	return h
}

// loadLimit is a limit that a load from one client does not reach, and that is
// counted all the same.
const loadLimit = "1000000000/1s"

// ashlarService is the same service as bareService on the whole stack, with
// its access log in dir. It returns an access token for the measured requests.
func ashlarService(ctx context.Context, dir string) (s *serve.Server, token string, err error) {
	cfg, err := config.Load[ashlar.Config](config.Map(map[string]string{
		"DATABASE_URL": "sqlite::memory:", "ASHLAR_DATA_DIR": dir,
		"ASHLAR_LIMIT_PRINCIPAL": loadLimit, "ASHLAR_LIMIT_ADDRESS": loadLimit,
	}))
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
	app.Log = logs.New(logs.NewBuffer(file), logs.Options{}) // as Open does with standard output
	service := shop{stored()}
	app.Grant("merchant", read, write)
	app.Mount(ashlar.SignIn(app))
	app.Mount(ashlar.Module{Name: "shop", Operations: []op.Operation{
		op.Command("payments.authorize", "POST /v1/payments", service.authorize, op.Allow(write), op.Created("")),
		op.Query("payments.get", "GET /v1/payments/{id}", service.get, op.Allow(read), op.Fails(errNotFound)),
		op.Query("state", "GET /v1/state", service.state, op.Public()),
	}})
	handler, err := app.Handler()
	if err != nil {
		return nil, "", err
	}
	if err := app.Migrate(ctx); err != nil {
		return nil, "", err
	}
	if token, err = signedIn(ctx, app); err != nil {
		return nil, "", err
	}
	return serve.New(handler, serve.Config{Addr: "127.0.0.1:0", Log: app.Log}), token, nil
}
