package oidc_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar/internal/nodejs"
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
	folder, err := nodejs.Installed("oidc-provider", "testdata/provider", "provider.mjs")
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
