package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"hash/crc32"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/rule"
)

// APIKey is what is kept of an API key: everything but the key.
type APIKey struct {
	ID   string `json:"id"` // "key_…"
	Name string `json:"name"`
	// Permissions bound the key. What it may do is that part of them which its
	// owner's role allows at the time of use.
	Permissions []access.Permission `json:"permissions"`
	// Hint is how the key starts, to tell which one lies somewhere.
	Hint string `json:"hint" db:"-"`
	// Parent is the key that made this one, if it was a key; they end together.
	Parent     string     `json:"parent,omitzero"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`   // nil: it does not expire
	LastUsedAt *time.Time `json:"last_used_at"` // nil: never; up to a minute late

	Owner   string     `json:"-" db:"owner"` // the account it acts for
	Digest  []byte     `json:"-" db:"digest"`
	EndedAt *time.Time `json:"-" db:"ended_at"`
}

// NewAPIKey is an API key to be made.
type NewAPIKey struct {
	Name        string              `json:"name"`
	Permissions []access.Permission `json:"permissions"`
	ExpiresAt   *time.Time          `json:"expires_at"`
}

// Rules says what a valid NewAPIKey is. That its permissions are known and had
// by its maker, [APIKeys.Create] says.
func (in *NewAPIKey) Rules(r *rule.Set) {
	rule.Text(r, &in.Name).Len(1, 100)
	rule.Items(r, &in.Permissions).Len(1, 256).Unique()
}

// IssuedAPIKey is a new API key, with the key itself.
type IssuedAPIKey struct {
	APIKey

	// Key is shown this once and kept nowhere.
	Key string `json:"key"`
}

// ByAPIKey names one API key.
type ByAPIKey struct {
	ID string `json:"id"`
}

// Rules bounds an id.
func (in *ByAPIKey) Rules(r *rule.Set) { rule.Text(r, &in.ID).Len(1, 64) }

// The faults of API keys.
const (
	// ErrNoAPIKey answers for a key that is not there, or is another's.
	ErrNoAPIKey fault.NotFound = "api_key_not_found" // #nosec G101 -- a code
	// ErrAPIKeys answers an account that has as many keys as it may.
	ErrAPIKeys fault.Conflict = "api_keys_too_many" // #nosec G101 -- a code
)

// The events of API keys.
const (
	EventAPIKeyCreated EventKind = "api_key_created"
	EventAPIKeyEnded   EventKind = "api_key_ended" // #nosec G101 -- a name
)

// MaxAPIKeys is how many keys an account may have at once.
const MaxAPIKeys = 100

// APIKeyStore keeps API keys. [NewMemoryAPIKeys] is one; an application keeps
// them in its database. authtest.RunAPIKeys proves that one is sound.
//
// A key's line is itself, the keys it made, those that they made, and so on.
type APIKeyStore interface {
	// InsertAPIKey keeps a new key together with the event of it. It returns
	// ErrNoAPIKey if the key has a parent that has ended, and ErrAPIKeys if its
	// owner has MaxAPIKeys that have not.
	InsertAPIKey(ctx context.Context, k APIKey, e SecurityEvent) error
	// APIKey returns the key with this id, ended or not, or ErrNoAPIKey.
	APIKey(ctx context.Context, id string) (APIKey, error)
	// APIKeys returns up to limit keys of an owner that have not ended, with an
	// id after this one, by id. A line that is not empty restricts them to the
	// line of the key with that id.
	APIKeys(ctx context.Context, owner, line, after string, limit int) ([]APIKey, error)
	// EndAPIKey ends the line of a key of this owner, for every instance and
	// together with the event of it, and returns the ids of those that it
	// ended. It returns ErrNoAPIKey, and changes nothing, if the owner has no
	// such key, it has ended, or line is not empty and the key is not in it.
	EndAPIKey(ctx context.Context, owner, line, id string, at time.Time, e SecurityEvent) (ended []string, err error)
	// UsedAPIKeys notes when keys were used, by id, except where a use less
	// than a minute before was noted, or a later one.
	UsedAPIKeys(ctx context.Context, at map[string]time.Time) error
}

// An API key is ak_, the 26 characters of its id, a secret of 26, and a
// checksum of 6 over all of them. The prefix and the checksum are GitHub's
// idea: a scanner finds keys by a pattern and tells them from look-alikes, and
// we tell a typing error from an attack, without asking a database.
const (
	keyPrefix   = "ak_"
	keyIDPrefix = "key_"
	keySecret   = 26 // 128 bits
	keySum      = 6
	keySigned   = len(keyPrefix) + id.Len + keySecret
	keyLen      = keySigned + keySum
)

// IsAPIKey reports whether a bearer token is meant as an API key, good or bad.
func IsAPIKey(token string) bool {
	return len(token) >= len(keyPrefix) && token[:len(keyPrefix)] == keyPrefix
}

// ParseAPIKey reports whether text has the form of an API key and the checksum
// of one, and returns its id. Nothing here knows whether there is such a key.
func ParseAPIKey(text string) (id string, ok bool) {
	part, ok := parseAPIKey(text)
	if !ok {
		return "", false
	}
	return keyIDPrefix + part, true
}

// parseAPIKey returns the id without its prefix, which costs no allocation.
func parseAPIKey(text string) (part string, ok bool) {
	if len(text) != keyLen || !IsAPIKey(text) {
		return "", false
	}
	for _, c := range []byte(text[len(keyPrefix):keySigned]) {
		if !inKey[c] {
			return "", false
		}
	}
	sum := checksum(text[:keySigned])
	if string(sum[:]) != text[keySigned:] { // no secret: whoever has the rest can compute it
		return "", false
	}
	return text[len(keyPrefix) : len(keyPrefix)+id.Len], true
}

// inKey are the characters of package id.
var inKey = func() (in [256]bool) {
	for _, c := range []byte("0123456789abcdefghjkmnpqrstvwxyz") {
		in[c] = true
	}
	return in
}()

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// checksum is the CRC-32 of text in six digits to the base of 62.
func checksum(text string) (sum [keySum]byte) {
	n := ^uint32(0)
	for i := range len(text) { // crc32.Update would have the text copied to the heap
		n = crc32.IEEETable[byte(n)^text[i]] ^ n>>8
	}
	n = ^n
	for i := keySum - 1; i >= 0; i-- {
		sum[i] = base62[n%62]
		n /= 62
	}
	return sum
}

// newAPIKey returns a key and the id it has.
func newAPIKey() (keyID, key string) {
	keyID = id.New(keyIDPrefix)
	signed := keyPrefix + keyID[len(keyIDPrefix):] + id.Secret(16)
	sum := checksum(signed)
	return keyID, signed + string(sum[:])
}

// digestAPIKey is what is kept of a key. Passwords need a slow hash because
// they can be guessed; 128 random bits cannot, so a fast one gives nothing away
// and lets each request be checked.
func digestAPIKey(key string) [sha256.Size]byte {
	var buf [keyLen]byte
	return sha256.Sum256(buf[:copy(buf[:], key)])
}

func sameDigest(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// hintOf is how the key with this id starts: it gives away nothing of the
// secret, and is enough to find the key in a file.
func hintOf(keyID string) string { return keyPrefix + strings.TrimPrefix(keyID, keyIDPrefix) + "…" }
