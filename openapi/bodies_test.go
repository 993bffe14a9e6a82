package openapi_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/rule"
)

// bodies makes the bodies that the proof compares verdicts on. Each is valid
// but for the one place, if any, that is spoiled.
type bodies struct {
	*rand.Rand
	place, spoil int // counts the values of a body; the one to spoil
}

// next returns a body for t. Two in three are spoiled somewhere.
func (b *bodies) next(t *rule.Type) string {
	seed := b.Uint64()
	b.Rand, b.place, b.spoil = rand.New(rand.NewPCG(seed, 1)), 0, -1
	body := b.value(t, false)
	if b.IntN(3) > 0 {
		places := b.place
		spoil := b.IntN(places)
		b.Rand, b.place, b.spoil = rand.New(rand.NewPCG(seed, 1)), 0, spoil
		body = b.value(t, false)
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (b *bodies) value(t *rule.Type, null bool) any {
	at := b.place
	b.place++
	if at == b.spoil {
		return b.hostile(t)
	}
	if null && b.IntN(4) == 0 {
		return nil
	}
	switch t.Kind {
	case rule.Any:
		if t.Elem != nil {
			return b.value(t.Elem, true)
		}
		return "192.0.2.1" // a netip.Addr
	case rule.Bool:
		return b.IntN(2) == 0
	case rule.Int, rule.Uint, rule.Float:
		return b.number(t)
	case rule.String:
		return b.text(t)
	case rule.Bytes:
		return base64.StdEncoding.EncodeToString(make([]byte, b.between(t.Size.Min, t.Size.Max, 7)))
	case rule.Time:
		return b.one("2026-11-22T17:00:00Z", "2026-11-22T18:00:00.123456789+01:00", "0001-01-01T00:00:00Z")
	case rule.List:
		n := b.between(t.Size.Min, t.Size.Max, 3)
		out := make([]any, n)
		for i := range out {
			out[i] = b.value(t.Elem, false)
			if t.Size.Unique {
				out[i] = fmt.Sprint("unique", i)
			}
		}
		return out
	case rule.Map:
		out := map[string]any{}
		for len(out) < b.between(t.Size.Min, t.Size.Max, 3) {
			out[b.text(t.Key)] = b.value(t.Elem, false)
		}
		return out
	case rule.Object:
		out := map[string]any{}
		for _, f := range t.Object.Fields {
			if !f.Required && (b.IntN(3) == 0 || b.place > 60) {
				continue
			}
			out[f.Name] = b.value(f.Type, f.Nullable)
		}
		return out
	}
	panic("a kind that is not known")
}

func (b *bodies) between(least, most, usual int) int {
	if most == 0 || most == rule.DefaultMaxItems {
		most = usual // that bound has a test of its own: bodies of that size take long
	}
	return least + b.IntN(most-least+1)
}

func (b *bodies) one(of ...any) any { return of[b.IntN(len(of))] }

func (b *bodies) number(t *rule.Type) any {
	if len(t.Enum) > 0 {
		return t.Enum[b.IntN(len(t.Enum))]
	}
	least, most := edges(t)
	if t.Kind == rule.Float {
		return b.one(json.Number(least), json.Number(most), 0.25)
	}
	return b.one(json.Number(least), json.Number(most))
}

// edges returns the least and greatest number that is valid.
func edges(t *rule.Type) (least, most string) {
	l := t.Number
	switch bits := t.Go.Bits(); t.Kind {
	case rule.Int:
		low, high := int64(-1)<<(bits-1), int64(1<<(bits-1)-1)
		if l.HasMin {
			low = l.MinInt
		}
		if l.HasMax {
			high = l.MaxInt
		}
		return strconv.FormatInt(low, 10), strconv.FormatInt(high, 10)
	case rule.Uint:
		low, high := uint64(0), ^uint64(0)>>(64-bits)
		if l.HasMin {
			low = l.MinUint
		}
		if l.HasMax {
			high = l.MaxUint
		}
		return strconv.FormatUint(low, 10), strconv.FormatUint(high, 10)
	default:
		low, high := -1e6, 1e6
		if l.HasMin {
			low = l.MinFloat
		}
		if l.HasMax {
			high = l.MaxFloat
		}
		return strconv.FormatFloat(low, 'f', -1, 64), strconv.FormatFloat(high, 'f', -1, 64)
	}
}

// samples are texts of each pattern and format that the types below use.
var samples = map[string][]any{
	`^[A-Z]{2}-[0-9]+$`: {"AB-1", "ZZ-" + strings.Repeat("9", 20)},
	`^[^\n]x$`:          {"ax", "éx", "xx"},
	`^[0-9]{12,19}$`:    {"424242424242", "4242424242424242424"},
	`^[0-9]{3,4}$`:      {"000", "1234"},
	`^[A-Za-z0-9-]+$`:   {"order-1"},
	"email":             {"a@example.com", `"quoted"@example.com`},
	"uuid":              {"2eb8aa08-aa98-11ea-b4aa-73b441d16380"},
	"date":              {"2024-02-29"},
	"date-time":         {"2026-11-22T17:00:00Z"},
	"uri":               {"https://example.com/a?b#c", "urn:a:b"},
	"hostname":          {"example.com"},
	"ipv4":              {"192.0.2.1"},
	"ipv6":              {"2001:db8::1"},
}

func (b *bodies) text(t *rule.Type) string {
	l := t.Text
	switch {
	case len(t.Enum) > 0:
		return reflect.ValueOf(t.Enum[b.IntN(len(t.Enum))]).String()
	case l.Pattern != "":
		return b.one(samples[l.Pattern]...).(string)
	case l.Format != "":
		return b.one(samples[string(l.Format)]...).(string)
	}
	return b.letters(b.length(l))
}

// length returns a length at or near a bound; great ones rarely, as they take
// their time.
func (b *bodies) length(l rule.TextLimits) int {
	if l.Max > 100 && b.IntN(50) > 0 {
		return max(l.Min, 3)
	}
	return b.one(l.Min, l.Max, min(l.Max, max(l.Min, 3))).(int)
}

// letters returns n code points.
func (b *bodies) letters(n int) string {
	alphabet := []rune("abcXYZ019 -_é日𝄞\u00a0\u200e\"\\/<")
	var s strings.Builder
	for range n {
		s.WriteRune(alphabet[b.IntN(len(alphabet))])
	}
	return s.String()
}

// hostile returns what t may refuse, and sometimes what it must not.
func (b *bodies) hostile(t *rule.Type) any {
	if t.Kind == rule.Any {
		if t.Elem != nil {
			return b.hostile(t.Elem)
		}
		return b.one(nil, true, 1, []any{}, map[string]any{}) // which texts it reads, only the type knows
	}
	wrong := []any{nil, true, 0, -1, 1.5, "", "x", []any{}, []any{nil}, map[string]any{}, map[string]any{"x": 1}}
	if b.IntN(3) == 0 {
		return b.one(wrong...)
	}
	switch t.Kind {
	case rule.Int, rule.Uint:
		least, most := edges(t)
		return b.one(json.Number(beyond(least, -1)), json.Number(beyond(most, 1)), json.Number("99999999999999999999"), json.Number("-0"), 0.5, most)
	case rule.Float:
		least, most := edges(t)
		low, _ := strconv.ParseFloat(least, 64)
		high, _ := strconv.ParseFloat(most, 64)
		return b.one(low-0.001, high+0.001, low+0.001, -high, json.Number("1e5"), json.Number("0.5e0"))
	case rule.String:
		return b.hostileText(t)
	case rule.Bytes:
		text := b.one("A", "AA", "AAA", "AA==", "AB==", "AAE=", "AAF=", "AA==AA==", "A A=", "AA_-", "AAA=\n",
			strings.Repeat("AAAA", t.Size.Max/3+1), strings.Repeat("AAAA", 20)).(string)
		groups := (len(text) + 3) / 4
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil && t.CheckSize(len(raw)) != nil &&
			groups >= (t.Size.Min+2)/3 && groups <= (t.Size.Max+2)/3 {
			return "A" // the schema counts threes of bytes: see TestWhatJSONSchemaCannotSay
		}
		return text
	case rule.Time:
		return b.one("2026-11-22", "2026-11-22T17:00Z", "2026-02-29T17:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22 17:00:00Z",
			"2026-11-22T17:00:00", "2026-11-22T17:00:00+25:00", "2026-11-22T17:00:00,5Z", "2026-11-22T7:00:00Z", "")
	case rule.List:
		n := b.one(0, t.Size.Min-1, 3).(int)
		if t.Size.Max < rule.DefaultMaxItems {
			n = b.one(n, t.Size.Max, t.Size.Max+1).(int)
		}
		out := make([]any, max(n, 0))
		for i := range out {
			out[i] = b.one(b.value(t.Elem, false), "same")
		}
		return out
	case rule.Map:
		out := map[string]any{}
		n := b.one(0, t.Size.Min-1, 3).(int)
		if t.Size.Max < rule.DefaultMaxItems {
			n = b.one(n, t.Size.Max+1).(int)
		}
		for i := range max(n, 0) {
			out[fmt.Sprint("key", i)] = b.value(t.Elem, false)
		}
		if b.IntN(2) == 0 {
			out[b.hostileText(t.Key)] = b.value(t.Elem, false)
		}
		return out
	case rule.Object:
		out := map[string]any{}
		for _, f := range t.Object.Fields {
			switch b.IntN(len(t.Object.Fields) + 4) {
			case 0: // missing
			case 1:
				out[f.Name] = nil
			case 2:
				out[strings.ToUpper(f.Name)] = 1
			default:
				out[f.Name] = b.value(f.Type, f.Nullable)
			}
		}
		if b.IntN(3) == 0 {
			out[b.one("", "extra", "__proto__", "a/b~").(string)] = 1
		}
		return out
	default:
	}
	return nil
}

// beyond adds to a whole number that may not fit an int64.
func beyond(number string, by int) string {
	if n, err := strconv.ParseInt(number, 10, 64); err == nil && n != -1<<63 && n != 1<<63-1 {
		return strconv.FormatInt(n+int64(by), 10)
	}
	return number + "0"
}

func (b *bodies) hostileText(t *rule.Type) string {
	l := t.Text
	valid := b.text(t)
	edge := max(b.length(l)+b.one(-1, 0, 1).(int), 0)
	if b.IntN(2) == 0 {
		return b.one(b.letters(edge), strings.Repeat("𝄞", edge)).(string)
	}
	return b.one(
		valid+"\n", valid+"\x00", valid+"\t", "\u202e"+valid, valid+"\u2066", valid+"\u0085", valid+"\u2028", valid+"\x7f",
		valid+" ", " "+valid, strings.ToUpper(valid), strings.ToLower(valid), valid+valid, "", "AB-", "ab-1", "AB-١", "AB-1\n", "\nx", "\rx",
		"a@", "a@b c", "@", "2023-02-29", "20240229", "1.2.3", "1.2.3.4.5", "::g", "12345::", "-a.com", "a_b.com", "a..b",
		"2eb8aa08aa9811eab4aa73b441d16380", "//example.com", "http://a b", "http://exa\u202emple.com",
	).(string)
}
