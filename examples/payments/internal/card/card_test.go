package card_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
	"github.com/ashlar-go/ashlar/fault"
)

func visa() card.Card {
	return card.Card{Number: "4242424242424242", ExpMonth: 12, ExpYear: 2030, CVC: "737"}
}

func TestCheckDigit(t *testing.T) {
	t.Parallel()
	for number, valid := range map[card.Number]bool{
		"4242424242424242":    true,
		"5555555555554444":    true,
		"378282246310005":     true,
		"6304000000000000":    true,
		"4000000000000000006": true,
		"4242424242424241":    false,
		"2424242424242424":    false, // two digits swapped
		"378282246310006":     false,
	} {
		c := card.Card{Number: number}
		err := c.Validate()
		if (err == nil) != valid {
			t.Errorf("check digit of a number ending in %s: %v, want valid %v", string(number[len(number)-4:]), err, valid)
		}
		if err != nil {
			if p := fault.ProblemOf(err, ""); p.Status != 422 || p.Errors[0].Pointer != "/number" {
				t.Errorf("got %+v, want 422 at /number", p)
			}
		}
	}
}

func TestDetails(t *testing.T) {
	t.Parallel()
	for number, brand := range map[card.Number]string{
		"4242424242424242": "visa",
		"5555555555554444": "mastercard",
		"2223003122003222": "mastercard",
		"378282246310005":  "amex",
		"6011111111111117": "discover",
		"3530111333300000": "jcb",
		"30569309025904":   "diners",
		"6200000000000005": "unionpay",
		"9999999999999995": "unknown",
	} {
		c := card.Card{Number: number, ExpMonth: 3, ExpYear: 2031}
		want := card.Details{Brand: brand, Last4: string(number[len(number)-4:]), ExpMonth: 3, ExpYear: 2031}
		if got := c.Details(); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestExpiresWhenItsMonthIsOver(t *testing.T) {
	t.Parallel()
	c := visa()
	if c.Expired(time.Date(2030, 12, 31, 23, 59, 59, 0, time.UTC)) {
		t.Error("expired during its last month")
	}
	if !c.Expired(time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Error("not expired in the month after")
	}
}

func TestNeverPrints(t *testing.T) {
	t.Parallel()
	c := visa()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	logger.Info("card", "card", c, "number", c.Number, "cvc", c.CVC)
	printed := log.String() + fmt.Sprintf("%v %+v %#v %s %q %d %x", c, c, c, c.Number, c.CVC, c.Number, c)
	if strings.Contains(printed, "42424242") || strings.Contains(printed, "737") {
		t.Errorf("shows the card: %s", printed)
	}
	if kept, err := json.Marshal(c.Details()); err != nil || strings.Contains(string(kept), "424242") {
		t.Errorf("keeps %s, %v", kept, err)
	}
}

func TestFingerprintNeedsTheKey(t *testing.T) {
	t.Parallel()
	c, other := visa(), card.Number("5555555555554444")
	first := c.Number.Fingerprint([]byte("key"))
	switch {
	case first != c.Number.Fingerprint([]byte("key")):
		t.Error("one card and key gave two fingerprints")
	case first == c.Number.Fingerprint([]byte("another key")):
		t.Error("the key makes no difference")
	case first == other.Fingerprint([]byte("key")):
		t.Error("two cards gave one fingerprint")
	}
}
