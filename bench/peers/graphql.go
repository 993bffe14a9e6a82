package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/bench/peers/load"
	"github.com/ashlar-go/ashlar/bench/peers/shop"
)

// The workloads of the comparison in GraphQL. Each has the same by REST behind
// it.
const (
	workEntries     = "GraphQL list of 10"
	workEntriesREST = "REST list of 10"
	workStored      = "GraphQL list of 10 from SQLite"
	workStoredREST  = "REST list of 10 from SQLite"
)

// pageSize is how many entries are asked for, by a variable.
const pageSize = 10

// The documents that are measured.
const (
	entriesDocument = `query Entries($n: Int!) { paymentsRecent(first: $n) { nodes { id amount currency status reference } } }`
	storedDocument  = `query Entries($n: Int!) { paymentsList(first: $n) { nodes { id amount currency status reference } } }`
)

// question is the body of a request for a document.
func question(document string, variables map[string]any) string {
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		panic(err) // texts and numbers
	}
	return string(body)
}

func entriesQuestion(document string) string {
	return question(document, map[string]any{"n": pageSize})
}

func graphqlWorkloads() []workload {
	ask := func(document string) func(string) load.Call {
		return func(token string) load.Call {
			return load.NewCall("POST", "/graphql", http.StatusOK, entriesQuestion(document), "Authorization", "Bearer "+token)
		}
	}
	get := func(path string) func(string) load.Call {
		return func(token string) load.Call {
			return load.NewCall("GET", path, http.StatusOK, "", "Authorization", "Bearer "+token)
		}
	}
	return []workload{
		{workEntries, false, ask(entriesDocument)},
		{workEntriesREST, false, get(fmt.Sprintf("/v1/recent?limit=%d", pageSize))},
		{workStored, true, ask(storedDocument)},
		{workStoredREST, true, get(fmt.Sprintf("/v1/payments?limit=%d", pageSize))},
	}
}

// workloads are those of the comparison.
func (o options) workloads() []workload {
	if o.graphql {
		return graphqlWorkloads()
	}
	return workloads()
}

// listed are the entries that all peers list first.
func listed(n int) (all []shop.Entry) {
	for i := range n {
		p := shop.Seeded(i)
		all = append(all, shop.EntryOf(&p))
	}
	return all
}

type entryNodes struct {
	Nodes []shop.Entry `json:"nodes"`
}

// query asks for a document with the merchant's token.
func (a *asker) query(ctx context.Context, body string) (answer, error) {
	return a.signed(ctx, "POST", "/graphql", body)
}

// data decodes the data of an answer, in which there is nothing else.
func data[T any](got answer, err error) (v T, _ error) {
	all, err := read[struct {
		Data T `json:"data"`
	}](got, err, http.StatusOK)
	return all.Data, err
}

func graphqlAnswers(ctx context.Context, a *asker) error {
	type recent struct {
		Entries entryNodes `json:"paymentsRecent"`
	}
	for _, n := range []int{1, pageSize, pageSize, 100} { // the second time it may be answered in another way
		got, err := a.query(ctx, question(entriesDocument, map[string]any{"n": n}))
		v, err := data[recent](got, err)
		if err := same(v, err, recent{entryNodes{listed(n)}}); err != nil {
			return fmt.Errorf("a list of %d: %w", n, err)
		}
	}
	type aliased struct {
		A, B entryNodes
	}
	got, err := a.query(ctx, question(`query ($few: Int!, $whole: Boolean!) {
		A: paymentsRecent(first: $few) { ...entries } B: paymentsRecent(first: 3) { ...entries } }
		fragment entries on EntryConnection { nodes { id ... @include(if: $whole) { amount currency } status: status } }`,
		map[string]any{"few": 2, "whole": true}))
	want := listed(3)
	for i := range want {
		want[i].Reference = ""
	}
	v, err := data[aliased](got, err)
	if err := same(v, err, aliased{entryNodes{want[:2]}, entryNodes{want}}); err != nil {
		return fmt.Errorf("aliases, fragments and directives: %w", err)
	}
	return entriesByREST(ctx, a)
}

// entriesByREST asks for the same by REST, the second page by the first one's
// cursor.
func entriesByREST(ctx context.Context, a *asker) error {
	after := ""
	for page := range 2 {
		got, err := a.signed(ctx, "GET", fmt.Sprintf("/v1/recent?limit=%d%s", pageSize, after), "")
		list, err := read[shop.EntryPage](got, err, http.StatusOK)
		if err := same(list.Data, err, listed(2 * pageSize)[page*pageSize:][:pageSize]); err != nil {
			return fmt.Errorf("REST: %w", err)
		}
		if !list.HasMore || list.NextCursor == "" {
			return fmt.Errorf("REST: more %t, cursor %q", list.HasMore, list.NextCursor)
		}
		after = "&cursor=" + list.NextCursor
	}
	return nil
}

func graphqlStored(ctx context.Context, a *asker) error {
	type stored struct {
		Entries entryNodes `json:"paymentsList"`
	}
	got, err := a.query(ctx, entriesQuestion(storedDocument))
	v, err := data[stored](got, err)
	return same(v, err, stored{entryNodes{listed(pageSize)}})
}

// refused fails unless a request was refused: by its status, or by errors
// without data, as GraphQL over HTTP has both.
func refused(got answer, err error) error {
	if err != nil {
		return err
	}
	if got.status >= http.StatusBadRequest && got.status < http.StatusInternalServerError {
		return nil
	}
	var said struct {
		Data   map[string]any
		Errors []struct{ Message string }
	}
	if err := json.Unmarshal(got.body, &said); err != nil {
		return fmt.Errorf("answered %d %.200s: %w", got.status, got.body, err)
	}
	for _, v := range said.Data {
		if v != nil {
			return fmt.Errorf("answered %d %.200s", got.status, got.body)
		}
	}
	if got.status != http.StatusOK || len(said.Errors) == 0 || said.Errors[0].Message == "" {
		return fmt.Errorf("answered %d %.200s", got.status, got.body)
	}
	return nil
}

func invalidDocuments(ctx context.Context, a *asker) error {
	n := map[string]any{"n": pageSize}
	for _, body := range []string{
		question(`query Entries($n: Int!) { paymentsRecent(first: $n) { nodes { id `, n),
		question(strings.Replace(entriesDocument, "reference", "colour", 1), n),
		question(strings.Replace(entriesDocument, "paymentsRecent", "paymentsOldest", 1), n),
		question(strings.Replace(entriesDocument, "first:", "last:", 1), n),
		question(strings.Replace(entriesDocument, "{ nodes { id amount currency status reference } }", "", 1), n),
		question(strings.Replace(entriesDocument, "id amount", "id { amount }", 1), n),
		question(strings.Replace(entriesDocument, "Int!", "String!", 1), map[string]any{"n": "10"}),
		question(entriesDocument, map[string]any{"n": "ten"}),
		question(entriesDocument, map[string]any{"n": 1.5}),
		question(entriesDocument, nil),
		question(entriesDocument, map[string]any{"n": 0}),
		question(entriesDocument, map[string]any{"n": 101}),
		question("", nil),
		`{"query":`,
		`[]`,
	} {
		got, err := a.query(ctx, body)
		if err := refused(got, err); err != nil {
			return fmt.Errorf("%.120s: %w", body, err)
		}
	}
	return nil
}

// nested is a document with fields so many levels deep.
func nested(levels int) string {
	inner := levels - len([]string{"categories", "name"})
	return "{ categories {" + strings.Repeat(" within {", inner) + " name" + strings.Repeat(" }", inner) + " } }"
}

func deepDocument(ctx context.Context, a *asker) error {
	got, err := a.query(ctx, question(nested(shop.MaxDepth/2), nil))
	if _, err := data[map[string]any](got, err); err != nil {
		return fmt.Errorf("half as deep as may be: %w", err)
	}
	for _, document := range []string{
		nested(shop.MaxDepth * 2),
		"query { categories { ...a } } fragment a on Category {" + strings.Repeat(" within {", shop.MaxDepth*2) + " name" + strings.Repeat(" }", shop.MaxDepth*2) + " }",
	} {
		got, err := a.query(ctx, question(document, nil))
		if err := refused(got, err); err != nil {
			return fmt.Errorf("deeper than may be: %w", err)
		}
	}
	return nil
}

func graphqlRefuses(token func(tokens) string) func(context.Context, *asker) error {
	return func(ctx context.Context, a *asker) error {
		documents := []string{entriesDocument}
		if !a.server.NoDatabase {
			documents = append(documents, storedDocument)
		}
		for _, document := range documents {
			var header []string
			if t := token(a.tokens); t != "" {
				header = []string{"Authorization", "Bearer " + t}
			}
			got, err := a.ask(ctx, "POST", "/graphql", entriesQuestion(document), header...)
			if err := refused(got, err); err != nil {
				return err
			}
			if slices.Contains([]int{http.StatusOK, http.StatusUnauthorized, http.StatusForbidden}, got.status) {
				continue
			}
			return fmt.Errorf("answered %d", got.status)
		}
		return nil
	}
}

// schemaHidden: nobody shows the schema in production. Some say so, and some
// leave out what was asked for.
func schemaHidden(ctx context.Context, a *asker) error {
	got, err := a.query(ctx, question(`{ __schema { types { name } } }`, nil))
	if err == nil && (got.status >= http.StatusInternalServerError || bytes.Contains(got.body, []byte("EntryConnection"))) {
		err = fmt.Errorf("answered %d %.200s", got.status, got.body)
	}
	return err
}

func graphqlBodyLimit(ctx context.Context, a *asker) error {
	got, err := a.query(ctx, question(entriesDocument+" #"+strings.Repeat("a", shop.MaxBody), map[string]any{"n": pageSize}))
	if closed := new(net.OpError); errors.As(err, &closed) {
		return nil // the connection was closed while the body was sent
	}
	return refused(got, err)
}
