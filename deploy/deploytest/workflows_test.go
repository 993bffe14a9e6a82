package deploytest_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
)

// workflow returns what actionlint, and then our own rules, find.
func workflow(t *testing.T, name string, text []byte) (findings []string) {
	t.Helper()
	// Beside the workflows it calls, so that actionlint can look at their inputs.
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{WorkingDir: filepath.Dir(name)})
	if err != nil {
		t.Fatal(err)
	}
	errs, err := linter.Lint(name, text, nil)
	if err != nil {
		return []string{"actionlint: " + err.Error()}
	}
	for _, e := range errs {
		findings = append(findings, fmt.Sprintf("actionlint %d: %s", e.Line, e.Message))
	}
	w, _ := actionlint.Parse(text)
	if w == nil {
		return append(findings, "actionlint: it cannot be read")
	}
	say := func(when bool, finding string) {
		if when {
			findings = append(findings, finding)
		}
	}
	p := w.Permissions
	say(p == nil || p.All != nil || len(p.Scopes) != 1 || p.Scopes["contents"] == nil || p.Scopes["contents"].Value.Value != "read", "P16.6: the token may do more than read")
	pinned := regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
	for _, e := range w.On {
		say(e.EventName() == "pull_request_target" || e.EventName() == "workflow_run", "P16.7: "+e.EventName()+" runs what anybody sent, with secrets")
	}
	for id, j := range w.Jobs {
		if j.WorkflowCall != nil {
			say(!strings.HasPrefix(j.WorkflowCall.Uses.Value, "./"), "P16.5: "+id+" calls "+j.WorkflowCall.Uses.Value)
			continue
		}
		say(j.TimeoutMinutes == nil, "time: "+id+" may run for six hours")
		say(strings.HasSuffix(j.RunsOn.Labels[0].Value, "latest"), "P8.9: "+id+" runs on another machine tomorrow")
		for _, s := range images(j) {
			say(!regexp.MustCompile(`:\d+\.\d+(\.\d+)?$`).MatchString(s), "P8.9: "+id+" runs "+s)
		}
		for _, s := range j.Steps {
			switch e := s.Exec.(type) {
			case *actionlint.ExecAction:
				say(!pinned.MatchString(e.Uses.Value), "P16.5: "+id+" uses "+e.Uses.Value)
				if strings.HasPrefix(e.Uses.Value, "actions/checkout@") {
					in := e.Inputs["persist-credentials"]
					say(in == nil || in.Value.Value != "false", "P16.6: "+id+" leaves the token on the disk")
				}
			case *actionlint.ExecRun:
				say(strings.Contains(e.Run.Value, "${{"), "P16.7: "+id+" puts an expression into a script")
			}
		}
	}
	for line := range strings.Lines(string(text)) {
		say(strings.Contains(line, "uses: ") && strings.Contains(line, "@") && !regexp.MustCompile(`# v\d+\.\d+\.\d+\n$`).MatchString(line), "P16.5: no version beside "+strings.TrimSpace(line))
		say(regexp.MustCompile(`secrets\.(AWS_|GCP_|KUBE|AZURE_|REGISTRY_)`).MatchString(line), "P16.20: a key that lasts: "+strings.TrimSpace(line))
	}
	return findings
}

// folders are where workflows are: ours, and the template of an app, laid out
// as ashlar deploy does.
func folders(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	template := filepath.Join(dir, ".github", "workflows")
	if err := os.CopyFS(template, os.DirFS("../github")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".git"), 0o700); err != nil { // what actionlint takes for a project
		t.Fatal(err)
	}
	return map[string]string{"ours": "../../.github/workflows", "the template's": template}
}

func TestWorkflows(t *testing.T) {
	t.Parallel()
	for whose, dir := range folders(t) {
		files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
		if err != nil || len(files) < 3 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			if found := workflow(t, file, read(t, file)); len(found) > 0 {
				t.Errorf("%s %s:\n%s", whose, filepath.Base(file), strings.Join(found, "\n"))
			}
		}
	}
}

func TestEachRuleForWorkflowsBites(t *testing.T) {
	t.Parallel()
	dir := folders(t)["the template's"]
	for rule, c := range map[string][3]string{
		"actionlint":        {"verify.yaml", "runs-on: ubuntu-24.04", "runs-on: ubuntu-42"},
		"P16.5: lint":       {"verify.yaml", "@3d3c42e5aac5ba805825da76410c181273ba90b1", "@v7"},
		"P16.5: no version": {"verify.yaml", "# v7.0.1", "# newest"},
		"P16.5: staging":    {"deliver.yaml", "uses: ./.github/workflows/deploy.yaml", "uses: somebody/else/.github/workflows/deploy.yaml@main"},
		"P16.6: the token":  {"deliver.yaml", "permissions:\n  contents: read", "permissions: write-all"},
		"P16.6: lint":       {"verify.yaml", "persist-credentials: false", "persist-credentials: true"},
		"P16.7: pull":       {"verify.yaml", "  pull_request:\n", "  pull_request_target:\n"},
		"P16.7: deploy":     {"deploy.yaml", "kubectl rollout undo deployment/shop", "kubectl rollout undo ${{ inputs.environment }}"},
		"P16.20":            {"deploy.yaml", "vars.KUBE_CA", "secrets.KUBE_CA"},
		"P8.9: integration": {"verify.yaml", "redis:8.2.1", "redis:latest"},
		"P8.9: lint":        {"verify.yaml", "ubuntu-24.04", "ubuntu-latest"},
		"time":              {"verify.yaml", "    timeout-minutes: 10\n", ""},
	} {
		file := filepath.Join(dir, c[0])
		text := read(t, file)
		spoilt := bytes.Replace(text, []byte(c[1]), []byte(c[2]), 1)
		if bytes.Equal(spoilt, text) {
			t.Errorf("%s: %s does not have %q", rule, c[0], c[1])
		}
		bites(t, rule, workflow(t, file, spoilt))
	}
}

// TestPipelineIsWhole holds P16.19 and its neighbours: what runs, and in which
// order.
func TestPipelineIsWhole(t *testing.T) {
	t.Parallel()
	dir := folders(t)
	parsed := func(file string) *actionlint.Workflow {
		w, errs := actionlint.Parse(read(t, file))
		if w == nil || len(errs) > 0 {
			t.Fatal(file, errs)
		}
		return w
	}
	for whose, jobs := range map[string][]string{
		"ours":           {"static", "audit", "unit", "race", "integration", "contract", "modules", "image"},
		"the template's": {"lint", "unit", "race", "integration", "contract", "end-to-end", "audit"},
	} {
		w := parsed(filepath.Join(dir[whose], "verify.yaml"))
		for _, j := range jobs {
			if w.Jobs[j] == nil {
				t.Errorf("P16.19: %s verify.yaml has no job %s", whose, j)
			}
		}
	}
	deliver := parsed(filepath.Join(dir["the template's"], "deliver.yaml"))
	for job, want := range map[string]string{"image": "verify", "staging": "image", "production": "staging"} {
		if !slices.ContainsFunc(deliver.Jobs[job].Needs, func(s *actionlint.String) bool { return s.Value == want }) {
			t.Errorf("P16.19: %s does not wait for %s", job, want)
		}
	}
	for _, job := range []string{"staging", "production"} {
		if in := deliver.Jobs[job].WorkflowCall.Inputs["digest"]; in == nil || in.Value.Value != "${{ needs.image.outputs.digest }}" {
			t.Errorf("P14.6: %s does not get the digest that was built", job)
		}
	}
	// In this order: what was not scanned is not signed.
	text := string(read(t, "../github/deliver.yaml"))
	at := -1
	for _, step := range []string{"cmp first.tar second.tar", "--push", "trivy-action@", "cosign sign", "attest-build-provenance@"} {
		next := strings.Index(text, step)
		if next <= at {
			t.Errorf("P8.12, P16.1 to P16.4: %s is missing or out of order", step)
		}
		at = next
	}
	text = string(read(t, "../github/deploy.yaml"))
	at = -1
	for _, step := range []string{"gh attestation verify", "job/shop-migrate", "rollout status", "smoke test", "rollout undo"} {
		next := strings.Index(text, step)
		if next <= at {
			t.Errorf("P16.2, P16.18: %s is missing or out of order", step)
		}
		at = next
	}
	for _, audit := range []string{"../github/verify.yaml", "../../.github/workflows/verify.yaml"} {
		if !strings.Contains(string(read(t, audit)), "NOT RUN") {
			t.Errorf("P5.13: %s takes an audit that did not run for a clean one", audit)
		}
	}
}

// images are those of a job's service containers.
func images(j *actionlint.Job) (list []string) {
	if j.Services == nil {
		return nil
	}
	for _, s := range j.Services.Value {
		if s.Container != nil && s.Container.Image != nil {
			list = append(list, s.Container.Image.Value)
		}
	}
	return list
}

// TestToolsAreThoseThatAreTriedHere: what the template runs in a version of its
// own is run in this one here, by the linters and the audit.
func TestToolsAreThoseThatAreTriedHere(t *testing.T) {
	t.Parallel()
	tools := string(read(t, "../../tools/go.mod"))
	run := regexp.MustCompile(`go run ([\w./-]+?)/cmd/\w+@(v[\w.-]+)`)
	n := 0
	for _, file := range []string{"verify.yaml", "scheduled.yaml"} {
		for _, m := range run.FindAllStringSubmatch(string(read(t, "../github/"+file)), -1) {
			n++
			if !strings.Contains(tools, m[1]+" "+m[2]+" ") {
				t.Errorf("P8.9: %s runs %s in %s, which tools/go.mod does not have", file, m[1], m[2])
			}
		}
	}
	if n < 3 {
		t.Errorf("%d tools are run by their version", n)
	}
}
