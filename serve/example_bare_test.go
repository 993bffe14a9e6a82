package serve_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/ashlar-go/ashlar/serve"
	"github.com/ashlar-go/ashlar/trace"
)

// A whole service on plain net/http handlers.
func Example() {
	var mux serve.Mux
	err := mux.Handle("GET /hello/{name}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s", r.PathValue("name"))
	}))
	if err != nil {
		log.Fatal(err)
	}
	handler := serve.Observe(&mux, serve.Observer{})
	server := serve.New(handler, serve.Config{Addr: "127.0.0.1:0", DrainDelay: -1})

	ctx, stop := context.WithCancel(context.Background())
	addr, err := server.Listen(ctx)
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- server.Run(ctx) }()

	for _, path := range []string{"/hello/Ada", "/hello//Ada"} {
		res, err := http.Get("http://" + addr.String() + path)
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(res.StatusCode, len(body) > 0, res.Header.Get("Content-Type"))
	}
	stop()
	fmt.Println("drained:", <-done)
	// Output:
	// 200 true text/plain; charset=utf-8
	// 404 true application/problem+json
	// drained: <nil>
}

// A raw handler finds what was observed in its request's context.
func ExampleWithScope() {
	h := serve.Observe(serve.WithScope(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(trace.From(r.Context()).TraceIDString())
	})), serve.Observer{})

	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	h.ServeHTTP(httptest.NewRecorder(), r)
	// Output: 0af7651916cd43dd8448eb211c80319c
}

// The guard alone, on an http.Server of one's own.
func ExampleGuard() {
	var guard serve.Guard
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Listener = guard.Listener(srv.Listener)
	srv.Config.ConnState = guard.ConnState
	srv.Start()
	defer srv.Close()

	res, err := srv.Client().Get(srv.URL)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.StatusCode)
	// Output: 404
}
