package idem_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/idem"
)

func TestParseKey(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("k", idem.MaxKey)
	for name, c := range map[string]struct {
		field []string
		want  string
		err   error
	}{
		"no field":              {nil, "", idem.ErrMissing},
		"empty field":           {[]string{""}, "", idem.ErrKey},
		"blank field":           {[]string{" \t"}, "", idem.ErrKey},
		"bare":                  {[]string{"8e03978e-40d5-43e8-bc93-6894a57f9324"}, "8e03978e-40d5-43e8-bc93-6894a57f9324", nil},
		"quoted":                {[]string{`"8e03978e"`}, "8e03978e", nil},
		"blanks around":         {[]string{` "k" `}, "k", nil},
		"all kinds of signs":    {[]string{`!#$%&'()*+,-./:;<=>?@[\]^_{|}~`}, `!#$%&'()*+,-./:;<=>?@[\]^_{|}~`, nil},
		"escaped quote":         {[]string{`"a\"b"`}, `a"b`, nil},
		"escaped backslash":     {[]string{`"a\\b"`}, `a\b`, nil},
		"longest":               {[]string{longest}, longest, nil},
		"longest, quoted":       {[]string{`"` + longest + `"`}, longest, nil},
		"too long":              {[]string{longest + "k"}, "", idem.ErrKey},
		"twice":                 {[]string{"a", "a"}, "", idem.ErrKey},
		"empty string":          {[]string{`""`}, "", idem.ErrKey},
		"one quote":             {[]string{`"`}, "", idem.ErrKey},
		"quote not closed":      {[]string{`"k`}, "", idem.ErrKey},
		"quote not opened":      {[]string{`k"`}, "", idem.ErrKey},
		"quote inside":          {[]string{`"a"b"`}, "", idem.ErrKey},
		"quote beside escape":   {[]string{`"a\\"b"`}, "", idem.ErrKey},
		"closing quote escaped": {[]string{`"a\"`}, "", idem.ErrKey},
		"unknown escape":        {[]string{`"a\n"`}, "", idem.ErrKey},
		"parameter":             {[]string{`"k";v=1`}, "", idem.ErrKey},
		"space inside":          {[]string{"a b"}, "", idem.ErrKey},
		"space in quotes":       {[]string{`"a b"`}, "", idem.ErrKey},
		"line break":            {[]string{"a\nb"}, "", idem.ErrKey},
		"delete character":      {[]string{"a\x7f"}, "", idem.ErrKey},
		"not ASCII":             {[]string{"schlüssel"}, "", idem.ErrKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := idem.ParseKey(c.field)
			if got != c.want || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("ParseKey(%q) = %q, %v; want %q, %v", c.field, got, err, c.want, c.err)
			}
		})
	}
}

func TestHeaderIsCanonical(t *testing.T) {
	t.Parallel()
	if c := http.CanonicalHeaderKey(idem.Header); c != idem.Header {
		t.Errorf("r.Header[Header] finds nothing: the canonical form is %s", c)
	}
}

// A key that was parsed can be sent in both forms and is the same key again.
func FuzzParseKey(f *testing.F) {
	for _, seed := range []string{"", "k", `"k"`, `"a\"b\\c"`, `"`, `a"`, "a b", "\x7f", strings.Repeat("k", 256)} {
		f.Add(seed)
	}
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	f.Fuzz(func(t *testing.T, field string) {
		key, err := idem.ParseKey([]string{field})
		if err != nil {
			if key != "" || !errors.Is(err, idem.ErrKey) && !errors.Is(err, idem.ErrMissing) {
				t.Fatalf("ParseKey(%q) = %q, %v", field, key, err)
			}
			return
		}
		if len(key) < 1 || len(key) > idem.MaxKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("ParseKey(%q) = %q, which is no key", field, key)
		}
		forms := []string{`"` + escape.Replace(key) + `"`}
		if !strings.Contains(key, `"`) {
			forms = append(forms, key)
		}
		for _, form := range forms {
			if again, err := idem.ParseKey([]string{form}); again != key || err != nil {
				t.Fatalf("%q was read as %q, and %q as %q, %v", field, key, form, again, err)
			}
		}
	})
}
