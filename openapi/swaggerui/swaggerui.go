// Package swaggerui serves Swagger UI, for those who know it by heart. The page
// under /docs (see openapi) needs nothing of it and says more; a program that
// does not import this package does not carry it.
//
//	ui := swaggerui.Handler("/swagger", "/openapi.json")
//	app.Handle("GET /swagger", ui)
//	app.Handle("GET /swagger/{asset}", ui)
//
// Everything comes from the binary, under a Content-Security-Policy that
// allows neither inline scripts and styles nor another origin. The files of
// Swagger UI are those that its makers published, as assets/manifest.json
// says, under the Apache License 2.0.
package swaggerui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

//go:embed assets page
var files embed.FS

// policy lets the page run its own script and style, and talk to its own
// origin, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves Swagger UI at a path such as "/swagger": register it for
// "GET "+path and for "GET "+path+"/{asset}". It draws the OpenAPI document
// that the same origin serves at document, such as "/openapi.json", and sends
// what a reader tries out to that origin, too. Who may open the page is left
// to the caller; it is of no use without the document, which an app serves in
// production only with ASHLAR_PUBLIC_DOCS.
//
// Browsers keep the assets for good, as their addresses change with them. A
// client that does not take gzip gets them plain, at the cost of 2 MB of
// memory from the first such request on.
func Handler(path, document string) http.Handler {
	assets := map[string]*asset{}
	for _, folder := range []string{"assets", "page"} {
		entries, err := files.ReadDir(folder)
		if err != nil {
			panic(err) // the folders are part of the program
		}
		for _, e := range entries {
			add(assets, folder, e)
		}
	}
	delete(assets, "manifest.json") // for those who build, not for those who browse
	index := assets["index.html"]
	delete(assets, "index.html")
	index.draw(path, document, assets)

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			index.ServeHTTP(w, r)
			return
		}
		name, below := strings.CutPrefix(r.URL.Path, path+"/")
		if a, ok := assets[name]; below && ok {
			a.ServeHTTP(w, r)
			return
		}
		scope.Refuse(w, fault.ErrNotFound)
	})
}

// An asset is one file as it is served: compressed where that is how it was
// embedded.
type asset struct {
	body      []byte
	zipped    bool
	mediaType string
	tag       string
	plain     func() []byte
}

func add(assets map[string]*asset, folder string, e fs.DirEntry) {
	body, err := files.ReadFile(folder + "/" + e.Name())
	if err != nil {
		panic(err)
	}
	name, zipped := strings.CutSuffix(e.Name(), ".gz")
	a := &asset{zipped: zipped, mediaType: mediaTypes[path.Ext(name)]}
	a.hold(body)
	assets[name] = a
}

// hold makes body what the asset serves.
func (a *asset) hold(body []byte) {
	sum := sha256.Sum256(body)
	a.body, a.tag = body, base64.RawURLEncoding.EncodeToString(sum[:15])
	a.plain = sync.OnceValue(func() []byte {
		if !a.zipped {
			return body
		}
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			panic(err) // it was embedded whole, and a test has read it
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			panic(err)
		}
		return plain
	})
}

// draw makes the page of its template: every asset is named with its tag, so
// that a browser may keep what it has.
func (a *asset) draw(path, document string, assets map[string]*asset) {
	page := template.Must(template.New("index.html").Funcs(template.FuncMap{
		"asset": func(name string) string { return path + "/" + name + "?" + assets[name].tag },
	}).Parse(string(a.body)))
	var b bytes.Buffer
	if err := page.Execute(&b, document); err != nil {
		panic(err)
	}
	a.hold(b.Bytes())
}

func (a *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Content-Type", a.mediaType)
	h.Set("Cache-Control", "no-cache")
	if r.URL.RawQuery == a.tag {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body, tag := a.body, a.tag
	if a.zipped {
		h.Add("Vary", "Accept-Encoding")
		if takesGzip(r) {
			h.Set("Content-Encoding", "gzip")
			h.Set("Content-Length", strconv.Itoa(len(body))) // ServeContent leaves it out of an encoded answer
		} else {
			body, tag = a.plain(), tag+"-plain"
		}
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// takesGzip reports whether the client says that it takes gzip. One that only
// says "*" gets the plain file, which is never wrong.
func takesGzip(r *http.Request) bool {
	for _, list := range r.Header.Values("Accept-Encoding") {
		for entry := range strings.SplitSeq(list, ",") {
			coding, parameter, weighted := strings.Cut(entry, ";")
			if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				continue
			}
			q := strings.TrimLeft(strings.TrimSpace(parameter), "qQ= ")
			weight, err := strconv.ParseFloat(q, 64)
			return !weighted || err == nil && weight > 0
		}
	}
	return false
}

// mediaTypes are fixed here because the system's own table may say otherwise.
var mediaTypes = map[string]string{
	"":      "text/plain; charset=utf-8", // LICENSE and NOTICE
	".txt":  "text/plain; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".png":  "image/png",
}
