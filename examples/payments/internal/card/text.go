package card

import (
	"unicode"

	"github.com/ashlar-go/ashlar/fault"
)

// The lengths of a number that is looked for in a text.
const (
	shortest = 13
	longest  = 19
)

// NoNumber returns a violation at pointer if the text holds what may be a card
// number: free text is kept, shown and logged, which card numbers never are.
// That is 13 to 19 digits, of which spaces and dashes make groups or none, with
// a sound check digit and the first digits of a card scheme. One in ten order
// numbers that begin like a card is taken for one; it is refused rather than a
// card kept.
func NoNumber(pointer, text string) fault.Violations {
	for i := range len(text) {
		if digitAt(text, i) && !digitAt(text, i-1) && beginsWithNumber(text[i:]) {
			return fault.At(pointer, "card_number", "must not hold a card number")
		}
	}
	return nil
}

// beginsWithNumber reports whether some of the groups of digits that the text
// begins with make up a card number.
func beginsWithNumber(text string) bool {
	digits := make([]byte, 0, longest)
	for i, r := range text {
		switch {
		case r >= '0' && r <= '9':
			if len(digits) == longest {
				return false
			}
			digits = append(digits, text[i])
			if len(digits) >= shortest && !digitAt(text, i+1) && likely(Number(digits)) {
				return true
			}
		case !unicode.IsSpace(r) && !unicode.Is(unicode.Dash, r):
			return false
		}
	}
	return false
}

// likely reports whether digits are a card's number as far as anybody but its
// issuer can tell. Besides the brands that are told apart there are debit cards
// with 5 and 6 (Maestro) and with 2200 to 2204 (Mir).
func likely(n Number) bool {
	scheme := n[0] == '5' || n[0] == '6' || n[:4] >= "2200" && n[:4] <= "2204" || n.brand() != "unknown"
	return scheme && n.luhn()
}

func digitAt(text string, i int) bool {
	return i >= 0 && i < len(text) && text[i] >= '0' && text[i] <= '9'
}
