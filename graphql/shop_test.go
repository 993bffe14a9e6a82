package graphql_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
	"github.com/ashlar-go/ashlar/rule"
	"github.com/ashlar-go/ashlar/serve"
)

type state string

const (
	open   state = "open"
	closed state = "closed"
)

func (s *state) Rules(r *rule.Set) { rule.OneOf(r, s, open, closed) }

type card struct {
	Brand string `json:"brand"`
	Last4 string `json:"last4"`
}

func (c *card) Rules(r *rule.Set) { rule.Text(r, &c.Brand).Len(2, 10) }

type bill struct {
	ID       string            `json:"id"`
	Amount   int64             `json:"amount"`
	State    state             `json:"state"`
	Note     *string           `json:"note"`
	Card     card              `json:"card"`
	Tags     []string          `json:"tags"`
	Metadata map[string]string `json:"metadata"`
	Made     time.Time         `json:"made"`
	Ratio    float64           `json:"ratio"`
	Lines    []card            `json:"lines,omitzero"`
}

type byID struct {
	ID string `json:"id"`
}

type listBills struct {
	op.Paging

	State state `json:"state,omitzero"`
}

type draft struct {
	Amount int64    `json:"amount"`
	State  state    `json:"state,omitzero"`
	Card   card     `json:"card"`
	Tags   []string `json:"tags,omitzero"`
	Note   *string  `json:"note"`
}

func (d *draft) Rules(r *rule.Set) {
	rule.Number(r, &d.Amount).Between(1, 99_999_999_999)
}

const (
	errBill fault.NotFound    = "bill_not_found"
	read    access.Permission = "bills:read"
	secret                    = "4242424242424242"
)

// shop is a handful of operations that need no database.
type shop struct {
	operations []op.Operation
	handler    http.Handler
	calls      atomic.Int64
}

func billOf(id string) bill {
	n, _ := strconv.Atoi(strings.TrimPrefix(id, "bill_"))
	b := bill{
		ID: id, Amount: 5_000_000_000 + int64(n), State: open, Card: card{"visa", "4242"}, Tags: []string{"a", `b"c`},
		Metadata: map[string]string{"k": "v"}, Made: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Ratio: 0.5,
	}
	if n%2 == 0 {
		note := "even ☃"
		b.Note, b.State, b.Lines = &note, closed, []card{{"amex", "1"}, {"visa", "2"}}
	}
	return b
}

func newShop(t testing.TB) *shop {
	t.Helper()
	s := &shop{}
	s.operations = []op.Operation{
		op.Query("bills.get", "GET /bills/{id}", func(_ context.Context, in byID) (bill, error) {
			s.calls.Add(1)
			switch in.ID {
			case "missing":
				return bill{}, errBill.Because("There is no such bill.")
			case "broken":
				return bill{}, errors.New("the database at 10.0.0.7 is gone")
			case "wild":
				b := billOf("bill_1")
				b.State = "unheard-of"
				return b, nil
			case "panics":
				panic("inside")
			}
			return billOf(in.ID), nil
		}, op.Public(), op.Cache(5*time.Second), op.Fails(errBill)),
		op.Query("bills.list", "GET /bills", func(_ context.Context, in listBills) (op.Page[bill], error) {
			s.calls.Add(1)
			from, err := in.Cursor.Key()
			if err != nil {
				return op.Page[bill]{}, err
			}
			start, _ := strconv.Atoi(from)
			var rows []bill
			for i := start; i < 50 && len(rows) <= in.Size(); i++ {
				rows = append(rows, billOf("bill_"+strconv.Itoa(i+1)))
			}
			return op.PageOf(rows, in.Size(), func(b bill) string { return strings.TrimPrefix(b.ID, "bill_") }), nil
		}, op.Public(), op.Fails(op.ErrCursor)),
		op.Query("bills.private", "GET /private", func(context.Context, struct{}) (bill, error) {
			s.calls.Add(1)
			return billOf("bill_1"), nil
		}, op.Allow(read)),
		op.Command("bills.create", "POST /bills", func(_ context.Context, in draft) (bill, error) {
			s.calls.Add(1)
			b := billOf("bill_7")
			b.Amount, b.Card, b.Tags, b.Note = in.Amount, in.Card, in.Tags, in.Note
			return b, nil
		}, op.Public(), op.Created("/bills/{id}")),
		op.Command("bills.delete", "DELETE /bills/{id}", func(context.Context, byID) (struct{}, error) {
			s.calls.Add(1)
			return struct{}{}, nil
		}, op.Public(), op.Deprecated(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{})),
		op.Query("bills.file", "GET /file", func(context.Context, struct{}) (op.File, error) {
			return op.File{Body: strings.NewReader("x")}, nil
		}, op.Public()),
	}
	mux := &serve.Mux{}
	cfg := rest.Config{Policy: &access.Policy{}, Authenticate: func(r *http.Request) (access.Principal, error) {
		if r.Header.Get("Authorization") == "" {
			return access.Principal{}, nil
		}
		return access.Principal{ID: "somebody"}, nil // who may nothing
	}}
	for _, o := range s.operations {
		h, err := rest.New(o, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := mux.Handle(o.Spec().Pattern(), h); err != nil {
			t.Fatal(err)
		}
	}
	s.handler = serve.Observe(mux, serve.Observer{})
	return s
}

// endpoint is the shop's GraphQL, with the schema shown.
func (s *shop) endpoint(t testing.TB, cfg graphql.Config) *graphql.Handler {
	t.Helper()
	h, err := graphql.New(s.operations, s.handler, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

const own = "application/graphql-response+json"

// post sends a document and returns the answer.
func post(t testing.TB, h http.Handler, body any, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	text, isText := body.(string)
	if !isText {
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(encoded)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", strings.NewReader(text))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", own)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	serve.Observe(h, serve.Observer{}).ServeHTTP(w, r)
	return w
}

type object = map[string]any

// ask sends a query with variables and returns what was answered, as it is.
func ask(t testing.TB, h http.Handler, query string, variables object, headers ...string) string {
	t.Helper()
	w := post(t, h, object{"query": query, "variables": variables}, headers...)
	if !json.Valid(w.Body.Bytes()) {
		t.Fatalf("%s\nis answered %d with what is no JSON:\n%s", query, w.Code, w.Body)
	}
	return w.Body.String()
}
