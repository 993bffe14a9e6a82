package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// A recovery code is 80 random bits in four groups of four characters, without
// letters that are mistaken for digits.
const (
	recoveryCodes = 10
	recoveryBytes = 10
	recoveryLen   = recoveryBytes * 8 / 5
)

const recoveryAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

var recoveryText = base32.NewEncoding(recoveryAlphabet).WithPadding(base32.NoPadding)

// newRecoveryCodes returns codes to be shown once, and what is kept of them.
func newRecoveryCodes(account string) (codes []string, hashes [][]byte) {
	for range recoveryCodes {
		random := make([]byte, recoveryBytes)
		rand.Read(random)
		code := recoveryText.EncodeToString(random)
		codes = append(codes, code[:4]+"-"+code[4:8]+"-"+code[8:12]+"-"+code[12:])
		hashes = append(hashes, hashRecoveryCode(account, code))
	}
	return codes, hashes
}

// hashRecoveryCode is what is kept of a code. A fast hash will do, because 80
// random bits cannot be tried out; with the account in it the codes of all
// accounts cannot be tried together either.
func hashRecoveryCode(account, code string) []byte {
	sum := sha256.Sum256([]byte("ashlar recovery code\x00" + account + "\x00" + code))
	return sum[:]
}

// codeKind says what somebody typed as a second factor.
type codeKind int

const (
	noCode codeKind = iota
	totpKind
	recoveryKind
)

// parseCode reads a code as people type it: with spaces or hyphens, in either
// case, with an O for a zero and an I or L for a one.
func parseCode(text string) (code string, kind codeKind) {
	const longest = 64
	if len(text) > longest {
		return "", noCode
	}
	plain := make([]byte, 0, longest)
	digits := true
	for _, c := range []byte(strings.ToLower(text)) {
		switch c {
		case ' ', '-':
			continue
		case 'o':
			c, digits = '0', false
		case 'i', 'l':
			c, digits = '1', false
		}
		if strings.IndexByte(recoveryAlphabet, c) < 0 {
			return "", noCode
		}
		digits = digits && c <= '9'
		plain = append(plain, c)
	}
	switch {
	case len(plain) == totpDigits && digits:
		return string(plain), totpKind
	case len(plain) == recoveryLen:
		return string(plain), recoveryKind
	}
	return "", noCode
}
