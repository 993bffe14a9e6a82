// Conduit is the backend of the RealWorld applications: a public API for a place
// to write, with users, profiles, articles, comments, favourites and tags. Its
// contract was written by others, so it has words of its own: another form of
// errors, another word before tokens, a wrapper around each body. It shows how a
// contract that is given is kept.
//
//	go run ./examples/conduit
package main

import (
	"context"
	"embed"
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
		return err // names every missing or malformed variable at once
	}
	app, err := ashlar.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer app.Close()
	build(app)
	return app.Run(ctx) // serves until ctx ends, drains, returns nil
}

//go:embed migrations/*.sql
var migrations embed.FS

// build puts the application together.
func build(app *ashlar.App) {
	app.TokenScheme("Token")
	app.Faults(fault.JSON(errorsOf))
	app.CommonPasswords = true // the contract asks for a length and no more
	app.Grant(member, Write)
	app.Mount(ashlar.Module{
		Name:       "conduit",
		Operations: slices.Concat(Users{app}.Operations(), Articles{app.DB}.Operations(), Comments{app.DB}.Operations()),
		Migrations: migrations,
		Docs:       docs(),
	})
}
