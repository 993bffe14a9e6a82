// The first step of the tutorial: a program that answers one question.
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
	app.Mount(Tags())
	return app.Run(ctx) // serves until ctx ends, drains, returns nil
}
