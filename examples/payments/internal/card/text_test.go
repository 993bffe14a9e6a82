package card_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
	"github.com/ashlar-go/ashlar/fault"
)

func TestNoNumber(t *testing.T) {
	t.Parallel()
	for text, refused := range map[string]bool{
		"4242424242424242":                          true,
		"4242 4242 4242 4242":                       true,
		"4242-4242-4242-4242":                       true,
		"4242 - 4242 – 4242\u00a04242":              true, // en dash, hard space
		"3782 822463 10005":                         true,
		"30569309025904":                            true, // 14 digits
		"4222222222222":                             true, // 13 digits
		"4000000000000000006":                       true, // 19 digits
		"2223003122003222":                          true,
		"2200000000000004":                          true,
		"6304000000000000":                          true,
		"card 5555555555554444, thanks":             true,
		"PAN:4242424242424242x":                     true,
		"exp 12 30 4242 4242 4242 4242":             true, // other groups before it
		"4242 4242 4242 4242 737":                   true, // and behind it
		"été 4242424242424242":                      true,
		strings.Repeat("7 ", 300) + "4222222222222": true,

		"":                               false,
		"two chairs":                     false,
		"4242424242424241":               false, // fails the check
		"order 4000123412341":            false, // an order number
		"424242424242":                   false, // 12 digits
		"42424242424242424242":           false, // 20 digits, a sound card within
		"1732301999999993":               false, // a time in microseconds: a sound check digit, but no card begins with 1
		"9999999999999995":               false,
		"2026112218594405":               false, // a date and time: a sound check digit, no scheme
		"4242.4242.4242.4242":            false, // points join no groups
		"4242a4242424242424":             false,
		"+49 30 1234567":                 false,
		"pay_01m823j0trephsyemv5h6nwvvg": false,
		"\xff4242":                       false,
	} {
		err := card.NoNumber("/reference", text).Err()
		if (err != nil) != refused {
			t.Errorf("%q: %v, want refused %v", text, err, refused)
		}
		if err != nil && (!errors.Is(err, fault.ErrInvalid) || err.Error() != "invalid: /reference card_number") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzNoNumber holds that a card is found whatever stands around it and between
// its digits.
func FuzzNoNumber(f *testing.F) {
	f.Add("ref ", "-", " paid")
	f.Add("12 ", " \u00a0", "")
	f.Fuzz(func(t *testing.T, before, between, behind string) {
		const digits = "0123456789"
		if strings.Trim(between, " -\u00a0\t–") != "" ||
			strings.TrimRight(before, digits) != before || strings.TrimLeft(behind, digits) != behind {
			t.Skip("the groups of the number are not its own")
		}
		number := strings.Join([]string{"4242", "424242", "424242"}, between)
		if card.NoNumber("", before+number+behind) == nil {
			t.Errorf("missed in %q", before+number+behind)
		}
	})
}
