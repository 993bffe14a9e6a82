package codec_test

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/rule"
)

// mirrored is read alike by this package and by the library. It has no
// required members, because the library knows none.
type mirrored struct {
	Bool    bool                 `json:"bool,omitzero"`
	Int8    int8                 `json:"int8,omitzero"`
	Int16   int16                `json:"int16,omitzero"`
	Int32   int32                `json:"int32,omitzero"`
	Int     int                  `json:"int,omitzero"`
	Int64   *int64               `json:"int64"`
	Uint8   uint8                `json:"uint8,omitzero"`
	Uint16  uint16               `json:"uint16,omitzero"`
	Uint32  uint32               `json:"uint32,omitzero"`
	Uint64  uint64               `json:"uint64,omitzero"`
	Float32 float32              `json:"float32,omitzero"`
	Float64 float64              `json:"float64,omitzero"`
	Text    string               `json:"text,omitzero"`
	Odd     named                `json:"odd/é,omitzero"`
	Bytes   []byte               `json:"bytes,omitzero"`
	Time    time.Time            `json:"time,omitzero"`
	List    []int                `json:"list,omitzero"`
	Texts   []string             `json:"texts,omitempty"`
	Labels  map[string]string    `json:"labels,omitzero"`
	Counts  map[named]float64    `json:"counts,omitzero"`
	Self    *mirrored            `json:"self"`
	Selves  []mirrored           `json:"selves,omitzero"`
	ByName  map[string]mirrored  `json:"by_name,omitzero"`
	Nodes   []*mirrored          `json:"nodes,omitzero"`
	Any     any                  `json:"any,omitzero"`
	Anys    map[string]any       `json:"anys,omitzero"`
	Pair    [2]int16             `json:"pair,omitzero"`
	Numbers map[int]string       `json:"numbers,omitzero"`
	Addr    netip.Addr           `json:"addr,omitzero"`
	Moments map[string]time.Time `json:"moments,omitzero"`
	mirroredInner
}

type named string

type mirroredInner struct {
	X bool `json:"x,omitzero"`
	Y struct {
		Z uint `json:"z,omitzero"`
	} `json:"y,omitzero"`
}

var sameValue = cmp.Options{
	cmp.AllowUnexported(mirrored{}),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
}

// compared is one type that both read.
type compared struct {
	decoder *codec.Decoder
	encoder *codec.Encoder
	fresh   func() any
}

func comparedTypes(f *testing.F) []compared {
	f.Helper()
	var all []compared
	for _, typ := range []reflect.Type{
		reflect.TypeFor[mirrored](), reflect.TypeFor[any](), reflect.TypeFor[[]mirroredInner](), reflect.TypeFor[map[string][]float32](),
		reflect.TypeFor[[]string](), reflect.TypeFor[int64](), reflect.TypeFor[uint64](), reflect.TypeFor[time.Time](),
	} {
		described, err := rule.Describe(typ)
		if err != nil {
			f.Fatal(err)
		}
		c := compared{fresh: func() any { return reflect.New(typ).Interface() }}
		if c.decoder, err = codec.CompileDecoder(described); err != nil {
			f.Fatal(err)
		}
		if c.encoder, err = codec.CompileEncoder(described); err != nil {
			f.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// stricter are the codes of what this package refuses on purpose and the
// library accepts: null where there is no pointer, whole numbers in an any
// that a float64 cannot hold, controls and lengths of texts, which are
// bounded without being asked, and base64 whose unused bits are not zero.
func stricter(bad fault.Violations) bool {
	for _, v := range bad {
		switch {
		case v.Code == "null", v.Code == "control_character", v.Code == "too_long":
			return true
		case v.Code == "format" && strings.HasPrefix(v.Detail, "must be base64"):
			return true
		case v.Code == "out_of_range" && strings.HasPrefix(v.Detail, "must be between -9007199254740992"):
			return true
		}
	}
	return false
}

var seeds = []string{
	`{}`, `null`, `[]`, `""`, `0`, `-0`, `18446744073709551615`, `-9223372036854775808`, `1.0`, `1e1`, `"2026-11-22T17:00:00.123Z"`,
	`{"bool":true,"int8":-128,"int16":1,"int32":2,"int":-3,"int64":null,"uint8":255,"uint64":18446744073709551615,"float32":1.5,"float64":-1e-9,"text":"h\u00e9\n\ud83d\ude00é"}`,
	`{"odd/é":"x","bytes":"AQID","time":"2026-11-22T17:00:00+01:00","list":[1,2,3,4,5],"texts":["a"],"labels":{"a":"b"},"counts":{"a":1}}`,
	`{"self":{"self":{"selves":[{},{"x":true,"y":{"z":1}}]}},"by_name":{"a":{"int":1}},"nodes":[null,{"text":"x"}]}`,
	`{"any":{"a":[1,"b",null,true,1.5e3]},"anys":{"a":{"b":1}},"pair":[1,2],"numbers":{"1":"a"},"addr":"::1","moments":{"a":"2026-11-22T17:00:00Z"}}`,
	`{"unknown":{"a":1,"a":2}}`, `{"Bool":true}`, `{"int8":128}`, `{"list":null}`, `[{"x":true},{"y":{}}]`, `{"a":[1,2.5,3e38]}`, `["a","\u0000"]`,
	`{"any":9007199254740993}`, `{"pair":[1]}`, `{"addr":"x"}`, `{"bytes":"AR=="}`, `{"x":1}{`, "\ufeff{}", "\"\xff\"", `"\ud800"`,
}

// FuzzDecode holds the decoder to the library: both take the same texts for
// JSON, the same JSON for valid, and read the same value from it.
func FuzzDecode(f *testing.F) {
	types := comparedTypes(f)
	for _, seed := range seeds {
		for kind := range types {
			f.Add(uint8(kind), []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		c := types[int(kind)%len(types)]
		ours, theirs := c.fresh(), c.fresh()
		err := c.decoder.Decode(body, ours)

		var syntax *codec.Syntax
		var bad fault.Violations
		switch malformed := errors.As(err, &syntax); {
		case malformed && strings.Contains(syntax.Reason, "nested too deep"):
			return // the library reads deeper
		case malformed != !jsontext.Value(body).IsValid():
			t.Fatalf("we say %v, the library says that it is valid: %t", err, malformed)
		case malformed:
			return
		case err != nil && !errors.As(err, &bad):
			t.Fatalf("%v is neither a syntax error nor violations", err)
		}
		for _, v := range bad {
			if v.Code == "" || v.Detail == "" || v.Pointer != "" && v.Pointer[0] != '/' || !jsontext.Pointer(v.Pointer).IsValid() {
				t.Fatalf("bad violation %+v", v)
			}
		}
		if stricter(bad) {
			return
		}
		theirErr := jsonv2.Unmarshal(body, theirs, jsonv2.RejectUnknownMembers(true))
		switch {
		case err == nil && theirErr != nil && strings.Contains(string(body), "-0"):
			return // -0 is 0 for us, for naturals too
		case (err == nil) != (theirErr == nil):
			t.Fatalf("we say %v, the library says %v", err, theirErr)
		case err != nil:
			return
		}
		if diff := cmp.Diff(theirs, ours, sameValue); diff != "" {
			t.Fatalf("(-theirs +ours):\n%s", diff)
		}
	})
}

// theirTime is how the library is told to write times as this package does.
var theirTime = jsonv2.WithMarshalers(jsonv2.MarshalToFunc(func(e *jsontext.Encoder, v time.Time) error {
	return e.WriteToken(jsontext.String(v.UTC().Format("2006-01-02T15:04:05.000Z")))
}))

// FuzzEncode holds the encoder to the library: both write the same bytes, and
// what we write is read back as the value.
func FuzzEncode(f *testing.F) {
	types := comparedTypes(f)
	for _, seed := range seeds {
		for kind := range types {
			f.Add(uint8(kind), []byte(seed), "\xff\x00\u2028<>&", 1e21)
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte, text string, number float64) {
		c := types[int(kind)%len(types)]
		v := c.fresh()
		if err := jsonv2.Unmarshal(body, v); err != nil {
			return
		}
		switch v := v.(type) {
		case *mirrored:
			v.Text, v.Float64, v.Float32 = text, number, float32(number)
			v.Labels = map[string]string{"a": text, "b": "", text: "c"}
		case *[]string:
			*v = append(*v, text)
		case *map[string][]float32:
			*v = map[string][]float32{text: {float32(number)}}
		}
		ours, err := c.encoder.Append([]byte("before"), v)
		theirs, theirErr := jsonv2.Marshal(v, jsonv2.Deterministic(true), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true), theirTime)
		if (err == nil) != (theirErr == nil) {
			t.Fatalf("we say %v, the library says %v", err, theirErr)
		}
		if err != nil {
			if string(ours) != "before" {
				t.Fatalf("after %v the buffer holds %q", err, ours)
			}
			return
		}
		if got, want := string(ours), "before"+string(theirs); got != want {
			t.Fatalf("we write\n%s\nthe library writes\n%s", got, want)
		}
		back := c.fresh()
		if err := jsonv2.Unmarshal(ours[len("before"):], back, jsontext.AllowDuplicateNames(true)); err != nil {
			t.Fatalf("the library cannot read %s: %v", ours[len("before"):], err)
		}
		again, err := c.encoder.Append([]byte("before"), back)
		if err != nil || !bytes.Equal(again, ours) && utf8.ValidString(text) { // two keys may become one
			t.Fatalf("read back and written again it is\n%s\nbefore\n%s\n%v", again, ours, err)
		}
	})
}
