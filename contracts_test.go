package ashlar_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestContractCommand goes the way of a breaking change: it is named, refused
// as a baseline, acknowledged, and part of the next baseline.
func TestContractCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	baseline := filepath.Join(dir, "contract", "openapi.json")
	acknowledged := filepath.Join(dir, "contract", "acknowledged.json")
	run := func(code int, want string, args ...string) string {
		t.Helper()
		cmd := app(t, "good", nil, append([]string{"contract"}, args...)...)
		cmd.Dir = dir
		out, got := output(t, cmd)
		if got != code || !strings.Contains(out, want) {
			t.Errorf("contract %s: exit code %d, want %d and %q:\n%s", strings.Join(args, " "), got, code, want, out)
		}
		return out
	}
	run(1, `make the first with "contract accept"`, "check")
	run(0, "has what the app promises", "accept")
	run(0, "nothing has changed since contract/openapi.json", "check")
	first, err := os.ReadFile(baseline)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(baseline, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(1, "no OpenAPI document", "check")
	run(1, "no OpenAPI document", "accept")

	// The baseline promised a field that the app does not answer with.
	const field = `"properties": {
          "text": {`
	if strings.Count(string(first), field) == 0 {
		t.Fatalf("the document has no %s:\n%s", field, first)
	}
	promised := strings.ReplaceAll(string(first), field, `"properties": {
          "gone": {"type": "string"},
          "text": {`)
	if err := os.WriteFile(baseline, []byte(promised), 0o600); err != nil {
		t.Fatal(err)
	}
	said := run(1, "break consumers and are not acknowledged", "check")
	const id = "* field-removed 200/gone"
	if !strings.Contains(said, "has no field /gone any more\n\tconsumers that read it find nothing\n\tacknowledge as: ") {
		t.Error(said)
	}
	run(1, "acknowledge them first", "accept")
	run(2, "--reason", "acknowledge", id)
	run(1, "it has no reason", "acknowledge", id, "--reason= ")
	run(1, `there is no breaking change "x y"`, "acknowledge", "x y", "--reason=why not")
	run(1, "its until is no day", "acknowledge", id, "--reason=why not", "--until=soon")
	run(0, "2 breaking changes are left", "acknowledge", id, "--reason=nobody reads it")
	run(0, "0 breaking changes are left", "acknowledge", "* field-removed 200/event/data/gone", "--reason=nobody reads it")
	run(0, "nobody reads it", "check")
	run(0, "has what the app promises", "accept")
	if _, err := os.Stat(acknowledged); err == nil {
		t.Error("what was acknowledged is part of the baseline, and still acknowledged")
	}
	run(0, "nothing has changed", "check", "--baseline="+baseline)
	if err := os.WriteFile(acknowledged, []byte("["), 0o600); err != nil {
		t.Fatal(err)
	}
	run(1, "acknowledged.json: acknowledgements: ", "check")
	again, err := os.ReadFile(baseline)
	if err != nil || !bytes.Equal(again, first) {
		t.Errorf("the baseline is another than the first (%v)", err)
	}
}
