package oidc_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// certified returns the issuer of a real provider: oidc-provider, which is
// certified by the OpenID Foundation, run by Node.js as long as the tests run.
// Its packages are installed once into the user's cache directory, from the
// lock file, with every checksum held. Without Node.js, or where they cannot be
// installed, the test is skipped, unless ASHLAR_TEST_STRICT says that nothing
// may be.
func certified(t *testing.T) string {
	t.Helper()
	p, err := theCertified()
	if err != nil {
		if os.Getenv("ASHLAR_TEST_STRICT") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return p.issuer
}

// A process is a running provider: it ends when the pipe is closed, by the
// kernel if nobody else does.
type process struct {
	issuer string
	input  io.Closer
}

var theCertified = sync.OnceValues(func() (*process, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, fmt.Errorf("Node.js is missing, which runs the provider: %w", err)
	}
	folder, err := installed()
	if err != nil {
		return nil, err
	}
	settings, err := json.Marshal(map[string]any{"redirects": []string{
		origin + "/v1/auth/oidc/corp/callback", origin + "/v1/auth/oidc/phone/callback", origin + "/v1/auth/oidc/lax/callback",
	}})
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(node, filepath.Join(folder, "provider.mjs"), string(settings))
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the provider: %w", err)
	}
	var said struct {
		Issuer string `json:"issuer"`
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("the provider did not start: %w\n%s", errors.Join(err, cmd.Wait()), complaints.String())
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }() // a process dies of a line that nobody reads
	if err := json.Unmarshal(line, &said); err != nil {
		return nil, fmt.Errorf("the provider said %q: %w", line, err)
	}
	return &process{said.Issuer, input}, nil
})

// installed returns a folder with the provider's script and its packages.
func installed() (string, error) {
	const from = "testdata/provider"
	files := map[string][]byte{}
	fingerprint := sha256.New()
	for _, name := range []string{"package.json", "package-lock.json", "provider.mjs"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return "", err
		}
		files[name] = text
		fingerprint.Write(text)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	folder := filepath.Join(cache, "ashlar-test", "oidc-provider-"+hex.EncodeToString(fingerprint.Sum(nil)[:8]))
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", fmt.Errorf("npm is missing, which installs the provider: %w", err)
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
		return "", fmt.Errorf("the provider's packages cannot be installed: %w\n%s", err, out)
	}
	if err := os.Rename(work, folder); err != nil {
		if _, missing := os.Stat(folder); missing != nil { // nobody was quicker
			return "", err
		}
	}
	return folder, nil
}
