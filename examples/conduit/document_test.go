package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheDocumentPromisesTheContract compares the API document with that of the
// contract: every path, method and status that it has, we have.
func TestTheDocumentPromisesTheContract(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(collection), "openapi.yml"))
	if err != nil {
		missing(t, err)
	}
	var ours struct {
		Paths map[string]map[string]struct{ Responses map[string]any }
	}
	if err := json.Unmarshal(open(t).Anonymous().Do("GET", "/openapi.json", "").Body.Bytes(), &ours); err != nil {
		t.Fatal(err)
	}
	operations := 0
	for path, methods := range statuses(string(text)) {
		for method, list := range methods {
			operations++
			for _, status := range list {
				if path == "/articles" && method == "post" && status == "409" {
					continue // equal titles get different slugs, so nothing is in the way of an article
				}
				if ours.Paths["/api"+path][method].Responses[status] == nil {
					t.Errorf("%s %s does not answer %s", method, path, status)
				}
			}
		}
	}
	if operations != 19 {
		t.Errorf("the contract has %d operations, and 19 were found: is the file another?", operations)
	}
}

// statuses reads of a document in YAML what stands at the depths of paths,
// methods and statuses.
func statuses(document string) map[string]map[string][]string {
	all := map[string]map[string][]string{}
	_, rest, _ := strings.Cut(document, "\npaths:\n")
	rest, _, _ = strings.Cut(rest, "\ncomponents:\n")
	var path, method string
	at := regexp.MustCompile(`^( +)'?([^ ':]+)'?:`)
	for line := range strings.Lines(rest) {
		m := at.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		switch len(m[1]) {
		case 2:
			path = m[2]
			all[path] = map[string][]string{}
		case 4:
			method = m[2]
		case 8:
			if len(m[2]) == 3 && m[2][0] >= '2' && m[2][0] <= '5' {
				all[path][method] = append(all[path][method], m[2])
			}
		}
	}
	return all
}

// TestTheGuideCountsTheLines that are to be read here as it counts those of
// others: neither blank nor a comment alone, without tests and what is generated.
func TestTheGuideCountsTheLines(t *testing.T) {
	t.Parallel()
	code, err := filepath.Glob("*.go")
	tables, failed := filepath.Glob("migrations/*.sql")
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	files, lines := 0, 0
	for _, name := range append(code, tables...) {
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".gen.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files++
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") && !strings.HasPrefix(line, "--") {
				lines++
			}
		}
	}
	guide, err := os.ReadFile("../../docs/conduit.md")
	if err != nil {
		t.Fatal(err)
	}
	if row := fmt.Sprintf("| this one | Ashlar, SQLite or PostgreSQL | %d | %d |", files, lines); !strings.Contains(string(guide), row) {
		t.Errorf("docs/conduit.md lacks the row:\n%s", row)
	}
}
