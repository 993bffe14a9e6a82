package codec_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/fault"
)

// unusual has members that only the fallback library reads.
type unusual struct {
	Any     any                 `json:"any,omitzero"`
	Raw     json.RawMessage     `json:"raw,omitzero"`
	Addr    netip.Addr          `json:"addr,omitzero"`
	Array   [2]int8             `json:"array,omitzero"`
	ByInt   map[int]bool        `json:"by_int,omitzero"`
	Times   map[int]time.Time   `json:"times,omitzero"`
	Structs [1]struct{ A int8 } `json:"structs,omitzero"`
	Shout   shout               `json:"shout,omitzero"`
	Addrs   []*netip.Addr       `json:"addrs,omitzero"`
	Anys    map[string][]any    `json:"anys,omitzero"`
}

// shout reads JSON its own way, null included.
type shout string

func (s *shout) UnmarshalJSON(b []byte) error {
	if len(b) > 12 {
		return errors.New("too loud: " + string(b))
	}
	*s = shout(strings.ToUpper(string(b)))
	return nil
}

func TestFallbackReads(t *testing.T) {
	t.Parallel()
	d := decoderOf[unusual](t)
	one := netip.MustParseAddr("::1")

	for body, want := range map[string]unusual{
		`{"any":null}`:                                {},
		`{"any":[1,"a",null,{"b":1.5}]}`:              {Any: []any{1.0, "a", nil, map[string]any{"b": 1.5}}},
		`{"any":9007199254740992}`:                    {Any: 9007199254740992.0},
		`{"any":1e300}`:                               {Any: 1e300},
		`{"raw":{"b": 1}}`:                            {Raw: json.RawMessage(`{"b": 1}`)},
		`{"addr":"::1","addrs":[null,"::1"]}`:         {Addr: one, Addrs: []*netip.Addr{nil, &one}},
		`{"array":[1,-1]}`:                            {Array: [2]int8{1, -1}},
		`{"by_int":{"1":true}}`:                       {ByInt: map[int]bool{1: true}},
		`{"times":{"1":"2026-11-22T18:00:00+01:00"}}`: {Times: map[int]time.Time{1: time.Date(2026, 11, 22, 17, 0, 0, 0, time.UTC)}},
		`{"structs":[{"A":1}]}`:                       {Structs: [1]struct{ A int8 }{{1}}},
		`{"shout":{"a":1}}`:                           {Shout: `{"A":1}`},
		`{"shout":null}`:                              {Shout: `NULL`},
		`{"anys":{"a":[1,true]}}`:                     {Anys: map[string][]any{"a": {1.0, true}}},
	} {
		var got unusual
		if err := d.Decode([]byte(body), &got); err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if diff := cmp.Diff(want, got, sameValue); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
}

func TestFallbackReportsViolations(t *testing.T) {
	t.Parallel()
	d := decoderOf[unusual](t)

	for body, want := range map[string]string{
		`{"any":9007199254740993}`:                           `/any out_of_range`,
		`{"any":{"a":[-1e999]}}`:                             `/any/a/0 out_of_range`,
		`{"addr":"secret"}`:                                  `/addr format`,
		`{"addr":1}`:                                         `/addr type`,
		`{"addr":null}`:                                      `/addr null`,
		`{"addrs":["::1","secret"]}`:                         `/addrs/1 format`,
		`{"array":null}`:                                     `/array null`,
		`{"array":[1,"secret"]}`:                             `/array/1 format`,
		`{"array":[1]}`:                                      `/array type`,
		`{"by_int":{"secret":true}}`:                         `/by_int/secret format`,
		`{"times":{"1":"2026-11-22T5:00:00Z"}}`:              `/times/1 format`,
		`{"structs":[{"a":1}]}`:                              `/structs/0/a unknown`,
		`{"structs":[{"A":1000}]}`:                           `/structs/0/A out_of_range`,
		`{"shout":"secret secret"}`:                          `/shout format`,
		`{"any":{"` + strings.Repeat("x", 100) + `":1e999}}`: `/any/` + strings.Repeat("x", 64) + ` out_of_range`,
	} {
		var got unusual
		err := d.Decode([]byte(body), &got)
		var bad fault.Violations
		if !errors.As(err, &bad) {
			t.Errorf("%s: got %v, want violations", body, err)
			continue
		}
		if list := strings.TrimPrefix(bad.Error(), "invalid: "); list != want {
			t.Errorf("%s:\n got %s\nwant %s", body, list, want)
		}
		for _, v := range bad {
			if strings.Contains(v.Detail, "secret") {
				t.Errorf("%s: the detail %q repeats what was sent", body, v.Detail)
			}
		}
	}
}
