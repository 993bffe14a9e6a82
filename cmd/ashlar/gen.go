package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ashlar-go/ashlar/internal/godoc"
)

type gen struct {
	Check bool     `help:"Write nothing; fail if a file is not what would be written."`
	Dirs  []string `arg:"" optional:"" name:"dir" default:"." help:"Folders of packages. DIR/... stands for all packages below it that have the file already."`
}

// Run is called by kong.
func (g gen) Run(out printer) error {
	var errs []error
	for _, dir := range g.Dirs {
		dirs := []string{dir}
		if root, below := strings.CutSuffix(filepath.ToSlash(dir), "/..."); below {
			var err error
			if dirs, err = generated(root); err != nil {
				return err
			}
		}
		for _, dir := range dirs {
			if err := g.one(dir, out); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func (g gen) one(dir string, out printer) error {
	p, err := godoc.Collect(dir)
	if err != nil {
		return err
	}
	want, err := p.Source()
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	file := filepath.Join(dir, godoc.File)
	have, err := os.ReadFile(file) //nolint:gosec // whoever runs it names the folder
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil && bytes.Equal(have, want):
		return nil
	case g.Check:
		return fmt.Errorf("%s is stale; run: ashlar gen %s", file, dir)
	}
	if err := os.WriteFile(file, want, 0o644); err != nil { //nolint:gosec // source is for everyone to read
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %d comments\n", file, len(p.Docs))
	return err
}

// generated returns the folders below root that have the generated file.
func generated(root string) ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != root && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
			return fs.SkipDir
		}
		if !entry.IsDir() && name == godoc.File {
			dirs = append(dirs, filepath.Dir(path))
		}
		return nil
	})
	return dirs, err
}
