package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
)

// statements collects what is asked of the database.
type statements struct {
	mu    sync.Mutex
	texts []string
}

func (s *statements) note(_ context.Context, e db.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.SQL != "" {
		s.texts = append(s.texts, strings.Join(strings.Fields(e.SQL), " "))
	}
}

// taken returns what was collected, and begins anew.
func (s *statements) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	texts := s.texts
	s.texts = nil
	return texts
}

// graph asks a document, which must be answered without an error.
func graph(t *testing.T, c *ashlartest.Client, query string, into any) {
	t.Helper()
	answer := c.Do(http.MethodPost, "/graphql", string(encoded(t, map[string]string{"query": query})))
	var said struct {
		Data   json.RawMessage `json:"data"`
		Errors json.RawMessage `json:"errors"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &said); err != nil || said.Errors != nil {
		t.Fatalf("%s is answered %d %s (%v)", query, answer.Code, answer.Body, err)
	}
	if err := json.Unmarshal(said.Data, into); err != nil {
		t.Fatal(err)
	}
}

// TestTheRefundsOfAllPaymentsAreOneQuery counts: a page of payments with their
// refunds is two queries, however many payments are on it.
func TestTheRefundsOfAllPaymentsAreOneQuery(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	var asked statements
	app.DB.Watch(asked.note)
	s := use(t, app)

	const few, many = 2, 12
	want := map[string][]string{}
	for n := range many {
		p := ashlartest.Call[payment.Payment](s.shop.Key(fmt.Sprint("pay-", n)), "payments.authorize", order(captured)).OK()
		want[p.ID] = []string{}
		for i := range n % 3 {
			r := ashlartest.Call[payment.Refund](s.shop, "payments.refund", payment.Return{ID: p.ID, Amount: int64(i + 1)}).OK()
			want[p.ID] = slices.Insert(want[p.ID], 0, r.ID) // newest first
		}
	}
	for _, n := range []int{few, many} {
		asked.taken()
		var page struct {
			List struct {
				Nodes []struct {
					ID      string
					Refunds []struct{ ID, Payment string }
				}
			} `json:"paymentsList"`
		}
		graph(t, s.shop, fmt.Sprintf(`{ paymentsList(first: %d) { nodes { id refunds(first: 5) { id payment: payment_id } } } }`, n), &page)
		if queries := asked.taken(); len(queries) != 2 {
			t.Errorf("%d payments with their refunds took %d queries, want 2:\n%s", n, len(queries), strings.Join(queries, "\n"))
		}
		if len(page.List.Nodes) != n {
			t.Fatalf("%d payments were answered, want %d", len(page.List.Nodes), n)
		}
		for _, p := range page.List.Nodes {
			var got []string
			for _, r := range p.Refunds {
				got = append(got, r.ID)
				if r.Payment != p.ID {
					t.Errorf("the payment %s has the refund %s of %s", p.ID, r.ID, r.Payment)
				}
			}
			if !slices.Equal(got, want[p.ID]) {
				t.Errorf("the payment %s has the refunds %v, want %v", p.ID, got, want[p.ID])
			}
		}
	}
}

// TestARelationShowsNoMoreThanREST asks for refunds of payments as those who may
// see none: the relation is held to its own permission and to its caller's
// merchant, whatever led to it.
func TestARelationShowsNoMoreThanREST(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := ashlartest.Call[payment.Payment](s.shop.Key("one"), "payments.authorize", order(captured)).OK()
	r := ashlartest.Call[payment.Refund](s.shop, "payments.refund", payment.Return{ID: p.ID, Amount: 1}).OK()

	query := string(encoded(t, map[string]string{"query": fmt.Sprintf(`{ paymentsGet(id: %q) { id refunds { id } } }`, p.ID)}))
	for name, c := range map[string]struct {
		client *ashlartest.Client
		sees   bool
	}{"its merchant": {s.shop, true}, "support": {s.support, true}, "another merchant": {s.rival, false}, "nobody": {s.Anonymous(), false}} {
		if got := c.client.Do(http.MethodPost, "/graphql", query).Body.String(); strings.Contains(got, r.ID) != c.sees {
			t.Errorf("%s is answered %s", name, got)
		}
	}
	// What would be asked if somebody else's payment led there.
	rival := access.With(t.Context(), s.Policy.Principal("usr_rival", demoRival, merchant.RoleMerchant))
	found, err := payment.New(payment.Config{DB: s.DB}).RefundsOf(rival, []string{p.ID}, 5)
	if err != nil || len(found) > 0 {
		t.Errorf("a rival is told of %v (%v)", found, err)
	}
	if got := s.shop.Do(http.MethodGet, "/payments.payment.refunds?keys="+p.ID, ""); got.Code != http.StatusNotFound {
		t.Errorf("from outside the relation is answered %d %s", got.Code, got.Body)
	}
}
