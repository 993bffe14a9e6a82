package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/internal/sse"
)

// TestEventsArriveOverGraphQL: a subscription gets what its caller may see, over
// both protocols, and goes on where it was.
func TestEventsArriveOverGraphQL(t *testing.T) {
	t.Parallel()
	s := open(t)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	_, owner := s.person(t, merchant.RoleMerchant, demoShop)
	key := apiKeyOf(owner, payment.ReadEvents).Key
	pay(s.shop, "payments.authorize", order()).OK()
	seen := events(s.shop, "events.list", nil).OK().Data[0].ID
	subscription := func(after string) string {
		return `{"query":"subscription { eventsStream { id type payment_id } }","extensions":{"after":"` + after + `"}}`
	}

	w := dialGraphQL(t, server.URL, key)
	w.send(t, `{"type":"subscribe","id":"1","payload":`+subscription(seen)+`}`)
	feed := listenGraphQL(t, server.URL, key, subscription(seen))
	pay(s.rival, "payments.authorize", order()).OK()
	p := pay(s.shop, "payments.authorize", order()).OK()
	var overSSE feedResult
	e, err := feed.Next()
	if err != nil || e.Type != "next" || json.Unmarshal([]byte(e.Data), &overSSE) != nil || e.ID != overSSE.Extensions.ID {
		t.Fatalf("%+v %v", e, err)
	}
	overSocket := w.next(t)
	if overSSE != overSocket || overSSE.Data.Event.PaymentID != p.ID || overSSE.Extensions.ID != overSSE.Data.Event.ID {
		t.Errorf("server-sent %+v, on the socket %+v, want one of %s", overSSE, overSocket, p.ID)
	}

	second := pay(s.shop, "payments.authorize", order()).OK()
	again := listenGraphQL(t, server.URL, key, subscription(overSSE.Extensions.ID))
	if e, err := again.Next(); err != nil || !strings.Contains(e.Data, second.ID) {
		t.Errorf("after %s came %+v %v, want one of %s", overSSE.Extensions.ID, e, err, second.ID)
	}
}

// feedResult is what a subscription sends.
type feedResult struct {
	Data struct {
		Event struct {
			ID        string `json:"id"`
			Type      string `json:"type"`
			PaymentID string `json:"payment_id"`
		} `json:"eventsStream"`
	} `json:"data"`
	Extensions struct {
		ID string `json:"id"`
	} `json:"extensions"`
}

func listenGraphQL(t *testing.T, url, key, body string) *sse.Reader {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/graphql", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer " + key}, "Content-Type": {"application/json"}, "Accept": {"text/event-stream"}}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return sse.NewReader(res.Body)
}

// graphSocket speaks graphql-transport-ws.
type graphSocket struct{ *websocket.Conn }

func dialGraphQL(t *testing.T, url, key string) graphSocket {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), url+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	w := graphSocket{c}
	w.send(t, `{"type":"connection_init","payload":{"authorization":"Bearer `+key+`"}}`)
	if text := w.read(t); text != `{"type":"connection_ack"}` {
		t.Fatal(text)
	}
	return w
}

func (w graphSocket) send(t *testing.T, text string) {
	t.Helper()
	if err := w.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func (w graphSocket) read(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ashlartest.Patience)
	defer cancel()
	_, text, err := w.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (w graphSocket) next(t *testing.T) (r feedResult) {
	t.Helper()
	m := struct {
		Type    string
		Payload *feedResult
	}{Payload: &r}
	if text := w.read(t); json.Unmarshal([]byte(text), &m) != nil || m.Type != "next" {
		t.Fatal(text)
	}
	return r
}
