package config

import (
	"cmp"
	"slices"
	"strings"
)

// Unknown returns a mistake for each variable of environ ("NAME=value", as
// [os.Environ] returns them) that starts with prefix and that [Load] does not
// read for T, with the nearest name that it does. They are most likely typing
// errors. The variables that Kubernetes adds for a Service of the same name
// (…_SERVICE_HOST, …_PORT_8080_TCP) are not counted.
func Unknown[T any](environ []string, prefix string) Mistakes {
	var known []string
	for _, v := range Describe[T]() {
		known = append(known, v.Name)
		if v.Secret {
			known = append(known, v.Name+fileSuffix)
		}
	}
	var out Mistakes
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, prefix) && !slices.Contains(known, name) && !serviceLink(name, value) {
			out = append(out, Mistake{name, "is not a known variable" + suggest(name, known)})
		}
	}
	slices.SortFunc(out, func(a, b Mistake) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func serviceLink(name, value string) bool {
	return strings.HasSuffix(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT") ||
		strings.Contains(name, "_PORT") && (strings.Contains(value, "://") || strings.Contains(name, "_TCP") || strings.Contains(name, "_UDP"))
}

// suggest names the known variable that takes the fewest edits, if few are
// enough to believe it was meant.
func suggest(name string, known []string) string {
	best, fewest := "", max(2, len(name)/4)+1
	for _, k := range known {
		if d := distance(name, k); d < fewest {
			best, fewest = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance counts the insertions, removals and replacements of a byte that
// turn a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
