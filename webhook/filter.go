package webhook

import (
	"regexp"
	"strings"
)

// A message's type is a name in parts, as Standard Webhooks suggests:
// payment.captured. A filter is such a name, the name of a group with .* behind
// it, or * for all.
var (
	typeName   = regexp.MustCompile(`^[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*$`)
	typeFilter = regexp.MustCompile(`^(\*|[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*(\.\*)?)$`)
)

// maxType bounds the length of both.
const maxType = 100

// takes reports whether one of the filters lets the type through.
func takes(filters []string, typ string) bool {
	for _, f := range filters {
		group, all := strings.CutSuffix(f, "*")
		if f == typ || all && strings.HasPrefix(typ, group) {
			return true
		}
	}
	return false
}
