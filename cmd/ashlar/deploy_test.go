package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// It changes the working folder, as who types it does, and so runs by itself.
func TestDeployWritesAndSaysWhatIsNext(t *testing.T) {
	dir := module(t)
	root := filepath.Dir(filepath.Dir(dir))
	write(t, filepath.Join(root, "main.go"), "package main\n\nfunc main() {}\n")
	t.Chdir(dir)

	if code, out, complaints := ashlar("deploy"); code != 0 || !strings.Contains(out, "kubernetes  Kustomize") {
		t.Errorf("without a target it lists them: %d %s%s", code, out, complaints)
	}
	if code, _, complaints := ashlar("deploy", "--check"); code != 1 || !strings.Contains(complaints, "nothing here yet") {
		t.Errorf("check before: %d %s", code, complaints)
	}
	code, out, complaints := ashlar("deploy", "docker", "--name=till")
	if code != 0 || !strings.Contains(out, "wrote    Dockerfile\n") || !strings.Contains(out, "docker: docker build -t till .") {
		t.Errorf("%d %s%s", code, out, complaints)
	}
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil || !strings.Contains(string(text), "/out/app .\n") {
		t.Errorf("the Dockerfile of a program in the module's folder: %v\n%s", err, text)
	}
	if code, out, complaints := ashlar("deploy", "docker"); code != 0 || !strings.Contains(out, "all is as it would be written") {
		t.Errorf("again: %d %s%s", code, out, complaints)
	}
	write(t, filepath.Join(root, "Dockerfile"), "FROM mine\n")
	if code, _, complaints := ashlar("deploy", "docker"); code != 1 || !strings.Contains(complaints, "somebody has changed it") {
		t.Errorf("over a changed file: %d %s", code, complaints)
	}
	if code, out, complaints := ashlar("deploy", "--check"); code != 0 || out != "yours    Dockerfile\n" {
		t.Errorf("check: %d %q %s", code, out, complaints)
	}
	if code, _, complaints := ashlar("deploy", "docker", "--keep", "--force"); code != 2 {
		t.Errorf("both: %d %s", code, complaints)
	}
	if code, _, complaints := ashlar("deploy", "dokcer"); code != 1 || !strings.Contains(complaints, "there are docker, compose") {
		t.Errorf("an unknown target: %d %s", code, complaints)
	}
}
