package auth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/auth"
)

// Whatever a client presents is read as one token or refused: what is read is
// written back the same, and nothing shows the text.
func FuzzRefreshToken(f *testing.F) {
	good := auth.NewRefreshText()
	for _, seed := range []string{good, "", "rt_", good[:40], good + "=", good + "\n", strings.Replace(good, "rt_", "RT_", 1), good[3:], "rt_" + strings.Repeat("_", 86)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		again, err := auth.RereadRefresh(text)
		switch {
		case err == nil && again != text:
			t.Errorf("%q is read as %q: two texts for one token", text, again)
		case err != nil && len(text) > 8 && strings.Contains(err.Error(), text):
			t.Errorf("the error shows the text: %v", err)
		}
	})
}

// The same of a Cookie header, which may hold anything beside ours.
func FuzzCookie(f *testing.F) {
	good := auth.NewCookieText()
	for _, seed := range []string{
		"", "__Host-session=" + good, "a=b; __Host-session=" + good, "__Host-session=" + good + "; __Host-session=" + good,
		`__Host-session="` + good + `"`, "__Host-session", "__host-session=" + good, "=;;__Host-session=;", "__Host-session=" + good + "=",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Cookie": {header}}}
		text, present, err := auth.RereadCookie(r)
		switch {
		case err == nil && present && !strings.Contains(header, text):
			t.Errorf("%q is read as %q, which is not there", header, text)
		case !present && err != nil:
			t.Errorf("no cookie in %q, and %v", header, err)
		case err != nil && len(header) > 20 && strings.Contains(err.Error(), header):
			t.Errorf("the error shows the header: %v", err)
		}
	})
}

// What the database holds for a retry may have been written by somebody else.
func FuzzSealed(f *testing.F) {
	f.Add("", "a retry key of 20...")
	f.Add(auth.SealedFor("a retry key of 20..."), "a retry key of 20...")
	f.Fuzz(func(t *testing.T, sealed, key string) {
		if auth.OpensSealed(sealed, key) {
			t.Errorf("%q is opened with %q", sealed, key)
		}
	})
}
