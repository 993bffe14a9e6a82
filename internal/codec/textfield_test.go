package codec_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/rule"
)

// search is an input that comes from a path, a query and a body at once.
type search struct {
	ID     string              `json:"id"`
	Limit  int                 `json:"limit,omitzero"`
	Page   *uint8              `json:"page"`
	Ratio  float32             `json:"ratio,omitzero"`
	Deep   bool                `json:"deep,omitzero"`
	Codes  []currency          `json:"codes,omitzero"`
	After  time.Time           `json:"after,omitzero"`
	Hash   []byte              `json:"hash,omitzero"`
	From   *netip.Addr         `json:"from"`
	Flag   rule.Optional[bool] `json:"flag"`
	Note   string              `json:"note,omitzero"`
	Card   *inner              `json:"card"`
	Extras map[string]string   `json:"extras,omitzero"`
	Amount int                 `json:"amount"`
}

func (s *search) Rules(r *rule.Set) {
	rule.Text(r, &s.ID).Len(3, 8)
	rule.Number(r, &s.Limit).Between(1, 100)
	rule.Items(r, &s.Codes).Len(0, 3).Unique()
}

type given struct {
	name  string
	texts []string
}

func read(t *testing.T, dst *search, body string, texts ...given) error {
	t.Helper()
	d := decoderOf[search](t)
	names := make([]string, len(texts))
	for i, g := range texts {
		names[i] = g.name
	}
	d, err := d.Elsewhere(names...)
	if err != nil {
		t.Fatal(err)
	}
	r := d.Begin(dst)
	for _, g := range texts {
		f, err := d.Field(g.name)
		if err != nil {
			t.Fatal(err)
		}
		r.Text(f, g.texts...)
	}
	if body != "" {
		if err := r.Body([]byte(body)); err != nil {
			return err
		}
	}
	return r.Finish()
}

func TestTextFillsMembers(t *testing.T) {
	t.Parallel()

	var got search
	err := read(t, &got, `{"amount":7,"note":"from the body"}`,
		given{"id", []string{"pay_1"}}, given{"limit", []string{"100"}}, given{"page", []string{"-0"}},
		given{"ratio", []string{"2.5e-1"}}, given{"deep", []string{"true"}}, given{"codes", []string{"EUR", "USD"}},
		given{"after", []string{"2026-11-22T18:00:00+01:00"}}, given{"hash", []string{"AQI="}}, given{"from", []string{"::1"}},
		given{"flag", []string{"false"}})
	if err != nil {
		t.Fatal(err)
	}
	want := search{
		ID: "pay_1", Limit: 100, Page: new(uint8(0)), Ratio: 0.25, Deep: true, Codes: []currency{"EUR", "USD"},
		After: time.Date(2026, 11, 22, 17, 0, 0, 0, time.UTC), Hash: []byte{1, 2}, From: new(netip.MustParseAddr("::1")),
		Flag: rule.Some(false), Note: "from the body", Amount: 7,
	}
	if diff := cmp.Diff(want, got, sameValue); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTextsAndBodyAreRefusedTogether(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name, body string
		texts      []given
		want       string
	}{
		{"what is missing everywhere", ``, nil, `/id required; /amount required`},
		{"a path member in the body", `{"id":"pay_1","amount":1}`, []given{{"id", []string{"pay_2"}}}, `/id unknown`},
		{"a path member in the body alone", `{"id":"pay_1","amount":1}`, []given{{"id", nil}}, `/id unknown; /id required`},
		{"each place its own", `{"amount":"1"}`, []given{{"id", []string{"x"}}, {"limit", []string{"0"}}}, `/id too_short; /limit out_of_range; /amount type`},
		{"a body that is no object", `[]`, []given{{"id", nil}}, ` type; /id required`},
		{"numbers that are none", `{"amount":1,"id":"pay_1"}`, []given{{"limit", []string{"1 "}}, {"page", []string{""}}, {"ratio", []string{"NaN"}}}, `/limit type; /page type; /ratio type`},
		{"numbers in other styles", `{"amount":1,"id":"pay_1"}`, []given{{"limit", []string{"01"}}, {"page", []string{"+1"}}, {"ratio", []string{" 1"}}}, `/limit type; /page type; /ratio type`},
		{"numbers that do not fit", `{"amount":1,"id":"pay_1"}`, []given{{"limit", []string{"99999999999999999999"}}, {"page", []string{"256"}}, {"ratio", []string{"1e99"}}}, `/limit out_of_range; /page out_of_range; /ratio out_of_range`},
		{"booleans in other words", `{"amount":1,"id":"pay_1"}`, []given{{"deep", []string{"TRUE"}}, {"flag", []string{"null"}}}, `/deep type; /flag type`},
		{"forms that are not kept", `{"amount":1,"id":"pay_1"}`, []given{{"after", []string{"today"}}, {"hash", []string{"A"}}, {"from", []string{"x"}}}, `/after format; /hash format; /from format`},
		{"a time before the year 0 in UTC", `{"amount":1,"id":"pay_1"}`, []given{{"after", []string{"0000-01-01T00:59:59+01:00"}}}, `/after format`},
		{"a time after the year 9999 in UTC", `{"amount":1,"id":"pay_1"}`, []given{{"after", []string{"9999-12-31T23:00:00-01:00"}}}, `/after format`},
		{"one member twice", `{"amount":1,"id":"pay_1"}`, []given{{"limit", []string{"1", "1"}}}, `/limit repeated`},
		{"a list with twins", `{"amount":1,"id":"pay_1"}`, []given{{"codes", []string{"EUR", "EUR"}}}, `/codes not_unique`},
		{"a list too long", `{"amount":1,"id":"pay_1"}`, []given{{"codes", []string{"A", "B", "C", "D"}}}, `/codes too_many`},
		{"an item that is bad", `{"amount":1,"id":"pay_1"}`, []given{{"codes", []string{"EUR", "\u0007"}}}, `/codes/1 control_character`},
		{"bytes that are not UTF-8", `{"amount":1}`, []given{{"id", []string{"pay\xff"}}}, `/id encoding`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got search
			err := read(t, &got, c.body, c.texts...)
			var bad fault.Violations
			if !errors.As(err, &bad) {
				t.Fatalf("got %v, want violations", err)
			}
			if list := strings.TrimPrefix(bad.Error(), "invalid: "); list != c.want {
				t.Errorf("\n got %s\nwant %s", list, c.want)
			}
		})
	}
}

func TestWhatHasNoTextFormIsRefusedAtCompilation(t *testing.T) {
	t.Parallel()
	d := decoderOf[search](t)

	for _, name := range []string{"card", "extras", "nobody"} {
		if _, err := d.Field(name); err == nil {
			t.Errorf("Field(%q) is accepted", name)
		}
	}
	if _, err := d.Elsewhere("nobody"); err == nil {
		t.Error("Elsewhere takes a name that is no member")
	}
	if _, err := decoderOf[[]int](t).Field("0"); err == nil {
		t.Error("a list has a field")
	}
}

func TestBeginRefusesAnotherType(t *testing.T) {
	t.Parallel()
	d := decoderOf[search](t)

	for _, dst := range []any{nil, search{}, (*search)(nil), new(int)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Begin(%T) does not panic", dst)
				}
			}()
			d.Begin(dst)
		}()
	}
	if _, err := codec.CompileDecoder(nil); err == nil {
		t.Error("a decoder of no type compiles")
	}
}

// FuzzText holds texts to the body: a number or boolean is written in a query
// as it is in JSON, and means the same.
func FuzzText(f *testing.F) {
	type scalars struct {
		Int   int8    `json:"int,omitzero"`
		Uint  uint64  `json:"uint,omitzero"`
		Float float32 `json:"float,omitzero"`
		Bool  bool    `json:"bool,omitzero"`
	}
	d := decoderOf[scalars](f)
	for _, seed := range []string{"", "0", "-0", "127", "128", "1.0", "1e2", "01", "+1", " 1", "1 ", "true", "null", `"1"`, "[1]", "1}", "1,", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, name := range []string{"int", "uint", "float", "bool"} {
			field, err := d.Field(name)
			if err != nil {
				t.Fatal(err)
			}
			var fromText, fromBody scalars
			r := d.Begin(&fromText)
			r.Text(field, s)
			textErr := r.Finish()
			bodyErr := d.Decode([]byte(`{"`+name+`":`+s+`}`), &fromBody)
			if s != strings.TrimSpace(s) || strings.ContainsAny(s, `{}[],:"`) {
				if textErr == nil {
					t.Fatalf("%s is taken from %q", name, s)
				}
				continue
			}
			if (textErr == nil) != (bodyErr == nil) || textErr == nil && fromText != fromBody {
				t.Fatalf("%s of %q is %+v (%v) as text and %+v (%v) in a body", name, s, fromText, textErr, fromBody, bodyErr)
			}
		}
	})
}
