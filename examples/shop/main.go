// Shop is the smallest whole program: card payments of shops, authorised and
// captured, in one screen each of set-up, vocabulary, service and SQL.
//
//	go run ./examples/shop
package main

import (
	"context"
	"os"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/config"
)

func main() { ashlar.Main(run) }

func run(ctx context.Context) error {
	cfg, err := config.Load[ashlar.Config](os.LookupEnv)
	if err != nil {
		return err // names every missing or malformed variable at once
	}
	app, err := ashlar.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer app.Close()

	app.Grant("merchant", Read, Write)
	app.Grant("auditor", Read)
	app.Mount(ashlar.SignIn(app))
	app.Mount(Service{app.DB}.Module())

	return app.Run(ctx) // serves until ctx ends, drains, returns nil
}
