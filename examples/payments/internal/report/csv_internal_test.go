package report

import (
	"encoding/csv"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
)

// at is a time of November.
func at(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 30, 0, 5e6, time.UTC) }

func entryOf(n string, when time.Time, reference string, currency money.Currency, amount int64) entry {
	return entry{
		place: place{"mer_1", when, "ent_" + n}, PaymentID: "pay_" + n, Reference: reference,
		Card: card.Details{Brand: "visa", Last4: "4242"}, Currency: currency, Amount: amount,
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	var d draft
	var all strings.Builder
	for _, page := range [][]entry{
		{
			entryOf("1", at(1, 9), "order-1", money.EUR, 100_00),
			entryOf("2", at(1, 10), `=HYPERLINK("https://evil.test","pay")`, money.EUR, 5),
			entryOf("3", at(1, 11).In(time.FixedZone("", 3600)), `a "quoted", long reference`, money.JPY, 5000),
		},
		{
			entryOf("4", at(2, 0), "@SUM(A1)", money.EUR, -100_00),
			entryOf("5", at(2, 0), "-2+3", "KWD", 1_500),
			entryOf("6", at(2, 1), "＝1", money.EUR, 1),
		},
	} {
		_, body := d.add(page)
		all.Write(body)
	}
	_, body := d.seal(d.sums.totals())
	all.Write(body)
	if d.bytes != int64(all.Len()) || d.entries != 6 || d.number != 3 {
		t.Errorf("%+v of %d bytes", d, all.Len())
	}
	ashlartest.Golden(t, "testdata/settlement.csv", all.String())
	if n := strings.Count(all.String(), "\r\n"); n != strings.Count(all.String(), "\n") || n != 1+6+3*3 {
		t.Errorf("%d lines end with CR LF", n)
	}
}

// TestNothingInACellIsAFormula (P12.14), whatever a merchant called an order;
// and nobody loses a character by it.
func TestNothingInACellIsAFormula(t *testing.T) {
	t.Parallel()
	amount := regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
	rapid.Check(t, func(r *rapid.T) {
		start := rapid.SampledFrom([]string{"", "=", "+", "-", "@", "\t", "＝", "＋", "－", "＠", "'", ",", `"`, " ", ";"}).Draw(r, "start")
		reference := start + rapid.StringOf(rapid.Rune().Filter(func(r rune) bool { return r != '\r' && r != '\n' })).Draw(r, "reference")
		cents := rapid.Int64Range(-money.Max, money.Max).Draw(r, "amount")
		text := table(lines([]entry{entryOf("1", at(1, 1), reference, money.EUR, cents)}))
		rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
		if err != nil || len(rows) != 1 || len(rows[0]) != len(header) {
			r.Fatalf("%q is read as %v, %v", text, rows, err)
		}
		for i, cell := range rows[0] {
			if strings.IndexAny(cell, "=+-@\t\r＝＋－＠") == 0 && !amount.MatchString(cell) {
				r.Errorf("%s is %q", header[i], cell)
			}
		}
		if got := rows[0][6]; strings.TrimPrefix(got, "'") != strings.TrimPrefix(reference, "'") {
			r.Errorf("%q became %q", reference, got)
		}
	})
}

func FuzzInert(f *testing.F) {
	for _, seed := range []string{"", "a", "=1+1", "-1", "\t=1", "＝1", "\xff=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := inert(text)
		if strings.TrimPrefix(got, "'") != strings.TrimPrefix(text, "'") || strings.IndexAny(got, "=+-@\t\r\n") == 0 {
			t.Errorf("%q became %q", text, got)
		}
	})
}
