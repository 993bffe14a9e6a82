package rule

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPatternsArePublishedAsJavaScriptReadsThem(t *testing.T) {
	t.Parallel()

	for expression, want := range map[string]string{
		`^[A-Za-z0-9-]+$`:             `^[A-Za-z0-9-]+$`,
		`^.{3}$`:                      `^[^\n]{3}$`,
		`^[.]$`:                       `^[.]$`,
		`\s`:                          `[\t\n\f\r ]`,
		`[\s,]`:                       `[\t\n\f\r ,]`,
		`\S+`:                         `[^\t\n\f\r ]+`,
		`^a\-b\_\@c$`:                 `^a-b_@c$`,
		`[a\-z]`:                      `[a\-z]`,
		`^\d{2,}\x41\.\/$`:            `^\d{2,}\x41\.\/$`,
		`^\p{Lu}\p{L}*\PN$`:           ``,
		`^\p{Lu}\p{L}*$`:              `^\p{Lu}\p{L}*$`,
		`^(?:a|b)(?<n>c)?$`:           `^(?:a|b)(?<n>c)?$`,
		`^\bword\b$`:                  `^\bword\b$`,
		`^é{1,2}$`:                    `^é{1,2}$`,
		`^\{a\}$`:                     `^\{a\}$`,
		`[^\]]`:                       `[^\]]`,
		`(?i)a`:                       ``,
		`(?i:a)`:                      ``,
		`(?P<n>a)`:                    ``,
		`\Aa\z`:                       ``,
		`\Qa.b\E`:                     ``,
		`[[:alpha:]]`:                 ``,
		`[]a]`:                        ``,
		`[^]a]`:                       ``,
		`[[a]`:                        ``,
		`{a}`:                         ``,
		`a{,2}`:                       ``,
		`a}`:                          ``,
		`a]`:                          ``,
		`\p{Greek}`:                   ``,
		`\p{Yi}`:                      ``,
		`\p{^L}`:                      ``,
		`\pL`:                         ``,
		`\x{10FFFF}`:                  ``,
		`[\S]`:                        ``,
		`\a`:                          ``,
		`\012`:                        ``,
		`(`:                           ``,
		`a**`:                         ``,
		`(?=a)`:                       ``,
		strings.Repeat(`(a{1000}`, 3): ``,
	} {
		got, match, err := compilePattern(expression)
		switch {
		case want == "" && err == nil:
			t.Errorf("%s: was accepted as %s", expression, got)
		case want != "" && err != nil:
			t.Errorf("%s: %v", expression, err)
		case want != "" && (got != want || match == nil):
			t.Errorf("%s: is published as %s, want %s", expression, got, want)
		}
	}
}

// shaped are expressions that need no automaton.
var shaped = []string{
	`^[A-Za-z0-9-]+$`, `^pay_[0-9a-z]{26}$`, `^[A-Z]{3}$`, `^\d{4}-\d{2}-\d{2}$`, `^a$`, `^ab*$`, `^[^a]{2,5}$`,
	`^\w{0,3}$`, `^x?$`, `^.*$`, `^a{3}$`, `^[é-ü]+$`, `^[^\n]{2,3}$`, `^[A-Z]{2}\d+$`,
}

func TestShapesAreFound(t *testing.T) {
	t.Parallel()

	for _, expression := range shaped {
		if _, ok := shapeOf(expression); !ok {
			t.Errorf("%s: has a shape that was not seen", expression)
		}
	}
	for _, expression := range []string{`[a-z]+`, `^[a-z]+`, `[a-z]+$`, `^[a-z]+[0-9]$`, `^a|b$`, `^(?i)ab$`, `^ä$`, `^(a|bc)*$`, `^[a-z]{1000}$`, `^$`} {
		if _, ok := shapeOf(expression); ok {
			t.Errorf("%s: has no shape of which a walk could tell", expression)
		}
	}
}

// FuzzShapes compares the walk with package regexp.
func FuzzShapes(f *testing.F) {
	for i := range shaped {
		f.Add(i, "pay_0123456789abcdefghijklmnop")
		f.Add(i, "2026-11-22")
		f.Add(i, "é")
		f.Add(i, "aé\n")
		f.Add(i, "")
	}
	f.Fuzz(func(t *testing.T, i int, text string) {
		if i < 0 || !utf8.ValidString(text) {
			t.Skip()
		}
		expression := shaped[i%len(shaped)]
		_, match, err := compilePattern(expression)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := match(text), regexp.MustCompile(expression).MatchString(text); got != want {
			t.Errorf("%s on %q: %v, want %v", expression, text, got, want)
		}
	})
}

// FuzzPortable checks that what is published is read by RE2 as what was
// written.
func FuzzPortable(f *testing.F) {
	for _, expression := range shaped {
		f.Add(expression, "aB1 \t\u00a0-")
	}
	f.Add(`[\s\-a]\S.\_`, "- a_")
	f.Fuzz(func(t *testing.T, expression, text string) {
		portable, match, err := compilePattern(expression)
		if err != nil || !utf8.ValidString(text) {
			t.Skip()
		}
		re, err := regexp.Compile(portable)
		if err != nil {
			t.Fatalf("%s is published as %s: %v", expression, portable, err)
		}
		if got, want := re.MatchString(text), match(text); got != want {
			t.Errorf("%s is published as %s, which is not the same on %q", expression, portable, text)
		}
	})
}

// TestControlPatternsSayWhatIsRefused goes through all of Unicode.
func TestControlPatternsSayWhatIsRefused(t *testing.T) {
	t.Parallel()

	for _, c := range []Control{NoControl, LineControl} {
		re := regexp.MustCompile(c.Pattern())
		for r := rune(0); r <= utf8.MaxRune; r++ {
			if !utf8.ValidRune(r) {
				continue
			}
			if s := "a" + string(r); re.MatchString(s) != c.allows(s) {
				t.Fatalf("control %d: the pattern and the check differ on %U", c, r)
			}
		}
	}
	if AnyControl.Pattern() != "" || !AnyControl.allows("\x00\u202e") {
		t.Error("AnyControl refuses something")
	}
}

var benchmarkTexts = map[string]string{
	`^[A-Za-z0-9-]+$`:     "order-2026-11-22-000123",
	`^pay_[0-9a-z]{26}$`:  "pay_01jd9x8m3qk7v2w5y6z0a1b2c3",
	`^\d{4}-\d{2}-\d{2}$`: "2026-11-22",
}

func BenchmarkPattern(b *testing.B) {
	for expression, text := range benchmarkTexts {
		_, match, err := compilePattern(expression)
		if err != nil {
			b.Fatal(err)
		}
		if !match(text) {
			b.Fatalf("%s does not match %s", expression, text)
		}
		run := func(name string, match func(string) bool) {
			b.Run(expression+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					match(text)
				}
			})
		}
		run("shape", match)
		run("regexp", regexp.MustCompile(expression).MatchString)
	}
}
