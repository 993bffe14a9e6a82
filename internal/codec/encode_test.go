package codec_test

import (
	"bytes"
	"encoding/json"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/rule"
)

type output struct {
	Text     string             `json:"text,omitzero"`
	Empty    string             `json:"empty,omitempty"`
	Float    float64            `json:"float,omitzero"`
	Small    float32            `json:"small,omitzero"`
	List     []string           `json:"list,omitzero"`
	NoList   []string           `json:"no_list,omitempty"`
	Labels   map[string]string  `json:"labels,omitzero"`
	Counts   map[currency]int8  `json:"counts,omitzero"`
	NoCounts map[currency]int8  `json:"no_counts,omitempty"`
	Bytes    []byte             `json:"bytes,omitzero"`
	Time     time.Time          `json:"time,omitzero"`
	Pointer  *int               `json:"pointer,omitzero"`
	Patch    rule.Optional[int] `json:"patch"`
	Any      any                `json:"any,omitzero"`
	Addr     netip.Addr         `json:"addr,omitzero"`
	Raw      json.RawMessage    `json:"raw,omitzero"`
	Inner    inner              `json:"inner,omitzero"`
	Moments  []*time.Time       `json:"moments,omitzero"`
	Array    [2]bool            `json:"array,omitzero"`
	Natural  uint16             `json:"natural,omitzero"`
	Bool     bool               `json:"bool,omitzero"`
	Zero     zeroed             `json:"zero,omitzero"`
}

// zeroed has its own idea of zero.
type zeroed struct {
	N int `json:"n"`
}

func (z zeroed) IsZero() bool { return z.N == 7 }

func TestEncodeWrites(t *testing.T) {
	t.Parallel()
	e := encoderOf[output](t)
	moment := time.Date(2026, 11, 22, 18, 0, 0, 999_999_999, time.FixedZone("", 3600))

	for _, c := range []struct {
		v    output
		want string
	}{
		{output{Zero: zeroed{7}}, `{}`},
		{output{}, `{"zero":{"n":0}}`},
		{output{Text: "a"}, `{"text":"a"}`},
		{output{Text: "<a href=\"x\">&'\\\b\f\n\r\t\x00\x1f\x7f\u2028é😀"}, `{"text":"<a href=\"x\">&'\\\b\f\n\r\t\u0000\u001f` + "\x7f\u2028é😀" + `"}`},
		{output{Text: "a\xffb\xe2\x80"}, `{"text":"a�b��"}`},
		{output{Float: 0.1, Small: 0.1}, `{"float":0.1,"small":0.1}`},
		{output{Float: 1e21, Small: 1e-7}, `{"float":1e+21,"small":1e-7}`},
		{output{Float: 1e20, Small: 1e-6}, `{"float":100000000000000000000,"small":0.000001}`},
		{output{Float: math.MaxFloat64}, `{"float":1.7976931348623157e+308}`},
		{output{Float: math.Copysign(0, -1)}, `{"float":-0}`},
		{output{List: []string{}, NoList: []string{}}, `{"list":[]}`},
		{output{List: []string{"a", "b"}}, `{"list":["a","b"]}`},
		{output{Labels: map[string]string{}, Counts: map[currency]int8{}, NoCounts: map[currency]int8{}}, `{"labels":{},"counts":{}}`},
		{output{Labels: map[string]string{"b": "2", "a": "1"}, Counts: map[currency]int8{"USD": -1, "EUR": 1}}, `{"labels":{"a":"1","b":"2"},"counts":{"EUR":1,"USD":-1}}`},
		{output{Bytes: []byte{}}, `{"bytes":""}`},
		{output{Bytes: []byte{1, 2, 255}}, `{"bytes":"AQL/"}`},
		{output{Time: moment}, `{"time":"2026-11-22T17:00:00.999Z"}`},
		{output{Time: time.Date(1, 2, 3, 4, 5, 6, 7e6, time.UTC)}, `{"time":"0001-02-03T04:05:06.007Z"}`},
		{output{Pointer: new(0)}, `{"pointer":0}`},
		{output{Patch: rule.Null[int]()}, `{"patch":null}`},
		{output{Patch: rule.Some(0)}, `{"patch":0}`},
		{output{Any: map[string]any{"b": []any{1, "x<"}, "a": moment}}, `{"any":{"a":"2026-11-22T17:00:00.999Z","b":[1,"x<"]}}`},
		{output{Addr: netip.MustParseAddr("::1")}, `{"addr":"::1"}`},
		{output{Raw: json.RawMessage(`{"z":1,"a":2}`)}, `{"raw":{"z":1,"a":2}}`},
		{output{Inner: inner{A: "x"}}, `{"inner":{"a":"x"}}`},
		{output{Moments: []*time.Time{nil, &moment}}, `{"moments":[null,"2026-11-22T17:00:00.999Z"]}`},
		{output{Array: [2]bool{true, false}, Natural: 65535, Bool: true}, `{"array":[true,false],"natural":65535,"bool":true}`},
	} {
		if c.want != `{"zero":{"n":0}}` {
			c.v.Zero.N = 7
		}
		got, err := e.Append([]byte("x"), &c.v)
		if err != nil {
			t.Errorf("%s: %v", c.want, err)
			continue
		}
		if string(got) != "x"+c.want {
			t.Errorf("\n got %s\nwant x%s", got, c.want)
		}
	}
}

func TestEncodeKeepsNilApartFromAbsent(t *testing.T) {
	t.Parallel()
	type plain struct {
		List   []int              `json:"list"`
		Labels map[string]string  `json:"labels"`
		Counts map[string]int     `json:"counts"`
		Bytes  []byte             `json:"bytes"`
		Inner  *inner             `json:"inner"`
		Any    any                `json:"any"`
		Time   time.Time          `json:"time"`
		Patch  rule.Optional[int] `json:"patch"`
	}
	got, err := encoderOf[plain](t).Append(nil, &plain{})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"list":[],"labels":{},"counts":{},"bytes":"","inner":null,"any":null,"time":"0001-01-01T00:00:00.000Z"}`
	if string(got) != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// failing can be read, not written.
type failing struct{ Name string }

func (f failing) MarshalText() ([]byte, error) { return nil, &time.ParseError{} }

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	type cycle struct {
		Next  *cycle           `json:"next,omitzero"`
		Nexts []*cycle         `json:"nexts,omitzero"`
		Named map[string]cycle `json:"named,omitzero"`
	}
	ring, wheel, named := &cycle{}, &cycle{}, cycle{Named: map[string]cycle{}}
	ring.Next = &cycle{Next: ring}
	wheel.Nexts = []*cycle{{}, wheel}
	named.Named["x"] = named

	out := encoderOf[output](t)
	ringed := encoderOf[cycle](t)
	for name, write := range map[string]func(dst []byte) ([]byte, error){
		"NaN":                 func(dst []byte) ([]byte, error) { return out.Append(dst, &output{Float: math.NaN()}) },
		"infinity":            func(dst []byte) ([]byte, error) { return out.Append(dst, &output{Small: float32(math.Inf(-1))}) },
		"NaN in an any":       func(dst []byte) ([]byte, error) { return out.Append(dst, &output{Any: []any{math.NaN()}}) },
		"a channel in an any": func(dst []byte) ([]byte, error) { return out.Append(dst, &output{Any: make(chan int)}) },
		"raw text, not JSON":  func(dst []byte) ([]byte, error) { return out.Append(dst, &output{Raw: json.RawMessage(`{`)}) },
		"the year 10000": func(dst []byte) ([]byte, error) {
			return out.Append(dst, &output{Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})
		},
		"the year -1": func(dst []byte) ([]byte, error) {
			return out.Append(dst, &output{Time: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)})
		},
		"a ring of pointers":   func(dst []byte) ([]byte, error) { return ringed.Append(dst, ring) },
		"a ring through lists": func(dst []byte) ([]byte, error) { return ringed.Append(dst, wheel) },
		"a ring through maps":  func(dst []byte) ([]byte, error) { return ringed.Append(dst, &named) },
		"another type":         func(dst []byte) ([]byte, error) { return out.Append(dst, ring) },
		"a value":              func(dst []byte) ([]byte, error) { return out.Append(dst, output{}) },
		"a nil pointer":        func(dst []byte) ([]byte, error) { return out.Append(dst, (*output)(nil)) },
		"nil":                  func(dst []byte) ([]byte, error) { return out.Append(dst, nil) },
		"a method that fails":  func(dst []byte) ([]byte, error) { return encoderOf[[]failing](t).Append(dst, &[]failing{{}}) },
	} {
		got, err := write([]byte("before"))
		if err == nil {
			t.Errorf("%s is written as %s", name, got)
		}
		if string(got) != "before" {
			t.Errorf("%s: the buffer holds %q", name, got)
		}
	}
}

func TestEncodeIsDeterministic(t *testing.T) {
	t.Parallel()
	e := encoderOf[output](t)
	v := output{Labels: map[string]string{}, Counts: map[currency]int8{}, Any: map[string]any{}}
	for i := range 40 {
		key := strings.Repeat("k", i)
		v.Labels[key], v.Counts[currency(key)], v.Any.(map[string]any)[key] = key, int8(i), i
	}
	first, err := e.Append(nil, &v)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, err := e.Append(nil, &v); err != nil || !bytes.Equal(again, first) {
			t.Fatalf("the same value is written as\n%s\nand\n%s\n%v", first, again, err)
		}
	}
}
