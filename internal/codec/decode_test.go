package codec_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/rule"
)

// everything has a member of each shape that is not read by the fallback.
type everything struct {
	Bool    bool                 `json:"bool,omitzero"`
	Int     int                  `json:"int,omitzero"`
	Int8    int8                 `json:"int8,omitzero"`
	Int16   int16                `json:"int16,omitzero"`
	Int32   int32                `json:"int32,omitzero"`
	Int64   int64                `json:"int64,omitzero"`
	Uint8   uint8                `json:"uint8,omitzero"`
	Uint16  uint16               `json:"uint16,omitzero"`
	Uint32  uint32               `json:"uint32,omitzero"`
	Uint64  uint64               `json:"uint64,omitzero"`
	Float32 float32              `json:"float32,omitzero"`
	Float64 float64              `json:"float64,omitzero"`
	Text    string               `json:"text,omitzero"`
	Named   currency             `json:"named,omitzero"`
	Bytes   []byte               `json:"bytes,omitzero"`
	Time    time.Time            `json:"time,omitzero"`
	List    []int                `json:"list,omitzero"`
	Lists   [][]string           `json:"lists,omitzero"`
	Labels  map[string]string    `json:"labels,omitzero"`
	Counts  map[currency]int     `json:"counts,omitzero"`
	Cards   map[string]inner     `json:"cards,omitzero"`
	Inner   *inner               `json:"inner"`
	Inners  []inner              `json:"inners,omitzero"`
	Nodes   []*inner             `json:"nodes,omitzero"`
	Twice   **int                `json:"twice,omitzero"`
	Patch   rule.Optional[int]   `json:"patch"`
	Swap    rule.Optional[inner] `json:"swap"`
	embedded
}

type inner struct {
	A string  `json:"a"`
	B *int64  `json:"b,omitzero"`
	C []inner `json:"c,omitzero"`
}

type embedded struct {
	Deep int `json:"deep,omitzero"`
}

func TestDecodeReads(t *testing.T) {
	t.Parallel()
	d := decoderOf[everything](t)

	for body, want := range map[string]everything{
		`{}`:                            {},
		" \t\r\n{ } \n":                 {},
		`{"bool":true}`:                 {Bool: true},
		`{"bool":false}`:                {},
		`{"int":-0}`:                    {},
		`{"uint8":-0}`:                  {},
		`{"int8":-128,"int16":-32768}`:  {Int8: -128, Int16: -32768},
		`{"int8":127 ,"int16": 32767 }`: {Int8: 127, Int16: 32767},
		`{"int32":-2147483648,"int64":-9223372036854775808}`:                             {Int32: -2147483648, Int64: -9223372036854775808},
		`{"int64":9223372036854775807,"int32":2147483647}`:                               {Int32: 2147483647, Int64: 9223372036854775807},
		`{"uint8":255,"uint16":65535,"uint32":4294967295,"uint64":18446744073709551615}`: {Uint8: 255, Uint16: 65535, Uint32: 4294967295, Uint64: 18446744073709551615},
		`{"float32":1.5e3,"float64":-0.1}`:                                               {Float32: 1500, Float64: -0.1},
		`{"float64":1E-2}`:                                                               {Float64: 0.01},
		`{"text":"h\u00e9llo \ud83d\ude00 \/"}`:                                          {Text: "héllo 😀 /"},
		`{"text":"héllo 😀"}`:                                                             {Text: "héllo 😀"},
		`{"t\u0065xt":"escaped name"}`:                                                   {Text: "escaped name"},
		`{"named":"EUR"}`:                                                                {Named: "EUR"},
		`{"bytes":"AQID","list":[]}`:                                                     {Bytes: []byte{1, 2, 3}, List: []int{}},
		`{"bytes":""}`:                                                                   {Bytes: []byte{}},
		`{"time":"2026-11-22T18:00:00.5+01:00"}`:                                         {Time: time.Date(2026, 11, 22, 17, 0, 0, 5e8, time.UTC)},
		`{"list":[1, 2,3,4,5 , 6],"lists":[[],["a"],["b","c"]]}`:                         {List: []int{1, 2, 3, 4, 5, 6}, Lists: [][]string{{}, {"a"}, {"b", "c"}}},
		`{"labels":{},"counts":{"EUR":1,"USD":2}}`:                                       {Labels: map[string]string{}, Counts: map[currency]int{"EUR": 1, "USD": 2}},
		`{"labels":{"a":"b","":" "}}`:                                                    {Labels: map[string]string{"a": "b", "": " "}},
		`{"cards":{"x":{"a":"1"},"y":{"a":"2","b":3}}}`:                                  {Cards: map[string]inner{"x": {A: "1"}, "y": {A: "2", B: new(int64(3))}}},
		`{"inner":null}`:                                                                 {},
		`{"inner":{"a":"x","b":null,"c":[{"a":"y"}]}}`:                                   {Inner: &inner{A: "x", C: []inner{{A: "y"}}}},
		`{"inners":[{"a":"x"},{"a":"y"}]}`:                                               {Inners: []inner{{A: "x"}, {A: "y"}}},
		`{"nodes":[null,{"a":"x"}]}`:                                                     {Nodes: []*inner{nil, {A: "x"}}},
		`{"twice":7}`:                                                                    {Twice: new(new(7))},
		`{"patch":null}`:                                                                 {Patch: rule.Null[int]()},
		`{"patch":0}`:                                                                    {Patch: rule.Some(0)},
		`{"swap":{"a":"x"}}`:                                                             {Swap: rule.Some(inner{A: "x"})},
		`{"deep":1}`:                                                                     {embedded: embedded{Deep: 1}},
		`{"deep":1,"bool":true,"text":"any order"}`:                                      {Bool: true, Text: "any order", embedded: embedded{Deep: 1}},
	} {
		var got everything
		if err := d.Decode([]byte(body), &got); err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(everything{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
}

func TestDecodeRefusesWhatIsNotJSON(t *testing.T) {
	t.Parallel()
	d := decoderOf[everything](t)

	for body, offset := range map[string]int{
		``:                           0,
		` `:                          1,
		"\ufeff{}":                   0,
		`{`:                          1,
		`{"bool":true`:               12,
		`{"bool":true,}`:             13,
		`{"bool":tru}`:               11,
		`{"bool":True}`:              8,
		`{"bool" true}`:              8,
		`{bool:true}`:                1,
		`{'bool':true}`:              1,
		`{"int":01}`:                 8,
		`{"int":+1}`:                 7,
		`{"int":1.}`:                 9,
		`{"int":.1}`:                 7,
		`{"int":-}`:                  8,
		`{"float64":1e}`:             13,
		`{"float64":NaN}`:            11,
		`{"list":[1,]}`:              11,
		`{"list":[1 2]}`:             11,
		`{"list":[1}`:                10,
		"{\"text\":\"\x01\"}":        9,
		"{\"text\":\"a\tb\"}":        10,
		"{\"text\":\"\xff\"}":        9,
		"{\"text\":\"\\n\xff\"}":     11,
		`{"text":"\ud800"}`:          9,
		`{"text":"\ud800\u0041"}`:    9,
		`{"text":"\udc00\ud800"}`:    9,
		`{"text":"\x"}`:              9,
		`{"text":"\u12"}`:            9,
		`{"text":"abc`:               12,
		`{"text":"abc\`:              13,
		`{} {}`:                      3,
		`{},`:                        2,
		`{"int":1,"int":1}`:          9,
		`{"int":1,"\u0069nt":1}`:     9,
		`{"x":1,"x":2}`:              7,
		`{"x":{"y":1,"y":2}}`:        12,
		`{"int":{"y":1,"y":2}}`:      14,
		`{"labels":{"a":"","a":""}}`: 18,
		`{"counts":{"a":1,"a":2}}`:   17,
		`[`:                          1,
		`"`:                          1,
		"{\"text\":\"a\" /* no */}":  12,
		"{}\x00":                     2,
		strings.Repeat("[", 100):     64,
		`{"x":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `} 1`: 133,
		`{"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`:   68,
	} {
		var got everything
		err := d.Decode([]byte(body), &got)
		var syntax *codec.Syntax
		if !errors.As(err, &syntax) {
			t.Errorf("%q: got %v, want a syntax error", body, err)
			continue
		}
		if syntax.Offset != offset {
			t.Errorf("%q: stopped at %d, want %d: %v", body, syntax.Offset, offset, err)
		}
		if coded, ok := fault.Of(err); !ok || coded.Status() != 400 {
			t.Errorf("%q: carries %v, want a fault that answers 400", body, coded)
		}
	}
}

func TestDecodeReportsAllViolations(t *testing.T) {
	t.Parallel()
	d := decoderOf[everything](t)

	for body, want := range map[string]string{
		`[]`:                                    ` type`,
		`null`:                                  ` null`,
		`"text"`:                                ` type`,
		`{"x":1}`:                               `/x unknown`,
		`{"a/b~c":1}`:                           `/a~1b~0c unknown`,
		`{"Bool":true}`:                         `/Bool unknown`,
		`{"bool":1,"int":true}`:                 `/bool type; /int type`,
		`{"bool":null}`:                         `/bool null`,
		`{"int":1.0}`:                           `/int type`,
		`{"int":1e2}`:                           `/int type`,
		`{"int":"1"}`:                           `/int type`,
		`{"int8":128}`:                          `/int8 out_of_range`,
		`{"int8":-129}`:                         `/int8 out_of_range`,
		`{"int64":9223372036854775808}`:         `/int64 out_of_range`,
		`{"int64":-9223372036854775809}`:        `/int64 out_of_range`,
		`{"int64":99999999999999999999999}`:     `/int64 out_of_range`,
		`{"uint8":-1}`:                          `/uint8 out_of_range`,
		`{"uint8":256}`:                         `/uint8 out_of_range`,
		`{"uint64":18446744073709551616}`:       `/uint64 out_of_range`,
		`{"float32":1e39}`:                      `/float32 out_of_range`,
		`{"float64":1e309}`:                     `/float64 out_of_range`,
		`{"float64":"1"}`:                       `/float64 type`,
		`{"text":1}`:                            `/text type`,
		`{"text":"\u0007"}`:                     `/text control_character`,
		`{"bytes":"AQI"}`:                       `/bytes format`,
		`{"bytes":"AQ==\n"}`:                    `/bytes format`,
		`{"bytes":"AR=="}`:                      `/bytes format`,
		`{"time":"2026-11-22"}`:                 `/time format`,
		`{"time":"2026-11-22T25:00:00Z"}`:       `/time format`,
		`{"time":"2026-11-22T5:00:00Z"}`:        `/time format`,
		`{"time":1}`:                            `/time type`,
		`{"list":{}}`:                           `/list type`,
		`{"list":[1,"2",null,4.5]}`:             `/list/1 type; /list/2 null; /list/3 type`,
		`{"lists":[["a"],[1]]}`:                 `/lists/1/0 type`,
		`{"labels":[]}`:                         `/labels type`,
		`{"labels":{"a":1,"b":null}}`:           `/labels/a type; /labels/b null`,
		`{"labels":{"\u0000":""}}`:              "/labels/\x00 control_character",
		`{"counts":{"a":"1"}}`:                  `/counts/a type`,
		`{"inner":{}}`:                          `/inner/a required`,
		`{"inner":{"a":"","z":1}}`:              `/inner/z unknown`,
		`{"inner":{"c":[{"c":[{}]}]}}`:          `/inner/c/0/c/0/a required; /inner/c/0/a required; /inner/a required`,
		`{"cards":{"x":{},"y":3}}`:              `/cards/x/a required; /cards/y type`,
		`{"nodes":[{"a":1}]}`:                   `/nodes/0/a type`,
		`{"patch":"1"}`:                         `/patch type`,
		`{"swap":{}}`:                           `/swap/a required`,
		`{"twice":"x"}`:                         `/twice type`,
		`{"` + strings.Repeat("é", 40) + `":1}`: `/` + strings.Repeat("é", 32) + ` unknown`,
	} {
		var got everything
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
			if !strings.HasPrefix(v.Detail, "must ") && !strings.HasPrefix(v.Detail, "is ") {
				t.Errorf("%s: detail %q is no sentence", body, v.Detail)
			}
		}
	}
}

func TestDecodeChecksRules(t *testing.T) {
	t.Parallel()
	d := decoderOf[authorize](t)

	var in authorize
	err := d.Decode([]byte(`{"amount":0,"currency":"XXX","card":{"number":"4242","exp_month":13,"exp_year":2030},"reference":"a b","merchant_id":7}`), &in)
	want := "invalid: /amount out_of_range; /currency not_one_of; /card/number too_short; /card/exp_month out_of_range; /card/cvc required; /reference pattern; /merchant_id type"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	in = authorize{}
	if err := d.Decode([]byte(authorizeBody), &in); err != nil {
		t.Error(err)
	}
	if in.Card.Number != "4242424242424242" || in.Metadata["channel"] != "web" || !in.Capture {
		t.Errorf("got %+v", in)
	}
}
