package deploytest_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	rbac "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// TestWhatAPipelineMayDo decodes the rights that docs/pipelines.md gives to a
// pipeline, and holds them to what an overlay consists of.
func TestWhatAPipelineMayDo(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(read(t, "../../docs/pipelines.md"), -1)
	verbs := map[string][]string{}
	for _, block := range blocks {
		for doc := range bytes.SplitSeq(block[1], []byte("---\n")) {
			var kind struct {
				Kind string `json:"kind"`
			}
			if err := yaml.Unmarshal(doc, &kind); err != nil {
				t.Fatal(err)
			}
			var err error
			var rules []rbac.PolicyRule
			switch kind.Kind {
			case "Role":
				var r rbac.Role
				err = yaml.UnmarshalStrict(doc, &r)
				rules = r.Rules
			case "ClusterRole":
				var r rbac.ClusterRole
				err = yaml.UnmarshalStrict(doc, &r)
				rules = r.Rules
			case "RoleBinding":
				err = yaml.UnmarshalStrict(doc, new(rbac.RoleBinding))
			case "ClusterRoleBinding":
				err = yaml.UnmarshalStrict(doc, new(rbac.ClusterRoleBinding))
			case "AuthenticationConfiguration": // its types are the API server's own
			default:
				t.Errorf("a %s", kind.Kind)
			}
			if err != nil {
				t.Errorf("%s: %v", kind.Kind, err)
			}
			for _, r := range rules {
				for _, resource := range r.Resources {
					verbs[resource] = append(verbs[resource], r.Verbs...)
				}
			}
		}
	}
	rendered := ""
	for _, overlay := range overlays {
		for _, files := range []map[string][]byte{manifests(t), behindGateway(manifests(t))} {
			text, err := render(files, overlay)
			if err != nil {
				t.Fatal(err)
			}
			rendered += string(text)
		}
	}
	used := map[string]bool{}
	for _, kind := range regexp.MustCompile(`(?m)^kind: (\w+)$`).FindAllStringSubmatch(rendered, -1) {
		resource := strings.ToLower(kind[1]) + "s"
		switch kind[1] {
		case "Ingress":
			resource = "ingresses"
		case "NetworkPolicy":
			resource = "networkpolicies"
		}
		used[resource] = true
		if all := strings.Join(verbs[resource], " "); !strings.Contains(all, "get") || !strings.Contains(all, "patch") {
			t.Errorf("P16.20: a pipeline that applies a %s may %q %s", kind[1], all, resource)
		}
	}
	if !strings.Contains(strings.Join(verbs["jobs"], " "), "delete") {
		t.Error("the last migration cannot be deleted")
	}
	for resource, list := range verbs {
		if resource == "secrets" || resource == "*" || strings.Contains(strings.Join(list, " "), "*") {
			t.Errorf("P16.20: it may %q %s", list, resource)
		}
		if strings.Contains(strings.Join(list, " "), "create") && !used[resource] {
			t.Errorf("P16.20: it may create %s, and never does", resource)
		}
	}
}
