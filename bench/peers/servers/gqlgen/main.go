// The peer gqlgen: the peer net/http with what gqlgen makes of the schema, set
// up as its documentation shows, documents kept once they are parsed.
package main

import (
	"context"
	"net"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/ashlar-go/ashlar/bench/peers/servers/gqlgen/graph"
	"github.com/ashlar-go/ashlar/bench/peers/shop"
	"github.com/ashlar-go/ashlar/bench/peers/stack/nethttp"
)

//go:generate go run github.com/99designs/gqlgen@v0.17.98 generate

func main() { shop.Main(serve) }

func serve(ctx context.Context, s shop.Settings, store *shop.Store, l net.Listener) (admin string, err error) {
	h := handler.New(graph.NewExecutableSchema(graph.Config{Resolvers: resolver{store, nethttp.Reader(s)}}))
	h.AddTransport(transport.POST{})
	h.SetQueryCache(lru.New[*ast.QueryDocument](shop.Documents))
	h.SetParserTokenLimit(shop.MaxTokens)
	h.Use(depthLimit(shop.MaxDepth))
	return nethttp.Serve(ctx, s, store, l, nethttp.GraphQL(h)...)
}

// resolver answers the fields of Query.
type resolver struct {
	store *shop.Store
	may   func(context.Context) error
}

func (r resolver) Query() graph.QueryResolver { return r }

func (r resolver) PaymentsRecent(ctx context.Context, first int) (shop.EntryPage, error) {
	if err := r.may(ctx); err != nil {
		return shop.EntryPage{}, err
	}
	return shop.RecentPage("", first)
}

func (r resolver) PaymentsList(ctx context.Context, first int) (shop.EntryPage, error) {
	if err := r.may(ctx); err != nil {
		return shop.EntryPage{}, err
	}
	return r.store.EntryPage(ctx, first)
}

func (resolver) Categories(context.Context) (shop.Category, error) { return shop.Categories(), nil }

// depthLimit is how far fields may be nested: the library bounds what a
// document costs, and not this.
type depthLimit int

func (depthLimit) ExtensionName() string { return "DepthLimit" }

func (depthLimit) Validate(graphql.ExecutableSchema) error { return nil }

func (d depthLimit) MutateOperationContext(_ context.Context, op *graphql.OperationContext) *gqlerror.Error {
	if deep := depth(op.Operation.SelectionSet); deep > int(d) {
		return gqlerror.Errorf("the document is %d deep, which is more than %d", deep, d)
	}
	return nil
}

// depth is that of a valid selection, in which no fragment holds itself.
func depth(set ast.SelectionSet) (deepest int) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			deepest = max(deepest, 1+depth(s.SelectionSet))
		case *ast.InlineFragment:
			deepest = max(deepest, depth(s.SelectionSet))
		case *ast.FragmentSpread:
			deepest = max(deepest, depth(s.Definition.SelectionSet))
		}
	}
	return deepest
}
