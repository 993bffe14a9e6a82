package ashlar

import (
	"context"

	"github.com/ashlar-go/ashlar/goclient"
	"github.com/ashlar-go/ashlar/tsclient"
)

// clientCommand prints clients.
type clientCommand struct {
	TS clientTS `cmd:"" name:"ts" help:"One TypeScript file that needs nothing else."`
	Go clientGo `cmd:"" name:"go" help:"One Go file that needs nothing but the standard library."`
}

// clientTS prints the client for TypeScript and JavaScript.
type clientTS struct {
	Name string `help:"What the client is called; the app's title if not given."`
}

func (clientTS) declared() {}

func (c clientTS) run(_ context.Context, a *App, io console) error {
	if c.Name == "" {
		c.Name = a.title()
	}
	source, err := tsclient.Source(tsclient.Info{Name: c.Name, Scheme: string(a.scheme)}, a.operations)
	if err != nil {
		return err
	}
	_, err = io.out.Write(source)
	return err
}

// clientGo prints the client for Go.
type clientGo struct {
	Package string `help:"The name of its package." default:"client"`
}

func (clientGo) declared() {}

func (c clientGo) run(_ context.Context, a *App, io console) error {
	source, err := goclient.Source(goclient.Info{Package: c.Package, Scheme: string(a.scheme)}, a.operations)
	if err != nil {
		return err
	}
	_, err = io.out.Write(source)
	return err
}
