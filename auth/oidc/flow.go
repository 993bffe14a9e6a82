package oidc

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/auth"
)

// The cookies, whose prefix makes browsers take them from this very host only,
// over https, for all its paths.
const (
	flowCookie = "__Host-sign-in"      // a flow, sealed
	codeCookie = "__Host-sign-in-code" // the secret that a sign-in code needs beside it
)

const (
	flowLife  = 10 * time.Minute
	maxCookie = 4 << 10 // what browsers keep
)

// A flow is what the app has to remember between sending a browser to a
// provider and seeing it again. The browser keeps it, sealed.
type flow struct {
	Provider string       `json:"p"`
	State    string       `json:"s"` // comes back in the URL: that it was this browser that went
	Nonce    string       `json:"n"` // comes back in the id token: that it was made for this flow
	Verifier string       `json:"v"` // goes with the code: that it was this app that asked
	ReturnTo string       `json:"r"`
	Link     *auth.Linker `json:"l,omitempty"` // somebody signed in who adds an identity
	Until    int64        `json:"u"`           // unix seconds
}

// saltSize is how many random bytes give each cookie a key of its own: anyone
// can have any number of flows begun, more than one key of AES-GCM with random
// nonces is good for.
const saltSize = 32

// sealOf derives the seal of one cookie.
func (s *SignIn) sealOf(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.key, salt, "ashlar oidc flow", 32)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("prepare a key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal returns f as the value of its cookie.
func (s *SignIn) seal(f flow) (string, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return "", fmt.Errorf("encode a flow: %w", err)
	}
	box := make([]byte, saltSize)
	_, _ = rand.Read(box) // never fails
	sealed, err := s.sealOf(box)
	if err != nil {
		return "", err
	}
	box = sealed.Seal(box, nil, text, []byte(flowCookie)) // #nosec G407 -- it makes a random nonce itself
	value := base64.RawURLEncoding.EncodeToString(box)
	if len(value) > maxCookie {
		return "", fmt.Errorf("a flow of %d bytes fits no cookie", len(value))
	}
	return value, nil
}

// open returns the flow that was sealed into value, if its time is not over.
func (s *SignIn) open(value string) (flow, error) {
	if len(value) > maxCookie {
		return flow{}, failure("the flow cookie is too long")
	}
	box, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil || strings.ContainsAny(value, "\r\n") { // which base64 skips
		return flow{}, failure("the flow cookie is not base64")
	}
	if len(box) < saltSize {
		return flow{}, failure("the flow cookie is too short")
	}
	sealed, err := s.sealOf(box[:saltSize])
	if err != nil {
		return flow{}, err
	}
	text, err := sealed.Open(nil, nil, box[saltSize:], []byte(flowCookie))
	if err != nil {
		return flow{}, failure("the flow cookie is not sealed by this app")
	}
	var f flow
	if err := json.Unmarshal(text, &f); err != nil {
		return flow{}, failure("the flow cookie has another form")
	}
	if s.now().Unix() >= f.Until {
		return flow{}, failure("the flow is too old")
	}
	return f, nil
}

// cookie sets a cookie for so long; a negative life removes it. Lax lets it
// come along when the provider sends the browser back; Strict is for what only
// our own page needs.
func cookie(w http.ResponseWriter, name, value string, life time.Duration, site http.SameSite) {
	age := int(life / time.Second)
	if life < 0 {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{ // #nosec G124 -- site is Lax or Strict
		Name: name, Value: value, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: site,
	})
}

// cookieOf returns the value of the only cookie of a name. Two are refused: one
// of them was put there by somebody else.
func cookieOf(r *http.Request, name string) (string, error) {
	all := r.CookiesNamed(name)
	if len(all) != 1 {
		return "", fmt.Errorf("the request has %d cookies %s", len(all), name)
	}
	return all[0].Value, nil
}
