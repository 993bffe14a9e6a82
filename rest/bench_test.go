package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
	"github.com/ashlar-go/ashlar/rule"
)

// The payment of the flagship example: twelve members and a map.
type (
	currency string

	authorize struct {
		Amount      int64             `json:"amount"`
		Currency    currency          `json:"currency"`
		Card        card              `json:"card"`
		Reference   string            `json:"reference"`
		Description string            `json:"description,omitzero"`
		Metadata    map[string]string `json:"metadata,omitzero"`
		Capture     bool              `json:"capture,omitzero"`
		MerchantID  string            `json:"merchant_id,omitzero"`
	}

	card struct {
		Number   string `json:"number"`
		ExpMonth int    `json:"exp_month"`
		ExpYear  int    `json:"exp_year"`
		CVC      string `json:"cvc"`
	}

	payment struct {
		ID          string            `json:"id"`
		MerchantID  string            `json:"merchant_id"`
		Status      string            `json:"status"`
		Amount      int64             `json:"amount"`
		Currency    currency          `json:"currency"`
		Last4       string            `json:"last4"`
		ExpMonth    int               `json:"exp_month"`
		ExpYear     int               `json:"exp_year"`
		Reference   string            `json:"reference"`
		Description string            `json:"description"`
		Metadata    map[string]string `json:"metadata"`
		CreatedAt   time.Time         `json:"created_at"`
	}
)

func (in *authorize) Rules(r *rule.Set) {
	rule.Number(r, &in.Amount).Between(1, 99_999_999_999)
	rule.OneOf(r, &in.Currency, "EUR", "GBP", "USD")
	rule.Text(r, &in.Reference).Len(1, 64).Match(`^[A-Za-z0-9-]+$`)
	rule.Text(r, &in.Description).Len(0, 500)
	rule.Entries(r, &in.Metadata).Len(0, 20)
}

func (c *card) Rules(r *rule.Set) {
	rule.Text(r, &c.Number).Len(12, 19).Match(`^[0-9]+$`).Secret()
	rule.Number(r, &c.ExpMonth).Between(1, 12)
	rule.Number(r, &c.ExpYear).Between(2000, 2100)
	rule.Text(r, &c.CVC).Len(3, 4).Match(`^[0-9]+$`).Secret()
}

const (
	bodyWithoutMap = `{"amount":125099,"currency":"EUR","card":{"number":"4242424242424242","exp_month":12,"exp_year":2030,"cvc":"123"},` +
		`"reference":"order-2026-000123456","description":"Two boxes of limestone setts, sawn on six sides, delivered to the yard behind the old mill before noon; ring twice and ask for Ada.",` +
		`"capture":true,"merchant_id":"mer_01JD8Z3K5QW8A7T2V9XN4M6P0R"`
	metadata    = `"metadata":{"basket":"b_01JD8Z3K5Q","channel":"web","campaign":"autumn-2026","customer":"c_01JD8Z3K5QW8","warehouse":"north-2"}`
	paymentBody = bodyWithoutMap + "," + metadata + "}"
)

var createdAt = time.Date(2026, 11, 22, 17, 30, 5, 123e6, time.UTC)

func take(_ context.Context, in authorize) (payment, error) {
	return payment{
		ID: "pay_01JD8Z3K5QW8A7T2V9XN4M6P0R", MerchantID: in.MerchantID, Status: "authorized",
		Amount: in.Amount, Currency: in.Currency, Last4: in.Card.Number[12:], ExpMonth: in.Card.ExpMonth, ExpYear: in.Card.ExpYear,
		Reference: in.Reference, Description: in.Description, Metadata: in.Metadata, CreatedAt: createdAt,
	}, nil
}

func typed(tb testing.TB) http.Handler {
	tb.Helper()
	h, err := rest.New(op.Command("payments.authorize", "POST /payments", take, op.Public(), op.Created("")), rest.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// bare is what one writes without a framework. It validates nothing.
func bare(w http.ResponseWriter, r *http.Request) {
	var in authorize
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out, err := take(r.Context(), in)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(out)
}

// A caller sends the same request again and again, at no cost of its own: what
// remains is the handler's.
type caller struct {
	request *http.Request
	body    bytes.Reader
	sent    []byte
	header  http.Header
	status  int
	answer  []byte
}

func newCaller(body string) *caller {
	c := &caller{sent: []byte(body), header: http.Header{}}
	c.request, _ = http.NewRequest(http.MethodPost, "/payments", nil)
	c.request.Header.Set("Content-Type", "application/json")
	c.request.Body = io.NopCloser(&c.body)
	c.request.ContentLength = int64(len(body))
	return c
}

func (c *caller) call(tb testing.TB, h http.Handler) {
	c.body.Reset(c.sent)
	clear(c.header)
	c.status, c.answer = 0, c.answer[:0]
	h.ServeHTTP(c, c.request)
	if c.status != http.StatusCreated || len(c.answer) < 300 {
		tb.Fatalf("got %d %s", c.status, c.answer)
	}
}

func (c *caller) Header() http.Header    { return c.header }
func (c *caller) WriteHeader(status int) { c.status = status }

func (c *caller) Write(b []byte) (int, error) {
	c.answer = append(c.answer, b...)
	return len(b), nil
}

// The two benchmarks below are meant to be compared in one run. The typed one
// reads strictly, checks every rule and answers the same document.
func BenchmarkTypedPost(b *testing.B) { benchmarkPost(b, typed(b)) }

func BenchmarkBareHandler(b *testing.B) { benchmarkPost(b, http.HandlerFunc(bare)) }

func benchmarkPost(b *testing.B, h http.Handler) {
	b.Helper()
	benchmark(b, h, newCaller(paymentBody))
}

func benchmark(b *testing.B, h http.Handler, c *caller) {
	b.Helper()
	b.SetBytes(int64(len(paymentBody)))
	b.ReportAllocs()
	for b.Loop() {
		c.call(b, h)
	}
}

// TestBothAnswerAlike keeps the comparison honest.
func TestBothAnswerAlike(t *testing.T) {
	t.Parallel()
	ours, theirs := newCaller(paymentBody), newCaller(paymentBody)
	ours.call(t, typed(t))
	theirs.call(t, http.HandlerFunc(bare))
	var a, b payment
	if err := json.Unmarshal(ours.answer, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(theirs.answer, &b); err != nil {
		t.Fatal(err)
	}
	if got, want := string(ours.answer)+"\n", string(theirs.answer); got != want {
		t.Errorf("typed: %s\nbare:  %s", got, want)
	}
}
