// Package page serves the pages that other packages carry in the program.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"net/http"
	"path"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// policy lets a page run its own script and style, and talk to its own origin,
// and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Of serves the folder page of assets: its index.html at the path, which has no
// slash at its end, and the other files below it. Under its
// Content-Security-Policy nothing is inline and nothing comes from elsewhere.
func Of(assets embed.FS, at string) http.Handler {
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
		place := at
		if e.Name() != "index.html" {
			place += "/" + e.Name()
		}
		files[place] = Unchanging(body, mediaTypes[path.Ext(e.Name())], policy)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := files[r.URL.Path]; ok {
			h.ServeHTTP(w, r)
			return
		}
		scope.Refuse(w, fault.ErrNotFound)
	})
}

// Unchanging serves bytes that never change under this handler. Browsers may
// keep them, and ask each time whether they still hold. An empty policy leaves
// that of the server.
func Unchanging(body []byte, mediaType, policy string) http.Handler {
	sum := sha256.Sum256(body)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", mediaType)
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", etag)
		if policy != "" {
			h.Set("Content-Security-Policy", policy)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}

// mediaTypes are fixed here because the system's own table may say otherwise.
var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
}
