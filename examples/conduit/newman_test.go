//go:build !race

// This test waits for Node.js, of which the race detector sees nothing.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/internal/nodejs"
)

// TestTheCollectionPasses plays it in every setting.
func TestTheCollectionPasses(t *testing.T) {
	t.Parallel()
	suite, err := filepath.Abs(collection)
	if err == nil {
		_, err = os.Stat(suite)
	}
	if err != nil {
		missing(t, errors.Join(errors.New("the RealWorld collection is missing, which is tried here"), err))
	}
	if _, err := exec.LookPath("node"); err != nil {
		missing(t, fmt.Errorf("Node.js is missing, which plays the collection: %w", err))
	}
	folder, err := nodejs.Installed("conduit-newman", "newman")
	if err != nil {
		missing(t, err)
	}
	for name, env := range map[string]func(t *testing.T) []string{
		"SQLite": func(t *testing.T) []string {
			return []string{"DATABASE_URL", "sqlite:" + filepath.Join(t.TempDir(), "conduit.db")}
		},
		"PostgreSQL": func(t *testing.T) []string { return []string{"DATABASE_URL", backing.Postgres(t)} },
		"PostgreSQL and Redis": func(t *testing.T) []string {
			return []string{"DATABASE_URL", backing.Postgres(t), "REDIS_URL", backing.RedisServer(t).URL()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, folder, suite, env(t)...)
		})
	}
}

// play runs the collection against an app of its own, and bounds its time: what
// hangs is a failure that says so.
func play(t *testing.T, folder, suite string, env ...string) {
	t.Helper()
	server := httptest.NewServer(open(t, env...).Handler())
	t.Cleanup(server.Close)
	report := filepath.Join(t.TempDir(), "report.json")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", filepath.Join("node_modules", "newman", "bin", "newman.js"), "run", suite,
		"--global-var", "APIURL="+server.URL+"/api", "--global-var", "USERNAME=u1",
		"--global-var", "EMAIL=u1@mail.com", "--global-var", "PASSWORD=password1",
		"--timeout", "150000", "--timeout-request", "60000",
		"--reporters", "cli,json", "--reporter-json-export", report, "--color", "off")
	cmd.Dir = folder
	cmd.WaitDelay = 10 * time.Second
	out, failed := cmd.CombinedOutput()
	if failed != nil {
		t.Errorf("%v, after %v\n%s", failed, context.Cause(ctx), out)
	}
	var got struct {
		Run struct {
			Stats struct {
				Requests, Assertions struct{ Total, Failed int }
			}
		}
	}
	text, err := os.ReadFile(report)
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	if err != nil {
		t.Fatal(err)
	}
	requests, assertions := got.Run.Stats.Requests, got.Run.Stats.Assertions
	t.Logf("%d requests and %d assertions, of which %d and %d failed", requests.Total, assertions.Total, requests.Failed, assertions.Failed)
	if requests.Total != 32 || assertions.Total < 300 || requests.Failed+assertions.Failed > 0 {
		t.Errorf("the collection has 32 requests and more than 300 assertions, all of which pass\n%s", out)
	}
}
