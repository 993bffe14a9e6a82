package ashlar_test

import (
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
)

const shipping = "deploy/observability/"

// exported maps each series that an app exports to its labels, by the golden
// list of its metrics.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	series := map[string][]string{"up": {"framework"}} // Prometheus's own, with what prometheus.yaml adds
	for line := range strings.Lines(read(t, "testdata/metrics.golden")) {
		f := strings.Fields(line)
		if len(f) != 4 {
			t.Fatalf("testdata/metrics.golden: %q is not name, type, unit and labels", line)
		}
		var labels []string
		if l := strings.Trim(f[3], "{}"); l != "" {
			labels = strings.Split(l, ",")
		}
		endings := map[string][]string{"counter": {"_total"}, "histogram": {"_bucket", "_sum", "_count"}, "summary": {"", "_sum", "_count"}}[f[1]]
		if endings == nil {
			endings = []string{""}
		}
		for _, ending := range endings {
			series[f[0]+ending] = labels
		}
	}
	return series
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	quoted   = regexp.MustCompile(`"[^"]*"`)
	selector = regexp.MustCompile(`([a-zA-Z_:][\w:]*)\{([^}]*)\}`)
	matcher  = regexp.MustCompile(`(\w+)\s*[=!]~?`)
	grouping = regexp.MustCompile(`\b(?:by|on|without|group_left|group_right) *\(([^)]*)\)`)
	interval = regexp.MustCompile(`\[[^]]*\]|\boffset \w+`)
	word     = regexp.MustCompile(`[a-zA-Z_:][\w:]*(?: *\()?`)
)

// uses returns the series that a PromQL expression reads, with the labels that
// it asks each for, and the labels that it groups by.
func uses(expr string) (series map[string][]string, groups []string) {
	series = map[string][]string{}
	expr = quoted.ReplaceAllString(expr, `""`)
	for _, m := range selector.FindAllStringSubmatch(expr, -1) {
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			series[m[1]] = append(series[m[1]], l[1])
		}
	}
	for _, m := range grouping.FindAllStringSubmatch(expr, -1) {
		groups = append(groups, strings.FieldsFunc(m[1], func(r rune) bool { return r == ',' || r == ' ' })...)
	}
	for _, cut := range []*regexp.Regexp{grouping, interval} {
		expr = cut.ReplaceAllString(expr, " ")
	}
	expr = selector.ReplaceAllString(expr, "$1 ")
	for _, n := range word.FindAllString(expr, -1) {
		if strings.HasSuffix(n, "(") || slices.Contains([]string{"and", "or", "unless", "bool", "e15"}, n) {
			continue
		}
		series[n] = append(series[n], []string(nil)...)
	}
	return series, groups
}

func TestUsesReadsExpressions(t *testing.T) {
	t.Parallel()
	series, groups := uses(`histogram_quantile(0.9, sum by (le, op) (rate(a_bucket{op=~"x{y}",job="z"}[5m]))) / b:c < 1e15 or 0 * count(d{} offset 10m)`)
	if got := slices.Sorted(maps.Keys(series)); !slices.Equal(got, []string{"a_bucket", "b:c", "d"}) {
		t.Errorf("series %q", got)
	}
	if !slices.Equal(series["a_bucket"], []string{"op", "job"}) || !slices.Equal(groups, []string{"le", "op"}) {
		t.Errorf("labels %q, groups %q", series["a_bucket"], groups)
	}
}

// expressions returns each PromQL expression of the dashboard and the rules,
// by where it stands.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, file := range []string{"recording.yaml", "alerts.yaml"} {
		for _, m := range regexp.MustCompile(`(?m)(?:alert|record): (\S+)\n +expr: (?:>-\n +)?(.+)$`).FindAllStringSubmatch(read(t, shipping+"prometheus/"+file), -1) {
			found[file+" "+m[1]] = m[2]
		}
	}
	var board struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
		Annotations struct {
			List []struct{ Name, Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, shipping+"grafana/dashboard.json")), &board); err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		for i, target := range p.Targets {
			found["panel "+p.Title+" "+string(rune('A'+i))] = target.Expr
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %s shows nothing", p.Title)
		}
	}
	for _, v := range board.Templating.List {
		if v.Definition != "" {
			found["variable "+v.Name] = strings.NewReplacer("label_values(", "(", "}, ", "} == ", "_info, ", "_info == ").Replace(v.Definition)
			found["variable "+v.Name] = regexp.MustCompile(` == \w+\)`).ReplaceAllString(found["variable "+v.Name], ")")
		}
	}
	for _, a := range board.Annotations.List {
		found["annotation "+a.Name] = a.Expr
	}
	return found
}

// TestEveryMetricOfDashboardAndRulesIsExported: a panel on a name that nobody
// exports is empty, and an alert on one never fires.
func TestEveryMetricOfDashboardAndRulesIsExported(t *testing.T) {
	t.Parallel()
	series := exported(t)
	all := map[string]bool{"job": true, "instance": true, "le": true}
	for _, labels := range series {
		for _, l := range labels {
			all[l] = true
		}
	}
	exprs := expressions(t)
	if len(exprs) < 60 {
		t.Fatalf("only %d expressions were found", len(exprs))
	}
	for where, expr := range exprs {
		used, groups := uses(expr)
		if len(used) == 0 {
			t.Errorf("%s reads nothing: %s", where, expr)
		}
		for n, labels := range used {
			if strings.Contains(n, ":") {
				if exprs["recording.yaml "+n] == "" {
					t.Errorf("%s: %s is not recorded", where, n)
				}
				continue
			}
			known, ok := series[n]
			if !ok {
				t.Errorf("%s: no app exports %s", where, n)
			}
			for _, l := range labels {
				if l != "job" && l != "instance" && !slices.Contains(known, l) {
					t.Errorf("%s: %s has no label %s", where, n, l)
				}
			}
		}
		for _, g := range groups {
			if !all[g] {
				t.Errorf("%s: no metric has a label %s", where, g)
			}
		}
	}
}

// TestEveryAlertHasARunbook holds P13.10.
func TestEveryAlertHasARunbook(t *testing.T) {
	t.Parallel()
	runbooks := strings.ToLower(read(t, shipping+"runbooks.md"))
	alerts := regexp.MustCompile(`(?s)alert: (\w+)\n(.*?runbook_url: \S+)`).FindAllStringSubmatch(read(t, shipping+"prometheus/alerts.yaml"), -1)
	if len(alerts) < 10 {
		t.Fatalf("only %d alerts were found", len(alerts))
	}
	for _, a := range alerts {
		if !strings.HasSuffix(a[2], "/deploy/observability/runbooks.md#"+strings.ToLower(a[1])) {
			t.Errorf("%s links no runbook of its own", a[1])
		}
		if !strings.Contains(runbooks, "\n## "+strings.ToLower(a[1])+"\n") {
			t.Errorf("runbooks.md has no section %s", a[1])
		}
	}
	if n := strings.Count(runbooks, "\n## "); n != len(alerts) {
		t.Errorf("%d runbooks for %d alerts", n, len(alerts))
	}
}

// TestAgentsReadMembersThatLinesHave holds the settings of the log shippers to
// a real access line.
func TestAgentsReadMembersThatLinesHave(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	r := newRequest(t, "/openapi.json")
	r.Header.Set("X-Request-Id", "a-request-of-mine")
	answered(app.Handler(), r)
	text := app.Log()
	var line map[string]any
	if err := json.Unmarshal([]byte(text), &line); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	has := func(file string, members []string) {
		t.Helper()
		if len(members) == 0 {
			t.Errorf("%s names nothing", file)
		}
		for _, m := range members {
			if _, ok := line[m]; !ok {
				t.Errorf("%s reads %q, which the access line does not have: %s", file, m, text)
			}
		}
	}

	var pipeline struct {
		Processors []struct {
			Sources    []string
			Expression string
		}
	}
	if err := json.Unmarshal([]byte(read(t, shipping+"datadog/pipeline.json")), &pipeline); err != nil {
		t.Fatal(err)
	}
	var members []string
	for _, p := range pipeline.Processors {
		members = append(members, p.Sources...)
		if p.Expression != "" {
			members = append(members, strings.Fields(p.Expression)[0])
		}
	}
	has("datadog/pipeline.json", members)

	_, block, _ := strings.Cut(read(t, shipping+"loki/config.alloy"), "expressions = {")
	block, _, _ = strings.Cut(block, "}")
	members = nil
	for _, m := range regexp.MustCompile(`"(\w+)"`).FindAllStringSubmatch(block, -1) {
		members = append(members, m[1])
	}
	has("loki/config.alloy", members)

	var agent struct {
		Logs struct {
			Collected struct {
				Files struct {
					List []struct {
						Start string `json:"multi_line_start_pattern"`
					} `json:"collect_list"`
				}
			} `json:"logs_collected"`
		}
	}
	if err := json.Unmarshal([]byte(read(t, shipping+"cloudwatch/amazon-cloudwatch-agent.json")), &agent); err != nil {
		t.Fatal(err)
	}
	if list := agent.Logs.Collected.Files.List; len(list) != 1 || !regexp.MustCompile(list[0].Start).MatchString(text) {
		t.Errorf("the CloudWatch agent does not see where a line starts: %+v", list)
	}
}

// TestPromtoolPassesTheRules runs where Prometheus's own tool is installed.
func TestPromtoolPassesTheRules(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath(cmp.Or(os.Getenv("ASHLAR_TEST_PROMTOOL"), "promtool"))
	if err != nil {
		t.Skip("promtool is not installed (package prometheus), nor named by ASHLAR_TEST_PROMTOOL")
	}
	for _, args := range [][]string{
		{"check", "rules", "recording.yaml", "alerts.yaml"},
		{"check", "config", "prometheus.yaml"},
		{"test", "rules", "rules_test.yaml"},
	} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = filepath.FromSlash(shipping + "prometheus")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
