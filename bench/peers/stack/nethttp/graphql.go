package nethttp

import (
	"context"
	"errors"
	"net/http"

	"github.com/ashlar-go/ashlar/bench/peers/shop"
	"github.com/ashlar-go/ashlar/bench/peers/stack"
)

// GraphQL are the routes of a peer that serves GraphQL: the entries by it, and
// the same by REST.
func GraphQL(h http.Handler) []Route {
	return []Route{
		{Pattern: "POST /graphql", Signed: true, Handler: h.ServeHTTP},
		{Pattern: "GET /v1/recent", Permission: stack.Read, Handler: shop.Recent200},
	}
}

var errDenied = errors.New("denied")

// Reader returns the check of a role that resolvers of payments make, as
// permissions are those of fields there and not of the route. Bare there is
// none.
func Reader(s shop.Settings) func(context.Context) error {
	return func(ctx context.Context) error {
		if s.Bare || stack.May(RoleOf(ctx), stack.Read) {
			return nil
		}
		return errDenied
	}
}
