package ashlar

import (
	"context"
	"errors"
	"net/http"

	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
	"github.com/ashlar-go/ashlar/serve"
)

// graphqlPath is where an app's operations are to be had as GraphQL.
const graphqlPath = "/graphql"

// graphqlPage is where a page sends documents to it.
const graphqlPage = graphqlPath + "/try"

// GraphQL serves the operations at /graphql too, within limits. In production
// the schema is not shown unless ASHLAR_PUBLIC_DOCS says so: the command
// "graphql schema" prints it. Where it is shown, /graphql/try is a page to send
// documents with.
func (a *App) GraphQL(limits graphql.Limits) { a.graphql = &limits }

// mountGraphQL adds the endpoint. What it asks is the whole of the public
// handler, which is known later.
func (a *App) mountGraphQL(mux *serve.Mux, public *http.Handler, cfg rest.Config) error {
	if a.graphql == nil {
		return nil
	}
	related, err := a.relatedHandler(cfg)
	if err != nil {
		return err
	}
	own := graphql.Config{
		Introspection: !a.cfg.Production() || a.cfg.PublicDocs, Limits: *a.graphql, Relations: a.relations, Related: related,
		Credentials: []string{"Authorization", "Cookie"}, Log: a.Log,
	}
	if a.streams.server != nil {
		own.Sockets = a.streams.server
	}
	h, err := graphql.New(a.operations, later{public}, own)
	if err != nil {
		return err
	}
	var errs []error
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		pattern := method + " " + graphqlPath
		errs = append(errs, mux.Handle(pattern, a.meters.meter(pattern, h, method)))
	}
	if own.Introspection {
		page := graphql.Page()
		for _, pattern := range []string{"GET " + graphqlPage, "GET " + graphqlPage + "/{asset}"} {
			errs = append(errs, mux.Handle(pattern, a.meters.meter(pattern, page)))
		}
	}
	return errors.Join(errs...)
}

// later is a handler that is known later, one that observes.
type later struct{ h *http.Handler }

func (l later) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*l.h).ServeHTTP(w, r) }

// Continues says what serve's observer says; see there.
func (later) Continues() {}

// relatedHandler answers the operations of relations: as the public handler
// answers others, but to nobody outside.
func (a *App) relatedHandler(cfg rest.Config) (http.Handler, error) {
	mux := &serve.Mux{}
	var errs []error
	for _, o := range op.Relations(a.relations) {
		h, err := rest.New(o, cfg)
		if err == nil {
			err = mux.Handle(o.Spec().Pattern(), a.meters.meter(o.Spec().Name, h, http.MethodGet))
		}
		errs = append(errs, err)
	}
	observer, err := a.observer(mux)
	return serve.Observe(mux, observer), errors.Join(append(errs, err)...)
}

// graphqlCommand is about the GraphQL endpoint.
type graphqlCommand struct {
	Schema graphqlSchemaCommand `cmd:"" help:"Print the schema in the schema definition language."`
}

// graphqlSchemaCommand prints the schema.
type graphqlSchemaCommand struct{}

func (graphqlSchemaCommand) declared() {}

func (graphqlSchemaCommand) run(_ context.Context, a *App, io console) error {
	sdl, err := graphql.SDL(a.operations, a.relations...)
	if err != nil {
		return err
	}
	io.printf("%s", sdl)
	return nil
}
