package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheGuideShowsTheSteps holds that what the tutorial shows is code that
// compiles and is tested: each line of a block follows the one before in a file.
func TestTheGuideShowsTheSteps(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../*/*.go")
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
	blocks := regexp.MustCompile("(?s)```go\n(.*?)\n```").FindAllStringSubmatch(string(guide), -1)
	if len(blocks) < 15 {
		t.Fatalf("the tutorial shows %d blocks of Go", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(source.String(), block[1]) {
			t.Errorf("no step has, to the letter:\n%s", block[1])
		}
	}
}
