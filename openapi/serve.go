package openapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"
)

// Serve answers with the document. Browsers and tools may keep it, and ask
// each time whether it still holds.
func Serve(document []byte, mediaType string) http.Handler {
	return unchanging(document, mediaType, "")
}

// unchanging serves bytes that never change under this handler.
func unchanging(body []byte, mediaType, policy string) http.Handler {
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
