package ashlar_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/config"
)

// The guide lists every variable that is read, with its default and meaning.
func TestGuideListsEveryVariable(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range config.Describe[ashlar.Config]() {
		row := fmt.Sprintf("| %#q | | %s", v.Name, v.Doc)
		if v.Default != "" {
			row = fmt.Sprintf("| %#q | %#q | %s", v.Name, v.Default, v.Doc)
		}
		if !strings.Contains(string(guide), row) {
			t.Errorf("docs/configuration.md lacks the row:\n%s", row)
		}
	}
}

// What the README shows is code that compiles and is tested: each block stands
// in examples/shop to the letter.
func TestReadmeShowsTheExample(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("examples/shop/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)\n```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) < 5 {
		t.Fatalf("the README shows %d blocks of Go", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(source.String(), block[1]) {
			t.Errorf("the example has not, to the letter:\n%s", block[1])
		}
	}
}

// TestTheSecurityGuideNamesRealTests: each promise of the guide names tests
// that are there.
func TestTheSecurityGuideNamesRealTests(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	declared, function := map[string]bool{}, regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err = filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error { // tests of other modules too
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git"):
			return fs.SkipDir
		case !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(name)
		for _, m := range function.FindAllSubmatch(text, -1) {
			declared[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`).FindAllString(string(guide), -1)
	for _, name := range named {
		if !declared[name] {
			t.Errorf("docs/security.md names %s, which is no test", name)
		}
	}
	if len(named) < 50 {
		t.Errorf("docs/security.md names %d tests: was it read?", len(named))
	}
}
