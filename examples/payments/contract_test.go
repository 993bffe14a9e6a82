package main

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/contract"
)

// TestContract compares what the service promises with the baseline, and wants
// the baseline to be of today. In a repository of one's own,
// `go run . contract check` is the same as a step of CI.
func TestContract(t *testing.T) {
	t.Parallel()
	baseline, err := os.ReadFile("contract/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var acknowledged []contract.Acknowledgement
	switch text, err := os.ReadFile("contract/acknowledged.json"); {
	case err == nil:
		if acknowledged, err = contract.ReadAcknowledgements(text); err != nil {
			t.Fatal(err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		t.Fatal(err)
	}
	current := open(t).Anonymous().Do("GET", "/openapi.json", "")
	report, err := contract.Check(baseline, current.Body.Bytes(), acknowledged, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Findings) > 0 {
		t.Errorf("the service promises something else than contract/openapi.json:\n%s\n"+
			"with nothing breaking, in this folder: go run . contract accept", report)
	}
}
