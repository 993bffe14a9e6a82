package image

import (
	"encoding/json"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
)

// bom is the part of CycloneDX 1.6 that a build knows.
type bom struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version,omitempty"`
	PURL       string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// SBOM lists what a program was built from, as the program itself says it: its
// modules, with the checksums of go.sum, and the Go release.
func SBOM(p Program) ([]byte, error) {
	main := moduleOf(&p.Info.Main)
	main.Type = "application"
	b := bom{
		Format: "CycloneDX", Spec: "1.6", Version: 1,
		Metadata: metadata{Timestamp: p.Created().Format("2006-01-02T15:04:05Z"), Component: main},
		Components: []component{{
			Type: "library", Ref: "pkg:golang/std@" + release(p.Info), Name: "std", Version: release(p.Info), PURL: "pkg:golang/std@" + release(p.Info),
		}},
	}
	for _, m := range p.Info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		b.Components = append(b.Components, moduleOf(m))
	}
	slices.SortFunc(b.Components, func(x, y component) int { return strings.Compare(x.Ref, y.Ref) })
	return json.MarshalIndent(b, "", "  ")
}

func release(info *debug.BuildInfo) string { return strings.TrimPrefix(info.GoVersion, "go") }

func moduleOf(m *debug.Module) component {
	at := (&url.URL{Path: m.Path}).EscapedPath()
	if m.Version != "" && m.Version != "(devel)" {
		at += "@" + url.PathEscape(m.Version)
	}
	c := component{Type: "library", Ref: "pkg:golang/" + at, Name: m.Path, Version: m.Version, PURL: "pkg:golang/" + at}
	if m.Sum != "" {
		c.Properties = []property{{"go.sum", m.Sum}}
	}
	return c
}
