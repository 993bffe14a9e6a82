package swaggerui_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ashlar-go/ashlar/openapi/swaggerui"
)

// Swagger UI in a plain program that serves its document already.
func Example() {
	mux := http.NewServeMux()
	ui := swaggerui.Handler("/swagger", "/openapi.json")
	mux.Handle("GET /swagger", ui)
	mux.Handle("GET /swagger/{asset}", ui)

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/swagger", nil))
	fmt.Println(answer.Code, answer.Header().Get("Content-Type"))
	// Output: 200 text/html; charset=utf-8
}
