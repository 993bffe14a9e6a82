// Package licence says under which licences the modules are that a program is
// linked from.
package licence

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Unknown is what a text is under that is none of those that are known.
const Unknown = "unknown"

// Permissive are the licences that a program may be shipped under without
// giving away its own source.
func Permissive() []string {
	return []string{"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MPL-2.0", "Unlicense"}
}

// Of names the licence of a text, by the words that only it has, as SPDX does.
func Of(text []byte) string {
	words := strings.Join(strings.Fields(strings.ToLower(string(text))), " ")
	has := func(phrase string) bool { return strings.Contains(words, phrase) }
	// What is a licence's title stands at its head; the others speak of it too.
	title := func(phrase string) bool { return strings.Contains(words[:min(len(words), 400)], phrase) }
	switch {
	case title("mozilla public license") && has("2.0"):
		return "MPL-2.0"
	case title("gnu affero general public license"):
		return "AGPL"
	case title("gnu lesser general public license"), title("gnu library general public license"):
		return "LGPL"
	case title("gnu general public license"):
		return "GPL"
	case has("apache license") && has("version 2.0"):
		return "Apache-2.0"
	case has("permission is hereby granted, free of charge, to any person obtaining a copy"):
		return "MIT"
	case has("permission to use, copy, modify, and/or distribute this software for any purpose with or without fee"),
		has("permission to use, copy, modify, and distribute this software for any purpose with or without fee"):
		if !has("copyright notice and this permission notice appear in all copies") {
			return "0BSD"
		}
		return "ISC"
	case has("redistribution and use in source and binary forms"):
		if has("endorse or promote") {
			return "BSD-3-Clause"
		}
		return "BSD-2-Clause"
	case has("this is free and unencumbered software released into the public domain"):
		return "Unlicense"
	case has("cc0 1.0 universal"):
		return "CC0-1.0"
	}
	return Unknown
}

// A Module is one that code is linked from.
type Module struct {
	Path, Version string
	Licences      []string // one of them Unknown if there is no text, or a strange one
}

// Linked returns the modules of the packages and of what they import, for this
// system, without their tests.
func Linked(ctx context.Context, dir string, packages ...string) ([]Module, error) {
	list := exec.CommandContext(ctx, "go", append([]string{ //nolint:gosec // whoever runs it names the packages
		"list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}",
	}, packages...)...)
	var complaints bytes.Buffer
	list.Dir, list.Stderr = dir, &complaints
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, strings.TrimSpace(complaints.String()))
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	var modules []Module
	for _, line := range slices.Compact(lines) {
		f := strings.Split(line, "\t")
		if len(f) != 3 {
			continue // the standard library
		}
		licences, err := in(f[2])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f[0], err)
		}
		modules = append(modules, Module{f[0], f[1], licences})
	}
	return modules, nil
}

// in returns the licences of the texts in a module's folder.
func in(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if e.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") && !strings.HasPrefix(name, "UNLICENSE") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name())) //nolint:gosec // a module's own folder
		if err != nil {
			return nil, err
		}
		found = append(found, Of(text))
	}
	if found == nil {
		return []string{Unknown}, nil
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}
