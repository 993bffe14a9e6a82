package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/examples/payments/internal/user"
	"github.com/ashlar-go/ashlar/serve/lambda"
)

// lambdaAnswer is what a function answers an HTTP API with.
type lambdaAnswer struct {
	Status  int               `json:"statusCode"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// invoker returns how an event is sent to h, served as a function until the test
// ends by the runtime API that AWS documents.
func invoker(t *testing.T, h http.Handler) func(method, path, body string, headers ...string) lambdaAnswer {
	t.Helper()
	events, answers := make(chan []byte), make(chan []byte)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/invocation/next") {
			select {
			case e := <-events:
				w.Header().Set("Lambda-Runtime-Aws-Request-Id", "id-1")
				w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10))
				_, _ = w.Write(e) // the function is gone if it fails, and the test waits in vain
			case <-r.Context().Done():
			}
			return
		}
		text, err := io.ReadAll(r.Body)
		if err != nil || !strings.HasSuffix(r.URL.Path, "/invocation/id-1/response") {
			t.Errorf("%s: %s %v", r.URL.Path, text, err)
		}
		w.WriteHeader(http.StatusAccepted)
		answers <- text
	}))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- lambda.Serve(ctx, h, lambda.Config{API: strings.TrimPrefix(api.URL, "http://")}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		api.Close()
	})
	return func(method, path, body string, headers ...string) (a lambdaAnswer) {
		t.Helper()
		header := map[string]string{"host": "abc.execute-api.eu-central-1.amazonaws.com", "content-type": "application/json", "x-forwarded-for": "203.0.113.9"}
		for i := 0; i < len(headers); i += 2 {
			header[headers[i]] = headers[i+1]
		}
		event, err := json.Marshal(map[string]any{
			"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": header, "body": body, "isBase64Encoded": false,
			"requestContext": map[string]any{
				"stage": "$default", "domainName": header["host"],
				"http": map[string]any{"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7"},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		events <- event
		if err := json.Unmarshal(<-answers, &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
}

// TestPaymentsOnLambda has the whole service answer events: what is promised over
// HTTP is promised there.
func TestPaymentsOnLambda(t *testing.T) {
	t.Parallel()
	s := open(t)
	makeUser(s.admin, "users.create", user.Invite{
		Email: "clerk@shop.test", Password: "eight-green-bottles", Role: merchant.RoleMerchant, MerchantID: demoShop,
	}).OK()
	invoke := invoker(t, s.Handler())
	is := func(what string, a lambdaAnswer, status int, parts ...string) {
		t.Helper()
		if a.Status != status {
			t.Errorf("%s: got %d %s, want %d", what, a.Status, a.Body, status)
		}
		for _, part := range parts {
			if !strings.Contains(a.Body, part) {
				t.Errorf("%s: %s lacks %q", what, a.Body, part)
			}
		}
	}

	is("a wrong password", invoke("POST", "/v1/auth/login", `{"email":"clerk@shop.test","password":"nine-green-bottles"}`), 401)
	in := invoke("POST", "/v1/auth/login", `{"email":"clerk@shop.test","password":"eight-green-bottles"}`)
	is("a sign-in", in, 200)
	var grant auth.Grant
	if err := json.Unmarshal([]byte(in.Body), &grant); err != nil {
		t.Fatal(err)
	}
	bearer := []string{"authorization", "Bearer " + grant.AccessToken}
	keyed := func(key string) []string { return append([]string{"idempotency-key", key}, bearer...) }
	order := func(amount string) string {
		return `{"amount":` + amount + `,"currency":"EUR","reference":"order-1","capture":true,"card":{"number":"4242424242424242","exp_month":12,"exp_year":2040,"cvc":"123"}}`
	}

	is("nobody", invoke("POST", "/v1/payments", order("100")), 401, `"unauthenticated"`)
	is("a forged token", invoke("POST", "/v1/payments", order("100"), "authorization", bearer[1]+"x"), 401, `"token_invalid"`)
	is("no key", invoke("POST", "/v1/payments", order("100"), bearer...), 400, `"idempotency_key_missing"`)
	is("an unknown field", invoke("POST", "/v1/payments", strings.Replace(order("100"), `"amount"`, `"amuont"`, 1), keyed("k0")...), 422, `"/amuont"`)
	is("too little", invoke("POST", "/v1/payments", order("0"), keyed("k0")...), 422, `"/amount"`)
	is("what is not theirs", invoke("GET", "/v1/ledger/balances", "", bearer...), 403, `"permission_denied"`)
	is("an unknown path", invoke("GET", "/v1/nothing", "", bearer...), 404, `"not_found"`)
	is("a wrong method", invoke("PATCH", "/v1/payments", "{}", bearer...), 405)

	first := invoke("POST", "/v1/payments", order("100"), keyed("k1")...)
	is("a payment", first, 201, `"captured"`)
	again := invoke("POST", "/v1/payments", order("100"), keyed("k1")...)
	is("the same again", again, 201)
	if again.Body != first.Body || again.Headers["Idempotency-Replayed"] != "true" || first.Headers["Idempotency-Replayed"] != "" {
		t.Errorf("a replay: %+v after %+v", again, first)
	}
	is("another under its key", invoke("POST", "/v1/payments", order("200"), keyed("k1")...), 422, `"idempotency_key_reused"`)
	var paid payment.Payment
	if err := json.Unmarshal([]byte(first.Body), &paid); err != nil {
		t.Fatal(err)
	}
	got := invoke("GET", first.Headers["Location"], "", bearer...)
	is("reading it", got, 200, paid.ID)
	is("reading it unchanged", invoke("GET", "/v1/payments/"+paid.ID, "", append(bearer, "if-none-match", got.Headers["Etag"])...), 304)
	is("a stream", invoke("GET", "/v1/events/stream", "", append(bearer, "accept", "text/event-stream")...), 501, `"streams_unavailable"`)

	balanced(t, s.DB)
	log := s.Log()
	if !strings.Contains(log, `"client_ip":"192.0.2.7"`) || strings.Contains(log, "203.0.113.9") {
		t.Error("who calls is not whom AWS names")
	}
	if strings.Contains(log, "4242424242424242") || strings.Contains(log, "eight-green-bottles") || strings.Contains(log, grant.AccessToken) {
		t.Error("the log has a secret")
	}
}
