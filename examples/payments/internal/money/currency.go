// Package money says what an amount of money is: a whole number of minor units
// and a currency. 50_00 EUR is fifty euros and 50 JPY is fifty yen; there is
// no fraction anywhere.
package money

import "github.com/ashlar-go/ashlar/rule"

// Max is the greatest amount of one payment, in minor units. Ninety million
// payments of it fit an int64, so no sum of the ledger can overflow.
const Max int64 = 99_999_999_999

// A Currency is an alphabetic code of ISO 4217.
type Currency string

// Currencies that the demo data and the tests use.
const (
	EUR Currency = "EUR"
	GBP Currency = "GBP"
	JPY Currency = "JPY"
	USD Currency = "USD"
)

// Rules accepts the currencies that people pay with. Funds codes, metals and
// test codes (XAU, XDR, XXX …) are not among them.
func (c *Currency) Rules(r *rule.Set) {
	rule.OneOf(r, c,
		"AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN",
		"BAM", "BBD", "BDT", "BHD", "BIF", "BMD", "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD",
		"CAD", "CDF", "CHF", "CLP", "CNY", "COP", "CRC", "CUP", "CVE", "CZK",
		"DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", EUR, "FJD", "FKP",
		GBP, "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF",
		"IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD", "JOD", JPY,
		"KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LYD",
		"MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN",
		"NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG",
		"QAR", "RON", "RSD", "RUB", "RWF", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD",
		"SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS",
		"UAH", "UGX", USD, "UYU", "UZS", "VED", "VES", "VND", "VUV", "WST", "XAF", "XCD", "XCG", "XOF", "XPF",
		"YER", "ZAR", "ZMW", "ZWG")
}
