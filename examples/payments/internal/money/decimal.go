package money

import (
	"strconv"
	"strings"
)

// Exponent returns how many digits of an amount are behind the decimal point:
// two for most currencies, none for yen, three for dinars.
func (c Currency) Exponent() int {
	switch c { //nolint:exhaustive // all others have two
	case "BIF", "CLP", "DJF", "GNF", "ISK", JPY, "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	}
	return 2
}

// Decimal returns an amount of minor units in the currency's own unit: 5000 is
// "50.00" in EUR, "5000" in JPY and "5.000" in KWD. It is made of digits, not
// of a float, so it is exact.
func Decimal(amount int64, c Currency) string {
	digits, sign := strconv.FormatInt(amount, 10), ""
	if amount < 0 {
		digits, sign = digits[1:], "-"
	}
	exponent := c.Exponent()
	if exponent == 0 {
		return sign + digits
	}
	if missing := exponent + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - exponent
	return sign + digits[:point] + "." + digits[point:]
}
