package deploy_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/cmd/ashlar/internal/deploy"
)

var app = deploy.App{Name: "payments-api", Package: "./services/api", Image: "images.example.test/team/payments-api"}

func all(t *testing.T) []deploy.Target {
	t.Helper()
	targets, err := deploy.Choose([]string{"all"})
	if err != nil {
		t.Fatal(err)
	}
	return targets
}

// written returns all files below dir, by path.
func written(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		path, _ := filepath.Rel(dir, name)
		files[filepath.ToSlash(path)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFilesAreOfTheApp: nothing is left of the example, and what is written is
// what was agreed on.
func TestFilesAreOfTheApp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wrote, left, err := deploy.Write(dir, app, all(t), deploy.Refuse)
	if err != nil || len(left) > 0 {
		t.Fatal(left, err)
	}
	files := written(t, dir)
	if len(wrote) != len(files)-1 { // and the record
		t.Errorf("%d files are there, %d are said to be written", len(files), len(wrote))
	}
	example := regexp.MustCompile(`\bshop\b|registry\.example\.com`)
	for name, text := range files {
		if at := example.FindStringIndex(text); at != nil {
			t.Errorf("%s is still of the example: %q", name, text[max(0, at[0]-30):min(len(text), at[1]+30)])
		}
	}
	for name, want := range map[string]string{
		"Dockerfile":                             "-o /out/app ./services/api\n",
		"compose.yaml":                           "name: payments-api\n",
		"deploy/kubernetes/base/deployment.yaml": "image: images.example.test/team/payments-api\n",
		"deploy/kubernetes/overlays/production/kustomization.yaml": "namespace: payments-api-production\n",
		"deploy/ecs/task.json":                `"family": "payments-api"`,
		"deploy/systemd/payments-api.service": "ExecStart=/usr/local/bin/payments-api serve\n",
		"deploy/systemd/payments-api.socket":  "FileDescriptorName=public\n",
		"deploy/systemd/payments-api.conf":    "# Settings of payments-api ",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s lacks %q", name, want)
		}
	}
	for golden, name := range map[string]string{
		"Dockerfile": "Dockerfile", "deployment.yaml": "deploy/kubernetes/base/deployment.yaml",
		"railway.json": "railway.json", "render.yaml": "render.yaml", "task.json": "deploy/ecs/task.json",
		"app.service": "deploy/systemd/payments-api.service",
	} {
		ashlartest.Golden(t, "testdata/"+golden, files[name])
	}
	if left, err := deploy.Check(dir, app, nil); err != nil || len(left) > 0 {
		t.Errorf("check after write: %v %v", left, err)
	}
	if wrote, _, err := deploy.Write(dir, app, all(t), deploy.Refuse); err != nil || len(wrote) > 0 {
		t.Errorf("a second time wrote %q, %v", wrote, err)
	}
	if again := written(t, dir); !maps.Equal(again, files) {
		t.Error("a second time changed something")
	}
}

// TestWhatSomebodyChangedIsTheirs is the promise that makes the command safe to
// type.
func TestWhatSomebodyChangedIsTheirs(t *testing.T) {
	t.Parallel()
	docker, err := deploy.Choose([]string{"railway"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put(t, dir, "Dockerfile", "FROM mine\n") // from before
	wrote, left, err := deploy.Write(dir, app, docker, deploy.Refuse)
	if err == nil || !strings.Contains(err.Error(), "Dockerfile is not as it was written") || !strings.Contains(err.Error(), "--force") || len(wrote) > 0 || len(left) != 1 {
		t.Errorf("over a file from before: %q %q %v", wrote, left, err)
	}
	if files := written(t, dir); len(files) != 1 || files["Dockerfile"] != "FROM mine\n" {
		t.Errorf("it refused, and wrote: %q", files)
	}
	wrote, left, err = deploy.Write(dir, app, docker, deploy.Keep)
	if err != nil || !slices.Equal(left, []string{"Dockerfile"}) || !slices.Equal(wrote, []string{".dockerignore", "railway.json"}) {
		t.Errorf("keep: %q %q %v", wrote, left, err)
	}
	if left, err := deploy.Check(dir, app, nil); err != nil || !slices.Equal(left, []string{"Dockerfile"}) {
		t.Errorf("check says %q %v", left, err)
	}

	// Changed after it was written.
	put(t, dir, "railway.json", "{}")
	if _, _, err := deploy.Write(dir, app, docker, deploy.Refuse); err == nil || !strings.Contains(err.Error(), "railway.json") {
		t.Errorf("over a changed file: %v", err)
	}
	if wrote, _, err := deploy.Write(dir, app, docker, deploy.Force); err != nil || !slices.Equal(wrote, []string{"Dockerfile", "railway.json"}) {
		t.Errorf("force: %q %v", wrote, err)
	}
	if files := written(t, dir); strings.Contains(files["Dockerfile"], "mine") || files["railway.json"] == "{}" {
		t.Error("force did not write")
	}
}

// TestWhatNobodyChangedIsKeptUpToDate: another name stands for a newer release
// of the files.
func TestWhatNobodyChangedIsKeptUpToDate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, _, err := deploy.Write(dir, app, all(t), deploy.Refuse); err != nil {
		t.Fatal(err)
	}
	other := app
	other.Name = "ledger"
	put(t, dir, "render.yaml", "services: []\n")
	if err := os.Remove(filepath.Join(dir, "railway.json")); err != nil {
		t.Fatal(err)
	}
	left, err := deploy.Check(dir, other, nil)
	if err == nil || !strings.Contains(err.Error(), "compose.yaml is stale") || !slices.Equal(left, []string{"render.yaml"}) {
		t.Errorf("check: %q %v", left, err)
	}
	if err == nil || !strings.Contains(err.Error(), "railway.json is not there") || strings.Contains(err.Error(), "render.yaml") {
		t.Errorf("check: %v", err)
	}
	if _, _, err := deploy.Write(dir, other, all(t), deploy.Keep); err != nil {
		t.Fatal(err)
	}
	if files := written(t, dir); !strings.Contains(files["compose.yaml"], "name: ledger\n") || files["render.yaml"] != "services: []\n" {
		t.Error("what nobody changed is old, or what somebody changed is gone")
	}
}

// TestNothingLeavesTheModule: neither by a link, nor by what an app is called.
func TestNothingLeavesTheModule(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "deploy")); err != nil {
		t.Skip(err)
	}
	if _, _, err := deploy.Write(dir, app, all(t), deploy.Force); err == nil {
		t.Error("it wrote through a link that leads out of the module")
	}
	if files := written(t, outside); len(files) > 0 {
		t.Errorf("outside there are %v", slices.Collect(maps.Keys(files)))
	}

	module := t.TempDir()
	put(t, module, "go.mod", "module example.com/My_Shop/v2\n\ngo 1.26\n")
	put(t, module, "cmd/api/main.go", "package main\n\nfunc main() {}\n")
	root, found, err := deploy.Find(t.Context(), filepath.Join(module, "cmd"), deploy.App{})
	if want := (deploy.App{Name: "my-shop", Package: "./cmd/api", Image: "registry.example.com/my-shop"}); err != nil || found != want {
		t.Errorf("%s: %+v, %v", root, found, err)
	}
	for want, given := range map[string]deploy.App{
		"name":    {Name: `x"; rm -rf /`},
		"package": {Package: "../other"},
		"image":   {Image: "registry.example.com/shop:latest"},
	} {
		if _, _, err := deploy.Find(t.Context(), module, given); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", given, err)
		}
	}
	put(t, module, "cmd/worker/main.go", "package main\n\nfunc main() {}\n")
	if _, _, err := deploy.Find(t.Context(), module, deploy.App{}); err == nil || !strings.Contains(err.Error(), "2 programs") {
		t.Errorf("two programs: %v", err)
	}
	// What was said once need not be said again.
	given := deploy.App{Name: "till", Package: "./cmd/worker", Image: "images.example.test/till"}
	if _, _, err := deploy.Write(module, given, all(t)[:1], deploy.Refuse); err != nil {
		t.Fatal(err)
	}
	if _, found, err := deploy.Find(t.Context(), module, deploy.App{}); err != nil || found != given {
		t.Errorf("%+v, %v", found, err)
	}
	put(t, module, deploy.Record, "nonsense\n")
	if _, _, err := deploy.Find(t.Context(), module, deploy.App{}); err == nil || !strings.Contains(err.Error(), "is no line of it") {
		t.Errorf("a spoilt record: %v", err)
	}
}

func TestTargetsAreNamed(t *testing.T) {
	t.Parallel()
	if _, err := deploy.Choose([]string{"kubernets"}); err == nil || !strings.Contains(err.Error(), "kubernetes") {
		t.Errorf("an unknown target: %v", err)
	}
	if _, err := deploy.Check(t.TempDir(), app, nil); err == nil || !strings.Contains(err.Error(), "nothing here yet") {
		t.Errorf("check of nothing: %v", err)
	}
}
