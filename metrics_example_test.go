package ashlar_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/config"
)

func ExampleApp_Metrics() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	cfg, err := config.Load[ashlar.Config](config.Map(map[string]string{"DATABASE_URL": "sqlite::memory:", "ASHLAR_DATA_DIR": dir}))
	if err != nil {
		fmt.Println(err)
		return
	}
	app, err := ashlar.Open(context.Background(), cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer app.Close()

	captured, err := app.Metrics().Counter("payments_captured_total", "Payments captured.", "currency")
	if err != nil {
		fmt.Println(err)
		return
	}
	euros := captured.With("EUR") // once
	euros.Inc()                   // per event

	scrape := httptest.NewRecorder() // what GET /metrics of the admin listener answers
	app.Metrics().Handler().ServeHTTP(scrape, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(scrape.Body.String()) {
		if strings.HasPrefix(line, "payments_captured_total") {
			fmt.Print(line)
		}
	}
	// Output: payments_captured_total{currency="EUR"} 1
}
