package limit_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/limit"
)

// A limit in front of any handler, for each address.
func ExampleRate_Wrap() {
	login := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "welcome") })
	h := limit.Per(2, time.Minute).Wrap(login, limit.Named("login"))

	for range 3 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/login", nil))
		fmt.Println(w.Code, w.Header().Get("RateLimit"))
	}
	// Output:
	// 200 "login";r=1;t=30
	// 200 "login";r=0;t=60
	// 429 "login";r=0;t=30
}

// A limit on anything else, here the messages of a customer.
func ExampleLimiter() {
	messages, err := limit.New(limit.NewMemory(limit.MemoryConfig{}), "messages", limit.Per(100, time.Hour))
	if err != nil {
		panic(err)
	}
	send := func(ctx context.Context, customer string, n int) error {
		result, err := messages.TakeN(ctx, customer, n)
		if err != nil {
			return fault.ErrUnavailable.Wrap(err)
		}
		if !result.OK {
			return messages.Refusal(result)
		}
		return nil
	}
	fmt.Println(send(context.Background(), "cus_1", 99))
	fmt.Println(send(context.Background(), "cus_1", 2))
	// Output:
	// <nil>
	// rate_limited: You ask too often: 100/1h is the limit. Come back in 36 s.
}
