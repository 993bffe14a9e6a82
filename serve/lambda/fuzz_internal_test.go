package lambda

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzRequestOf: whatever comes as an event, it is refused, or a request that
// net/http's own parser could have made.
func FuzzRequestOf(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.json")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"version":"2.0","rawPath":"//x","rawQueryString":"a=%zz;b","requestContext":{"stage":"x","http":{"method":"GET"}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := requestOf(text)
		if err != nil {
			return
		}
		if r.URL.Path == "" || r.URL.Path[0] != '/' || r.URL.Host != "" || r.Body == nil || r.Header.Get("Connection") != "" {
			t.Errorf("%q makes %+v", text, r)
		}
	})
}
