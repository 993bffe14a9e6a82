package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Record is the file that says what was written, for which app. It belongs in
// the repository: a file whose sum is still the one in it may be written again.
const Record = "deploy/ashlar.sum"

const recordHead = "# What ashlar deploy has written. A file that has its sum still is kept up to\n# date; one that was changed is yours, and is written over with --force only.\n"

type record struct {
	app     App
	targets []string
	sums    map[string]string // by path
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func readRecord(root string) (record, error) {
	r := record{sums: map[string]string{}}
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(Record))) //nolint:gosec // the module of whoever runs it
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0][0] == '#':
		case f[0] == "app" && len(f) == 4:
			r.app = App{f[1], f[2], f[3]}
		case f[0] == "targets":
			r.targets = f[1:]
		case len(f) == 2 && len(f[0]) == 2*sha256.Size:
			r.sums[f[1]] = f[0]
		default:
			return r, fmt.Errorf("%s: %q is no line of it; remove the file to start again", Record, strings.TrimSpace(line))
		}
	}
	return r, nil
}

func (r record) String() string {
	var b strings.Builder
	b.WriteString(recordHead)
	fmt.Fprintf(&b, "app %s %s %s\n", r.app.Name, r.app.Package, r.app.Image)
	fmt.Fprintf(&b, "targets %s\n", strings.Join(r.targets, " "))
	for _, path := range slices.Sorted(maps.Keys(r.sums)) {
		fmt.Fprintf(&b, "%s %s\n", r.sums[path], path)
	}
	return b.String()
}
