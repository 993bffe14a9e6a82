package deploytest_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write deploy/kubernetes/base/rules.yaml anew, from deploy/observability")

// TestRulesOfTheCluster: the PrometheusRule has the rules of deploy/observability,
// where promtool tests them. What they say is written once.
func TestRulesOfTheCluster(t *testing.T) {
	t.Parallel()
	const file = "../kubernetes/base/rules.yaml"
	var want strings.Builder
	want.WriteString("# The rules of deploy/observability for the Prometheus operator. They are made of\n" +
		"# recording.yaml and alerts.yaml there, and promtool tests them there.\n" +
		"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: shop}\nspec:\n  groups:\n")
	for _, name := range []string{"recording.yaml", "alerts.yaml"} {
		head, groups, ok := strings.Cut(string(read(t, "../observability/prometheus/"+name)), "groups:\n")
		if !ok {
			t.Fatalf("%s has no groups", name)
		}
		for line := range strings.Lines(head + groups) {
			if line == "\n" {
				want.WriteString(line)
				continue
			}
			want.WriteString("  ")
			if line[0] == '#' { // the head of a file, before its groups
				want.WriteString("  ")
			}
			want.WriteString(line)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(want.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if have := read(t, file); string(have) != want.String() {
		t.Errorf("%s is not what the rules of deploy/observability make: go test -run TestRulesOfTheCluster -update", file)
	}

	files := manifests(t)
	text, err := render(files, "overlays/production")
	if err != nil {
		t.Fatal(err)
	}
	c, err := decode(text)
	if err != nil || len(c.rules) != 1 {
		t.Fatalf("%d rules of the operator, %v", len(c.rules), err)
	}
	n := 0
	for _, group := range c.rules[0].Spec.Groups {
		for _, r := range group.Rules {
			if n++; (r.Alert == "") == (r.Record == "") || r.Expr.String() == "" {
				t.Errorf("%s: %+v is neither an alert nor a recording", group.Name, r)
			}
			if r.Alert != "" && (r.Labels["severity"] == "" || !strings.HasPrefix(r.Annotations["runbook_url"], "https://")) {
				t.Errorf("P5.1: %s says neither how bad it is nor what to do", r.Alert)
			}
		}
	}
	if n < 20 {
		t.Errorf("%d rules", n)
	}

	// An unknown member does not pass.
	files["base/rules.yaml"] = bytes.Replace(files["base/rules.yaml"], []byte("      - alert: AshlarDown"), []byte("      - alarm: AshlarDown"), 1)
	if text, err = render(files, "overlays/production"); err != nil {
		t.Fatal(err)
	}
	if _, err := decode(text); err == nil || !strings.Contains(err.Error(), "alarm") {
		t.Errorf("a misspelt member: %v", err)
	}
}
