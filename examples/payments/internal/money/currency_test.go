package money_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/rule"
)

func TestCurrencies(t *testing.T) {
	t.Parallel()
	described, err := rule.Describe(reflect.TypeFor[money.Currency]())
	if err != nil {
		t.Fatal(err)
	}
	for _, known := range []money.Currency{money.EUR, money.GBP, money.JPY, money.USD, "CHF", "BRL", "INR", "KWD"} {
		if !slices.Contains(described.Enum, any(known)) {
			t.Errorf("%s is refused", known)
		}
	}
	for _, strange := range []money.Currency{"", "eur", "EURO", "XXX", "XTS", "XAU", "ABC"} {
		if slices.Contains(described.Enum, any(strange)) {
			t.Errorf("%q is accepted", strange)
		}
	}
}
