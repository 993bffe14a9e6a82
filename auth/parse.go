package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	pemStart    = "-----BEGIN "
	pemEnd      = "-----END "
	retiredMark = ";retired="
)

// ParseKeys reads a list of keys, separated by commas or white space. The first
// signs and all verify. Each is one of
//
//   - PEM: PKCS #8 or SEC 1, or PKIX for a key that only verifies; Ed25519 or
//     P-256;
//   - what [Key.Secret] writes: the base64 of an Ed25519 seed, es256: and the
//     base64 of a P-256 key's 32 bytes, hs256: and the base64 of at least 32
//     random bytes;
//   - public: and the base64 of PKIX, for a key that only verifies.
//
// The last two may be followed by ;retired= and a time (RFC 3339): until then
// such a key signs, in place of those before it, and it verifies until the
// last of its tokens has expired. secret: and the base64 of 32 bytes is no key
// but what [Keys.Derive] works with. The rest of a line after # is a comment.
//
// Its error says which entry is wrong and how, for all of them, and shows none.
func ParseKeys(text string) (*Keys, error) {
	var all []Key
	var root []byte
	var errs []error
	n := 0
	for {
		var one string
		if one, text = nextEntry(text); one == "" {
			break
		}
		if strings.HasPrefix(one, pemStart+"EC PARAMETERS-") {
			continue // OpenSSL writes them before the key, which has them too
		}
		n++
		if secret, ok := strings.CutPrefix(one, formSecret); ok {
			var err error
			switch root, err = decode(secret); {
			case err != nil:
				errs = append(errs, fmt.Errorf("auth: signing key %d %w", n, err))
			case len(root) != sha256.Size:
				errs = append(errs, fmt.Errorf("auth: signing key %d has %d bytes; secret: has %d", n, len(root), sha256.Size))
			case !random(root):
				errs = append(errs, fmt.Errorf("auth: signing key %d %w", n, errWeak))
			}
			continue
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
	return newKeys(root, all)
}

// nextEntry cuts the first entry off text.
func nextEntry(text string) (entry, rest string) {
	const separators = ", \t\r\n"
	for {
		text = strings.TrimLeft(text, separators)
		if !strings.HasPrefix(text, "#") {
			break
		}
		end := strings.IndexAny(text, "\r\n")
		if end < 0 {
			return "", ""
		}
		text = text[end:]
	}
	if strings.HasPrefix(text, pemStart) {
		end := strings.Index(text, pemEnd)
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

// errWeak is what a person typed, or a machine left at zero.
const errWeak failure = "is too weak: it is not random"

// parseKey reads one PEM block or one line. Its errors never show it.
func parseKey(text string) (Key, error) {
	if strings.HasPrefix(text, pemStart) {
		return parsePEM(text)
	}
	text, mark, retires := strings.Cut(text, retiredMark)
	key, err := parseLine(text)
	if err != nil || !retires {
		return key, err
	}
	if key.retired, err = time.Parse(time.RFC3339, mark); err != nil || key.retired.IsZero() {
		return Key{}, failure("does not say when it retires; expected a time like 2026-11-22T20:00:00Z")
	}
	return key, nil
}

func parseLine(text string) (Key, error) {
	form := EdDSA
	for prefix, f := range map[string]Algorithm{formES256: ES256, formHS256: HS256, formPublic: ""} {
		if after, ok := strings.CutPrefix(text, prefix); ok {
			form, text = f, after
			break
		}
	}
	raw, err := decode(text)
	switch {
	case err != nil:
		return Key{}, err
	case form == "":
		return parsePublic(raw)
	case form == EdDSA && len(raw) != ed25519.SeedSize:
		return Key{}, fmt.Errorf("has %d bytes; an Ed25519 key has %d", len(raw), ed25519.SeedSize)
	case form == EdDSA:
		return checked(ed25519Material(ed25519.NewKeyFromSeed(raw)))
	case form == HS256:
		return parseHMAC(raw)
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		return Key{}, failure("is no P-256 key of 32 bytes")
	}
	return checked(&p256{&private.PublicKey, private})
}

func parseHMAC(secret []byte) (Key, error) {
	if len(secret) < sha256.Size {
		return Key{}, fmt.Errorf("has %d bytes; an HS256 secret has at least %d", len(secret), sha256.Size)
	}
	if _, err := x509.ParsePKIXPublicKey(secret); err == nil {
		return Key{}, failure("is a public key: as a secret it would let everybody sign")
	}
	return checked(hmacSecret(secret))
}

func parsePEM(text string) (Key, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return Key{}, failure("is a broken PEM block")
	}
	switch block.Type {
	case "PRIVATE KEY":
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return Key{}, failure("is a broken PKCS #8 private key")
		}
		switch private := parsed.(type) {
		case ed25519.PrivateKey:
			return checked(ed25519Material(private))
		case *ecdsa.PrivateKey:
			return onP256(&private.PublicKey, private)
		}
		return Key{}, otherKind(parsed)
	case "EC PRIVATE KEY":
		private, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil {
			return Key{}, failure("is a broken SEC 1 private key")
		}
		return onP256(&private.PublicKey, private)
	case "PUBLIC KEY":
		return parsePublic(block.Bytes)
	}
	return Key{}, failure("is a PEM block of another type; expected PRIVATE KEY, EC PRIVATE KEY or PUBLIC KEY")
}

// parsePublic reads the PKIX form of a public key.
func parsePublic(der []byte) (Key, error) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return Key{}, failure("is a broken public key")
	}
	switch public := parsed.(type) {
	case ed25519.PublicKey:
		return newKey(&ed25519Key{half: public}), nil
	case *ecdsa.PublicKey:
		return onP256(public, nil)
	}
	return Key{}, otherKind(parsed)
}

func onP256(public *ecdsa.PublicKey, private *ecdsa.PrivateKey) (Key, error) {
	if public.Curve != elliptic.P256() {
		return Key{}, fmt.Errorf("is a key on %s; expected P-256", public.Curve.Params().Name)
	}
	if private == nil {
		return newKey(&p256{half: public}), nil
	}
	return checked(&p256{public, private})
}

func otherKind(parsed any) error {
	return fmt.Errorf("is another kind of key (%T); expected Ed25519 or P-256", parsed)
}

// decode reads base64 of either alphabet, with or without padding.
func decode(text string) ([]byte, error) {
	text = strings.TrimRight(text, "=")
	raw, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil {
		raw, err = base64.RawURLEncoding.Strict().DecodeString(text)
	}
	if err != nil {
		return nil, failure("is neither PEM nor base64")
	}
	return raw, nil
}

// checked returns the key that m makes, unless it could be guessed.
func checked(m material) (Key, error) {
	if !random(m.secret()) {
		return Key{}, errWeak
	}
	return newKey(m), nil
}

// random refuses what was typed or left at zero: 32 random bytes are as good as
// never all text, nor of fewer than 16 different values.
func random(secret []byte) bool {
	text := !slices.ContainsFunc(secret, func(b byte) bool {
		return (b < ' ' || b > '~') && b != '\n' && b != '\r' && b != '\t'
	})
	values := slices.Clone(secret)
	slices.Sort(values)
	return !text && len(slices.Compact(values)) >= 16
}
