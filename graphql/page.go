package graphql

import (
	"bytes"
	"embed"
	"net/http"
	"path"
	"time"

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
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Page serves a page that shows the fields of the schema and sends documents to
// /graphql of its own origin, subscriptions too. Serve it under "GET
// /graphql/try" and "GET /graphql/try/{asset}", beside an endpoint that shows
// its schema. It sets its own Content-Security-Policy, under which nothing is
// inline and nothing comes from another origin.
func Page() http.Handler {
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
		at := "/graphql/try/" + e.Name()
		if e.Name() == "index.html" {
			at = "/graphql/try"
		}
		files[at] = pageFile(body, pageTypes[path.Ext(e.Name())])
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := files[r.URL.Path]; ok {
			h.ServeHTTP(w, r)
			return
		}
		scope.Refuse(w, fault.ErrNotFound)
	})
}

func pageFile(body []byte, mediaType string) http.Handler {
	tag := hashTag(body)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("Content-Type", mediaType)
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}

// pageTypes are fixed here because the system's own table may say otherwise.
var pageTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
}
