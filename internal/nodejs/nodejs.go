// Package nodejs runs programs of other ecosystems in tests: their packages
// are installed once into the user's cache directory, from a lock file, with
// every checksum held and no script of theirs run.
package nodejs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Installed returns a folder with the files of from, its package.json and
// package-lock.json among them, and what they depend on. An error says what
// was missing.
func Installed(name, from string, files ...string) (string, error) {
	texts := map[string][]byte{}
	fingerprint := sha256.New()
	for _, file := range append([]string{"package.json", "package-lock.json"}, files...) {
		text, err := os.ReadFile(filepath.Join(from, file)) //nolint:gosec // a test's own data
		if err != nil {
			return "", err
		}
		texts[file] = text
		_, _ = fingerprint.Write(text)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	folder := filepath.Join(cache, "ashlar-test", name+"-"+hex.EncodeToString(fingerprint.Sum(nil)[:8]))
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", fmt.Errorf("npm is missing, which installs %s: %w", name, err)
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o700); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(filepath.Dir(folder), "installing-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(work) }() // it has been renamed, or is of no use
	for file, text := range texts {
		if err := os.WriteFile(filepath.Join(work, file), text, 0o600); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund") //nolint:gosec // found by its name
	cmd.Dir = work
	cmd.WaitDelay = 10 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the packages of %s cannot be installed: %w\n%s", name, err, out)
	}
	if err := os.Rename(work, folder); err != nil {
		if _, missing := os.Stat(folder); missing != nil { // nobody was quicker
			return "", err
		}
	}
	return folder, nil
}
