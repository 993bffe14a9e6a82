package rule

import (
	"fmt"
	"regexp"
	"strings"
)

// compilePattern returns a matcher for an expression that RE2 and JavaScript
// read alike.
func compilePattern(expression string) (func(string) bool, error) {
	for _, foreign := range []string{"(?i", "(?s", "(?m", "(?U", "(?P<", `\A`, `\z`, `\Q`, `\C`, `[[:`} {
		if strings.Contains(expression, foreign) {
			return nil, fmt.Errorf("expression %q uses %s, which JavaScript does not read", expression, foreign)
		}
	}
	re, err := regexp.Compile(expression)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", expression, err)
	}
	return re.MatchString, nil
}
