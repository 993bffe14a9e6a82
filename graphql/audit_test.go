package graphql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/internal/nodejs"
	"github.com/ashlar-go/ashlar/serve"
)

// TestGraphQLOverHTTPIsAudited runs the audits of the reference implementation,
// graphql-http, by Node.js. Its packages are installed once into the user's
// cache directory, from the lock file, with every checksum held.
func TestGraphQLOverHTTPIsAudited(t *testing.T) {
	t.Parallel()
	node, folder := auditor(t)
	server := httptest.NewServer(serve.Observe(newShop(t).endpoint(t, graphql.Config{Introspection: true}), serve.Observer{}))
	defer server.Close()

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, filepath.Join(folder, "audit.mjs"), server.URL)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the audit did not end: %v\n%s", err, complaints.String())
	}
	passed := 0
	for line := range bytes.Lines(out) {
		var audit struct {
			ID     string `json:"id"`
			Name   string `json:"name"`
			Status string `json:"status"`
			Reason string `json:"reason"`
		}
		if err := json.Unmarshal(line, &audit); err != nil {
			t.Fatalf("the audit says %q: %v", line, err)
		}
		if audit.Status != "ok" {
			t.Errorf("%s %s: %s: %s", audit.ID, audit.Name, audit.Status, audit.Reason)
			continue
		}
		passed++
	}
	const all = 61
	if passed != all {
		t.Errorf("%d audits passed, want %d", passed, all)
	}
}

// auditor returns Node.js and a folder with the audits and the clients. Without them the test is
// skipped, unless ASHLAR_TEST_STRICT says that nothing may be.
func auditor(t *testing.T) (node, folder string) {
	t.Helper()
	missing := func(what string, err error) {
		if os.Getenv("ASHLAR_TEST_STRICT") == "1" {
			t.Fatal(what, err)
		}
		t.Skip(what, err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("Node.js is missing, which runs the audits:", err)
	}
	folder, err = nodejs.Installed("graphql", "testdata/audit", "audit.mjs", "peers.mjs", "return.mjs")
	if err != nil {
		missing("The audits are missing:", err)
	}
	return node, folder
}
