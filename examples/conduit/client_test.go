//go:build !race

// These tests wait for compilers, of which the race detector sees nothing.

package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/goclient"
	"github.com/ashlar-go/ashlar/internal/nodejs"
	"github.com/ashlar-go/ashlar/tsclient"
)

// TestTheClientsSpeakTheContract has programs use the clients that are generated:
// they send the contract's word before the token, and tell failures apart by code
// although the contract's form has none.
func TestTheClientsSpeakTheContract(t *testing.T) {
	t.Parallel()
	t.Run("Go", func(t *testing.T) {
		t.Parallel()
		app := open(t)
		source, err := goclient.Source(goclient.Info{Package: "main", Scheme: "Token"}, app.Operations())
		if err != nil {
			t.Fatal(err)
		}
		folder := t.TempDir()
		place(t, folder, "client.go", source)
		place(t, folder, "main.go", read(t, "testdata/client.go.txt"))
		place(t, folder, "go.mod", []byte("module conduit.test/client\n\ngo 1.26\n"))
		server := httptest.NewServer(app.Handler())
		t.Cleanup(server.Close)
		succeeds(t, folder, "go", "run", ".", server.URL)
	})
	t.Run("TypeScript", func(t *testing.T) {
		t.Parallel()
		if _, err := exec.LookPath("node"); err != nil {
			missing(t, fmt.Errorf("Node.js is missing, which runs the client: %w", err))
		}
		tools, err := nodejs.Installed("payments-e2e", "../payments/e2e")
		if err != nil {
			missing(t, err)
		}
		app := open(t)
		source, err := tsclient.Source(tsclient.Info{Name: "conduit", Scheme: "Token"}, app.Operations())
		if err != nil {
			t.Fatal(err)
		}
		folder := t.TempDir()
		place(t, folder, "conduit.ts", source)
		place(t, folder, "client.mjs", read(t, "testdata/client.mjs"))
		place(t, folder, "package.json", []byte(`{"type":"module"}`))
		succeeds(t, folder, "node", filepath.Join(tools, "node_modules", "typescript", "bin", "tsc"), "--strict", "--target", "es2022",
			"--module", "es2022", "--moduleResolution", "bundler", "--lib", "es2022,dom,dom.iterable", "--outDir", "out", "conduit.ts")
		server := httptest.NewServer(app.Handler())
		t.Cleanup(server.Close)
		succeeds(t, folder, "node", "client.mjs", server.URL)
	})
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func place(t *testing.T, folder, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// succeeds runs a program to its end.
func succeeds(t *testing.T, folder, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.WaitDelay = folder, 10*time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", program, err, out)
	}
}
