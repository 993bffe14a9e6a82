package openapi

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

// Docs serves the API reference: a page that draws /openapi.json, and its
// assets. Serve it under "GET /docs" and "GET /docs/{asset}". It sets its own
// Content-Security-Policy, under which nothing is inline and nothing comes
// from another origin.
func Docs() http.Handler { return page.Of(assets, "/docs") }
