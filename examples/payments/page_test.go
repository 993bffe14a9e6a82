package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestThePageIsServed with a policy of its own, to anybody, and nothing beside
// what belongs to it.
func TestThePageIsServed(t *testing.T) {
	t.Parallel()
	c := open(t).Anonymous()
	for path, media := range map[string]string{
		"/": "text/html", "/page/app.js": "text/javascript", "/page/payments.js": "text/javascript",
		"/page/style.css": "text/css", "/page/mark.svg": "image/svg+xml",
	} {
		w := c.Do(http.MethodGet, path, "")
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), media) {
			t.Errorf("%s answers %d, %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		policy := w.Header().Values("Content-Security-Policy")
		if len(policy) != 1 || !strings.Contains(policy[0], "default-src 'none'; script-src 'self'") || strings.Contains(policy[0], "unsafe") {
			t.Errorf("%s has the policy %q", path, policy)
		}
		again := c.With("If-None-Match", w.Header().Get("ETag")).Do(http.MethodGet, path, "")
		if again.Code != http.StatusNotModified {
			t.Errorf("%s asked again answers %d", path, again.Code)
		}
	}
	for _, path := range []string{"/page/", "/page/..", "/page/desk.go", "/page/app.js/"} {
		if w := c.Do(http.MethodGet, path, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s answers %d", path, w.Code)
		}
	}
	if w := c.Do(http.MethodGet, "/", ""); strings.Contains(w.Body.String(), "<script>") || strings.Contains(w.Body.String(), "style=") {
		t.Error("the page has something inline")
	}
}
