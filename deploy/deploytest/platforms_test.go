package deploytest_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"sigs.k8s.io/yaml"
)

// sdk decodes a file into the input of a call of the AWS SDK, strictly: the
// command line's --cli-input-json has the same members.
func sdk[T any](text []byte) (in T, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err = d.Decode(&in)
	return in, err
}

// task returns what is wrong with a task definition of ECS.
func task(text []byte) (findings []string) {
	in, err := sdk[ecs.RegisterTaskDefinitionInput](text)
	if err != nil {
		return []string{"decode: " + err.Error()}
	}
	say := func(when bool, finding string) {
		if when {
			findings = append(findings, finding)
		}
	}
	c := in.ContainerDefinitions[0]
	yes := func(b *bool) bool { return b != nil && *b }
	say(!yes(c.ReadonlyRootFilesystem), "P16.14: it may write its image")
	say(yes(c.Privileged) || c.User == nil || *c.User != "65532:65532", "P16.14: it runs as root")
	say(c.LinuxParameters == nil || c.LinuxParameters.Capabilities == nil || strings.Join(c.LinuxParameters.Capabilities.Drop, "") != "ALL", "P16.14: it keeps capabilities")
	say(!strings.Contains(*c.Image, "@sha256:"), "P8.9: "+*c.Image)
	say(c.StopTimeout == nil || *c.StopTimeout < int32(drained.Seconds()), "P14.4: it is killed while it drains")
	say(c.HealthCheck == nil || strings.Join(c.HealthCheck.Command, " ") != "CMD /app health --live", "P14.1: no health command")
	for _, p := range c.PortMappings {
		say(*p.ContainerPort == 9090, "P10.14: the admin port is published")
	}
	memory := ""
	for _, e := range c.Environment {
		say(secretName.MatchString(*e.Name), "P6.3: "+*e.Name+" in plain text")
		if *e.Name == "GOMEMLIMIT" {
			memory = *e.Value
		}
	}
	say(*in.Memory != "1024" || memory != "920MiB", "P8.7: GOMEMLIMIT is not nine tenths")
	return findings
}

func TestECS(t *testing.T) {
	t.Parallel()
	text := read(t, "../ecs/task.json")
	if found := task(text); len(found) > 0 {
		t.Errorf("deploy/ecs/task.json:\n%s", strings.Join(found, "\n"))
	}
	for rule, change := range map[string][2]string{
		"decode":           {"stopTimeout", "stopTimeOuts"},
		"P16.14: it may":   {`"readonlyRootFilesystem": true`, `"readonlyRootFilesystem": false`},
		"P16.14: it runs":  {"65532:65532", "0:0"},
		"P16.14: it keeps": {`{"drop": ["ALL"]}`, `{"drop": []}`},
		"P8.9":             {"@sha256:", ":v1-"},
		"P14.4":            {`"stopTimeout": 60`, `"stopTimeout": 40`},
		"P14.1":            {`"--live"`, `"--dead"`},
		"P10.14":           {`"containerPort": 8080`, `"containerPort": 9090`},
		"P6.3":             {`{"name": "ASHLAR_ENV"`, `{"name": "DATABASE_URL"`},
		"P8.7":             {"920MiB", "1GiB"},
	} {
		spoilt := bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(spoilt, text) {
			t.Errorf("%s: task.json does not have %q", rule, change[0])
		}
		bites(t, rule, task(spoilt))
	}

	service, err := sdk[ecs.CreateServiceInput](read(t, "../ecs/service.json"))
	if err != nil {
		t.Fatal(err)
	}
	if b := service.DeploymentConfiguration.DeploymentCircuitBreaker; !b.Enable || !b.Rollback {
		t.Error("P16.18: a release that fails is not taken back")
	}
	if *service.DesiredCount < 2 || *service.DeploymentConfiguration.MinimumHealthyPercent != 100 {
		t.Error("P5.16: a release takes tasks away before it has new ones")
	}
	if l := service.LoadBalancers[0]; *l.ContainerName != "app" || *l.ContainerPort != 8080 {
		t.Error("the load balancer leads elsewhere")
	}
}

func TestAppRunner(t *testing.T) {
	t.Parallel()
	in, err := sdk[apprunner.CreateServiceInput](read(t, "../apprunner/service.json"))
	if err != nil {
		t.Fatal(err)
	}
	image := in.SourceConfiguration.ImageRepository
	if !strings.Contains(*image.ImageIdentifier, "@sha256:") || *image.ImageConfiguration.Port != "8080" {
		t.Errorf("P8.9: %s", *image.ImageIdentifier)
	}
	for name := range image.ImageConfiguration.RuntimeEnvironmentVariables {
		if secretName.MatchString(name) {
			t.Errorf("P6.3: %s in plain text", name)
		}
	}
}

// TestOtherPlatforms decodes files for which there are no types in Go, into
// what their documentation says that they have.
func TestOtherPlatforms(t *testing.T) {
	t.Parallel()
	var railway struct {
		Build struct {
			Builder        string `json:"builder"`
			DockerfilePath string `json:"dockerfilePath"`
		} `json:"build"`
		Deploy struct {
			Path     string `json:"healthcheckPath"`
			Timeout  int    `json:"healthcheckTimeout"`
			Restart  string `json:"restartPolicyType"`
			Retries  int    `json:"restartPolicyMaxRetries"`
			Overlap  int    `json:"overlapSeconds"` // numbers: as text they fail to parse
			Draining int    `json:"drainingSeconds"`
		} `json:"deploy"`
	}
	d := json.NewDecoder(bytes.NewReader(read(t, "../railway/railway.json")))
	d.DisallowUnknownFields()
	if err := d.Decode(&railway); err != nil || railway.Build.Builder != "DOCKERFILE" || railway.Build.DockerfilePath != "Dockerfile" || railway.Deploy.Draining < int(drained.Seconds()) {
		t.Errorf("railway.json: %+v, %v", railway, err)
	}

	type variable struct {
		Key          string            `json:"key"`
		Value        string            `json:"value"`
		Sync         *bool             `json:"sync"`
		FromDatabase map[string]string `json:"fromDatabase"`
		FromService  map[string]string `json:"fromService"`
	}
	var render struct {
		Services []struct {
			Type       string     `json:"type"`
			Name       string     `json:"name"`
			Runtime    string     `json:"runtime"`
			Dockerfile string     `json:"dockerfilePath"`
			Health     string     `json:"healthCheckPath"`
			Shutdown   int        `json:"maxShutdownDelaySeconds"`
			Variables  []variable `json:"envVars"`
			Allow      []any      `json:"ipAllowList"`
			Policy     string     `json:"maxmemoryPolicy"`
		} `json:"services"`
		Databases []struct {
			Name  string `json:"name"`
			Major string `json:"postgresMajorVersion"`
			Allow []any  `json:"ipAllowList"`
		} `json:"databases"`
	}
	if err := yaml.UnmarshalStrict(read(t, "../render/render.yaml"), &render); err != nil {
		t.Fatal(err)
	}
	if s := render.Services[0]; s.Shutdown < int(drained.Seconds()) || s.Shutdown > 300 || s.Health != railway.Deploy.Path {
		t.Errorf("render.yaml: %+v", s)
	}
	for _, v := range render.Services[0].Variables {
		if secretName.MatchString(v.Key) && v.Value != "" {
			t.Errorf("P6.3: %s in plain text", v.Key)
		}
		if from := v.FromDatabase; from != nil && from["name"] != render.Databases[0].Name {
			t.Errorf("%s comes from %v", v.Key, from)
		}
		if from := v.FromService; from != nil && from["name"] != render.Services[1].Name {
			t.Errorf("%s comes from %v", v.Key, from)
		}
	}

	var sam map[string]any
	if err := yaml.UnmarshalStrict(read(t, "../lambda/template.yaml"), &sam); err != nil || sam["Transform"] != "AWS::Serverless-2016-10-31" {
		t.Errorf("template.yaml: %v", err)
	}
}
