package health_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"

	"github.com/ashlar-go/ashlar/health"
)

// Probes beside any net/http program: mount the handler on a listener of its own.
func Example() {
	var checks health.Checks
	checks.Add("database", func(context.Context) error { return nil })
	checks.Add("bank", func(context.Context) error { return errors.New("connection refused") })
	handler := checks.Handler()

	ask := func(path string) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Println(path, w.Code, w.Body)
	}
	ask("/readyz")
	checks.Started()
	ask("/readyz")
	ask("/livez")
	// Output:
	// /readyz 503 {"status":"starting"}
	// /readyz 503 {"status":"failing","checks":{"bank":"failing","database":"ok"}}
	// /livez 200 {"status":"ok"}
}
