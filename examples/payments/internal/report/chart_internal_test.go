package report

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
)

// november is a report of that month.
func november(currency money.Currency) *record {
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	return &record{Kind: Settlement, Currency: currency, FromAt: from, ToAt: from.AddDate(0, 1, 0), CreatedAt: from.AddDate(0, 2, 0)}
}

// business is a month of it, the same each time.
func business(currencies ...money.Currency) (all sums) {
	for i, c := range currencies {
		for day := 1; day <= 30; day++ {
			a := amounts{Captured: int64(100_00 + 7919*(day+i)%41*11_00), Entries: 1}
			if day%7 == 0 {
				a.Captured = 0
			}
			if day%5 == 3 {
				a.Refunded = int64(5_00 + 31*day%17*4_50)
			}
			all = append(all, sum{c, time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), a})
		}
	}
	return all.settled()
}

func TestCharts(t *testing.T) {
	t.Parallel()
	for name, drawn := range map[string]string{
		"settlement.svg": chart(november(money.EUR), business(money.EUR)),
		"currencies.svg": chart(november(""), business(money.EUR, money.JPY)),
		"nothing.svg":    chart(november(""), nil),
		"idle.svg":       chart(november(money.EUR), nil),
	} {
		ashlartest.Golden(t, "testdata/"+name, drawn)
	}
}

// TestChartsAreSound: whatever is drawn is well-formed, says in words what it
// shows, runs nothing and fetches nothing.
func TestChartsAreSound(t *testing.T) {
	t.Parallel()
	year := november("")
	year.ToAt = year.FromAt.AddDate(1, 0, 0)
	hostile := money.Currency(`<script>alert(1)</script>"&`)
	most := sums{{"EUR", "2026-11-02", amounts{math.MaxInt64 / 2, math.MaxInt64 / 2, 2}}, {"JPY", "2026-11-30", amounts{1, 0, 1}}}
	for what, drawn := range map[string]string{
		"a month":           chart(november(money.EUR), business(money.EUR)),
		"many currencies":   chart(november(""), business("AED", "AUD", "BHD", "CAD", "CHF", "EUR", "GBP", "JPY", "KWD", "USD")),
		"a year":            chart(year, business(money.EUR)),
		"nothing":           chart(november(""), nil),
		"a hostile text":    chart(november(hostile), business(hostile)),
		"the most there is": chart(november(""), most),
		"refunds alone":     chart(november(money.EUR), sums{{"EUR", "2026-11-01", amounts{0, 1, 1}}}),
	} {
		elements := map[string]int{}
		d := xml.NewDecoder(strings.NewReader(drawn))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if e, ok := token.(xml.StartElement); ok {
				elements[e.Name.Local]++
				for _, a := range e.Attr {
					if strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Name.Local, "href") || strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
						t.Errorf("%s: %s has %s=%q", what, e.Name.Local, a.Name.Local, a.Value)
					}
				}
			}
		}
		for name := range elements {
			if !slices.Contains([]string{"svg", "title", "desc", "style", "rect", "g", "path", "text"}, name) {
				t.Errorf("%s: there is a %s in it", what, name)
			}
		}
		if elements["desc"] != 1 || elements["title"] < 1 || strings.Contains(drawn, "url(") || strings.Contains(drawn, "@import") {
			t.Errorf("%s: %v", what, elements)
		}
		if len(drawn) > 600<<10 {
			t.Errorf("%s: %d bytes", what, len(drawn))
		}
	}
}

func TestScalesHoldWhatIsDrawn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		most, least int64
		currency    money.Currency
		want        string
	}{
		{0, 0, money.EUR, "0 0.2 0.4 0.6 0.8 1"},
		{5, 0, money.EUR, "0 0.01 0.02 0.03 0.04 0.05"},
		{100_00, 0, money.EUR, "0 20 40 60 80 100"},
		{1_234_00, 300_00, money.EUR, "-500 0 500 1,000 1,500"},
		{20_500, 0, money.JPY, "0 5k 10k 15k 20k 25k"},
		{0, 7_000, "KWD", "-8 -6 -4 -2 0"},
		{9_900_000_00, 0, money.EUR, "0 2M 4M 6M 8M 10M"},
		{99_000_000_00, 0, money.EUR, "0 20M 40M 60M 80M 100M"},
	} {
		s := scaleOf(c.most, c.least, c.currency)
		var labels []string
		for _, tick := range s.ticks {
			labels = append(labels, tick.label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("%d, %d %s: %s, want %s", c.most, c.least, c.currency, got, c.want)
		}
		if top, bottom := s.y(c.most), s.y(-c.least); top < 0 || bottom > plotHeight {
			t.Errorf("%d, %d %s: drawn from %f to %f", c.most, c.least, c.currency, top, bottom)
		}
	}
}
