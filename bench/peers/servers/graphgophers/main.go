// The peer graphql-go of graph-gophers: the peer net/http with a schema that is
// read at the start and resolved by reflection. It keeps no parsed documents.
package main

import (
	"context"
	"math"
	"net"

	"github.com/graph-gophers/graphql-go"
	"github.com/graph-gophers/graphql-go/relay"

	"github.com/ashlar-go/ashlar/bench/peers/shop"
	"github.com/ashlar-go/ashlar/bench/peers/stack/nethttp"
)

func main() { shop.Main(serve) }

func serve(ctx context.Context, s shop.Settings, store *shop.Store, l net.Listener) (admin string, err error) {
	schema, err := graphql.ParseSchema(shop.GraphQL, &resolver{store, nethttp.Reader(s)},
		graphql.UseFieldResolvers(), graphql.DisableIntrospection(), graphql.MaxDepth(shop.MaxDepth))
	if err != nil {
		return "", err
	}
	return nethttp.Serve(ctx, s, store, l, nethttp.GraphQL(&relay.Handler{Schema: schema})...)
}

// resolver answers the fields of Query.
type resolver struct {
	store *shop.Store
	may   func(context.Context) error
}

type (
	page struct{ First int32 }

	connection struct{ Nodes []entry }

	// entry is shop.Entry with the integer that the library has for Int.
	entry struct {
		ID, Currency, Status, Reference string
		Amount                          int32
	}
)

// PaymentsRecent are entries from memory.
func (r *resolver) PaymentsRecent(ctx context.Context, in page) (*connection, error) {
	if err := r.may(ctx); err != nil {
		return nil, err
	}
	return connectionOf(shop.RecentPage("", int(in.First)))
}

// PaymentsList are entries from the database.
func (r *resolver) PaymentsList(ctx context.Context, in page) (*connection, error) {
	if err := r.may(ctx); err != nil {
		return nil, err
	}
	return connectionOf(r.store.EntryPage(ctx, int(in.First)))
}

// Categories are what is sold.
func (*resolver) Categories() shop.Category { return shop.Categories() }

func connectionOf(page shop.EntryPage, err error) (*connection, error) {
	if err != nil {
		return nil, err
	}
	c := &connection{make([]entry, len(page.Data))}
	for i, e := range page.Data {
		c.Nodes[i] = entry{e.ID, e.Currency, e.Status, e.Reference, int32(min(e.Amount, math.MaxInt32))} //nolint:gosec // bounded just here
	}
	return c, nil
}
