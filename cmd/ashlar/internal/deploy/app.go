package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// App is what the files are written for.
type App struct {
	Name    string // a DNS label: it names services, users and hosts
	Package string // the program, as ./cmd/shop
	Image   string // registry/name, without tag
}

var (
	goodName    = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$`)
	goodPackage = regexp.MustCompile(`^\.(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$`)
	goodImage   = regexp.MustCompile(`^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+$`)
)

// validate keeps out what would say something else in a file: all three end in
// scripts.
func (a App) validate() error {
	var errs []error
	refuse := func(fits bool, format string, args ...any) {
		if !fits {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(goodName.MatchString(a.Name), "name %q: small letters, digits and dashes, at most 40, as in payments-api; say another with --name", a.Name)
	refuse(goodPackage.MatchString(a.Package), "package %q: must be a folder of this module, as ./cmd/shop", a.Package)
	refuse(goodImage.MatchString(a.Image), "image %q: must be registry/name without tag, as registry.example.com/shop", a.Image)
	return errors.Join(errs...)
}

// The app of the files as they stand in this repository.
const (
	exampleName    = "shop"
	examplePackage = "./cmd/shop"
	exampleImage   = "registry.example.com/shop"
)

var exampleWord = regexp.MustCompile(`\b` + exampleName + `\b`)

// Adapt puts the app in the place of the example.
func (a App) Adapt(text string) string {
	const pkg, image = "\x00p", "\x00i" // neither is in a file, nor hit by the name
	text = strings.NewReplacer(examplePackage, pkg, exampleImage, image).Replace(text)
	text = exampleWord.ReplaceAllString(text, a.Name)
	return strings.NewReplacer(pkg, a.Package, image, a.Image).Replace(text)
}

// Find returns the module's folder, and the app in it: what is given, else what
// the record says, else what the module looks like.
func Find(ctx context.Context, dir string, given App) (root string, app App, err error) {
	out, err := goCommand(ctx, dir, "list", "-m", "-f", "{{.Dir}}\n{{.Path}}")
	if err != nil {
		return "", App{}, err
	}
	root, module, ok := strings.Cut(out, "\n")
	if !ok || root == "" {
		return "", App{}, errors.New("there is no module here: run it in the folder of a go.mod")
	}
	old, err := readRecord(root)
	if err != nil {
		return "", App{}, err
	}
	app = App{cmp.Or(given.Name, old.app.Name, nameOf(module)), cmp.Or(given.Package, old.app.Package), cmp.Or(given.Image, old.app.Image)}
	if app.Package == "" {
		if app.Package, err = program(ctx, root, app.Name); err != nil {
			return "", App{}, err
		}
	}
	app.Image = cmp.Or(app.Image, path.Dir(exampleImage)+"/"+app.Name)
	return root, app, app.validate()
}

// nameOf is the last word of a module's path that is no version.
func nameOf(module string) string {
	name := path.Base(module)
	if regexp.MustCompile(`^v[0-9]+$`).MatchString(name) {
		name = path.Base(path.Dir(module))
	}
	return strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))
}

// program is the package to build, where nobody has said which.
func program(ctx context.Context, root, name string) (string, error) {
	if info, err := os.Stat(filepath.Join(root, "cmd", name)); err == nil && info.IsDir() {
		return "./cmd/" + name, nil
	}
	out, err := goCommand(ctx, root, "list", "-f", `{{if eq .Name "main"}}{{.Dir}}{{end}}`, "./...")
	if err != nil {
		return "", err
	}
	programs := strings.Fields(out)
	if len(programs) != 1 {
		return "", fmt.Errorf("there are %d programs in this module: say which with --package", len(programs))
	}
	at, err := filepath.Rel(root, programs[0])
	if err != nil {
		return "", err
	}
	if at == "." {
		return ".", nil
	}
	return "./" + filepath.ToSlash(at), nil
}

func goCommand(ctx context.Context, dir string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, "go", args...) //nolint:gosec // all are written above
	c.Dir, c.Stderr = dir, os.Stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}
