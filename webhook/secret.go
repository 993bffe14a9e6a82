package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// The sizes of a secret, in bytes, as Standard Webhooks has them.
const (
	minSecret = 24
	maxSecret = 64
	newSecret = 32
)

const secretPrefix = "whsec_"

// ErrSecret says that a text is no secret of Standard Webhooks.
var ErrSecret = errors.New("webhook: a secret is whsec_ and 24 to 64 bytes in base64")

// Secret is the key that signs what is sent to one endpoint. It does not
// appear by accident: fmt, JSON and slog show *** for it. Only [Secret.Reveal]
// gives it away. The zero Secret signs nothing.
type Secret struct {
	// A pointer, because fmt follows unexported fields of a surrounding struct
	// without asking for methods, and stops at pointers.
	key *[]byte
}

// NewSecret makes a secret of 32 random bytes.
func NewSecret() Secret {
	key := make([]byte, newSecret)
	_, _ = rand.Read(key) // never fails
	return Secret{&key}
}

// ParseSecret reads a secret as its endpoint's owner was shown it. The prefix
// may be missing. The error is [ErrSecret].
func ParseSecret(text string) (Secret, error) {
	key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(text, secretPrefix))
	if err != nil || len(key) < minSecret || len(key) > maxSecret {
		return Secret{}, ErrSecret // not the cause, which quotes the text
	}
	return Secret{&key}, nil
}

// Reveal returns the secret as text, whsec_ before it.
func (s Secret) Reveal() string {
	if s.key == nil {
		return ""
	}
	return secretPrefix + base64.StdEncoding.EncodeToString(*s.key)
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.key == nil }

// String returns ***.
func (s Secret) String() string { return "***" }

// GoString returns ***.
func (s Secret) GoString() string { return "***" }

// MarshalText returns ***.
func (s Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// LogValue is ***.
func (s Secret) LogValue() slog.Value { return slog.StringValue("***") }

// Sign returns the signature of one message at one moment, as it stands in the
// header webhook-signature: v1, a comma, and base64.
func (s Secret) Sign(id string, at time.Time, payload []byte) string {
	return version + "," + base64.StdEncoding.EncodeToString(s.sum(id, at.Unix(), payload))
}

// version is that of the symmetric scheme.
const version = "v1"

func (s Secret) sum(id string, at int64, payload []byte) []byte {
	if s.key == nil {
		return nil
	}
	mac := hmac.New(sha256.New, *s.key)
	mac.Write([]byte(id + "." + strconv.FormatInt(at, 10) + "."))
	mac.Write(payload)
	return mac.Sum(nil)
}
