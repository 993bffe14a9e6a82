package trace_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ashlar-go/ashlar/trace"
)

// A bare net/http handler that joins its caller's trace and passes it on.
func Example() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tc, ok := trace.Parse(r.Header.Get("traceparent"))
		if !ok {
			tc = trace.New()
		}
		ctx := trace.With(r.Context(), tc.Child())

		next, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://stock.internal/items", nil)
		next.Header.Set("traceparent", trace.From(ctx).Traceparent())
		fmt.Println("same trace:", next.Header.Get("traceparent")[:35])
		fmt.Println("sampled:", trace.From(ctx).Sampled())
	})

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	handler.ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// same trace: 00-0af7651916cd43dd8448eb211c80319c
	// sampled: true
}
