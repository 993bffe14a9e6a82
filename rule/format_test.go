package rule_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/rule"
)

// TestFormatsAgreeWithTheJSONSchemaSuite plays the format cases of the JSON
// Schema test suite.
func TestFormatsAgreeWithTheJSONSchemaSuite(t *testing.T) {
	t.Parallel()

	for _, f := range rule.Formats() {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			for _, group := range suite(t, f) {
				for _, c := range group.Tests {
					text, ok := c.Data.(string)
					if !ok {
						continue // formats say nothing about other types
					}
					valid := c.Valid
					if f == rule.Hostname && strings.Contains(group.Description, "A-label") && validLDH[text] {
						// Whether an A-label decodes to what IDNA permits depends on
						// the version of Unicode, and no resolver asks.
						valid = true
					}
					if got := f.Valid(text); got != valid {
						t.Errorf("%q: %s: valid = %v, want %v", text, c.Description, got, valid)
					}
				}
			}
		})
	}
}

// validLDH are host names of the right form that the suite refuses for what
// their A-labels stand for.
var validLDH = map[string]bool{
	"xn--X": true, "xn--07jt112bpxg.xn--9t4b11yi5a": true, "xn--hello-txk": true, "xn--hello-zed": true,
	"xn--hello-6bf": true, "xn--chb89f": true, "xn--07jceefgh4c": true, "xn--al-0ea": true, "xn--l-fda": true,
	"xn--la-0ea": true, "xn--l-gda": true, "xn--S-jib3p": true, "xn--wva3j": true, "xn--A-2hc5h": true,
	"xn--5db1e": true, "xn--A-2hc8h": true, "xn--5db3e": true, "xn--defabc-k64e": true, "xn--vek": true,
	"xn--ngb6iyr": true, "xn--11b2er09f": true, "xn--02b508i": true, "XN--aa---o47jg78q": true,
}

type suiteGroup struct {
	Description string
	Tests       []struct {
		Description string
		Data        any
		Valid       bool
	}
}

func suite(t *testing.T, f rule.Format) []suiteGroup {
	t.Helper()
	file := filepath.Join("..", "..", "shared", "suites", "json-schema-formats", string(f)+".json")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not there: it holds draft 2020-12, optional/format of json-schema-org/JSON-Schema-Test-Suite", file)
	}
	if err != nil {
		t.Fatal(err)
	}
	var groups []suiteGroup
	if err := json.Unmarshal(text, &groups); err != nil {
		t.Fatal(err)
	}
	return groups
}

// TestFormatsByTheirLetter holds what the suite does not ask.
func TestFormatsByTheirLetter(t *testing.T) {
	t.Parallel()

	for f, cases := range map[rule.Format]map[string]bool{
		rule.Email: {
			strings.Repeat("a", 64) + "@example.com": true,
			strings.Repeat("a", 65) + "@example.com": false,
			"a@" + strings.Repeat("b.", 126) + "c":   false, // 255 bytes
			`"a\"b"@example.com`:                     true,
			`"a"b"@example.com`:                      false,
			`"@example.com`:                          false,
			`"a\"@example.com`:                       false,
			"a@[]":                                   false,
			"a@[::1]":                                false,
			"a@[127.0.0.1":                           false,
			"ä@example.com":                          false,
			"a@münchen.example":                      false,
			"":                                       false,
		},
		rule.Date: {
			"2026-02-29": false,
			"2024-02-29": true,
		},
		rule.DateTime: {
			"1990-12-31T15:59:60-08:00":       true, // a leap second elsewhere
			"1991-01-01T00:59:60+01:00":       true,
			"1991-01-01T00:59:60Z":            false,
			"2026-11-22T17:00:00.Z":           false,
			"2026-11-22T17:00:00":             false,
			"2026-11-22 17:00:00Z":            false,
			"2026-11-22T17-00-00Z":            false,
			"2026-11-22T17:00:0aZ":            false,
			"2026-11-22T17:00:00+1:000":       false,
			"2026-11-22T17:00:00.123456789Z":  true,
			"2026-11-22T17:00:00.123+00:0x":   false,
			"2026-11-22T17:00:00.1234567890Z": true,
			"":                                false,
		},
		rule.URI: {
			"a:":                             true,
			"http://[::1]:8080/":             true,
			"http://[::1]x/":                 false,
			"http://[v1.a:b]/":               true,
			"http://[v.a]/":                  false,
			"http://[::1%25eth0]/":           false,
			"http://[::1":                    false,
			"http://example.com:/":           true, // an empty port is a port
			"http://ex%41mple.com/":          true,
			"http://example.com#a#b":         false,
			"http://example.com?a?b":         true,
			"http://a@b@c/":                  false,
			"javascript:alert(1)":            true, // a URI, and not a safe link: say which schemes are wanted
			"":                               false,
			":":                              false,
			"http://example.com/\u202egnp.x": false,
		},
		rule.Hostname: {
			strings.Repeat("a.", 126) + "b":  true, // 253 bytes
			strings.Repeat("a.", 126) + "bc": false,
		},
		rule.UUID: {"": false},
		"colour":  {"red": false},
	} {
		for text, want := range cases {
			if got := f.Valid(text); got != want {
				t.Errorf("%s %q: valid = %v, want %v", f, text, got, want)
			}
		}
	}
}

func FuzzFormats(f *testing.F) {
	for _, seed := range []string{"a@b", "1998-12-31T23:59:60Z", "http://[::1]/%20", `"a\"@b`, "::", "1.2.3.4"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range rule.Formats() {
			if format.Valid(text) && strings.ContainsAny(text, "\x00\n\r\x7f") {
				t.Errorf("%s accepts a control character in %q", format, text)
			}
		}
	})
}
