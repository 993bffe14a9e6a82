package deploytest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"
)

// compose returns what is wrong with a compose file that stands in dir. Loading
// is strict: an unknown key, a service that is not there, an unset variable.
func compose(t *testing.T, text []byte, dir string, env types.Mapping) (findings []string) {
	t.Helper()
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: dir, Environment: env,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "compose.yaml"), Content: text}},
	})
	if err != nil {
		return []string{"load: " + err.Error()}
	}
	say := func(when bool, finding string) {
		if when {
			findings = append(findings, finding)
		}
	}
	exact := regexp.MustCompile(`:v?\d+\.\d+(\.\d+)?(@sha256:[0-9a-f]{64})?$`)
	for name, s := range project.Services {
		say(s.Build == nil && !exact.MatchString(s.Image), "P8.9: "+name+" runs "+s.Image)
		say(!slices.Contains(s.CapDrop, "ALL"), "P16.14: "+name+" keeps its capabilities")
		say(!slices.Contains(s.SecurityOpt, "no-new-privileges:true"), "P16.14: "+name+" may gain privileges")
		say(s.Privileged, "P16.14: "+name+" is privileged")
		say(s.MemLimit == 0, "P8.7: "+name+" has no memory limit")
		for _, p := range s.Ports {
			say(p.HostIP != "127.0.0.1", "P16.16: "+name+" is open to other machines")
			say(p.Target == 9090, "P10.14: "+name+" publishes its admin port")
		}
		for _, v := range s.Volumes {
			say(v.Type == types.VolumeTypeBind && strings.Contains(v.Source, "docker.sock"), "P16.14: "+name+" has the engine")
			if v.Type == types.VolumeTypeBind {
				_, err := os.Stat(v.Source)
				say(err != nil, "mount: "+name+" mounts what is not there: "+v.Source)
				say(!v.ReadOnly, "P16.14: "+name+" can write "+v.Source)
			}
		}
		for dependency, how := range s.DependsOn {
			say(how.Condition == types.ServiceConditionHealthy && project.Services[dependency].HealthCheck == nil, "P14.1: "+dependency+" has no health to wait for")
		}
	}
	app := project.Services["app"]
	say(!app.ReadOnly, "P16.14: the app can write its image")
	say(app.HealthCheck == nil || !slices.Equal(app.HealthCheck.Test, types.HealthCheckTest{"CMD", "/app", "health"}), "P14.1: the app has no health command")
	limit := app.Environment["GOMEMLIMIT"]
	say(limit == nil || *limit != "460MiB" || int64(app.MemLimit) != 512<<20, "P8.7: GOMEMLIMIT is not nine tenths of the limit")
	say(app.StopGracePeriod == nil || time.Duration(*app.StopGracePeriod) < drained, "P14.4: the app is killed while it drains")
	for _, plain := range []string{"backing", "telemetry"} {
		say(!project.Networks[plain].Internal, "P16.16: "+plain+" leads outside")
	}
	return findings
}

// passwords stand for what compose.env would have.
func passwords() types.Mapping {
	return types.Mapping{"POSTGRES_PASSWORD": "p", "GRAFANA_PASSWORD": "g", "ASHLAR_SIGNING_KEYS": "k"}
}

func TestCompose(t *testing.T) {
	t.Parallel()
	dir := project(t)
	text := read(t, "../compose/compose.yaml")
	if found := compose(t, text, dir, passwords()); len(found) > 0 {
		t.Errorf("deploy/compose/compose.yaml:\n%s", strings.Join(found, "\n"))
	}
	for rule, change := range map[string][2]string{
		"load":               {"read_only: true", "read_onyl: true"},
		"P8.9":               {"redis:8.2.1", "redis:latest"},
		"P16.14: postgres k": {"cap_drop: [ALL]", "cap_drop: [NET_RAW]"},
		"P16.14: grafana m":  {`["no-new-privileges:true"]`, "[]"},
		"P16.14: redis is":   {"image: redis:8.2.1", "image: redis:8.2.1\n    privileged: true"},
		"P16.14: the app":    {"read_only: true", "read_only: false"},
		"P16.14: loki has":   {`["loki:/loki"]`, `["/var/run/docker.sock:/s"]`},
		"P16.14: collector":  {"collector.yaml:/etc/otel/collector.yaml:ro", "collector.yaml:/etc/otel/collector.yaml"},
		"P8.7: redis":        {"mem_limit: 256m", ""},
		"P8.7: GOMEMLIMIT":   {"460MiB", "512MiB"},
		"P16.16: app":        {"127.0.0.1:8080:8080", "8080:8080"},
		"P16.16: backing":    {"backing: {internal: true}", "backing: {}"},
		"P10.14":             {"127.0.0.1:8080:8080", "127.0.0.1:9090:9090"},
		"P14.1: the app":     {"[CMD, /app, health]", "[CMD, curl, localhost]"},
		"P14.1: redis":       {"healthcheck: {test: [CMD, redis-cli, ping], interval: 2s, timeout: 3s, retries: 30}", ""},
		"P14.4":              {"stop_grace_period: 60s", "stop_grace_period: 30s"},
		"mount":              {"deploy/compose/prometheus.yaml", "deploy/compose/prometheus.yml"},
	} {
		spoilt := bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(spoilt, text) {
			t.Errorf("%s: compose.yaml does not have %q", rule, change[0])
		}
		bites(t, rule, compose(t, spoilt, dir, passwords()))
	}
	for name := range passwords() { // P8.11: none has a default
		without := passwords()
		delete(without, name)
		bites(t, "load", compose(t, text, dir, without))
	}
}

// TestComposeIsWired: the files beside compose.yaml name each other rightly.
func TestComposeIsWired(t *testing.T) {
	t.Parallel()
	for _, file := range []string{
		"collector.yaml", "prometheus.yaml",
		"grafana/provisioning/datasources/ashlar.yaml", "grafana/provisioning/dashboards/ashlar.yaml",
	} {
		var any map[string]any
		if err := yaml.UnmarshalStrict(read(t, "../compose/"+file), &any); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	var scrape struct {
		Rules   []string `json:"rule_files"`
		Configs []struct {
			Static []struct {
				Targets []string          `json:"targets"`
				Labels  map[string]string `json:"labels"`
			} `json:"static_configs"`
		} `json:"scrape_configs"`
	}
	if err := yaml.Unmarshal(read(t, "../compose/prometheus.yaml"), &scrape); err != nil {
		t.Fatal(err)
	}
	text := string(read(t, "../compose/compose.yaml"))
	for _, r := range scrape.Rules {
		if !strings.Contains(text, "deploy/observability/prometheus/"+r+":/etc/prometheus/"+r) {
			t.Errorf("compose.yaml does not mount %s, which prometheus.yaml reads", r)
		}
	}
	static := scrape.Configs[0].Static[0]
	if len(scrape.Rules) != 2 || !slices.Equal(static.Targets, []string{"app:9090"}) || static.Labels["framework"] != "ashlar" {
		t.Errorf("prometheus.yaml: %+v", scrape)
	}
}

// project lays the files out as `ashlar deploy compose` does.
func project(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for from, to := range map[string]string{
		"../compose": "deploy/compose", "../observability": "deploy/observability",
	} {
		if err := os.CopyFS(filepath.Join(dir, to), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
