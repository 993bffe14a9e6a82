package card

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
	"log/slog"
	"strconv"
)

// A Number is a card's number (PAN), digits only. However it is printed or
// logged, it shows as "(card)".
type Number string

// A CVC is the card's verification code. It shows as "(card)" too.
type CVC string

const hidden = "(card)"

// Format prints nothing of the number, whatever the verb.
func (Number) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue logs nothing of the number.
func (Number) LogValue() slog.Value { return slog.StringValue(hidden) }

// Format prints nothing of the code, whatever the verb.
func (CVC) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue logs nothing of the code.
func (CVC) LogValue() slog.Value { return slog.StringValue(hidden) }

// Fingerprint returns a name for the card behind the number: the same for the
// same number and key, and of no use to anybody without the key. A plain hash
// would not do, since there are too few card numbers.
func (n Number) Fingerprint(key []byte) string {
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, string(n))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)[:15])
}

// luhn checks the last digit, which ISO/IEC 7812-1 computes from the others.
func (n Number) luhn() bool {
	sum := 0
	for i := range len(n) {
		digit := int(n[len(n)-1-i] - '0')
		if i%2 == 1 {
			if digit *= 2; digit > 9 {
				digit -= 9
			}
		}
		sum += digit
	}
	return sum%10 == 0
}

// brand reads the scheme from the number's first digits.
func (n Number) brand() string {
	first, err := strconv.Atoi(string(n[:6]))
	if err != nil {
		return "unknown"
	}
	for _, s := range [...]struct {
		from, to int // first six digits, both included
		brand    string
	}{
		{300000, 305999, "diners"},
		{340000, 349999, "amex"},
		{352800, 358999, "jcb"},
		{360000, 369999, "diners"},
		{370000, 379999, "amex"},
		{380000, 399999, "diners"},
		{400000, 499999, "visa"},
		{510000, 559999, "mastercard"},
		{222100, 272099, "mastercard"},
		{601100, 601199, "discover"},
		{644000, 659999, "discover"},
		{620000, 629999, "unionpay"},
	} {
		if s.from <= first && first <= s.to {
			return s.brand
		}
	}
	return "unknown"
}
