package oidc

import (
	"bytes"
	"testing"
	"time"
)

// What a browser brings opens only if this app has sealed it, and then it is
// what was sealed.
func FuzzFlowCookie(f *testing.F) {
	s := &SignIn{key: bytes.Repeat([]byte{7}, 32), now: time.Now}
	mine := flow{Provider: "corp", State: "s", Nonce: "n", Verifier: "v", ReturnTo: "/", Until: 1 << 40}
	good, err := s.seal(mine)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[1:])
	f.Add(good + "=")
	f.Add("")
	f.Fuzz(func(t *testing.T, value string) {
		got, err := s.open(value)
		if err == nil && got != mine { // a seed is another process's, which has the same key
			t.Errorf("%q opens as %+v", value, got)
		}
	})
	if got, err := s.open(good); err != nil || got != mine {
		f.Errorf("what was sealed opens as %+v, %v", got, err)
	}
	if _, err := s.open(good + "\n"); err == nil {
		f.Error("there are two ways to write a flow")
	}
}
