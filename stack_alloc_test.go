//go:build !race

// The race detector makes sync.Pool forget, so allocations are only exact
// without it.

package ashlar_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/logs"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
	"github.com/ashlar-go/ashlar/serve"
	"github.com/ashlar-go/ashlar/trace"
)

type (
	quote struct {
		Amount    int64             `json:"amount"`
		Currency  string            `json:"currency"`
		Reference string            `json:"reference"`
		Metadata  map[string]string `json:"metadata"`
	}
	offer struct {
		ID        string `json:"id"`
		Amount    int64  `json:"amount"`
		Currency  string `json:"currency"`
		Reference string `json:"reference"`
	}
)

func (q *quote) Rules(r *rule.Set) {
	rule.Number(r, &q.Amount).Between(1, 1_000_000)
	rule.OneOf(r, &q.Currency, "EUR", "GBP", "USD")
	rule.Text(r, &q.Reference).Len(1, 64).Match(`^[A-Za-z0-9-]+$`)
}

func (q *quote) answer() offer { return offer{"quo_1", q.Amount, q.Currency, q.Reference} }

const quoteBody = `{"amount":1250,"currency":"EUR","reference":"order-2026-000123456","metadata":{"channel":"web"}}`

// stacked is an app with all of the production stack on, and a merchant's token.
func stacked(t *testing.T) (h http.Handler, token string) {
	t.Helper()
	app := ashlartest.Open(t, "DATABASE_URL", "sqlite::memory:", "ASHLAR_CORS_ORIGINS", "https://app.example.com",
		"ASHLAR_LIMIT_PRINCIPAL", "1000000000/1s", "ASHLAR_LIMIT_ADDRESS", "1000000000/1s", "ASHLAR_SHED", "auto")
	app.App.Log = logs.New(logs.NewBuffer(io.Discard), logs.Options{})
	app.Trace(trace.Options{Exporter: &forgetful{}, Sampler: trace.Ratio(0)}, nil) // a request in a hundred allocates for its spans
	app.Grant("merchant", "quotes:read", "quotes:write")
	app.Mount(ashlar.SignIn(app.App))
	app.Mount(ashlar.Module{Name: "quotes", Operations: []op.Operation{
		op.Query("state", "GET /state", func(context.Context, struct{}) (greeting, error) { return greeting{"ok"}, nil }, op.Public()),
		op.Query("quotes.get", "GET /quotes/{name}", func(_ context.Context, in name) (offer, error) { return offer{in.Name, 1250, "EUR", "order"}, nil },
			op.Allow(access.Permission("quotes:read"))),
		op.Command("quotes.make", "POST /quotes", func(_ context.Context, in quote) (offer, error) { return in.answer(), nil },
			op.Allow(access.Permission("quotes:write")), op.Created("")),
	}})
	h = app.Handler()
	who := auth.NewAccount{Email: "shop@stack.test", Password: "square-and-true", Role: "merchant", Tenant: "mer_1"}
	if _, err := app.Accounts.Create(t.Context(), who); err != nil {
		t.Fatal(err)
	}
	granted, err := app.Accounts.SignIn(t.Context(), auth.Credentials{Email: who.Email, Password: who.Password})
	if err != nil {
		t.Fatal(err)
	}
	return h, granted.AccessToken
}

// unstacked is the same on net/http and encoding/json, with nothing else.
func unstacked() http.Handler {
	mux := http.NewServeMux()
	reply := func(w http.ResponseWriter, status int, body any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body) // to a writer that never fails
	}
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, greeting{"ok"}) })
	mux.HandleFunc("GET /quotes/{name}", func(w http.ResponseWriter, r *http.Request) {
		reply(w, http.StatusOK, offer{r.PathValue("name"), 1250, "EUR", "order"})
	})
	mux.HandleFunc("POST /quotes", func(w http.ResponseWriter, r *http.Request) {
		var in quote
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, "malformed", http.StatusBadRequest)
			return
		}
		reply(w, http.StatusCreated, in.answer())
	})
	return mux
}

// TestWhatTheWholeStackAllocates holds the budget: six allocations at most
// beyond the bare handler, which a request here is far below, and where
// encoding/json takes more than all of the stack does it is fewer in all.
func TestWhatTheWholeStackAllocates(t *testing.T) {
	stack, token := stacked(t)
	bare := unstacked()
	for _, c := range []struct {
		name, method, path, body string
		allocations, beyond      float64
	}{
		{"a tiny GET", "GET", "/state", "", 2, 1},
		{"a read by key", "GET", "/quotes/quo_1", "", 3, 0},
		{"a validated POST", "POST", "/quotes", quoteBody, 6, -14},
	} {
		body := bytes.NewReader([]byte(c.body))
		r := httptest.NewRequest(c.method, c.path, body)
		r.Body = io.NopCloser(body)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Accept", "application/json")
		if c.body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		w := &status{discard: discard{http.Header{}}}
		count := func(h http.Handler) float64 {
			return testing.AllocsPerRun(500, func() {
				clear(w.header)
				body.Reset([]byte(c.body))
				h.ServeHTTP(w, r)
				if w.code/100 != 2 {
					t.Fatalf("%s is answered with %d", c.name, w.code)
				}
			})
		}
		own := count(stack)
		if beyond := own - count(bare); own != c.allocations || beyond != c.beyond || beyond > 6 {
			t.Errorf("%s allocates %v times, %v beyond the bare handler; want %v and %v", c.name, own, beyond, c.allocations, c.beyond)
		}
	}
}

// status is a response that costs nothing and knows how it ended.
type status struct {
	discard

	code int
}

func (s *status) WriteHeader(code int) { s.code = code }

// TestTheWholeStackAnswersInOnePiece holds that nothing in the stack asks for
// the header of an answer that is known as a whole. Who does makes every
// request dearer, and the answer tells: net/http puts the date behind its own
// fields, and not in front of ours.
func TestTheWholeStackAnswersInOnePiece(t *testing.T) {
	t.Parallel()
	stack, token := stacked(t)
	addr := listening(t, stack, serve.Config{Addr: "127.0.0.1:0"})
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/state", ""},
		{"GET", "/quotes/quo_1", ""},
		{"POST", "/quotes", quoteBody},
	} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer %s\r\nAccept: application/json\r\n", c.method, c.path, token)
		if c.body != "" {
			fmt.Fprintf(conn, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(c.body))
		}
		fmt.Fprintf(conn, "\r\n%s", c.body)
		answer, err := io.ReadAll(conn)
		_ = conn.Close()
		lines := strings.Split(string(answer), "\r\n")
		if err != nil || len(lines) < 4 || !strings.HasPrefix(lines[0], "HTTP/1.1 20") ||
			!strings.HasPrefix(lines[1], "Date: ") || lines[2] != "Connection: close" || lines[3] != "X-Content-Type-Options: nosniff" {
			t.Errorf("%s %s: %v\n%s", c.method, c.path, err, answer)
		}
	}
}
