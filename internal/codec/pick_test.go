package codec_test

import (
	"math"
	"testing"

	"github.com/ashlar-go/ashlar/internal/codec"
)

func TestPickWritesParts(t *testing.T) {
	t.Parallel()
	type line struct {
		Name  string  `json:"name"`
		Note  *string `json:"note"`
		Ratio float64 `json:"ratio"`
		Any   any     `json:"any"`
		More  []line  `json:"more,omitempty"`
	}
	text := &codec.Pick{}
	part := func(key, from string, of *codec.Pick) codec.Part { return codec.Part{Key: key, From: from, Of: of} }
	parts := func(p ...codec.Part) *codec.Pick { return &codec.Pick{Parts: p} }
	note := "n"
	v := line{Name: "a", Note: &note, More: []line{{Name: "b"}, {Name: "c", Ratio: math.NaN()}}}
	for name, c := range map[string]struct {
		pick *codec.Pick
		want string // empty where it cannot be written
	}{
		"in their order":          {parts(part(`"x"`, "note", text), part(`"y"`, "name", text), part(`"z"`, "name", text)), `{"x":"n","y":"a","z":"a"}`},
		"none":                    {&codec.Pick{Parts: []codec.Part{}}, `{}`},
		"a text":                  {parts(codec.Part{Key: `"t"`, Text: "true"}), `{"t":true}`},
		"what is left out":        {parts(part(`"m"`, "more", &codec.Pick{Item: parts(part(`"m"`, "more", &codec.Pick{Null: true}))})), `{"m":[{"m":null},{"m":null}]}`},
		"what must not be":        {parts(part(`"m"`, "more", &codec.Pick{Item: parts(part(`"m"`, "more", text))})), ``},
		"null in an interface":    {parts(part(`"a"`, "any", &codec.Pick{Null: true})), `{"a":null}`},
		"which must not be":       {parts(part(`"a"`, "any", text)), ``},
		"itself":                  {parts(part(`"s"`, "", parts(part(`"n"`, "name", text)))), `{"s":{"n":"a"}}`},
		"an object around it":     {parts(part(`"m"`, "more", &codec.Pick{Item: &codec.Pick{Around: true, Parts: []codec.Part{part(`"i"`, "", parts(part(`"n"`, "name", text)))}}})), `{"m":[{"i":{"n":"b"}},{"i":{"n":"c"}}]}`},
		"a text for each":         {parts(part(`"m"`, "more", &codec.Pick{Item: &codec.Pick{Around: true, Parts: []codec.Part{part(`"i"`, "", parts(part(`"n"`, "name", text))), {Key: `"c"`, Each: true}}}})), `{"m":[{"i":{"n":"b"},"c":"0"},{"i":{"n":"c"},"c":"1"}]}`},
		"one of some":             {parts(part(`"n"`, "name", &codec.Pick{Only: map[string]bool{"a": true}})), `{"n":"a"}`},
		"none of some":            {parts(part(`"n"`, "name", &codec.Pick{Only: map[string]bool{"b": true}})), ``},
		"what cannot be written":  {parts(part(`"m"`, "more", &codec.Pick{Item: parts(part(`"r"`, "ratio", text))})), ``},
		"which nobody asked for":  {parts(part(`"r"`, "ratio", text)), `{"r":0}`},
		"a value that is no list": {parts(part(`"n"`, "name", &codec.Pick{Item: text})), ``},
		"no object":               {parts(part(`"n"`, "name", parts(part(`"n"`, "name", text)))), ``},
		"no member":               {parts(part(`"n"`, "nothing", text)), ``},
		"no text":                 {parts(part(`"r"`, "ratio", &codec.Pick{Only: map[string]bool{"0": true}})), ``},
	} {
		picker, fits := encoderOf[line](t).Pick(c.pick)
		if !fits {
			if c.want != "" {
				t.Errorf("%s: it does not fit", name)
			}
			continue
		}
		got, ok := picker.Append([]byte("x"), &v, []string{"0", "1"})
		if string(got) != "x"+c.want || ok != (c.want != "") {
			t.Errorf("%s: %s, %t", name, got, ok)
		}
		for _, other := range []any{nil, v, (*line)(nil), new("a")} {
			if _, ok := picker.Append(nil, other, nil); ok {
				t.Errorf("%s: a %T is written", name, other)
			}
		}
	}
}
