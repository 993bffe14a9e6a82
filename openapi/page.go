package openapi

import (
	"embed"
	"net/http"
	"path"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// assets are the page's own files: there is no build step, and nothing comes
// from elsewhere.
//
//go:embed page
var assets embed.FS

// pagePolicy lets the page run its own script and style, and talk to its own
// origin, and nothing else.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Docs serves the API reference: a page that draws /openapi.json, and its
// assets. Serve it under "GET /docs" and "GET /docs/{asset}". It sets its own
// Content-Security-Policy, under which nothing is inline and nothing comes
// from another origin.
func Docs() http.Handler {
	files := map[string]http.Handler{}
	entries, err := assets.ReadDir("page")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	for _, e := range entries {
		body, err := assets.ReadFile("page/" + e.Name())
		if err != nil {
			panic(err)
		}
		at := "/docs/" + e.Name()
		if e.Name() == "index.html" {
			at = "/docs"
		}
		files[at] = unchanging(body, mediaTypes[path.Ext(e.Name())], pagePolicy)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := files[r.URL.Path]; ok {
			h.ServeHTTP(w, r)
			return
		}
		scope.Refuse(w, fault.ErrNotFound)
	})
}

// mediaTypes are fixed here because the system's own table may say otherwise.
var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
}
