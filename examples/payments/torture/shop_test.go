package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A shop is a client of the payments API with types, at one instance. It sees
// the instance through a piece of network that can fail.
type shop struct {
	base  string
	token string // an API key: it outlives every clock
	http  *http.Client
}

func newShop(base string) *shop {
	return &shop{base: base, http: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, ResponseHeaderTimeout: 25 * time.Second},
		Timeout:   30 * time.Second,
	}}
}

// as returns the shop as seen by the owner of a token.
func (s *shop) as(token string) *shop {
	other := *s
	other.token = token
	return &other
}

// What the API takes and gives, as far as the clients here care.
type (
	payment struct {
		ID        string `json:"id"`
		Status    string `json:"status"`
		Amount    int64  `json:"amount"`
		Captured  int64  `json:"captured_amount"`
		Refunded  int64  `json:"refunded_amount"`
		Currency  string `json:"currency"`
		Reference string `json:"reference"`
		Version   int64  `json:"version"`
	}
	event struct {
		ID        string  `json:"id"`
		Type      string  `json:"type"`
		PaymentID string  `json:"payment_id"`
		Data      payment `json:"data"`
	}
	card struct {
		Number   string `json:"number"`
		ExpMonth int    `json:"exp_month"`
		ExpYear  int    `json:"exp_year"`
		CVC      string `json:"cvc"`
	}
	order struct {
		Amount    int64  `json:"amount"`
		Currency  string `json:"currency"`
		Card      card   `json:"card"`
		Reference string `json:"reference"`
		Capture   bool   `json:"capture,omitempty"`
	}
	part struct {
		Amount int64 `json:"amount,omitempty"`
	}
)

// ofBuyers begins the references of what the test's own clients buy.
const ofBuyers = "buyer-"

func (p payment) byBuyer() bool { return strings.HasPrefix(p.Reference, ofBuyers) }

// A reply is what came back, if anything did.
type reply struct {
	status   int // 0: the connection broke
	code     string
	id       string
	replayed bool
	body     []byte
	call     time.Time
	back     time.Time
}

// send makes one request. Whether a broken connection means that nothing
// happened is for others to find out.
func (s *shop) send(ctx context.Context, method, path, key string, in any) reply {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			panic(fmt.Sprintf("%T is no JSON: %v", in, err))
		}
		body = bytes.NewReader(text)
	}
	r := reply{call: time.Now()}
	defer func() { r.back = time.Now() }()
	request, err := http.NewRequestWithContext(ctx, method, s.base+path, body)
	if err != nil {
		panic(err)
	}
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := s.http.Do(request)
	if err != nil {
		return r
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return r
	}
	r.back = time.Now()
	r.status, r.body, r.replayed = response.StatusCode, text, response.Header.Get("Idempotency-Replayed") == "true"
	var named struct{ ID, Code string }
	if json.Unmarshal(text, &named) == nil {
		r.id, r.code = named.ID, named.Code
	}
	return r
}

// outcome is what the client knows after it.
func (r reply) outcome() outcome {
	switch {
	case r.status == 0 || r.status >= 500:
		return unknown
	case r.code == "idempotency_key_in_flight", r.status == http.StatusTooManyRequests, r.status == http.StatusUnauthorized:
		return refused
	case r.code == "idempotency_key_reused":
		return misused
	}
	return answered
}

// read decodes the body.
func (r reply) read(into any) error {
	if err := json.Unmarshal(r.body, into); err != nil {
		return fmt.Errorf("answer %d %q: %w", r.status, r.body, err)
	}
	return nil
}
