package pact_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/contract/pact"
	"github.com/ashlar-go/ashlar/internal/nodejs"
)

// TestBrokerLikeTheOfficialVerifier has the verifier of the official JavaScript
// library, which npm installs, and this package verify the same pact of the
// same broker. It must hear the same of both: what it is asked, which version
// is told of, and the results. Without the library the test is skipped, unless
// ASHLAR_TEST_STRICT says that nothing may be.
func TestBrokerLikeTheOfficialVerifier(t *testing.T) {
	t.Parallel()
	folder, err := official(t)
	if err != nil {
		if os.Getenv("ASHLAR_TEST_STRICT") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for name, total := range map[string]string{"kept": "7", "broken": "7.5"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			provider := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"total": `+total+`}`)
			})
			theirs := openBroker(t, totalOfAnOrder)
			server := httptest.NewServer(provider)
			t.Cleanup(server.Close)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "node", "verify.mjs")
			cmd.Dir, cmd.WaitDelay = folder, 10*time.Second
			cmd.Env = append(os.Environ(), "PROVIDER="+server.URL, "BROKER="+theirs.URL, "PACT_DO_NOT_TRACK=true") // nobody is told of a test
			out, err := cmd.CombinedOutput()
			exit, failed := errors.AsType[*exec.ExitError](err)
			if err != nil && (!failed || exit.ExitCode() != 3) || failed != (name == "broken") {
				t.Fatalf("the official verifier ends with %v:\n%s", err, out)
			}

			ours := openBroker(t, totalOfAnOrder)
			results, err := pact.Verify(t.Context(), pact.Config{Provider: "orders", Handler: provider, Sources: []pact.Source{pact.Broker{
				URL: ours.URL, Token: "let-me-in", Version: "1.2.3", Branch: "feat/x", Results: true, Pending: true, BuildURL: "https://ci.example.com/7",
				Selectors: []pact.Selector{{Branch: "main"}, {DeployedOrReleased: true, Environment: "production"}},
			}}})
			if err != nil || len(results) != 1 || results[0].Passed() != (name == "kept") {
				t.Fatalf("%v, %v", results, err)
			}
			if diff := cmp.Diff(theirs.heard(), ours.heard()); diff != "" {
				t.Errorf("the broker hears something else of this package (+) than of the official verifier (-):\n%s", diff)
			}
		})
	}
}

const totalOfAnOrder = `{
	"consumer": {"name": "web"}, "provider": {"name": "orders"},
	"interactions": [{
		"description": "a request for an order", "request": {"method": "GET", "path": "/orders/ord_1"},
		"response": {"status": 200, "headers": {"Content-Type": "application/json"}, "body": {"total": 5},
			"matchingRules": {"body": {"$.total": {"matchers": [{"match": "integer"}]}}}}
	}],
	"metadata": {"pactSpecification": {"version": "3.0.0"}}
}`

// official returns a folder in which verify.mjs can run.
func official(t *testing.T) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		return "", fmt.Errorf("Node.js is missing, which runs the official library: %w", err)
	}
	installed, err := nodejs.Installed("pact", "../../examples/payments/testdata/pact", "record.mjs")
	if err != nil {
		return "", err
	}
	folder := t.TempDir()
	text, err := os.ReadFile("testdata/verify.mjs")
	if err != nil {
		return "", err
	}
	return folder, errors.Join(
		os.WriteFile(filepath.Join(folder, "verify.mjs"), text, 0o600),
		os.Symlink(filepath.Join(installed, "node_modules"), filepath.Join(folder, "node_modules")),
	)
}

// heard is what the broker was asked and told of, without what each verifier
// says of itself and in its own words.
func (b *broker) heard() map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	var results []any
	for _, r := range b.results {
		said := map[string]any{"success": r["success"], "version": r["providerApplicationVersion"], "build": r["buildUrl"]}
		for _, test := range r["testResults"].([]any) {
			test := test.(map[string]any)
			said["interaction"], said["passed"] = test["interactionId"], test["success"]
			for _, one := range list(test["mismatches"]) {
				one := one.(map[string]any)
				said["mismatch"] = fmt.Sprint(one["attribute"], " ", one["identifier"])
			}
		}
		results = append(results, said)
	}
	changes := slices.Clone(b.changes)
	return map[string]any{"asked": b.asked, "branch": b.branch, "results": results, "changes": changes}
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}
