//go:build !race

// These tests wait for compilers and browsers, of which the race detector sees
// nothing.

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/internal/nodejs"
	"github.com/ashlar-go/ashlar/tsclient"
)

// The files that are made from the declarations: the client in TypeScript, and
// what the compiler makes of it for browsers.
const (
	clientSource = "client/payments.ts"
	clientScript = "client/payments.js"
)

// TestTheClientIsCurrent: with -update it is written anew.
func TestTheClientIsCurrent(t *testing.T) {
	t.Parallel()
	ashlartest.Golden(t, clientSource, string(typescript(t)))
}

// typescript is the client as it has to be now.
func typescript(t *testing.T) []byte {
	t.Helper()
	source, err := tsclient.Source(tsclient.Info{Name: "payments"}, open(t).Operations())
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// TestTheClientCompiles under the strictest settings, its types hold what they
// promise, and what browsers get is what the compiler makes of it.
func TestTheClientCompiles(t *testing.T) {
	t.Parallel()
	folder := nodeFolder(t, "tsconfig.json", "types.ts")
	var odd []byte // names and shapes that payments have none of
	for _, part := range []string{"testdata/odd.ts", "runtime.ts"} {
		text, err := os.ReadFile("../../tsclient/" + part)
		if err != nil {
			t.Fatal(err)
		}
		odd = append(odd, text...)
	}
	for name, text := range map[string][]byte{"odd.ts": odd, "payments.ts": typescript(t)} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "node_modules/typescript/bin/tsc", "-p", ".", "--allowImportingTsExtensions", "--rewriteRelativeImportExtensions")
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := os.ReadFile(filepath.Join(folder, "out", "payments.js"))
	if err != nil {
		t.Fatal(err)
	}
	ashlartest.Golden(t, clientScript, string(got))
}

// TestTheClientInNode has Node.js use the client against the running service,
// which is killed, and behind a proxy, which loses answers.
func TestTheClientInNode(t *testing.T) {
	t.Parallel()
	folder := nodeFolder(t, "client.test.mjs", "stage.mjs", "../"+clientScript)
	newStage(t).run(t, "node", folder, "--experimental-websocket", "--test", "client.test.mjs")
}

// TestTheClientInOtherRuntimes has Deno and Bun do the same with the client in
// TypeScript as it is; Deno checks its types before.
func TestTheClientInOtherRuntimes(t *testing.T) {
	t.Parallel()
	folder := nodeFolder(t, "client.test.mjs", "stage.mjs", "../"+clientSource)
	cases := filepath.Join(folder, "client.test.mjs")
	text, err := os.ReadFile(cases)
	if err == nil {
		err = os.WriteFile(cases, bytes.Replace(text, []byte("./payments.js"), []byte("./payments.ts"), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	runtimes, err := nodejs.Installed("payments-runtimes", "e2e/runtimes")
	if err != nil {
		missing(t, err)
	}
	for name, runtime := range map[string]struct {
		program  string
		commands [][]string
	}{
		"Deno": {"@deno/*/deno", [][]string{{"check", "payments.ts"}, {"test", "--no-check", "--allow-net", "--allow-env", "client.test.mjs"}}},
		"Bun":  {"@oven/*/bin/bun", [][]string{{"test", "--timeout", "240000", "./client.test.mjs"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := filepath.Glob(filepath.Join(runtimes, "node_modules", runtime.program))
			if err != nil || len(found) == 0 {
				missing(t, fmt.Errorf("no package of %s is for this system (%w)", name, errors.ErrUnsupported))
			}
			s := newStage(t)
			for _, args := range runtime.commands {
				s.run(t, found[0], folder, args...)
			}
		})
	}
}

// missing skips a test for want of a program, unless ASHLAR_TEST_STRICT says that
// nothing may be skipped.
func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("ASHLAR_TEST_STRICT") == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// TestThePageInChromium uses the merchant page in a real browser: two windows,
// a restart, answers that are lost, the keyboard alone, a phone's width, both
// colour schemes. It fails on a violation of the policy, an exception, a request
// to elsewhere, and whatever axe finds. Its pictures are among the test's
// artifacts, or in the folder that ASHLAR_TEST_SCREENSHOTS names.
func TestThePageInChromium(t *testing.T) {
	t.Parallel()
	browse(t, "page.test.mjs")
}

// TestTokensOfThePageExpire in mid-use.
func TestTokensOfThePageExpire(t *testing.T) {
	t.Parallel()
	browse(t, "expiry.test.mjs", "ASHLAR_TOKEN_TTL=5s")
}

func browse(t *testing.T, script string, env ...string) {
	t.Helper()
	program, err := exec.LookPath(cmp.Or(os.Getenv("ASHLAR_TEST_CHROMIUM"), "chromium"))
	if err != nil {
		missing(t, fmt.Errorf("chromium is missing; install it or name it in ASHLAR_TEST_CHROMIUM: %w", err))
	}
	folder := nodeFolder(t, script, "stage.mjs", "../"+clientScript)
	s := newStage(t, env...)
	s.script = append(s.script, "CHROMIUM="+program, "PICTURES="+cmp.Or(os.Getenv("ASHLAR_TEST_SCREENSHOTS"), t.ArtifactDir()))
	s.run(t, "node", folder, "--test", script)
}

// run runs a script to its end.
func (s *stage) run(t *testing.T, program, folder string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "STAGE="+s.proxy.URL, "CONTROL="+s.orders.URL, "NO_COLOR=1")
	cmd.Env = append(cmd.Env, s.script...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// nodeFolder returns a folder with some files of e2e and the packages that they
// need, which are installed once into the user's cache directory, from the lock
// file, with every checksum held. The test is skipped without Node.js, unless
// ASHLAR_TEST_STRICT says that nothing may be.
func nodeFolder(t *testing.T, files ...string) string {
	t.Helper()
	packages, err := nodePackages()
	if err != nil {
		missing(t, err)
	}
	folder := t.TempDir()
	if err := os.Symlink(packages, filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(files, "package.json") {
		text, err := os.ReadFile(filepath.Join("e2e", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, filepath.Base(name)), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

var nodePackages = sync.OnceValues(func() (string, error) {
	if _, err := exec.LookPath("node"); err != nil {
		return "", fmt.Errorf("Node.js is missing, which runs the client: %w", err)
	}
	folder, err := nodejs.Installed("payments-e2e", "e2e")
	return filepath.Join(folder, "node_modules"), err
})
