package deploytest_test

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// checkout is a copy of what a release is made of, with another changelog.
func checkout(t *testing.T, changelog string) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the archives are made by GNU tar")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"CHANGELOG.md": changelog, "LICENSE": "mine", "README.md": "me",
		".ci/release":        string(read(t, "../../.ci/release")),
		"go.mod":             "module example.com/ashlar\n\ngo 1.26\n",
		"cmd/ashlar/main.go": "package main\n\nfunc main() { println(\"ashlar\") }\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "-q"},
		{"add", "."},
		{"-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null", "commit", "-qm", "All", "--date=2026-11-29T00:00:00Z"},
	} {
		git := exec.CommandContext(t.Context(), "git", args...)
		git.Dir, git.Env = dir, append(os.Environ(), "GIT_COMMITTER_DATE=2026-11-29T00:00:00Z")
		if out, err := git.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
	return dir
}

func release(t *testing.T, dir, version, platforms string) (dist, out string, err error) {
	t.Helper()
	dist = t.TempDir()
	c := exec.CommandContext(t.Context(), filepath.Join(dir, ".ci", "release"), version, dist)
	c.Env = append(os.Environ(), "PLATFORMS="+platforms)
	text, err := c.CombinedOutput()
	return dist, string(text), err
}

const changelog = `# Changelog

What a user can see.

## Unreleased

- Not yet.

## [1.1.0] - 2026-11-29

### Added

- One thing,
  over two lines.

## 1.0.0

- The first.
`

func TestNotesAreThoseOfTheVersion(t *testing.T) {
	t.Parallel()
	dir := checkout(t, changelog)
	for version, want := range map[string]string{
		"v1.1.0":     "### Added\n\n- One thing,\n  over two lines.\n",
		"v1.0.0":     "- The first.\n",
		"Unreleased": "- Not yet.\n",
	} {
		dist, out, err := release(t, dir, version, "linux/amd64")
		if err != nil {
			t.Fatalf("%s: %v\n%s", version, err, out)
		}
		if got := string(read(t, filepath.Join(dist, "notes.md"))); got != want {
			t.Errorf("%s: %q, want %q", version, got, want)
		}
	}
	for version, want := range map[string]string{
		"v1.2.0": "CHANGELOG.md says nothing of v1.2.0",
		"v1.1":   "CHANGELOG.md says nothing of v1.1",
		"1.1.0":  "is no version like v1.2.3",
	} {
		if _, out, err := release(t, dir, version, "linux/amd64"); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v %q", version, err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, out, err := release(t, dir, "v1.1.0", "linux/amd64"); err == nil || !strings.Contains(out, "not committed") {
		t.Errorf("with changes: %v %q", err, out)
	}
}

// TestArchivesAreReproducible: two folders, the same bytes, and sums that fit.
func TestArchivesAreReproducible(t *testing.T) {
	t.Parallel()
	const platforms = "linux/arm64 darwin/arm64 windows/amd64" // make release-dry makes all six
	first, out, err := release(t, checkout(t, changelog), "v1.1.0", platforms)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	second, out, err := release(t, checkout(t, changelog), "v1.1.0", platforms)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sums := string(read(t, filepath.Join(first, "checksums.txt")))
	if sums != string(read(t, filepath.Join(second, "checksums.txt"))) {
		t.Error("two folders give two releases")
	}
	if n := strings.Count(sums, "\n"); n != 3 {
		t.Errorf("%d archives:\n%s", n, sums)
	}
	for line := range strings.Lines(sums) {
		f := strings.Fields(line)
		text := read(t, filepath.Join(first, f[1]))
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != f[0] {
			t.Errorf("%s has another sum", f[1])
		}
		want := []string{"LICENSE", "README.md", "ashlar"}
		if strings.Contains(f[1], "windows") {
			want[2] = "ashlar.exe"
		}
		if got := names(t, filepath.Join(first, f[1])); !slices.Equal(got, want) {
			t.Errorf("%s has %q", f[1], got)
		}
	}
}

// names are those of the files in an archive.
func names(t *testing.T, archive string) (list []string) {
	t.Helper()
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Uname != "" {
			t.Errorf("%s belongs to %d %s", h.Name, h.Uid, h.Uname)
		}
		if h.Typeflag == tar.TypeReg {
			list = append(list, filepath.Base(h.Name))
		}
	}
}
