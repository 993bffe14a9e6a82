package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

const pemStart = "-----BEGIN "

// Keys are the signing keys of an application: the first signs, all verify. To
// rotate, put a new key first and leave the old one behind it until its last
// token has expired.
type Keys struct {
	all []Key
}

// NewKeys returns keys in the order of their use. The first must be able to
// sign, and no two may be the same.
func NewKeys(all ...Key) (*Keys, error) {
	if len(all) == 0 {
		return nil, failure("auth: no signing key")
	}
	for i, k := range all {
		switch _, taken := (&Keys{all[:i]}).find(k.id); {
		case k.public == nil:
			return nil, fmt.Errorf("auth: signing key %d is empty", i+1)
		case i == 0 && k.private == nil:
			return nil, failure("auth: signing key 1 is a public key; the first one signs and must be private")
		case taken:
			return nil, fmt.Errorf("auth: signing key %d is there twice", i+1)
		}
	}
	return &Keys{all}, nil
}

// ParseKeys reads a list of keys, separated by commas or white space. Each is
// PEM (PKCS #8, or PKIX for one that only verifies) or the base64 of an Ed25519
// seed, as [Key.Secret] writes it. Its error says which key is wrong and how,
// for all of them, and shows none.
func ParseKeys(text string) (*Keys, error) {
	var all []Key
	var errs []error
	for n := 1; ; n++ {
		var one string
		if one, text = nextKey(text); one == "" {
			break
		}
		key, err := parseKey(one)
		if err != nil {
			errs = append(errs, fmt.Errorf("auth: signing key %d %w", n, err))
		}
		all = append(all, key)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return NewKeys(all...)
}

// nextKey cuts the first key off text.
func nextKey(text string) (key, rest string) {
	const separators = ", \t\r\n"
	text = strings.TrimLeft(text, separators)
	if strings.HasPrefix(text, pemStart) {
		end := strings.Index(text, "-----END ")
		if end < 0 {
			return text, ""
		}
		line := strings.IndexAny(text[end:], "\r\n,")
		if line < 0 {
			return text, ""
		}
		return text[:end+line], text[end+line:]
	}
	if i := strings.IndexAny(text, separators); i >= 0 {
		return text[:i], text[i:]
	}
	return text, ""
}

// LoadOrCreateKeys reads the keys in the file at path. If there is none it
// makes a key and keeps it there, readable by its owner only: that is for
// development, where nobody has been given a key. Processes that start at once
// agree on one key. A file that others may read is refused.
func LoadOrCreateKeys(path string) (*Keys, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createKey(path); err != nil {
			return nil, fmt.Errorf("make a signing key: %w", err)
		}
		info, err = os.Stat(path)
	}
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

// createKey writes a whole file and then gives it its name, unless another
// process was quicker.
func createKey(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, ".key-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // at worst a second name of the key, as private
	_, err = file.WriteString(GenerateKey().PEM().Reveal())
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// signer is the key that signs.
func (k *Keys) signer() Key { return k.all[0] }

// find returns the key whose id is exactly kid.
func (k *Keys) find(kid string) (Key, bool) {
	for _, key := range k.all {
		if key.id == kid {
			return key, true
		}
	}
	return Key{}, false
}

// JWKS is a set of public keys (RFC 7517), to be answered as JSON.
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// JWK is one public Ed25519 key (RFC 8037).
type JWK struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	ID        string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
}

// JWKS returns the public halves, for others who verify our tokens.
func (k *Keys) JWKS() JWKS {
	set := JWKS{Keys: make([]JWK, len(k.all))}
	for i, key := range k.all {
		set.Keys[i] = JWK{
			KeyType: "OKP", Curve: "Ed25519", X: base64.RawURLEncoding.EncodeToString(key.public),
			ID: key.id, Use: "sig", Algorithm: algorithm,
		}
	}
	return set
}
