// Chat is rooms in which people talk: what was said is kept and comes live, on
// any number of instances, and everybody sees who is there and who types.
//
//	go run ./examples/chat
package main

import (
	"context"
	"errors"
	"os"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/auth"
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

	app.Grant("guest", Talk)
	app.Mount(ashlar.SignIn(app))
	app.Mount(Service{app.DB, app.Events, app.Rooms}.Module())
	app.Mount(ashlar.Module{Name: "demo", Demo: func(ctx context.Context) (string, error) { return demo(ctx, app.Accounts) }})

	return app.Run(ctx) // serves until ctx ends, drains, returns nil
}

// demo lets two people in. Production never runs it.
func demo(ctx context.Context, accounts *auth.Accounts) (string, error) {
	const password = "square-and-true"
	for _, email := range []string{"ann@demo.test", "bob@demo.test"} {
		_, err := accounts.Create(ctx, auth.NewAccount{Email: email, Password: password, Role: "guest"})
		if err != nil && !errors.Is(err, auth.ErrEmailTaken) {
			return "", err
		}
	}
	return "Sign in at POST /v1/auth/login as ann@demo.test or bob@demo.test with the password " + password, nil
}
