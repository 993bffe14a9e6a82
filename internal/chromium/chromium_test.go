package chromium_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/internal/chromium"
)

// TestWhatGoesWrongIsSeen keeps the other browser tests honest: their silence
// means something only if a page that breaks its policy, throws and asks
// another host is not silent.
func TestWhatGoesWrongIsSeen(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; img-src 'self' http://elsewhere.invalid")
		_, _ = w.Write([]byte(`<!doctype html><title>Loud</title><p style="color:red">Red</p>
			<script>window.inline = true</script><script src="/throws.js"></script><img src="http://elsewhere.invalid/pixel.png">`))
	})
	mux.HandleFunc("GET /throws.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write([]byte(`throw new Error('thrown on purpose')`))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	b := chromium.Start(t)
	b.Open(server.URL+"/", 800, 600, "light")
	if b.Run(`window.inline`) != nil {
		t.Error("the inline script ran")
	}
	complaints := strings.Join(b.Complaints(), "\n")
	for _, want := range []string{"inline style", "inline script", "thrown on purpose", "elsewhere.invalid"} {
		if !strings.Contains(complaints, want) {
			t.Errorf("nothing was said of %q in:\n%s", want, complaints)
		}
	}
	if asked := b.Requests(); !slices.Contains(asked, "http://elsewhere.invalid/pixel.png") {
		t.Errorf("the other host is not among %q", asked)
	}
}
