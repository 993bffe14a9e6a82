package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// LoadKeys reads the keys in the file at path, in the form that [ParseKeys]
// reads. A file that others than its owner may read is refused.
func LoadKeys(path string) (*Keys, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the signing keys: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read the signing keys: %s may be read by others; make it 0600, and a new key if anyone has", path)
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read the signing keys: %w", err)
	}
	keys, err := ParseKeys(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// LoadOrCreateKeys is [LoadKeys] for development, where nobody has been given a
// key: if there is no file it makes a key and keeps it there, readable by its
// owner only. Processes that start at once agree on one key.
func LoadOrCreateKeys(path string) (*Keys, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		// Who was quicker may have given its key the name.
		err := writeKeys(path, GenerateKey().PEM().Reveal(), os.Link)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make a signing key: %w", err)
		}
	}
	return LoadKeys(path)
}

// RotateKeys puts a new key of the given algorithm first in the file at path,
// as [Keys.Rotated] does; an empty algorithm means that of the key that signs
// now. The file is replaced whole: who reads it meanwhile finds the old list or
// the new one.
func RotateKeys(path string, a Algorithm, at time.Time) (*Keys, error) {
	keys, err := LoadKeys(path)
	if err != nil {
		return nil, err
	}
	if a == "" {
		a = keys.Signer(time.Now()).Algorithm()
	}
	next, err := NewKey(a)
	if err != nil {
		return nil, err
	}
	if keys, err = keys.Rotated(next, at); err != nil {
		return nil, err
	}
	text := "# Keys that sign access tokens. The first takes over from the others when they retire.\n" +
		strings.Join(keys.entries(), "\n") + "\n"
	if err := writeKeys(path, text, os.Rename); err != nil {
		return nil, fmt.Errorf("write the signing keys: %w", err)
	}
	return keys, nil
}

// writeKeys writes a whole file, readable by its owner only, and then gives it
// its name.
func writeKeys(path, text string, name func(from, to string) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, ".key-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // at worst a second name of the keys, as private
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return name(file.Name(), path)
}
