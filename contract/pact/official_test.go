package pact_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/contract/pact"
	"github.com/ashlar-go/ashlar/internal/nodejs"
)

// TestBrokerLikeTheOfficialVerifier has the verifier of the official JavaScript
// library, which npm installs, and this package verify the same pact of the
// same broker. It must hear the same of both: what it is asked, which version
// is told of, and the results.
func TestBrokerLikeTheOfficialVerifier(t *testing.T) {
	t.Parallel()
	folder := official(t)
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
			out, err := run(t, folder, "verify.mjs", "PROVIDER="+server.URL, "BROKER="+theirs.URL)
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

// TestTheOfficialVerifierReadsOurPacts has it verify what a consumer in Go
// recorded: it agrees with this package on which provider keeps the pact.
func TestTheOfficialVerifierReadsOurPacts(t *testing.T) {
	t.Parallel()
	folder := official(t)
	dir := t.TempDir()
	if said := record(t, dir, true); said != "" {
		t.Fatal(said)
	}
	const order = `{"id": "ord_8", "items": [{"n": 3, "name of it": "tea"}, {"n": 4, "name of it": ""}], "made_at": "2030-01-01T10:00:00Z", "state": "open", "more": 1}`
	providers := []struct {
		name, from, to string
		status         int
		kept           bool
	}{
		{"as it is expected", "", "", 201, true},
		{"another id", "ord_8", "8", 201, false},
		{"no items", `{"n": 3, "name of it": "tea"}, {"n": 4, "name of it": ""}`, "", 201, false},
		{"an item's number is none", `"n": 4`, `"n": "4"`, 201, false},
		{"a number that is not whole", `"n": 3`, `"n": 3.5`, 201, false},
		{"another way to write a time", "2030-01-01T10:00:00Z", "1 January", 201, false},
		{"another state", `"open"`, `"shut"`, 201, false},
		{"another status", "", "", 200, false},
	}
	var urls []string
	for _, p := range providers {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, strings.ReplaceAll(order, p.from, p.to))
		})
		mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("an order is of %q", r.Header.Get("Content-Type"))
			}
			w.WriteHeader(p.status)
		})
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		urls = append(urls, server.URL)
		results, err := pact.Verify(t.Context(), pact.Config{Provider: "orders", Handler: mux, Sources: []pact.Source{pact.Folder(dir)}, States: map[string]pact.Setup{
			"an order": nowhere, "a clerk": nowhere,
		}})
		if err != nil || slices.ContainsFunc(results, func(r pact.Result) bool { return !r.Passed() }) == p.kept {
			t.Errorf("%s: this package says %v, %v", p.name, results, err)
		}
	}
	out, err := run(t, folder, "agree.mjs", "PACT="+filepath.Join(dir, "web-orders.json"), "PROVIDERS="+strings.Join(urls, ","))
	_, verdicts, found := strings.Cut(out, "\nKEPT ")
	var kept []bool
	if err == nil && found {
		err = json.Unmarshal([]byte(verdicts), &kept)
	}
	if err != nil || len(kept) != len(providers) {
		t.Fatalf("%v:\n%s", err, out)
	}
	for i, p := range providers {
		if kept[i] != p.kept {
			t.Errorf("%s: the official verifier says %t:\n%s", p.name, kept[i], out)
		}
	}
}

func nowhere(context.Context, map[string]any) (map[string]any, error) { return map[string]any{}, nil }

// run runs a script to its end, and tells nobody of it.
func run(t *testing.T, folder, script string, env ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", script)
	cmd.Dir, cmd.WaitDelay = folder, 10*time.Second
	cmd.Env = append(append(os.Environ(), "PACT_DO_NOT_TRACK=true"), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// official returns a folder in which the scripts of testdata can run. Without
// what they need the test is skipped, unless ASHLAR_TEST_STRICT says that
// nothing may be.
func official(t *testing.T) string {
	t.Helper()
	folder, err := installed(t)
	if err != nil {
		if os.Getenv("ASHLAR_TEST_STRICT") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return folder
}

func installed(t *testing.T) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		return "", fmt.Errorf("Node.js is missing, which runs the official library: %w", err)
	}
	library, err := nodejs.Installed("pact", "../../examples/payments/testdata/pact", "record.mjs")
	if err != nil {
		return "", err
	}
	folder := t.TempDir()
	return folder, errors.Join(
		os.CopyFS(folder, os.DirFS("testdata")),
		os.Symlink(filepath.Join(library, "node_modules"), filepath.Join(folder, "node_modules")),
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
