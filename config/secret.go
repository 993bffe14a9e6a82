package config

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"os"
)

const (
	masked     = "***"
	fileSuffix = "_FILE"
	maxFile    = 1 << 20 // a key ring is a few KiB; anything larger is the wrong path
)

// Secret is a text that does not appear by accident: fmt in every verb, JSON,
// other text encodings and slog show *** for it, or nothing when it is empty.
// Only [Secret.Reveal] gives it away, so that is what to search for in review.
// The zero value is empty. Compare with Equal; == compares identity.
type Secret struct {
	// A pointer, because fmt follows unexported fields of a surrounding struct
	// without asking for methods, and stops at pointers.
	text *string
}

// NewSecret wraps text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal reports whether both hold the same text, in a time that depends on
// neither content.
func (s Secret) Equal(other Secret) bool {
	a, b := sha256.Sum256([]byte(s.Reveal())), sha256.Sum256([]byte(other.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String returns *** or, for an empty secret, nothing.
func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return masked
}

// Format writes String whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) } // into fmt's buffer, which cannot fail

// LogValue is String, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String, for JSON, YAML and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes text as the secret.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}

// readSecret reads the file that NAME_FILE names, without the newline that
// editors and shells leave at its end.
func readSecret(path string) (value, problem string) {
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", "cannot be read: " + err.Error()
	}
	defer func() { _ = file.Close() }() // it was only read
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return "", "cannot be read: " + err.Error()
	case len(content) > maxFile:
		return "", fmt.Sprintf("cannot be read: %s is larger than 1MiB", path)
	}
	content = bytes.TrimSuffix(content, []byte("\n"))
	content = bytes.TrimSuffix(content, []byte("\r"))
	if len(content) == 0 {
		return "", "is empty: nothing in " + path
	}
	return string(content), ""
}
