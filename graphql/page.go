package graphql

import (
	"embed"
	"net/http"

	"github.com/ashlar-go/ashlar/internal/page"
)

// assets are the page's own files: there is no build step, and nothing comes
// from elsewhere.
//
//go:embed page
var assets embed.FS

// Page serves a page that shows the fields of the schema and sends documents to
// /graphql of its own origin, subscriptions too. Serve it under "GET
// /graphql/try" and "GET /graphql/try/{asset}", beside an endpoint that shows
// its schema. It sets its own Content-Security-Policy, under which nothing is
// inline and nothing comes from another origin.
func Page() http.Handler { return page.Of(assets, "/graphql/try") }
