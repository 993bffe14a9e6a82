package auth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
)

func TestBearer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		headers []string
		token   string
		present bool
		bad     bool
	}{
		"no header":               {},
		"a token":                 {[]string{"Bearer abc.DEF-1_2~3+4/5=="}, "abc.DEF-1_2~3+4/5==", true, false},
		"another case":            {[]string{"bEARER abc"}, "abc", true, false},
		"several spaces":          {[]string{"Bearer   abc "}, "abc", true, false},
		"another scheme":          {[]string{"Basic dTpw"}, "", false, false},
		"a scheme that starts so": {[]string{"BearerX abc"}, "", false, false},
		"an empty header":         {[]string{""}, "", false, false},
		"no token":                {[]string{"Bearer"}, "", true, true},
		"a space for a token":     {[]string{"Bearer  "}, "", true, true},
		"padding for a token":     {[]string{"Bearer =="}, "", true, true},
		"two tokens":              {[]string{"Bearer a b"}, "", true, true},
		"two tokens in a list":    {[]string{"Bearer a, Bearer b"}, "", true, true},
		"a tab":                   {[]string{"Bearer a\tb"}, "", true, true},
		"quotes":                  {[]string{`Bearer "a"`}, "", true, true},
		"padding inside":          {[]string{"Bearer a=b"}, "", true, true},
		"a letter beyond ASCII":   {[]string{"Bearer é"}, "", true, true},
		"a NUL":                   {[]string{"Bearer a\x00"}, "", true, true},
		"two headers":             {[]string{"Bearer a", "Bearer a"}, "", true, true},
	} {
		r := httptest.NewRequest(http.MethodGet, "/?access_token=query", strings.NewReader("access_token=body"))
		r.Header["Authorization"] = c.headers
		token, present, err := auth.Bearer(r)
		if token != c.token || present != c.present || errors.Is(err, auth.ErrToken) != c.bad {
			t.Errorf("%s: %q, %t, %v", name, token, present, err)
		}
	}
}

func TestChallenge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("broken"), ""},
		{fault.ErrNotFound, ""},
		{fault.ErrUnauthenticated, `Bearer realm="api"`},
		{auth.ErrSignIn.Wrap(errors.New("why")), `Bearer realm="api"`},
		{auth.ErrToken, `Bearer realm="api", error="invalid_token"`},
		{auth.ErrToken.Wrap(errors.New("why")), `Bearer realm="api", error="invalid_token"`},
		{fault.ErrDenied, `Bearer realm="api", error="insufficient_scope"`},
	} {
		if got := auth.Challenge(c.err); got != c.want {
			t.Errorf("Challenge(%v) = %q, want %q", c.err, got, c.want)
		}
	}
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer abc")
	f.Add("bearer  a=")
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Authorization": {header}}}
		token, present, err := auth.Bearer(r)
		if token != "" && (err != nil || !present || !strings.Contains(header, token) || strings.ContainsAny(token, " \t\r\n\x00\",")) {
			t.Fatalf("%q: %q, %t, %v", header, token, present, err)
		}
	})
}
