package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
)

// TestCardNumbersLeaveNoTrace sends cards in every way that can be thought of,
// and then looks for their numbers in what was answered, logged and stored.
func TestCardNumbersLeaveNoTrace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, traces := openTraced(t, "DATABASE_URL", "sqlite:"+filepath.Join(dir, "app.db"), "ASHLAR_DATA_DIR", dir)

	const cvc, mistyped = "7391", card.Number("4242424242424241")
	numbers := []card.Number{
		"4242424242424242", "4000000000000002", "4000000000009995", "4000000000000119", "378282246310005",
		mistyped,
	}
	var answers bytes.Buffer
	send := func(key, body string) {
		w := s.shop.Key(key).Do(http.MethodPost, "/v1/payments", body)
		answers.Write(w.Body.Bytes())
		for name, values := range w.Header() {
			answers.WriteString(name + strings.Join(values, " "))
		}
	}
	for _, number := range numbers {
		n := string(number)
		sound := `{"amount":100,"currency":"EUR","reference":"r","card":{"number":"` + n + `","exp_month":12,"exp_year":2040,"cvc":"` + cvc + `"}}`
		send("a"+n[12:], sound)
		send("a"+n[12:], sound)                                                   // replayed
		send("a"+n[12:], strings.Replace(sound, "100", "200", 1))                 // key used for another body
		send("b"+n[12:], strings.Replace(sound, `"amount":100`, `"amount":0`, 1)) // invalid
		send("c"+n[12:], strings.Replace(sound, `"cvc":"`, `"cvc":"x`, 1))        // invalid in its own member
		send("d"+n[12:], strings.Replace(sound, `"`+n+`"`, n, 1))                 // a number instead of a text
		send("e"+n[12:], strings.Replace(sound, `"number"`, `"`+n+`"`, 1))        // as a member's name
		send("f"+n[12:], strings.TrimSuffix(sound, "}"))                          // cut short
		for key, member := range map[string]string{                               // in free text
			"h": `"reference":"` + n + `"`,
			"i": `"reference":"r","description":"paid with ` + n + `"`,
			"j": `"reference":"r","metadata":{"pan":"` + n + `"}`,
			"k": `"reference":"r","metadata":{"` + n + `":"pan"}`,
		} {
			if number != mistyped {
				send(key+n[12:], strings.Replace(sound, `"reference":"r"`, member, 1))
			}
		}
		send("g"+n[12:], strings.Replace(sound, `"currency":"EUR"`, `"currency":"`+n+`"`, 1)) // in the wrong place
	}
	if rows := payments(s.shop, "payments.list", nil); len(rows.OK().Data) == 0 {
		t.Fatal("no payment was made, so nothing is shown")
	} else {
		answers.WriteString(rows.Body())
	}
	answers.WriteString(events(s.shop, "events.list", nil).Body())

	searched := map[string][]byte{"answers": answers.Bytes(), "log": []byte(s.Log())}
	files, err := filepath.Glob(filepath.Join(dir, "app.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no database in %s: %v", dir, err)
	}
	for _, file := range files {
		if searched[filepath.Base(file)], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	searched["traces"] = traces.closed(t, s)
	code := regexp.MustCompile(`(^|[^0-9A-Za-z.])x?` + cvc + `([^0-9A-Za-z]|$)`)
	for where, content := range searched {
		if len(content) == 0 && where != "log" && where != "app.db" {
			t.Errorf("%s is empty: nothing was looked at", where)
		}
		for _, number := range numbers {
			if bytes.Contains(content, []byte(number)) {
				t.Errorf("%s holds the card number that ends in %s", where, string(number[len(number)-4:]))
			}
		}
		if at := code.FindIndex(content); at != nil {
			t.Errorf("%s holds the CVC: …%q…", where, content[max(0, at[0]-40):min(len(content), at[1]+20)])
		}
	}
}
