package openapi

import (
	"net/http"

	"github.com/ashlar-go/ashlar/internal/page"
)

// Serve answers with the document. Browsers and tools may keep it, and ask
// each time whether it still holds.
func Serve(document []byte, mediaType string) http.Handler {
	return page.Unchanging(document, mediaType, "")
}
