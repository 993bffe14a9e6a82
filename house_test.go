package ashlar_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/ashlar-go/ashlar"

// house is the plan of the tree, from the ground up. A package may import the
// floors named in its row's may, and its tests also those in tests. A new
// package is put on a floor here before it is imported anywhere.
var house = []floor{
	{
		name:     "words",
		packages: "fault access rule id config metric trace logs logs/rotate",
		may:      "internal",
		tests:    "words",
	},
	{
		name:     "internal", // what no user sees, and the only unsafe
		packages: "internal/...",
		may:      "words internal",
	},
	{
		name:     "mechanisms", // each useful alone; they never import each other
		packages: "serve auth limit cache idem event job work db health supervise outbound webhook room",
		may:      "words internal",
		tests:    "mechanisms adapters",
	},
	{
		name:     "adapters", // one driver each, and the suites that prove them alike
		packages: "db/sqlite db/postgres redis db/dbtest auth/authtest limit/limittest cache/cachetest event/eventtest job/jobtest outbound/outboundtest auth/oidc serve/acme serve/lambda trace/otlp logs/otlp",
		may:      "words internal mechanisms",
		tests:    "adapters",
	},
	{
		name:     "declaration",
		packages: "op",
		may:      "words internal",
	},
	{
		name:     "derivations", // what follows from a declaration; never from a mechanism
		packages: "rest live openapi openapi/swaggerui graphql tsclient goclient contract contract/pact",
		may:      "words internal declaration",
		tests:    "mechanisms adapters derivations",
	},
	{
		name:     "assembly",
		packages: ".",
		may:      "words internal mechanisms adapters declaration derivations",
		tests:    "assembly around",
	},
	{
		name:     "around",
		packages: "ashlartest check console scaffold deploy",
		may:      "words internal mechanisms adapters declaration derivations assembly",
		tests:    "around",
	},
	{
		name:     "examples", // users' programs: they see what a user sees
		packages: "examples/... docs/tutorial/...",
		may:      "words mechanisms adapters declaration derivations assembly examples",
		tests:    "around internal",
	},
	{
		name:     "binary",
		packages: "cmd/...",
		may:      "words internal mechanisms adapters declaration derivations assembly around binary",
	},
}

// exceptions are the imports that were decided against the table; each has its
// page in docs/decisions.
var exceptions = map[string][]string{
	"access": {"fault"}, // 0005: fault is the ground of the words
	"rule":   {"fault"}, // 0005

	// 0014: they write in their caller's transaction, and say so in their signatures
	"event":   {"db"},
	"job":     {"db"},
	"webhook": {"db"},
}

// libraries says which packages may import which module besides the standard
// library, so that each is wrapped once and can be replaced in one place.
var libraries = map[string]string{
	"github.com/DeRuina/timberjack":          "logs/rotate",
	"github.com/alecthomas/kong":             ". cmd/...",
	"github.com/coder/websocket":             "live",
	"github.com/coreos/go-oidc/v3":           "auth/oidc",
	"github.com/go-json-experiment/json":     "internal/codec",
	"github.com/golang-jwt/jwt/v5":           "auth",
	"github.com/google/go-containerregistry": "cmd/ashlar/internal/image",
	"github.com/google/uuid":                 "id",
	"github.com/jackc/pgx/v5":                "db/postgres",
	"github.com/maypok86/otter/v2":           "cache",
	"github.com/pressly/goose/v3":            "db",
	"github.com/prometheus/client_golang":    "metric",
	"github.com/prometheus/client_model":     "metric",
	"github.com/prometheus/common":           "metric",
	"github.com/redis/rueidis":               "redis",
	"github.com/vektah/gqlparser/v2":         "graphql",
	"go.opentelemetry.io/otel":               "trace/otlp logs/otlp",
	"go.opentelemetry.io/proto/otlp":         "trace/otlp logs/otlp",
	"go.yaml.in/yaml/v3":                     "openapi",
	"golang.org/x/crypto":                    "auth serve/acme cmd/ashlar/internal/image",
	"golang.org/x/oauth2":                    "auth/oidc",
	"golang.org/x/sys":                       "supervise", // CLOCK_MONOTONIC, which systemd asks for
	"golang.org/x/term":                      ". cmd/...",
	"modernc.org/libc":                       "db/sqlite/...",
	"modernc.org/sqlite":                     "db/sqlite/...",
}

// testLibraries may be imported by tests, and by the packages that only tests
// import.
var testLibraries = map[string]string{
	"github.com/alicebob/miniredis/v2":         "redis",   // where no server is to be had
	"github.com/graph-gophers/graphql-go":      "graphql", // the executor's oracle
	"github.com/anishathalye/porcupine":        "examples/payments/torture",
	"github.com/coder/websocket":               "...",                 // the other end
	"github.com/go-json-experiment/json":       "internal/codec rest", // the decoder's oracle
	"github.com/jackc/pgx/v5":                  "internal/backing",
	"github.com/google/go-cmp":                 "...",
	"google.golang.org/protobuf":               "trace/otlp logs/otlp",
	"go.yaml.in/yaml/v3":                       "graphql", // scenarios are written in it
	"github.com/santhosh-tekuri/jsonschema/v6": "...",
	"modernc.org/sqlite":                       "idem", // proves that it works without db
	"pgregory.net/rapid":                       "...",
}

// kits are the packages that only tests import.
const kits = "ashlartest db/dbtest auth/authtest internal/chromium internal/backing limit/limittest cache/cachetest event/eventtest job/jobtest outbound/outboundtest"

// vague names say where code was put, not what it is.
const vague = "base common core helper helpers lib misc model models pkg shared types util utils"

// A floor is one row of the house. Lists are separated by spaces; a name that
// ends in /... takes every package below it too.
type floor struct{ name, packages, may, tests string }

// A pkg is what the source files of one folder say.
type pkg struct {
	path          string // below the module's, "." for the root
	name          string
	documented    bool
	imports       map[string]string // by the code: import path, and a file that has it
	importsOfTest map[string]string // by its tests
}

// TestEveryImportPointsDown holds the table of floors.
func TestEveryImportPointsDown(t *testing.T) {
	t.Parallel()
	const remedy = "import something lower, take a small interface instead, or change the table `house` in house_test.go and say why in docs/decisions"

	for _, p := range packages(t) {
		own, ok := floorOf(p.path)
		if !ok {
			t.Errorf("package %s is on no floor: add it to a row of the table `house` in house_test.go", p.path)
			continue
		}
		for imported, file := range p.imports {
			target, inside := within(imported)
			if !inside || hidden(target) || slices.Contains(exceptions[p.path], target) {
				continue
			}
			if f, ok := floorOf(target); ok && !holds(own.may, f.name) {
				t.Errorf("%s: %s (%s) imports %s (%s); %s may import: %s\n\t%s", file, p.path, own.name, target, f.name, own.name, own.may, remedy)
			}
		}
		for imported, file := range p.importsOfTest {
			target, inside := within(imported)
			if !inside || hidden(target) || target == p.path || slices.Contains(exceptions[p.path], target) {
				continue
			}
			if f, ok := floorOf(target); ok && !holds(own.may+" "+own.tests, f.name) {
				t.Errorf("%s: the tests of %s (%s) import %s (%s); they may import: %s %s\n\t%s", file, p.path, own.name, target, f.name, own.may, own.tests, remedy)
			}
		}
	}
}

// TestEveryLibraryIsWrappedOnce holds the table of third-party modules, and
// keeps test kits and unsafe code where they belong.
func TestEveryLibraryIsWrappedOnce(t *testing.T) {
	t.Parallel()

	for _, p := range packages(t) {
		kit := takes(kits, p.path)
		for imported, file := range p.imports {
			switch _, inside := within(imported); {
			case imported == "C":
				t.Errorf("%s: cgo is not used: one static binary must build everywhere", file)
			case imported == "unsafe" && !strings.Contains("/"+p.path, "/internal/"):
				t.Errorf("%s: unsafe is for packages under internal/", file)
			case imported == "testing" || strings.HasPrefix(imported, "testing/"):
				// testing/fstest and the like drag flags into a user's binary.
				if !kit {
					t.Errorf("%s: %s imports %s outside a test; only these may: %s", file, p.path, imported, kits)
				}
			case inside || standard(imported):
			case takes(allowed(libraries, imported), p.path):
			case kit && takes(allowed(testLibraries, imported), p.path):
			default:
				t.Errorf("%s: %s may not import %s: use the package that wraps it, or add a row to the table `libraries` in house_test.go (it allows: %s)",
					file, p.path, imported, orNone(allowed(libraries, imported)))
			}
		}
		for imported, file := range p.importsOfTest {
			_, inside := within(imported)
			switch {
			case imported == "unsafe" && !strings.Contains("/"+p.path, "/internal/"):
				t.Errorf("%s: unsafe is for packages under internal/", file)
			case inside || standard(imported):
			case takes(allowed(libraries, imported), p.path):
			case takes(allowed(testLibraries, imported), p.path):
			default:
				t.Errorf("%s: the tests of %s may not import %s: add a row to the table `testLibraries` in house_test.go if they must", file, p.path, imported)
			}
		}
	}
}

// TestSQLiteRunsOnItsOwnLibc holds the pair of versions that were made for each
// other: the driver is C translated to Go, and calls this libc by its layout.
func TestSQLiteRunsOnItsOwnLibc(t *testing.T) {
	t.Parallel()
	version := regexp.MustCompile(`(?m)^\s*(?:require )?modernc\.org/libc (\S+)`)
	libc := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := version.FindSubmatch(text)
		if found == nil {
			t.Fatalf("%s requires no modernc.org/libc", file)
		}
		return string(found[1])
	}

	driver, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.GoMod}}", "modernc.org/sqlite").Output()
	if err != nil {
		t.Fatal(err)
	}
	if ours, theirs := libc("go.mod"), libc(strings.TrimSpace(string(driver))); ours != theirs {
		t.Errorf("go.mod requires modernc.org/libc %s, modernc.org/sqlite was made for %s: raise or lower them together", ours, theirs)
	}
}

// TestEveryPackageIntroducesItself keeps package comments and honest names.
func TestEveryPackageIntroducesItself(t *testing.T) {
	t.Parallel()

	for _, p := range packages(t) {
		if p.name != "" && !p.documented {
			t.Errorf("package %s has no package comment: say in a sentence what it is for", p.path)
		}
		if takes(vague, p.name) {
			t.Errorf("package %s: %q does not say what it holds: name it after its one idea", p.path, p.name)
		}
	}
}

// TestEveryLinkLeadsSomewhere reads the Markdown pages.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s#]+)[^)]*\)`)
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")

	walk(t, func(file string) {
		if path.Ext(file) != ".md" {
			return
		}
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			if strings.Contains(m[1], ":") { // another site, or mail
				continue
			}
			if _, err := os.Stat(filepath.FromSlash(path.Join(path.Dir(file), m[1]))); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			}
		}
	})
}

// packages reads the imports of every Go file of the module, of all build
// tags and systems alike. It reads them itself rather than through `go list`
// so that the test cache sees which files the result depends on.
func packages(t *testing.T) []*pkg {
	t.Helper()
	byPath := map[string]*pkg{}
	walk(t, func(file string) {
		if path.Ext(file) != ".go" {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(file), nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if ignored(f) {
			return
		}
		p := byPath[path.Dir(file)]
		if p == nil {
			p = &pkg{path: path.Dir(file), imports: map[string]string{}, importsOfTest: map[string]string{}}
			byPath[p.path] = p
		}
		imports := p.importsOfTest
		if !strings.HasSuffix(file, "_test.go") {
			imports = p.imports
			p.name = f.Name.Name
			p.documented = p.documented || f.Doc.Text() != ""
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			imports[imported] = file
		}
	})
	if len(byPath) == 0 {
		t.Fatal("no Go package found: the test must run in the root of the module")
	}
	all := make([]*pkg, 0, len(byPath))
	for _, p := range byPath {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *pkg) int { return strings.Compare(a.path, b.path) })
	return all
}

// walk calls visit for each file of the module, with its slash-separated path.
// Other modules, test data and what the go command ignores are left out.
func walk(t *testing.T, visit func(file string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case !d.IsDir():
			visit(filepath.ToSlash(name))
			return nil
		case d.Name() == "testdata" || d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_"):
			return fs.SkipDir
		}
		if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ignored reports whether f is a program for `go run`, outside the package.
func ignored(f *ast.File) bool {
	return slices.ContainsFunc(f.Comments, func(g *ast.CommentGroup) bool {
		return g.Pos() < f.Package && g.List[0].Text == "//go:build ignore"
	})
}

// floorOf returns the row that a package stands on; what is internal to a
// package stands on that package's.
func floorOf(pkgPath string) (floor, bool) {
	pkgPath, _, _ = strings.Cut(pkgPath, "/internal/")
	for _, f := range house {
		if takes(f.packages, pkgPath) {
			return f, true
		}
	}
	return floor{}, false
}

// hidden reports whether a package is internal to another one: the go command
// holds who imports it.
func hidden(pkgPath string) bool { return strings.Contains(pkgPath, "/internal/") }

// takes reports whether list names pkgPath, by itself or by a /... above it.
func takes(list, pkgPath string) bool {
	for entry := range strings.FieldsSeq(list) {
		above, tree := strings.CutSuffix(entry, "...")
		if entry == pkgPath || tree && strings.HasPrefix(pkgPath+"/", above) {
			return true
		}
	}
	return false
}

func holds(list, word string) bool { return slices.Contains(strings.Fields(list), word) }

// allowed returns the packages that table lets import the given path.
func allowed(table map[string]string, imported string) string {
	for lib, who := range table {
		if strings.HasPrefix(imported+"/", lib+"/") {
			return who
		}
	}
	return ""
}

func orNone(list string) string {
	if list == "" {
		return "nobody"
	}
	return list
}

// within returns the path below the module's of a package of this module.
func within(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// standard reports whether imported belongs to the standard library: the first
// element of any other path has a dot.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}
