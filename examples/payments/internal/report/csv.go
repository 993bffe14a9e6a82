package report

import (
	"bytes"
	"encoding/csv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
)

// The CSV is that of RFC 4180: lines end with CR LF, the first names the
// columns, and all have as many. Its last lines are totals, for each currency.
// An amount stands there twice, in minor units for machines and in the
// currency's own unit for people. Times are UTC.
var header = []string{
	"record", "type", "created_at", "merchant_id", "payment_id", "entry_id", "reference", "card_brand", "card_last4",
	"currency", "amount_minor", "amount",
}

// timeFormat is RFC 3339 with milliseconds, always.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// table returns lines as CSV.
func table(lines [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	_ = w.WriteAll(lines) // a buffer takes everything
	return b.Bytes()
}

// lines are the lines of entries.
func lines(list []entry) [][]string {
	all := make([][]string, len(list))
	for i, e := range list {
		kind := "capture"
		if e.Amount < 0 {
			kind = "refund"
		}
		all[i] = []string{
			"entry", kind, e.EntryAt.UTC().Format(timeFormat), inert(e.MerchantID), inert(e.PaymentID), inert(e.EntryID), inert(e.Reference),
			inert(e.Card.Brand), inert(e.Card.Last4), inert(string(e.Currency)),
			strconv.FormatInt(e.Amount, 10), money.Decimal(e.Amount, e.Currency),
		}
	}
	return all
}

// totalLines are the lines of totals: what was captured, what was refunded, and
// what is left, which is negative where more was refunded.
func totalLines(totals map[money.Currency]amounts) (all [][]string) {
	for _, c := range slices.Sorted(maps.Keys(totals)) {
		for _, line := range []struct {
			kind   string
			amount int64
		}{
			{"capture", totals[c].Captured},
			{"refund", -totals[c].Refunded},
			{"net", totals[c].net()},
		} {
			all = append(all, []string{
				"total", line.kind, "", "", "", "", "", "", "", inert(string(c)),
				strconv.FormatInt(line.amount, 10), money.Decimal(line.amount, c),
			})
		}
	}
	return all
}

// inert returns a text that no spreadsheet takes for a formula. Those look at
// how a cell begins, quoted or not; an apostrophe in front is how they mark
// text. Amounts need none: a minus and digits is a number.
func inert(text string) string {
	first, _ := utf8.DecodeRuneInString(text)
	if strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
		return "'" + text
	}
	return text
}

// dayOf is the day of a sum.
func dayOf(s sum) time.Time {
	day, err := time.Parse(time.DateOnly, s.Day)
	if err != nil {
		panic(err) // it was formatted here
	}
	return day
}
