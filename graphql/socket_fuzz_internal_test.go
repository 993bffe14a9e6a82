package graphql

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/ashlar-go/ashlar/internal/talk"
)

// silence is a socket on which nothing is asked for.
type silence struct{ sent [][]byte }

func (*silence) Request() *http.Request   { return nil }
func (*silence) Introduce(string) error   { return nil }
func (*silence) Go(func(context.Context)) {}
func (s *silence) Send(message []byte)    { s.sent = append(s.sent, message) }
func (*silence) End(*talk.Broken)         {}

// FuzzMessages has a socket take whatever comes: it answers with JSON, or ends
// with a code that the protocol has.
func FuzzMessages(f *testing.F) {
	for _, m := range []string{
		``, `{}`, `[]`, `{"type":"connection_init"}`, `{"type":"connection_init","payload":{"authorization":"Bearer x"}}`,
		`{"type":"connection_init","payload":[]}`, `{"type":"ping","payload":{"a":"\ud800"}}`, `{"type":"ping","payload":null}`, `{"type":"pong"}`,
		`{"type":"complete","id":"1"}`, `{"type":"complete"}`, `{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":{"a":1}}}`,
		`{"type":"subscribe","id":"\u0000","payload":{"query":""}}`, `{"type":"next","id":"1","payload":{}}`, "{\"type\":\"ping\"}\xff",
	} {
		f.Add([]byte(m))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		on := &silence{}
		c := protocol{&Handler{initWait: standardInitWait}}.Converse(on)
		c.Begin()
		defer c.Stop()
		err := c.Take(text)
		if err != nil {
			var broken *talk.Broken
			if !errors.As(err, &broken) || broken.Code < 4400 || broken.Code > 4429 || broken.Reason == "" || len(broken.Reason) > 123 {
				t.Errorf("%q ends with %v", text, err)
			}
		}
		for _, m := range on.sent {
			if !json.Valid(m) {
				t.Errorf("%q is answered %q", text, m)
			}
		}
	})
}
