package rule_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/rule"
)

type named struct {
	Name string `json:"name"`
}

func (n *named) Rules(r *rule.Set) { rule.Text(r, &n.Name).Len(1, 3) }

// TestBlank goes by what the decoder says.
func TestBlank(t *testing.T) {
	t.Parallel()
	described, err := rule.Describe(reflect.TypeFor[named]())
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := codec.CompileDecoder(described)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]bool{
		`{}`:                         true,
		`{"name":null}`:              true,
		`{"name":""}`:                true,
		`{"name":"much"}`:            false,
		`{"name":7}`:                 false,
		`{"name":"a","other":""}`:    false,
		`{"name":"\u0000"}`:          false,
		`{"name":["an empty name"]}`: false,
	} {
		var v fault.Violations
		if err := decoder.Decode([]byte(body), new(named)); !errors.As(err, &v) || len(v) != 1 || rule.Blank(v[0]) != want {
			t.Errorf("%s is blank: %v (%v)", body, !want, err)
		}
	}
}
