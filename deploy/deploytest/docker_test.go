package deploytest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// dockerfile returns what is wrong with one, each finding with its rule.
func dockerfile(text []byte) (findings []string) {
	say := func(when bool, finding string) {
		if when {
			findings = append(findings, finding)
		}
	}
	file, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return []string{"syntax: " + err.Error()}
	}
	for _, w := range file.Warnings {
		findings = append(findings, "P8.15 parser: "+w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) {
		findings = append(findings, "P8.15 linter: "+rule+": "+message)
	}})
	stages, _, err := instructions.Parse(file.AST, lint)
	if err != nil {
		return append(findings, "syntax: "+err.Error())
	}

	say(len(stages) < 2, "P8.1: one stage: the toolchain is in the image")
	last := stages[len(stages)-1]
	say(last.BaseName != "scratch" && !strings.Contains(last.BaseName, "distroless"), "P8.10: the last stage starts from "+last.BaseName)
	exact := regexp.MustCompile(`^[a-z/.-]+:\d+\.\d+\.\d+[a-z0-9.-]*(@sha256:[0-9a-f]{64})?$`)
	names := []string{"scratch"}
	for _, s := range stages {
		say(!slices.Contains(names, s.BaseName) && !exact.MatchString(s.BaseName), "P8.9: "+s.BaseName+" is not an exact version")
		names = append(names, s.Name)
	}

	var user, health, direct, static, trim bool
	var order []string
	secret := regexp.MustCompile(`(?i)(password|secret|token|api_?key|signing_?key|database_url)`)
	labels := map[string]bool{}
	for i, s := range stages {
		for _, c := range s.Commands {
			switch c := c.(type) {
			case *instructions.UserCommand:
				user = i == len(stages)-1 && c.User != "root" && !strings.HasPrefix(c.User, "0")
			case *instructions.HealthCheckCommand:
				health = len(c.Health.Test) > 1 && c.Health.Test[0] == "CMD"
			case *instructions.EntrypointCommand:
				direct = !c.PrependShell
			case *instructions.LabelCommand:
				for _, l := range c.Labels {
					labels[strings.Trim(l.Key, `"`)] = true
				}
			case *instructions.AddCommand:
				findings = append(findings, "P8.14: ADD does more than it says: use COPY")
			case *instructions.EnvCommand:
				for _, e := range c.Env {
					say(secret.MatchString(e.Key), "P8.11: ENV "+e.Key+" stays in the image")
					static = static || e.Key == "CGO_ENABLED" && e.Value == "0"
					trim = trim || e.Key == "GOFLAGS" && strings.Contains(e.Value, "-trimpath") && strings.Contains(e.Value, "-mod=readonly")
				}
			case *instructions.ArgCommand:
				for _, a := range c.Args {
					say(secret.MatchString(a.Key), "P8.11: ARG "+a.Key+" stays in the history")
				}
			case *instructions.CopyCommand:
				if i == 0 {
					order = append(order, "copy "+strings.Join(c.SourcePaths, " "))
				}
			case *instructions.RunCommand:
				line := strings.Join(c.CmdLine, " ")
				say(strings.Contains(line, "apt-get upgrade") || strings.Contains(line, "apk upgrade"), "P8.14: the base is upgraded by changing its version")
				if strings.Contains(line, "go mod download") {
					order = append(order, "download")
				}
			}
		}
	}
	say(!user, "P8.14: the last stage runs as root")
	say(!health, "P8.14: no health command, or one that needs a shell")
	say(!direct, "P8.2: the program is not started directly")
	say(!static, "P8.10: the program may need a C library")
	say(!trim, "P16.4, P5.19: GOFLAGS lacks -trimpath or -mod=readonly")
	say(!slices.Equal(order, []string{"copy go.mod go.sum", "download", "copy ."}), "P8.8: modules are downloaded again when a source changes")
	for _, l := range []string{"title", "version", "revision"} {
		say(!labels["org.opencontainers.image."+l], "P8.14: no label "+l)
	}
	return findings
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	text := read(t, "../docker/Dockerfile")
	if found := dockerfile(text); len(found) > 0 {
		t.Errorf("deploy/docker/Dockerfile:\n%s", strings.Join(found, "\n"))
	}
	for rule, change := range map[string][2]string{
		"P8.1:":        {"FROM scratch\n", "\n"},
		"P8.10: the l": {"FROM scratch", "FROM debian:12.1.0"},
		"P8.10: the p": {"CGO_ENABLED=0", "CGO_ENABLED=1"},
		"P8.9:":        {"golang:1.26.8-bookworm", "golang:latest"},
		"P8.2:":        {`ENTRYPOINT ["/app"]`, "ENTRYPOINT /app"},
		"P8.8:":        {"COPY go.mod go.sum ./\n", ""},
		"P8.11: ENV":   {"ENV SSL_CERT_FILE", "ENV DATABASE_URL=x SSL_CERT_FILE"},
		"P8.11: ARG":   {`ARG REVISION=""`, `ARG GIT_TOKEN REVISION=""`},
		"P8.14: ADD":   {"COPY --from=build /out/ /", "ADD out /"},
		"P8.14: the b": {"RUN mkdir", "RUN apt-get upgrade -y && mkdir"},
		"P8.14: the l": {"USER 65532:65532", "USER root"},
		"P8.14: no he": {`CMD ["/app", "health", "--live"]`, "CMD /app health"},
		"P8.14: no la": {"image.revision", "image.ref"},
		"P8.15":        {"AS build", "as build"},
		"P16.4":        {"-trimpath ", ""},
		"syntax":       {"WORKDIR /src", "WORKDIRR /src"},
	} {
		spoilt := bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(spoilt, text) {
			t.Errorf("%s: the Dockerfile does not have %q", rule, change[0])
		}
		bites(t, rule, dockerfile(spoilt))
	}
}

// TestDockerignore holds P8.4: all stays out but what is let in, and secrets
// stay out whatever is let in.
func TestDockerignore(t *testing.T) {
	t.Parallel()
	var lines []string
	for line := range strings.Lines(string(read(t, "../docker/dockerignore"))) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	if lines[0] != "**" {
		t.Errorf("P8.4: the first line is %q and lets all in", lines[0])
	}
	let := slices.IndexFunc(lines, func(l string) bool { return l == "!go.sum" })
	for _, kept := range []string{".git", "**/.env*", "**/*.key", "**/*.pem", "**/.data"} {
		if at := slices.Index(lines, kept); at < let {
			t.Errorf("P8.4: %s is not kept out after what is let in", kept)
		}
	}
}

// bites says that a rule found nothing in what breaks it.
func bites(t *testing.T, rule string, findings []string) {
	t.Helper()
	if !slices.ContainsFunc(findings, func(f string) bool { return strings.HasPrefix(f, rule) }) {
		t.Errorf("%s does not bite: %q", rule, findings)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
