package swaggerui_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/openapi/swaggerui"
)

// TestTheFilesAreThoseThatWerePublished compares each vendored file with the
// manifest, and finds none that it does not name.
func TestTheFilesAreThoseThatWerePublished(t *testing.T) {
	t.Parallel()
	var manifest struct {
		Name, Version, License string
		SHA256                 map[string]string
	}
	text, err := os.ReadFile("assets/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Name != "swagger-ui-dist" || manifest.Version == "" || manifest.License != "Apache-2.0" {
		t.Errorf("the manifest says %q %q %q", manifest.Name, manifest.Version, manifest.License)
	}
	entries, err := os.ReadDir("assets")
	if err != nil {
		t.Fatal(err)
	}
	left := maps.Clone(manifest.SHA256)
	for _, e := range entries {
		if e.Name() == "manifest.json" {
			continue
		}
		body, err := os.ReadFile("assets/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		name, zipped := strings.CutSuffix(e.Name(), ".gz")
		if zipped {
			body = unzip(t, body)
		}
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != manifest.SHA256[name] {
			t.Errorf("%s has the sum %x, the manifest says %s", name, sum, manifest.SHA256[name])
		}
		delete(left, name)
	}
	if len(left) > 0 {
		t.Errorf("the manifest names files that are not there: %v", slices.Sorted(maps.Keys(left)))
	}
	for _, notice := range []string{"LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"} {
		if manifest.SHA256[notice] == "" {
			t.Errorf("%s must go along with the files", notice)
		}
	}
}

func TestAssetsAreServedAsTheClientTakesThem(t *testing.T) {
	t.Parallel()
	ui := swaggerui.Handler("/swagger", "/openapi.json")
	get := func(path string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		ui.ServeHTTP(w, r)
		return w
	}
	const bundle = "/swagger/swagger-ui-bundle.js"

	zipped := get(bundle, "Accept-Encoding", "br, gzip;q=0.5")
	if got := zipped.Header(); zipped.Code != http.StatusOK || got.Get("Content-Encoding") != "gzip" || got.Get("Vary") != "Accept-Encoding" ||
		got.Get("Content-Type") != "text/javascript; charset=utf-8" || got.Get("Content-Length") == "" {
		t.Errorf("%d %v", zipped.Code, got)
	}
	if size := zipped.Body.Len(); size > 480<<10 {
		t.Errorf("the bundle has %d bytes", size)
	}
	for _, takes := range []string{"", "identity", "gzip;q=0", "gzip; Q=0.000", "br", "*", "gzip;level=9"} {
		plain := get(bundle, "Accept-Encoding", takes)
		if plain.Code != http.StatusOK || plain.Header().Get("Content-Encoding") != "" || plain.Header().Get("Vary") != "Accept-Encoding" ||
			!bytes.Equal(plain.Body.Bytes(), unzip(t, zipped.Body.Bytes())) {
			t.Errorf("a client that takes %q gets %d %v", takes, plain.Code, plain.Header())
		}
		if plain.Header().Get("ETag") == zipped.Header().Get("ETag") {
			t.Error("one tag for two encodings")
		}
	}
	for _, takes := range []string{"", "gzip"} {
		tag := get(bundle, "Accept-Encoding", takes).Header().Get("ETag")
		if again := get(bundle, "Accept-Encoding", takes, "If-None-Match", tag); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%q: a second visit answers %d with %d bytes", takes, again.Code, again.Body.Len())
		}
	}
}

// TestOnlyWhatNeverChangesIsKept follows the addresses in the page: under them
// an asset may be kept for good, under any other it is asked for again.
func TestOnlyWhatNeverChangesIsKept(t *testing.T) {
	t.Parallel()
	ui := swaggerui.Handler("/api/ui", "/v1/a&b.json")
	cached := func(path string) string {
		w := httptest.NewRecorder()
		ui.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
		return w.Header().Get("Cache-Control")
	}
	w := httptest.NewRecorder()
	ui.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/ui", nil))
	page := w.Body.String()
	if !strings.Contains(page, `data-document="/v1/a&amp;b.json"`) {
		t.Errorf("the page does not name its document:\n%s", page)
	}
	if got := cached("/api/ui"); got != "no-cache" {
		t.Errorf("the page: %s", got)
	}
	found := 0
	for part := range strings.SplitSeq(page, `"`) {
		if !strings.HasPrefix(part, "/api/ui/") {
			continue
		}
		found++
		if got := cached(part); got != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %s", part, got)
		}
		bare, _, _ := strings.Cut(part, "?")
		for _, other := range []string{bare, bare + "?older"} {
			if got := cached(other); got != "no-cache" {
				t.Errorf("%s: %s", other, got)
			}
		}
	}
	if found != 5 {
		t.Errorf("the page names %d assets:\n%s", found, page)
	}
}

func TestThePolicyIsStrictAndTheRestIsNotFound(t *testing.T) {
	t.Parallel()
	ui := swaggerui.Handler("/swagger", "/openapi.json")

	for _, path := range []string{"/swagger", "/swagger/page.js", "/swagger/swagger-ui.css", "/swagger/LICENSE", "/swagger/NOTICE"} {
		w := httptest.NewRecorder()
		ui.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		policy := w.Header().Values("Content-Security-Policy")
		if w.Code != http.StatusOK || len(policy) != 1 || !strings.HasPrefix(policy[0], "default-src 'none'; script-src 'self'; style-src 'self'; ") || strings.Contains(policy[0], "unsafe") {
			t.Errorf("%s: %d, policy %q", path, w.Code, policy)
		}
	}
	for _, path := range []string{
		"/swagger/", "/swagger/index.html", "/swagger/manifest.json", "/swagger/swagger-ui.css.gz", "/swagger/swagger-ui-bundle.js.map",
		"/swagger/../swaggerui.go", "/swagger/assets/NOTICE", "/page.js", "/swaggerpage.js",
	} {
		w := httptest.NewRecorder()
		ui.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != fault.MediaType {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
}

func unzip(t *testing.T, body []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}
