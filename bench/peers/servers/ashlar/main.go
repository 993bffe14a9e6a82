// The peer Ashlar: a whole program, as a user writes it, in production mode.
// Nothing is installed or turned on for the stack but the export of traces and
// the pages of one origin; the rate limit is the one that all peers get.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/bench/peers/shop"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/trace/otlp"
)

func main() { ashlar.Main(run) }

func run(ctx context.Context) error {
	s, err := shop.FromEnvironment()
	if err != nil {
		return err
	}
	cfg, err := settings(s)
	if err != nil {
		return err
	}
	app, err := ashlar.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer app.Close()
	app.Trace(otlp.New(ctx))
	service := service{app.DB}
	app.Grant("merchant", read, write)
	app.Grant("auditor", read)
	app.Grant("guest")
	app.GraphQL(graphql.Limits{Depth: shop.MaxDepth, Tokens: shop.MaxTokens, Plans: shop.Documents, Body: shop.MaxBody})
	app.Mount(ashlar.SignIn(app))
	app.Mount(service.module())
	if err := app.Migrate(ctx); err != nil {
		return err
	}
	if err := service.seed(ctx); err != nil {
		return err
	}
	tokens, err := signIn(ctx, app)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		if err := shop.Attend(shop.Hello{Tokens: tokens}); err != nil { // the log says where it listens
			fmt.Fprintln(os.Stderr, "peer:", err)
		}
		cancel()
	}()
	return app.Run(ctx)
}

func settings(s shop.Settings) (ashlar.Config, error) {
	keys, err := signingKeys()
	if err != nil {
		return ashlar.Config{}, err
	}
	limit := fmt.Sprintf("%d/%s", s.Limit, shop.Window)
	own := config.Map(map[string]string{
		"ASHLAR_ENV": "production", "ASHLAR_ADDR": "127.0.0.1:0", "ASHLAR_ADMIN_ADDR": "127.0.0.1:0", "ASHLAR_DATA_DIR": s.Dir,
		"ASHLAR_SIGNING_KEYS": keys, "ASHLAR_TOKEN_TTL": "1h", "ASHLAR_CORS_ORIGINS": shop.Origin,
		"ASHLAR_LIMIT_PRINCIPAL": limit, "ASHLAR_LIMIT_ADDRESS": limit,
		"ASHLAR_STREAMS_PRINCIPAL": "20000", // one merchant has them all
	})
	return config.Load[ashlar.Config](func(name string) (string, bool) {
		if value, ok := own(name); ok {
			return value, true
		}
		return os.LookupEnv(name) // OTEL_*
	})
}

// signIn returns an access token for each role.
func signIn(ctx context.Context, app *ashlar.App) (tokens map[string]string, err error) {
	tokens = map[string]string{}
	for _, role := range []string{"merchant", "auditor", "guest"} {
		who := auth.NewAccount{Email: role + "@bench.test", Password: "square-and-true", Role: role, Tenant: "mer_1"}
		if _, err := app.Accounts.Create(ctx, who); err != nil {
			return nil, err
		}
		granted, err := app.Accounts.SignIn(ctx, auth.Credentials{Email: who.Email, Password: who.Password})
		if err != nil {
			return nil, err
		}
		tokens[role] = granted.AccessToken
	}
	debug.FreeOSMemory() // what hashing passwords took: the other peers are given their tokens
	return tokens, nil
}

func signingKeys() (string, error) {
	key, err := auth.NewKey(auth.EdDSA)
	return key.Secret().Reveal(), err
}
