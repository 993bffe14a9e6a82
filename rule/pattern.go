package rule

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// compilePattern returns the expression in a form that RE2 and JavaScript (in
// Unicode mode, as JSON Schema says) read alike, and its matcher.
func compilePattern(expression string) (portable string, match func(string) bool, err error) {
	re, err := regexp.Compile(expression)
	if err != nil {
		return "", nil, err
	}
	portable, err = port(expression)
	if err != nil {
		return "", nil, err
	}
	if shape, ok := shapeOf(expression); ok {
		return portable, func(s string) bool {
			matched, ascii := shape.match(s)
			if !ascii {
				return re.MatchString(s)
			}
			return matched
		}, nil
	}
	return portable, re.MatchString, nil
}

// port rewrites what RE2 and JavaScript read differently but can both say, and
// refuses the rest. The expression is known to be RE2.
func port(expression string) (string, error) {
	var out strings.Builder
	inClass := false
	for rest := expression; rest != ""; {
		n := 1 // bytes taken
		switch {
		case rest[0] == '\\':
			var text string
			var err error
			if text, n, err = portEscape(rest, inClass); err != nil {
				return "", err
			}
			out.WriteString(text)
			rest = rest[n:]
			continue
		case inClass:
			switch {
			case rest[0] == ']':
				inClass = false
			case strings.HasPrefix(rest, "[:"):
				return "", foreign("[: :]")
			case rest[0] == '[':
				return "", errors.New("write \\[ for a bracket in a class, as JavaScript asks")
			}
		case strings.HasPrefix(rest, "[]"), strings.HasPrefix(rest, "[^]"):
			return "", errors.New("write \\] for a bracket in a class, as JavaScript asks")
		case strings.HasPrefix(rest, "[^"):
			inClass, n = true, 2
		case rest[0] == '[':
			inClass = true
		case rest[0] == '.':
			out.WriteString(`[^\n]`)
			rest = rest[1:]
			continue
		case strings.HasPrefix(rest, "(?:"), strings.HasPrefix(rest, "(?<"):
			n = 3
		case strings.HasPrefix(rest, "(?"):
			return "", foreign(rest[:3])
		case rest[0] == '{' || rest[0] == '}' || rest[0] == ']':
			if n = quantifier(rest); n == 0 {
				return "", fmt.Errorf("write \\%c for the character, as JavaScript asks", rest[0])
			}
		}
		out.WriteString(rest[:n])
		rest = rest[n:]
	}
	return out.String(), nil
}

// portEscape handles the escape that s starts with.
func portEscape(s string, inClass bool) (text string, n int, err error) {
	switch c := s[1]; c {
	case 's':
		if inClass {
			return `\t\n\f\r `, 2, nil
		}
		return `[\t\n\f\r ]`, 2, nil
	case 'S':
		if inClass {
			return "", 0, errors.New(`\S in a class means more in JavaScript`)
		}
		return `[^\t\n\f\r ]`, 2, nil
	case 'd', 'D', 'w', 'W', 'n', 'r', 't', 'f', 'v',
		'^', '$', '\\', '.', '*', '+', '?', '(', ')', '[', ']', '{', '}', '|', '/':
		return s[:2], 2, nil
	case 'b', 'B':
		if !inClass {
			return s[:2], 2, nil
		}
	case '-':
		if inClass {
			return s[:2], 2, nil
		}
		return "-", 2, nil
	case 'x':
		if s[2] != '{' {
			return s[:4], 4, nil
		}
	case 'p', 'P':
		// JavaScript has the same short names of general categories, but other
		// names for scripts.
		if name, _, ok := strings.Cut(strings.TrimPrefix(s[2:], "{"), "}"); ok && s[2] == '{' && unicode.Categories[name] != nil {
			return s[:len(name)+4], len(name) + 4, nil
		}
	}
	if strings.IndexByte("_!\"#%&',:;<=>@`~ ", s[1]) >= 0 {
		return s[1:2], 2, nil // an escape that JavaScript does not know, of a plain character
	}
	return "", 0, foreign(s[:min(3, len(s))])
}

func foreign(what string) error {
	return fmt.Errorf("JavaScript does not read %s so", what)
}

// quantifier returns the length of the {n}, {n,} or {n,m} that s starts with.
func quantifier(s string) int {
	i := 1
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == ',') {
		i++
	}
	if s[0] != '{' || i >= len(s) || s[i] != '}' || i == 1 || s[1] == ',' {
		return 0
	}
	return i + 1
}
