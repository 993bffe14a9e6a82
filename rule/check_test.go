package rule_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/rule"
)

type order struct {
	Name    string            `json:"name"`
	Note    string            `json:"note"`
	Raw     string            `json:"raw"`
	Code    string            `json:"code"`
	Mail    string            `json:"mail"`
	Money   currency          `json:"money"`
	Day     int               `json:"day"`
	Up      int               `json:"up"`
	Level   int8              `json:"level"`
	Mask    uint8             `json:"mask"`
	Flags   uint64            `json:"flags"`
	Rate    float64           `json:"rate"`
	Lines   []int             `json:"lines"`
	Labels  map[string]string `json:"labels"`
	Receipt []byte            `json:"receipt"`
	Free    string            `json:"free"`
}

func (o *order) Rules(r *rule.Set) {
	rule.Text(r, &o.Name).Len(1, 3)
	rule.Text(r, &o.Note).Len(2, 5).Multiline()
	rule.Text(r, &o.Raw).Len(0, 1).Raw()
	rule.Text(r, &o.Code).Match(`^[A-Z]{2}-\d+$`)
	rule.Text(r, &o.Mail).Format(rule.Email)
	rule.Number(r, &o.Day).Between(1, 31)
	rule.Number(r, &o.Up).Min(-5)
	rule.OneOf(r, &o.Level, -1, 1)
	rule.OneOf(r, &o.Mask, 1, 2, 4)
	rule.Number(r, &o.Flags).Max(1<<63 + 1)
	rule.Number(r, &o.Rate).Between(0.25, 1e7)
	rule.Items(r, &o.Lines).Len(1, 2).Unique()
	rule.Entries(r, &o.Labels).Len(2, 3)
	rule.Items(r, &o.Receipt).Len(1, 4)
}

func TestChecksSayWhichConstraintIsBroken(t *testing.T) {
	t.Parallel()

	object := describe[order](t).Object
	text := func(member, s string) rule.Violated { return object.Field(member).Type.CheckText(s) }
	count := func(member string, n int) rule.Violated { return object.Field(member).Type.CheckSize(n) }
	integer := func(member string, n int64) rule.Violated { return object.Field(member).Type.CheckInt(n) }
	unsigned := func(member string, n uint64) rule.Violated { return object.Field(member).Type.CheckUint(n) }
	float := func(member string, n float64) rule.Violated { return object.Field(member).Type.CheckFloat(n) }

	for _, c := range []struct {
		value string
		got   rule.Violated
		code  string // "" means valid
		text  string
	}{
		{"empty name", text("name", ""), "too_short", "must not be empty"},
		{"name of 3", text("name", "abc"), "", ""},
		{"name of 3 code points", text("name", "日本語"), "", ""},
		{"name of 4 code points", text("name", "日本語x"), "too_long", "must have at most 3 characters"},
		{"name with a line end", text("name", "a\n"), "control_character", "must not hold control characters or bidirectional overrides"},
		{"name with DEL", text("name", "a\x7f"), "control_character", "must not hold control characters or bidirectional overrides"},
		{"name with C1", text("name", "a\u0085"), "control_character", "must not hold control characters or bidirectional overrides"},
		{"name with an override", text("name", "a\u202eb"), "control_character", "must not hold control characters or bidirectional overrides"},
		{"name with an isolate", text("name", "a\u2066"), "control_character", "must not hold control characters or bidirectional overrides"},
		{"name with a mark", text("name", "a\u200e"), "", ""},
		{"name with a no-break space", text("name", "a\u00a0"), "", ""},
		{"note of 1 code point in 4 bytes", text("note", "𝄞"), "too_short", "must have at least 2 characters"},
		{"note with a line end", text("note", "a\r\n\t"), "", ""},
		{"note with NUL", text("note", "a\x00"), "control_character", "must not hold control characters or bidirectional overrides"},
		{"raw NUL", text("raw", "\x00"), "", ""},
		{"raw of 2", text("raw", "ab"), "too_long", "must have at most 1 character"},
		{"code", text("code", "AB-12"), "", ""},
		{"code without digits", text("code", "AB-"), "pattern", `must match ^[A-Z]{2}-\d+$`},
		{"code with a digit of another script", text("code", "AB-٣"), "pattern", `must match ^[A-Z]{2}-\d+$`},
		{"mail", text("mail", "a@example.com"), "", ""},
		{"no mail", text("mail", "a"), "format", "must be an e-mail address"},
		{"money", text("money", "EUR"), "", ""},
		{"other money", text("money", "eur"), "not_one_of", `must be one of "EUR", "USD"`},
		{"unbounded text at its bound", text("free", strings.Repeat("é", rule.DefaultMaxLen)), "", ""},
		{"unbounded text above", text("free", strings.Repeat("e", rule.DefaultMaxLen+1)), "too_long", "must have at most 4096 characters"},
		{"day 0", integer("day", 0), "out_of_range", "must be between 1 and 31"},
		{"day 1", integer("day", 1), "", ""},
		{"day 31", integer("day", 31), "", ""},
		{"day 32", integer("day", 32), "out_of_range", "must be between 1 and 31"},
		{"up -5", integer("up", -5), "", ""},
		{"up -6", integer("up", -6), "out_of_range", "must be at least -5"},
		{"level 1", integer("level", 1), "", ""},
		{"level 0", integer("level", 0), "not_one_of", "must be one of -1, 1"},
		{"mask 4", unsigned("mask", 4), "", ""},
		{"mask 3", unsigned("mask", 3), "not_one_of", "must be one of 1, 2, 4"},
		{"flags at most", unsigned("flags", 1<<63+1), "", ""},
		{"flags above", unsigned("flags", 1<<63+2), "out_of_range", "must be at most 9223372036854775809"},
		{"rate", float("rate", 0.25), "", ""},
		{"rate below", float("rate", 0.2), "out_of_range", "must be between 0.25 and 10000000"},
		{"rate above", float("rate", 1e7+1), "out_of_range", "must be between 0.25 and 10000000"},
		{"no lines", count("lines", 0), "too_few", "must have at least 1 item"},
		{"3 lines", count("lines", 3), "too_many", "must have at most 2 items"},
		{"2 lines", count("lines", 2), "", ""},
		{"1 label", count("labels", 1), "too_few", "must have at least 2 entries"},
		{"4 labels", count("labels", 4), "too_many", "must have at most 3 entries"},
		{"5 bytes", count("receipt", 5), "too_many", "must have at most 4 bytes"},
		{"no bytes", count("receipt", 0), "too_few", "must have at least 1 byte"},
		{"items twice", rule.NotUnique(), "not_unique", "must not hold an item twice"},
	} {
		switch {
		case c.code == "" && c.got != nil:
			t.Errorf("%s: refused: %s %s", c.value, c.got.Code, c.got.Detail)
		case c.code != "" && c.got == nil:
			t.Errorf("%s: accepted", c.value)
		case c.code != "" && (c.got.Code != c.code || c.got.Detail != c.text || c.got.Pointer != ""):
			t.Errorf("%s: %s %q at %q", c.value, c.got.Code, c.got.Detail, c.got.Pointer)
		}
	}
}

func TestFormatsAreDescribedToTheCaller(t *testing.T) {
	t.Parallel()

	for format, want := range map[rule.Format]string{
		rule.Email: "must be an e-mail address", rule.UUID: "must be a UUID", rule.Date: "must be a date such as 2026-11-22",
		rule.DateTime: "must be a time such as 2026-11-22T17:00:00Z", rule.URI: "must be an absolute URI",
		rule.Hostname: "must be a host name", rule.IPv4: "must be an IPv4 address", rule.IPv6: "must be an IPv6 address",
	} {
		text := rule.Type{Kind: rule.String, Text: rule.TextLimits{Max: 9, Format: format}}
		if got := text.CheckText("?"); got == nil || got.Detail != want {
			t.Errorf("%s: %v, want %s", format, got, want)
		}
	}
}

func TestPatternsAreWhatMustBePublished(t *testing.T) {
	t.Parallel()

	plain, lines := rule.NoControl.Pattern(), rule.LineControl.Pattern()
	for name, c := range map[string]struct {
		of   rule.TextLimits
		want []string
	}{
		"nothing said":          {rule.TextLimits{}, []string{plain}},
		"several lines":         {rule.TextLimits{Control: rule.LineControl}, []string{lines}},
		"raw":                   {rule.TextLimits{Control: rule.AnyControl}, nil},
		"a format":              {rule.TextLimits{Format: rule.Email}, []string{plain}},
		"a closed class":        {rule.TextLimits{Pattern: `^[A-Za-z0-9é-]+$`}, []string{`^[A-Za-z0-9é-]+$`}},
		"an open class":         {rule.TextLimits{Pattern: `^[^a]+$`}, []string{`^[^a]+$`, plain}},
		"a class with C1":       {rule.TextLimits{Pattern: "^[a\x7f]+$"}, []string{"^[a\x7f]+$", plain}},
		"a control character":   {rule.TextLimits{Pattern: "^\x01*$"}, []string{"^\x01*$", plain}},
		"control in the middle": {rule.TextLimits{Pattern: "^a\tb$"}, []string{"^a\tb$", plain}},
		"no anchors":            {rule.TextLimits{Pattern: "[a-z]"}, []string{"[a-z]", plain}},
	} {
		text := rule.Type{Kind: rule.String, Text: c.of}
		if got := text.Patterns(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestInternedReturnsTheDeclaredValue(t *testing.T) {
	t.Parallel()

	money := describe[order](t).Object.Field("money").Type
	if got, ok := money.Interned("USD"); got != "USD" || !ok {
		t.Errorf("got %q, %v", got, ok)
	}
	if got, ok := money.Interned("usd"); got != "" || ok {
		t.Errorf("got %q, %v", got, ok)
	}
}

func TestChecksOfValidValuesAllocateNothing(t *testing.T) {
	object := describe[order](t).Object
	field := func(name string) *rule.Type { return object.Field(name).Type }
	name, code, mail, money := field("name"), field("code"), field("mail"), field("money")
	day, mask, rate, lines, labels := field("day"), field("mask"), field("rate"), field("lines"), field("labels")
	ok := true
	allocs := testing.AllocsPerRun(100, func() {
		_, interned := money.Interned("EUR")
		ok = ok && interned &&
			name.CheckText("日本語") == nil && code.CheckText("AB-12") == nil && mail.CheckText("a@example.com") == nil &&
			money.CheckText("USD") == nil && day.CheckInt(3) == nil && mask.CheckUint(2) == nil &&
			rate.CheckFloat(1) == nil && lines.CheckSize(1) == nil && labels.CheckSize(2) == nil
	})
	if !ok {
		t.Error("a valid value was refused")
	}
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestOptionalTellsAbsentNullAndGivenApart(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		of     rule.Optional[int]
		value  int
		given  bool
		absent bool
		after  int // of applying it to 7
	}{
		"absent": {rule.Optional[int]{}, 0, false, true, 7},
		"null":   {rule.Null[int](), 0, false, false, 0},
		"given":  {rule.Some(5), 5, true, false, 5},
		"zero":   {rule.Some(0), 0, true, false, 0},
	} {
		value, given := c.of.Get()
		after := 7
		c.of.Apply(&after)
		if value != c.value || given != c.given || c.of.IsZero() != c.absent || after != c.after {
			t.Errorf("%s: value %d, given %v, absent %v, after %d", name, value, given, c.of.IsZero(), after)
		}
	}
}

func BenchmarkCheckText(b *testing.B) {
	object := describe[order](b).Object
	for member, text := range map[string]string{
		"name": "abc", "code": "AB-123456", "mail": "someone@example.com", "money": "EUR", "free": strings.Repeat("plain text ", 20),
	} {
		b.Run(member, func(b *testing.B) {
			b.ReportAllocs()
			of := object.Field(member).Type
			for b.Loop() {
				if of.CheckText(text) != nil {
					b.Fatal("refused")
				}
			}
		})
	}
}
