package graphql_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/internal/chromium"
	"github.com/ashlar-go/ashlar/live"
)

// TestThePageWorksInABrowser uses the page in Chromium in both colour schemes and
// at two widths, and fails on anything that a console would show in red: a
// violation of the page's policy first of all. With ASHLAR_TEST_SCREENSHOTS it
// leaves pictures in that folder.
func TestThePageWorksInABrowser(t *testing.T) {
	t.Parallel()
	b := chromium.Start(t)
	s := openNews(t, live.Config{}, graphql.Config{Introspection: true})
	check := func(what string) {
		t.Helper()
		for _, text := range b.Complaints() {
			t.Errorf("%s: %s", what, text)
		}
		for _, url := range b.Requests() {
			if !strings.HasPrefix(url, s.URL+"/") && !strings.HasPrefix(url, "data:") && url != "about:blank" {
				t.Errorf("%s: the page asks %s", what, url)
			}
		}
	}
	picture := func(name string) {
		if folder := os.Getenv("ASHLAR_TEST_SCREENSHOTS"); folder != "" {
			b.Screenshot(filepath.Join(folder, "graphql-"+name+".png"))
		}
	}
	const field = `[...document.querySelectorAll('#fields button')].find((b) => b.textContent === '%s').click()`
	const send = `document.getElementById('send').click()`
	const answers = `document.getElementById('status').textContent.startsWith('%s') && document.getElementById('answer').textContent.includes('%s')`
	for _, width := range []int{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			what := fmt.Sprintf("%s-%d", scheme, width)
			b.Open(s.URL+"/graphql/try", width, 900, scheme)
			b.Until(`document.getElementById('state').textContent === '10 fields'`)
			b.Run(`document.getElementById('token').value = 'ann'`)
			b.Run(fmt.Sprintf(field, "newsGet"))
			b.Run(`document.getElementById('variables').value = '{"id": "x"}'`)
			b.Run(send)
			b.Until(fmt.Sprintf(answers, "200", `Ada, for ann`))
			if wide := b.Run(`document.documentElement.scrollWidth`); wide.(float64) > float64(width) {
				t.Errorf("%s: the page is %v wide", what, wide)
			}
			picture(what)
			check(what)
		}
	}
	b.Run(fmt.Sprintf(field, "newsFollow"))
	b.Run(send)
	b.Until(fmt.Sprintf(answers, "Complete, 3 results", `news_3`))
	picture("subscription")
	b.Run(fmt.Sprintf(field, "newsSilent"))
	b.Run(`document.getElementById('variables').value = '{"id": "x"}'`)
	b.Run(send)
	<-s.begun
	s.eventually("it is open", func() bool { return s.handlers["news.silent"].Stats().Open == 1 })
	b.Run(`document.getElementById('stop').click()`)
	b.Until(`document.getElementById('status').textContent === 'Stopped.'`)
	s.eventually("it has ended", func() bool { return s.streams.Open() == 0 })
	b.Run(`document.getElementById('query').value = '{ nothing'; document.getElementById('variables').value = ''`)
	b.Run(send)
	b.Until(`document.getElementById('answer').textContent.includes('graphql_syntax')`)
	b.Run(`document.getElementById('variables').value = '{'`)
	b.Run(send)
	b.Until(`document.getElementById('status').textContent === 'The variables are no JSON.'`)
	b.Run(`document.getElementById('find').value = 'write'; document.getElementById('find').dispatchEvent(new Event('input'))`)
	b.Until(`[...document.querySelectorAll('#fields li')].filter((i) => !i.hidden).length === 1`)
}

func TestThePageHasItsOwnPolicy(t *testing.T) {
	t.Parallel()
	page := graphql.Page()
	for path, want := range map[string]string{
		"/graphql/try": "text/html; charset=utf-8", "/graphql/try/app.js": "text/javascript; charset=utf-8", "/graphql/try/style.css": "text/css; charset=utf-8",
		"/graphql/try/index.html": "", "/graphql/try/page.go": "", "/graphql/try/": "",
	} {
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if want == "" {
			if w.Code != http.StatusNotFound {
				t.Errorf("%s is answered %d", path, w.Code)
			}
			continue
		}
		policy := w.Header().Get("Content-Security-Policy")
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != want || !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s is answered %d %v", path, w.Code, w.Header())
		}
		again := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		again.Header.Set("If-None-Match", w.Header().Get("ETag"))
		w = httptest.NewRecorder()
		page.ServeHTTP(w, again)
		if w.Code != http.StatusNotModified {
			t.Errorf("%s is sent again: %d", path, w.Code)
		}
	}
}
