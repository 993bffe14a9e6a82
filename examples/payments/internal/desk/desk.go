// Package desk serves the page at which a merchant's people work: they sign in,
// take test payments, and see all payments live. The page is written by hand on
// the generated client, without a build step, and nothing on it comes from
// elsewhere.
package desk

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"net/http"
	"path"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/examples/payments/client"
	"github.com/ashlar-go/ashlar/fault"
)

//go:embed page
var page embed.FS

// policy lets the page run its own script and style, draw its own pictures and
// talk to its own origin, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Serve mounts the page. With demo it offers the sign-ins of the demonstration.
func Serve(app *ashlar.App, demo bool) {
	files := map[string]http.Handler{"payments.js": file(client.JavaScript(), ".js")}
	entries, err := page.ReadDir("page")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	for _, e := range entries {
		body, err := page.ReadFile("page/" + e.Name())
		if err != nil {
			panic(err)
		}
		if demo {
			body = bytes.Replace(body, []byte(`data-demo="off"`), []byte(`data-demo="on"`), 1)
		}
		files[e.Name()] = file(body, path.Ext(e.Name()))
	}
	app.Handle("GET /{$}", files["index.html"])
	app.Handle("GET /page/{file}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := files[r.PathValue("file")]; ok {
			h.ServeHTTP(w, r)
			return
		}
		_ = fault.Write(w, fault.ProblemOf(fault.ErrNotFound, "")) // whoever asked has gone
	}))
}

// mediaTypes are fixed here because the system's own table may say otherwise.
var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// file serves bytes that never change while the program runs. Browsers keep
// them, and ask each time whether they still hold.
func file(body []byte, extension string) http.Handler {
	sum := sha256.Sum256(body)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", mediaTypes[extension])
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", etag)
		h.Set("Content-Security-Policy", policy)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}
