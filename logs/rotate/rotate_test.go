package rotate_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/logs/rotate"
)

func open(t *testing.T, c rotate.Config) *rotate.File {
	t.Helper()
	f, err := rotate.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // again, where the test did
	return f
}

// read returns what all files of a directory hold, unpacked, and their names.
func read(t *testing.T, dir string) (text string, names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(e.Name(), ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if raw, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		text += string(raw)
		names = append(names, e.Name())
	}
	return text, names
}

func TestAFullFileIsPutAsideCompressed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, rotate.Config{Path: filepath.Join(dir, "logs", "app.log"), Size: rotate.MinSize})
	log := slog.New(slog.NewJSONHandler(f, nil))
	const lines = 10_000
	for i := range lines {
		log.Info(strings.Repeat("x", 1000), "i", i)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	text, names := read(t, filepath.Join(dir, "logs"))
	if len(names) != 2 || !strings.HasSuffix(names[0], ".gz") || names[1] != "app.log" {
		t.Fatalf("files %q", names)
	}
	next := 0
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, fmt.Sprintf("\"i\":%d}\n", next)) {
			t.Fatalf("line %d is %.40s…", next, line)
		}
		next++
	}
	if next != lines {
		t.Fatalf("%d lines of %d", next, lines)
	}
	info, err := os.Stat(filepath.Join(dir, "logs", "app.log"))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode&0o137 != 0 {
		t.Errorf("the file can be read by others: %s", mode)
	}
}

func TestOldFilesGoByCountAndAge(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rotate.Config
		kept int // of 3 hours, 2 days and a year ago, and the one that is put aside now
	}{
		"the defaults": {rotate.Config{}, 3},
		"by count":     {rotate.Config{Count: 2}, 2},
		"by age":       {rotate.Config{Age: time.Hour}, 2}, // that is a day
		"all":          {rotate.Config{Count: -1, Age: -1}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, ago := range []time.Duration{3 * time.Hour, 48 * time.Hour, 365 * 24 * time.Hour} {
				old := "app-" + time.Now().UTC().Add(-ago).Format("2006-01-02T15-04-05.000") + "-size.log"
				if err := os.WriteFile(filepath.Join(dir, old), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c.Path, c.Plain = filepath.Join(dir, "app.log"), true
			f := open(t, c.Config)
			if _, err := io.WriteString(f, "a line\n"); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(f.Rotate(), f.Close()); err != nil {
				t.Fatal(err)
			}
			if text, names := read(t, dir); len(names) != c.kept+1 || text != "a line\n" {
				t.Errorf("%d were kept, want %d: %q", len(names)-1, c.kept, names)
			}
		})
	}
}

func TestAFileGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, text := range []string{"one\n", "two\n"} {
		f := open(t, rotate.Config{Path: filepath.Join(dir, "app.log")})
		if _, err := io.WriteString(f, text); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, "late\n"); err != nil {
			t.Errorf("write after Close: %v", err)
		}
	}
	if text, names := read(t, dir); text != "one\nlate\ntwo\nlate\n" {
		t.Errorf("%q in %q", text, names)
	}
}

func TestWhatCannotBeIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	blocked := filepath.Join(dir, "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]rotate.Config{
		"no path":      {},
		"too small":    {Path: filepath.Join(dir, "app.log"), Size: 1},
		"negative":     {Path: filepath.Join(dir, "app.log"), Size: -1},
		"no directory": {Path: filepath.Join(blocked, "app.log")},
		"a directory":  {Path: dir},
	} {
		if _, err := rotate.Open(c); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		t.Fatalf("the directory in the file's place was moved: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "app.log")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused file was made: %v", err)
	}
}
