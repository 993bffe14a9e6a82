package live_test

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/live"
	"github.com/ashlar-go/ashlar/op"
)

// Tick is an item that a caller can go on after.
type Tick struct {
	N int `json:"n"`
}

// EventID is the place behind the tick.
func (t Tick) EventID() string { return strconv.Itoa(t.N) }

// Since says what was seen last.
type Since struct {
	After int `json:"after,omitzero"`
}

// Ticks sends three ticks, or those that are left of them.
func Ticks(_ context.Context, in Since) iter.Seq2[Tick, error] {
	return func(yield func(Tick, error) bool) {
		for n := in.After + 1; n <= 3; n++ {
			if !yield(Tick{n}, nil) {
				return // the caller has gone
			}
		}
	}
}

// A stream in a plain program. Whoever was cut comes back with the id of what
// it saw last.
func Example() {
	ticks := op.Stream("clock.ticks", "GET /ticks", Ticks, op.Public())
	streams := live.New(live.Config{Log: slog.New(slog.DiscardHandler)})
	h, err := streams.Handler(ticks)
	if err != nil {
		log.Fatal(err) // names every mistake of the declaration
	}
	mux := http.NewServeMux()
	mux.Handle(ticks.Spec().Pattern(), h)
	server := httptest.NewServer(mux)
	defer server.Close()

	r, err := http.NewRequest(http.MethodGet, server.URL+"/ticks", http.NoBody)
	if err != nil {
		log.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", "1")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if line := lines.Text(); !strings.HasPrefix(line, "retry:") { // another one each time
			fmt.Println(line)
		}
	}

	// Output:
	// id: 2
	// data: {"n":2}
	//
	// id: 3
	// data: {"n":3}
	//
	// event: end
	// data: {"code":"completed"}
}
