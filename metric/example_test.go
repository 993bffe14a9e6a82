package metric_test

import (
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/ashlar-go/ashlar/metric"
)

func Example() {
	r := metric.New()
	captured, err := r.Counter("payments_captured_total", "Payments captured.", "currency")
	if err != nil {
		fmt.Println(err)
		return
	}
	euros := captured.With("EUR") // once
	euros.Inc()                   // per event

	scrape := httptest.NewRecorder()
	r.Handler().ServeHTTP(scrape, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(scrape.Body.String()) {
		if strings.Contains(line, "payments_captured_total") {
			fmt.Print(line)
		}
	}
	// Output:
	// # HELP payments_captured_total Payments captured.
	// # TYPE payments_captured_total counter
	// payments_captured_total{currency="EUR"} 1
}

func ExampleRegistry_Counter_mistake() {
	_, err := metric.New().Counter("payment_wait_ms_total", "Waiting.")
	fmt.Println(err)
	// Output: metric payment_wait_ms_total: times are in seconds
}
