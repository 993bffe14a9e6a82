package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // #nosec G505 -- RFC 6238 as authenticators know it; HMAC does not need a hash without collisions
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The one kind of time-based password (RFC 6238) that every authenticator
// knows. Some silently ignore other settings and show codes that are wrong.
const (
	totpPeriod = 30 // seconds
	totpDigits = 6
	totpSecret = 20 // bytes, as RFC 4226 advises
)

// totpStep is the number of the period that a moment falls into.
func totpStep(at time.Time) int64 { return at.Unix() / totpPeriod }

// totpCode is the code of a period.
func totpCode(secret []byte, step int64) string {
	return fmt.Sprintf("%0*d", totpDigits, hotp(secret, step)%1_000_000)
}

// hotp is RFC 4226 before the digits are cut.
func hotp(secret []byte, counter int64) uint32 {
	mac := hmac.New(sha1.New, secret)
	_ = binary.Write(mac, binary.BigEndian, counter) // a hash takes everything
	sum := mac.Sum(nil)
	from := sum[len(sum)-1] & 0xf
	return binary.BigEndian.Uint32(sum[from:]) & 0x7fffffff
}

// matchTOTP returns the first period after last that the code is of: that of
// now, the one before or the one after, for clocks that are not quite right. It
// compares with all three, so that its time tells nothing.
func matchTOTP(secret []byte, code string, now time.Time, last int64) (step int64, ok bool) {
	middle := totpStep(now)
	for s := middle + 1; s >= middle-1; s-- {
		same := subtle.ConstantTimeCompare([]byte(totpCode(secret, s)), []byte(code)) == 1
		if same && s > last {
			step, ok = s, true
		}
	}
	return step, ok
}

// newTOTP returns a random secret.
func newTOTP() []byte {
	secret := make([]byte, totpSecret)
	rand.Read(secret)
	return secret
}

// textOfTOTP is the secret as a person types it.
func textOfTOTP(secret []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}

// uriOfTOTP is what an authenticator reads from a picture of it.
func uriOfTOTP(issuer, email string, secret []byte) string {
	query := url.Values{
		"secret": {textOfTOTP(secret)}, "issuer": {issuer}, "algorithm": {"SHA1"},
		"digits": {strconv.Itoa(totpDigits)}, "period": {strconv.Itoa(totpPeriod)},
	}
	// Not as a form: some authenticators show the plus of a space.
	return "otpauth://totp/" + url.PathEscape(issuer) + ":" + url.PathEscape(email) + "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
}
