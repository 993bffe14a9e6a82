// The second step of the tutorial: articles in a database.
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
		return err
	}
	app, err := ashlar.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer app.Close()
	app.Mount(Articles{app.DB}.Module())
	return app.Run(ctx)
}
