package auth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// ErrRefresh answers a refresh token that is not good, whatever the reason.
const ErrRefresh fault.Unauthenticated = "refresh_token_invalid"

// Refresh is what a client exchanges for its next pair of tokens.
type Refresh struct {
	RefreshToken string `json:"refresh_token"`
	// RetryKey is random text of the client's making, 16 to 128 characters. A
	// client that had no answer repeats its request with the same one.
	RetryKey string `json:"retry_key,omitzero"`
}

// Rules says what can be a refresh at all.
func (in *Refresh) Rules(r *rule.Set) {
	rule.Text(r, &in.RefreshToken).Len(1, maxRefresh).Secret()
	rule.Text(r, &in.RetryKey).Len(minRetryKey, maxRetryKey).Secret()
}

const (
	minRetryKey, maxRetryKey = 16, 128
	retryWithin              = 10 * time.Second // P11.8
	maxRefresh               = 256              // ours have 89 bytes
)

// Refresh exchanges a refresh token for a new one and a new access token. A
// token is good once. One that comes again has been copied, by whom cannot be
// known: its session ends, with all that was given out in it, and the audit
// log has an event refresh_reused. The error is [ErrRefresh] for any token that
// is not good, or the store's.
//
// A client whose answer was lost can ask again within ten seconds if both
// requests have the same RetryKey, and gets the same refresh token: who copied
// the token alone does not have the key.
func (a *Accounts) Refresh(ctx context.Context, in Refresh) (Grant, error) {
	token, err := parseRefreshToken(in.RefreshToken)
	if err != nil {
		return Grant{}, ErrRefresh.Wrap(err)
	}
	s, err := a.store.SessionBySecret(ctx, token.familyHash())
	if errors.Is(err, ErrNoSession) {
		return Grant{}, ErrRefresh.Wrap(err)
	}
	if err != nil {
		return Grant{}, fmt.Errorf("refresh: %w", err)
	}
	account, err := a.store.ByID(ctx, s.Account)
	if errors.Is(err, ErrNoAccount) {
		return Grant{}, ErrRefresh.Wrap(err)
	}
	if err != nil {
		return Grant{}, fmt.Errorf("refresh: %w", err)
	}
	if err := a.dead(s, account, a.clock()); err != nil {
		return Grant{}, ErrRefresh.Wrap(err)
	}
	next, err := a.rotate(ctx, s, token, in.RetryKey)
	if err != nil {
		return Grant{}, err
	}
	return a.grant(ctx, account, s, next)
}

// rotate returns the token that follows this one, or ends the session.
func (a *Accounts) rotate(ctx context.Context, s Session, token refreshToken, retryKey string) (next refreshToken, err error) {
	var refused error
	err = a.store.Change(ctx, func(tx Tx) error {
		next, refused = token.successor(), nil
		s := s // fn may run again
		if same(s.TokenHash, token.hash()) {
			step := Rotation{Spent: s.TokenHash, Next: next.hash(), At: a.clock()}
			origin := NewEvent(ctx, "", "")
			step.Address, step.Agent = origin.Address, origin.Agent
			if retryKey != "" {
				step.Sealed = token.seal(s.ID, retryKey, next)
			}
			won, err := tx.Rotate(ctx, s.ID, step)
			if err != nil || won {
				return err
			}
			// Somebody was quicker with the same token, or ended the session.
			if s, err = tx.SessionBySecret(ctx, s.SecretHash); err != nil {
				return err
			}
		}
		if again, ok := token.retried(s, retryKey, a.clock()); ok {
			next = again
			return nil
		}
		refused = ErrRefresh.Wrap(fmt.Errorf("a token of session %s came again", s.ID))
		ended, err := a.endIn(ctx, tx, s.Account, s.ID, "")
		if err != nil || len(ended) == 0 {
			return err
		}
		event := NewEvent(ctx, EventRefreshReused, Refused)
		event.Subject, event.Credential, event.Detail = s.Account, s.ID, "a refresh token came again; the session was ended"
		return tx.Record(ctx, event)
	})
	if err != nil {
		return next, fmt.Errorf("refresh: %w", err)
	}
	return next, refused
}

// A refreshToken is "rt_" and two secrets of 256 bits each in base64. The
// first is the same in all tokens of a session and finds it; the second is good
// once. So a session is one row however often it was refreshed, and each token
// that it ever had is known as one of its own.
type refreshToken struct{ family, once [32]byte }

const refreshPrefix = "rt_"

func newRefreshToken() (t refreshToken) {
	rand.Read(t.family[:])
	return t.successor()
}

func (t refreshToken) successor() refreshToken {
	rand.Read(t.once[:])
	return t
}

func (t refreshToken) String() string {
	return refreshPrefix + base64.RawURLEncoding.EncodeToString(append(t.family[:], t.once[:]...))
}

func (t refreshToken) familyHash() string { return digest("refresh family", t.family[:]) }
func (t refreshToken) hash() string       { return digest("refresh", append(t.family[:], t.once[:]...)) }

// parseRefreshToken reads what [refreshToken.String] writes and nothing else:
// its error never shows the text.
func parseRefreshToken(text string) (t refreshToken, err error) {
	encoded, ok := strings.CutPrefix(text, refreshPrefix)
	if !ok || len(encoded) != base64.RawURLEncoding.EncodedLen(64) || strings.ContainsAny(encoded, "\r\n") {
		return t, failure("the text is no refresh token")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return t, failure("the text is no refresh token")
	}
	copy(t.family[:], b)
	copy(t.once[:], b[32:])
	return t, nil
}

// same compares two hashes in constant time.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// seal encrypts the next token for whoever has this one and the retry key. The
// database has neither.
func (t refreshToken) seal(session, retryKey string, next refreshToken) string {
	sealed := t.vault(retryKey).Seal(nil, nil, next.once[:], []byte(session)) //nolint:gosec // G407: it takes a random nonce itself
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// retried returns the token that was given out for t, if this is the same
// request again: soon enough, with the same key, and before that token was
// used.
func (t refreshToken) retried(s Session, retryKey string, now time.Time) (next refreshToken, ok bool) {
	if retryKey == "" || s.Sealed == "" || s.EndedAt != nil || s.SpentAt == nil ||
		!same(s.SpentHash, t.hash()) || now.Sub(*s.SpentAt) > retryWithin {
		return next, false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(s.Sealed)
	if err != nil {
		return next, false
	}
	once, err := t.vault(retryKey).Open(nil, nil, sealed, []byte(s.ID))
	if err != nil || len(once) != len(t.once) {
		return next, false
	}
	next.family = t.family
	copy(next.once[:], once)
	return next, same(s.TokenHash, next.hash())
}

// vault is AES-256-GCM under a key of the presented token and the retry key
// together. The token has a fixed length, so no two pairs make one key.
func (t refreshToken) vault(retryKey string) cipher.AEAD {
	secret := append(append(t.family[:], t.once[:]...), retryKey...)
	key, err := hkdf.Key(sha256.New, secret, nil, "ashlar refresh retry", 32)
	if err != nil {
		panic(err) // the length is a constant that HKDF can give
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has the length of one
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has the block size that it needs
	}
	return gcm
}
