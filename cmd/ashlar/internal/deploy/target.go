package deploy

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/deploy"
)

// A Target is a place that an app can be brought to.
type Target struct {
	Name  string
	About string
	Next  string // what to do with the files

	files map[string]string // where each file or folder of deploy.Files goes
}

var image = map[string]string{"docker/Dockerfile": "Dockerfile", "docker/dockerignore": ".dockerignore"}

// Targets are all there are, in the order of the help.
func Targets() []Target {
	return []Target{
		{
			Name: "docker", About: "an image, built by Docker",
			Next:  "docker build -t shop .   (ashlar image does without Docker)",
			files: image,
		},
		{
			Name: "compose", About: "one machine, with PostgreSQL, Redis and all that shows what happens",
			Next: "the head of compose.yaml says how to make the passwords, and how to start",
			files: with(image, map[string]string{
				"compose/compose.yaml": "compose.yaml", "compose/collector.yaml": "deploy/compose/collector.yaml",
				"compose/prometheus.yaml": "deploy/compose/prometheus.yaml", "compose/grafana": "deploy/compose/grafana",
				"observability/prometheus/recording.yaml": "deploy/observability/prometheus/recording.yaml",
				"observability/prometheus/alerts.yaml":    "deploy/observability/prometheus/alerts.yaml",
				"observability/grafana/dashboard.json":    "deploy/observability/grafana/dashboard.json",
				"observability/loki/config.alloy":         "deploy/observability/loki/config.alloy",
			}),
		},
		{
			Name: "kubernetes", About: "Kustomize: a base, staging and production",
			Next: "make the secret: kubectl -n shop-staging create secret generic shop --from-file=database-url --from-file=redis-url --from-file=signing-keys\n" +
				"say your hosts in deploy/kubernetes/overlays/*/kustomization.yaml, and what the app calls in base/network.yaml\n" +
				"kubectl kustomize deploy/kubernetes/overlays/staging",
			files: map[string]string{"kubernetes": "deploy/kubernetes"},
		},
		{
			Name: "systemd", About: "a Linux machine, as a service of systemd",
			Next:  "the head of deploy/systemd/shop.service says how to install it",
			files: map[string]string{"systemd": "deploy/systemd"},
		},
		{
			Name: "railway", About: "Railway",
			Next:  "set PORT=8080, ASHLAR_SIGNING_KEYS, DATABASE_URL and ASHLAR_DATABASE_PLAINTEXT=on (its private network has no certificate) as variables of the service",
			files: with(image, map[string]string{"railway/railway.json": "railway.json"}),
		},
		{
			Name: "render", About: "Render",
			Next:  "commit render.yaml and make a Blueprint of the repository; Render asks for ASHLAR_SIGNING_KEYS",
			files: with(image, map[string]string{"render/render.yaml": "render.yaml"}),
		},
		{
			Name: "ecs", About: "AWS ECS on Fargate",
			Next: "put your account, region, roles, subnets and digest into both files, then:\n" +
				"aws ecs register-task-definition --cli-input-json file://deploy/ecs/task.json\n" +
				"aws ecs create-service --cli-input-json file://deploy/ecs/service.json",
			files: map[string]string{"ecs": "deploy/ecs"},
		},
		{
			Name: "apprunner", About: "AWS App Runner, for those who have it: closed to new customers since April 2026",
			Next:  "new customers cannot make a service any more: take ecs. Others: aws apprunner create-service --cli-input-json file://deploy/apprunner/service.json",
			files: map[string]string{"apprunner": "deploy/apprunner"},
		},
		{
			Name: "lambda", About: "AWS Lambda behind an HTTP API",
			Next:  "serve with github.com/ashlar-go/ashlar/serve/lambda; the head of deploy/lambda/template.yaml says how to build and send it",
			files: map[string]string{"lambda": "deploy/lambda"},
		},
		{
			Name: "github", About: "GitHub Actions: verify, deliver to Kubernetes, roll back; it writes kubernetes too",
			Next: "go get -tool github.com/ashlar-go/ashlar/cmd/ashlar, for what the workflows run\n" +
				"make the environments staging and production, with the variables KUBE_SERVER, KUBE_CA and PUBLIC_URL, and reviewers for production\n" +
				"let the clusters believe GitHub's tokens (docs/pipelines.md of the framework says how)",
			files: map[string]string{"github": ".github/workflows", "kubernetes": "deploy/kubernetes"},
		},
	}
}

func with(a, b map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

// Choose returns the targets of these names; "all" is every one.
func Choose(names []string) ([]Target, error) {
	var chosen []Target
	for _, name := range names {
		if name == "all" {
			return Targets(), nil
		}
		at := slices.IndexFunc(Targets(), func(t Target) bool { return t.Name == name })
		if at < 0 {
			known := make([]string, 0, len(Targets()))
			for _, t := range Targets() {
				known = append(known, t.Name)
			}
			return nil, fmt.Errorf("target %q: there are %s, and all", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, Targets()[at])
	}
	return chosen, nil
}

// plan returns the files of targets as they are for app, by path.
func plan(app App, targets []Target) (map[string]string, error) {
	files := map[string]string{}
	for _, t := range targets {
		for from, to := range t.files {
			err := fs.WalkDir(deploy.Files, from, func(name string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				text, err := fs.ReadFile(deploy.Files, name)
				if err != nil {
					return err
				}
				files[app.Adapt(path.Join(to, strings.TrimPrefix(name, from)))] = app.Adapt(string(text))
				return nil
			})
			if err != nil {
				return nil, fmt.Errorf("target %s: %w", t.Name, err)
			}
		}
	}
	return files, nil
}
