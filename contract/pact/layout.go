package pact

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A layout is how a date or time is written, in the letters that Pact took
// from Java: yyyy-MM-dd'T'HH:mm:ss.
type layout struct {
	pattern string
	written *regexp.Regexp
	parts   []string // what each group of written holds
	format  string   // the same for package time, or "" where it has no such thing
}

// fields are the letters that are known, longest first where one begins
// another. Go is what package time calls them.
var fields = []struct{ letters, regex, part, layout string }{
	{"yyyy", `(\d{4})`, "year", "2006"},
	{"uuuu", `(\d{4})`, "year", "2006"},
	{"yy", `(\d{2})`, "", "06"},
	{"MMMM", `([A-Z][a-z]+)`, "monthName", "January"},
	{"MMM", `([A-Z][a-z]{2})`, "monthShort", "Jan"},
	{"MM", `(\d{2})`, "month", "01"},
	{"M", `(\d{1,2})`, "month", "1"},
	{"dd", `(\d{2})`, "day", "02"},
	{"d", `(\d{1,2})`, "day", "2"},
	{"EEEE", `([A-Z][a-z]+day)`, "", "Monday"},
	{"EEE", `(Mon|Tue|Wed|Thu|Fri|Sat|Sun)`, "", "Mon"},
	{"HH", `(\d{2})`, "hour", "15"},
	{"H", `(\d{1,2})`, "hour", ""},
	{"hh", `(\d{2})`, "half", "03"},
	{"h", `(\d{1,2})`, "half", "3"},
	{"mm", `(\d{2})`, "minute", "04"},
	{"m", `(\d{1,2})`, "minute", "4"},
	{"ss", `(\d{2})`, "second", "05"},
	{"s", `(\d{1,2})`, "second", "5"},
	{"a", `(AM|PM)`, "", "PM"},
	{"XXX", `(Z|[+-]\d{2}:\d{2})`, "", "Z07:00"},
	{"XX", `(Z|[+-]\d{4})`, "", "Z0700"},
	{"X", `(Z|[+-]\d{2}(?:\d{2})?)`, "", "Z07"},
	{"xxx", `([+-]\d{2}:\d{2})`, "", "-07:00"},
	{"ZZZ", `([+-]\d{4})`, "", "-0700"},
	{"ZZ", `([+-]\d{4})`, "", "-0700"},
	{"Z", `([+-]\d{4})`, "", "-0700"},
	{"z", `([A-Z]{1,5})`, "", "MST"},
}

// usual are the patterns of a matcher that names none.
var usual = map[string]string{
	"date": "yyyy-MM-dd", "time": "HH:mm:ss", "timestamp": "yyyy-MM-dd'T'HH:mm:ssXXX",
}

func parseLayout(pattern string) (*layout, error) {
	l := &layout{pattern: pattern}
	var regex, format strings.Builder
	formats := true
	for rest := pattern; rest != ""; {
		if rest[0] == '\'' {
			quoted, after, ended := strings.Cut(rest[1:], "'")
			if !ended {
				return nil, fmt.Errorf("the format %q has a quote that does not end", pattern)
			}
			if quoted == "" {
				quoted = "'"
			}
			regex.WriteString(regexp.QuoteMeta(quoted))
			format.WriteString(quoted)
			rest = after
			continue
		}
		run := len(rest) - len(strings.TrimLeft(rest, rest[:1]))
		letters := rest[:run]
		rest = rest[run:]
		switch first := letters[0]; {
		case first == 'S':
			fmt.Fprintf(&regex, `(\d{%d})`, run)
			l.parts = append(l.parts, "")
			if before := format.String(); strings.HasSuffix(before, ".") || strings.HasSuffix(before, ",") {
				format.WriteString(strings.Repeat("0", run))
			} else {
				formats = false
			}
		case (first|0x20) >= 'a' && (first|0x20) <= 'z':
			known := false
			for _, f := range fields {
				if f.letters == letters {
					known = true
					regex.WriteString(f.regex)
					l.parts = append(l.parts, f.part)
					format.WriteString(f.layout)
					formats = formats && f.layout != ""
				}
			}
			if !known {
				return nil, fmt.Errorf("the format %q has %q, which is not supported", pattern, letters)
			}
		default:
			regex.WriteString(regexp.QuoteMeta(letters))
			format.WriteString(letters)
		}
	}
	written, err := regexp.Compile("^(?:" + regex.String() + ")$")
	if err != nil {
		return nil, fmt.Errorf("the format %q: %w", pattern, err)
	}
	l.written = written
	if formats {
		l.format = format.String()
	}
	return l, nil
}

// matches reports whether text is written so, and names a day and time that
// there are.
func (l *layout) matches(text string) bool {
	groups := l.written.FindStringSubmatch(text)
	if groups == nil {
		return false
	}
	year, month, day := 2024, 1, 1
	for i, part := range l.parts {
		n, _ := strconv.Atoi(groups[i+1])
		most := map[string]int{"hour": 23, "minute": 59, "second": 60, "half": 12, "month": 12, "day": 31}[part]
		switch part {
		case "year":
			year = n
		case "month":
			month = n
		case "monthName", "monthShort":
			at, err := time.Parse(map[string]string{"monthName": "January", "monthShort": "Jan"}[part], groups[i+1])
			if err != nil {
				return false
			}
			month = int(at.Month())
		case "day":
			day = n
		}
		if most > 0 && n > most || part == "half" && n == 0 {
			return false
		}
	}
	at := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return int(at.Month()) == month && at.Day() == day
}
