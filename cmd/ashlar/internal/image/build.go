package image

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

// Platform is what a program is built for, such as linux/amd64.
type Platform struct{ OS, Arch string }

// ParsePlatform reads "linux/arm64".
func ParsePlatform(text string) (Platform, error) {
	system, arch, ok := strings.Cut(text, "/")
	if !ok || system != "linux" || arch != "amd64" && arch != "arm64" {
		return Platform{}, fmt.Errorf("platform %q: linux/amd64 and linux/arm64 can be built", text)
	}
	return Platform{system, arch}, nil
}

func (p Platform) String() string { return p.OS + "/" + p.Arch }

// Program is a program that was built.
type Program struct {
	Platform

	Name string // the last word of the package's path
	File string
	Info *debug.BuildInfo
}

// Compile builds the package in dir, static and stripped, and writes it below
// to.
func Compile(ctx context.Context, dir, pkg string, p Platform, to string) (Program, error) {
	list := exec.CommandContext(ctx, "go", "list", "-f", "{{.Name}} {{.ImportPath}}", pkg) //nolint:gosec // whoever runs it names the package
	list.Dir, list.Stderr = dir, os.Stderr
	out, err := list.Output()
	if err != nil {
		return Program{}, fmt.Errorf("%s is no package here: %w", pkg, err)
	}
	kind, at, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if kind != "main" {
		return Program{}, fmt.Errorf("%s is a package %s, and no program", pkg, kind)
	}
	built := Program{Platform: p, Name: path.Base(at), File: filepath.Join(to, p.OS+"-"+p.Arch)}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w -buildid=", "-o", built.File, pkg) //nolint:gosec // whoever runs it names the package
	build.Dir, build.Stderr = dir, os.Stderr
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Arch)
	if err := build.Run(); err != nil {
		return Program{}, fmt.Errorf("build %s for %s: %w", pkg, p, err)
	}
	if built.Info, err = buildinfo.ReadFile(built.File); err != nil {
		return Program{}, fmt.Errorf("what %s was built from: %w", pkg, err)
	}
	return built, nil
}

// setting is what the build recorded, such as vcs.revision.
func (p Program) setting(key string) string {
	for _, s := range p.Info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// Revision is the commit, "" outside a repository. A program of a tree with
// changes that are not committed is of none.
func (p Program) Revision() string {
	if p.setting("vcs.modified") == "true" {
		return ""
	}
	return p.setting("vcs.revision")
}

// Created is the time of the commit, or the beginning of 1970: the time of the
// build would give each build another digest.
func (p Program) Created() time.Time {
	if at, err := time.Parse(time.RFC3339, p.setting("vcs.time")); err == nil && p.Revision() != "" {
		return at.UTC()
	}
	return time.Unix(0, 0).UTC()
}

// Version is that of the program's module, "" while it has none.
func (p Program) Version() string {
	if v := p.Info.Main.Version; v != "(devel)" {
		return v
	}
	return ""
}
