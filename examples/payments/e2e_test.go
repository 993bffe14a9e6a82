//go:build !race

// These tests wait for compilers and browsers, of which the race detector sees
// nothing.

package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ashlartest"
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
	newStage(t).run(t, folder, "--experimental-websocket", "--test", "client.test.mjs")
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
		if os.Getenv("ASHLAR_TEST_STRICT") == "1" {
			t.Fatal("chromium is missing: ", err)
		}
		t.Skip("chromium is missing; install it or name it in ASHLAR_TEST_CHROMIUM: ", err)
	}
	folder := nodeFolder(t, script, "stage.mjs", "../"+clientScript)
	s := newStage(t, env...)
	s.script = append(s.script, "CHROMIUM="+program, "PICTURES="+cmp.Or(os.Getenv("ASHLAR_TEST_SCREENSHOTS"), t.ArtifactDir()))
	s.run(t, folder, "--test", script)
}

// run runs a script to its end.
func (s *stage) run(t *testing.T, folder string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", args...)
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
		if os.Getenv("ASHLAR_TEST_STRICT") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
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
	fingerprint := sha256.New()
	files := map[string][]byte{}
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join("e2e", name))
		if err != nil {
			return "", err
		}
		fingerprint.Write(text)
		files[name] = text
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	folder := filepath.Join(cache, "ashlar-test", "payments-e2e-"+hex.EncodeToString(fingerprint.Sum(nil)[:8]))
	packages := filepath.Join(folder, "node_modules")
	if _, err := os.Stat(folder); err == nil {
		return packages, nil
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", fmt.Errorf("npm is missing, which installs what the tests need: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o700); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(filepath.Dir(folder), "installing-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(work, name), text, 0o600); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the packages of e2e cannot be installed: %w\n%s", err, out)
	}
	if err := os.Rename(work, folder); err != nil {
		if _, missing := os.Stat(folder); missing != nil { // nobody was quicker
			return "", err
		}
	}
	return packages, nil
})
