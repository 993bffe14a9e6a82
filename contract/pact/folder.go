package pact

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Folder is a source of pacts: the files in it whose names end in .json, or
// one such file.
type Folder string

// Pacts reads the files. One that is no pact is an error.
func (f Folder) Pacts(_ context.Context, provider string) ([]*Pact, error) {
	files := []string{string(f)}
	if !strings.HasSuffix(string(f), ".json") {
		var err error
		if files, err = filepath.Glob(filepath.Join(string(f), "*.json")); err != nil {
			return nil, err
		}
	}
	var pacts []*Pact
	var others []string
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // the folder is the caller's
		if err != nil {
			return nil, err
		}
		p, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if p.Provider != provider {
			others = append(others, p.Provider)
			continue
		}
		pacts = append(pacts, p)
	}
	if len(pacts) == 0 {
		err := fmt.Errorf("%s has no pact with %q", f, provider)
		if others != nil {
			err = fmt.Errorf("%w, but with %q", err, others)
		}
		return nil, err
	}
	return pacts, nil
}

// Publish does nothing: nobody asks a folder.
func (Folder) Publish(context.Context, *Pact, []Result) error { return nil }
