package money_test

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
)

func TestDecimal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		amount   int64
		currency money.Currency
		want     string
	}{
		{50_00, money.EUR, "50.00"},
		{0, money.EUR, "0.00"},
		{5, money.EUR, "0.05"},
		{-5, money.EUR, "-0.05"},
		{-123_45, money.GBP, "-123.45"},
		{50, money.JPY, "50"},
		{-50, money.JPY, "-50"},
		{0, money.JPY, "0"},
		{5, "KWD", "0.005"},
		{5_000, "KWD", "5.000"},
		{math.MaxInt64, money.USD, "92233720368547758.07"},
		{math.MinInt64, money.USD, "-92233720368547758.08"},
	} {
		if got := money.Decimal(c.amount, c.currency); got != c.want {
			t.Errorf("%d %s is %q, want %q", c.amount, c.currency, got, c.want)
		}
	}
}

// TestDecimalIsExact reads every text back as a fraction.
func TestDecimalIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		amount := rapid.Int64().Draw(r, "amount")
		currency := rapid.SampledFrom([]money.Currency{money.EUR, money.JPY, "KWD"}).Draw(r, "currency")
		read, ok := new(big.Rat).SetString(money.Decimal(amount, currency))
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(currency.Exponent())), nil)
		if want := new(big.Rat).SetFrac(big.NewInt(amount), unit); !ok || read.Cmp(want) != 0 {
			r.Fatalf("%d %s is %s", amount, currency, money.Decimal(amount, currency))
		}
	})
}
