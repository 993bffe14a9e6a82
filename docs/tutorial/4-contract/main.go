// The fourth step of the tutorial: the words of the contract.
package main

import (
	"context"
	"os"
	"slices"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/fault"
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
	build(app)
	return app.Run(ctx)
}

// build puts the application together.
func build(app *ashlar.App) {
	app.TokenScheme("Token")
	app.Faults(fault.JSON(errorsOf))
	app.Grant(member, Write)
	app.Mount(ashlar.Module{
		Name:       "conduit",
		Operations: slices.Concat(Users{app}.Operations(), Articles{app.DB}.Operations()),
		Migrations: migrations,
	})
}
