package deploytest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/DataDog/datadog-api-client-go/v2/api/datadogV1"
)

// datadogPipeline returns what Datadog's own types do not take of a pipeline:
// their decoder keeps it aside and says nothing.
func datadogPipeline(text []byte) (findings []string) {
	var p datadogV1.LogsPipeline
	if err := json.Unmarshal(text, &p); err != nil {
		return []string{"decode: " + err.Error()}
	}
	if p.UnparsedObject != nil {
		findings = append(findings, "decode: no pipeline")
	}
	for name := range p.AdditionalProperties {
		findings = append(findings, "unknown: "+name)
	}
	for i, processor := range p.Processors {
		if processor.UnparsedObject != nil || processor.GetActualInstance() == nil {
			findings = append(findings, fmt.Sprintf("processor: %d is none that Datadog has", i+1))
			continue
		}
		// What a type does not know is among its additional properties, which only
		// a second writing shows: every member must be one of the type's own.
		again, err := json.Marshal(processor.GetActualInstance())
		if err != nil {
			return append(findings, "encode: "+err.Error())
		}
		d := json.NewDecoder(bytes.NewReader(again))
		d.DisallowUnknownFields()
		var known processorMembers
		if err := d.Decode(&known); err != nil {
			findings = append(findings, fmt.Sprintf("unknown: processor %d: %v", i+1, err))
		}
	}
	return findings
}

// processorMembers are those of the kinds of processors that the pipeline uses.
type processorMembers struct {
	Type, Name, Expression, Target, TargetFormat string
	Sources                                      []string
	Enabled                                      bool   `json:"is_enabled"`
	SourceType                                   string `json:"source_type"`
	TargetType                                   string `json:"target_type"`
	PreserveSource                               bool   `json:"preserve_source"`
	Override                                     bool   `json:"override_on_conflict"`
	ReplaceMissing                               bool   `json:"is_replace_missing"`
}

func TestDatadogTakesThePipeline(t *testing.T) {
	t.Parallel()
	text := read(t, "../observability/datadog/pipeline.json")
	if found := datadogPipeline(text); len(found) > 0 {
		t.Errorf("deploy/observability/datadog/pipeline.json:\n%s", strings.Join(found, "\n"))
	}
	for rule, change := range map[string][2]string{
		"decode":            {`"processors"`, `"processors": 1, "x"`},
		"unknown: filtr":    {`"filter"`, `"filtr": {}, "filter"`},
		"processor: 1":      {`"sources": ["time"]`, `"source": ["time"]`},
		"unknown: proc":     {`"target_type"`, `"target_typ": "x", "target_type"`},
		"processor: 2 is n": {`"status-remapper"`, `"level-remapper"`},
	} {
		spoilt := bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(spoilt, text) {
			t.Errorf("%s: the pipeline does not have %q", rule, change[0])
		}
		bites(t, rule, datadogPipeline(spoilt))
	}
}
