package input_test

import (
	"encoding/json"
	"testing"

	"github.com/ashlar-go/ashlar/internal/input"
)

func TestPlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		members string
		inBody  bool
		target  string
		body    string
	}{
		"nothing else":   {`{"id":"a/b"}`, true, "/v1/things/a%2Fb", ""},
		"into the body":  {`{"id":7,"amount":1,"tags":["x"]}`, true, "/v1/things/7", `{"amount":1,"tags":["x"]}`},
		"into the query": {`{"id":"a","limit":2,"tag":["x y","z"],"none":null}`, false, "/v1/things/a?limit=2&tag=x+y&tag=z", ""},
		"escapes":        {`{"id":"\u00e9\"","tag":"a\nb","n":-0.5e3}`, false, "/v1/things/%C3%A9%22?n=-0.5e3&tag=a%0Ab", ""},
		"no id":          {`{"id":null}`, false, "/v1/things/", ""},
		"only null":      {`{"id":"a","none":null}`, false, "/v1/things/a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			members := map[string]json.RawMessage{}
			if err := json.Unmarshal([]byte(c.members), &members); err != nil {
				t.Fatal(err)
			}
			target, body, err := input.Place("/v1/things/{id}", []string{"id"}, c.inBody, members)
			if target != c.target || string(body) != c.body || err != nil {
				t.Errorf("%s %s, %v", target, body, err)
			}
		})
	}
}
