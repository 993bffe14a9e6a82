package pact_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/contract/pact"
)

// take has a consumer take an event, whose code does so by fn.
func take(t *testing.T, folder string, fn func(pact.Message) error) string {
	t.Helper()
	run := &trial{}
	pact.Consumer(run, "books", "orders", folder).Given("an order", nil).UponReceiving("an order was made").
		WillTake(pact.Event{
			Contents: map[string]any{"id": pact.Regex("ord_.+", "ord_1"), "total": pact.Integer(5), "kind": "made"},
			Metadata: map[string]any{"topic": pact.Like("orders")},
		}, fn)
	return run.end()
}

func TestConsumerRecordsWhatItTakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	said := take(t, dir, func(m pact.Message) error {
		var in map[string]any
		if err := json.Unmarshal(m.Contents, &in); err != nil {
			return err
		}
		if !reflect.DeepEqual(in, map[string]any{"id": "ord_1", "total": 5.0, "kind": "made"}) ||
			!reflect.DeepEqual(m.Metadata, map[string]any{"topic": "orders", "contentType": "application/json"}) {
			return fmt.Errorf("got %s, %v", m.Contents, m.Metadata)
		}
		return nil
	})
	if said != "" {
		t.Fatal(said)
	}
	for name, c := range map[string]struct {
		message pact.Message
		want    string // empty where it keeps the pact
	}{
		"as it is expected": {orderMade(`{"id": "ord_2", "total": 7, "kind": "made", "more": 1}`, "shop"), ""},
		"another id":        {orderMade(`{"id": "2", "total": 7, "kind": "made"}`, "shop"), "contents at $.id: expected a text that matches as a whole (matcher regex ord_.+), got \"2\""},
		"no whole number":   {orderMade(`{"id": "ord_2", "total": 7.5, "kind": "made"}`, "shop"), "contents at $.total: expected a whole number (matcher integer), got 7.5"},
		"another kind":      {orderMade(`{"id": "ord_2", "total": 7, "kind": "paid"}`, "shop"), `contents at $.kind: expected "made", got "paid"`},
		"no topic":          {pact.Message{Contents: []byte(`{"id": "ord_2", "total": 7, "kind": "made"}`), Metadata: map[string]any{"contentType": "application/json"}}, "metadata topic at $: expected"},
	} {
		got := failures(t, pact.Config{
			Provider: "orders", Sources: []pact.Source{pact.Folder(dir)}, States: map[string]pact.Setup{"an order": nowhere},
			Messages: map[string]func(context.Context) (pact.Message, error){
				"an order was made": func(context.Context) (pact.Message, error) { return c.message, nil },
			},
		})
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: said %q, want %q", name, got, c.want)
		}
	}
}

func orderMade(text, topic string) pact.Message {
	return pact.Message{Contents: []byte(text), Metadata: map[string]any{"topic": topic, "contentType": "application/json"}}
}

func TestConsumerThatCannotTakeIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	said := take(t, dir, func(pact.Message) error { return errors.New("no total") })
	if !strings.Contains(said, "an order was made, given an order: the consumer does not take it: no total") {
		t.Error(said)
	}
	if _, err := os.Stat(filepath.Join(dir, "books-orders.json")); err == nil {
		t.Error("a pact was written all the same")
	}
}

// TestTheOfficialVerifierReadsOurMessages as it does our requests.
func TestTheOfficialVerifierReadsOurMessages(t *testing.T) {
	t.Parallel()
	folder, dir := official(t), t.TempDir()
	if said := take(t, dir, func(pact.Message) error { return nil }); said != "" {
		t.Fatal(said)
	}
	messages := `[
		{"id": "ord_2", "total": 7, "kind": "made", "more": 1},
		{"id": "2", "total": 7, "kind": "made"},
		{"id": "ord_2", "total": 7.5, "kind": "made"},
		{"id": "ord_2", "total": 7, "kind": "paid"}
	]`
	out, err := run(t, folder, "messages.mjs", "PACT="+filepath.Join(dir, "books-orders.json"), "MESSAGES="+messages)
	if err != nil || !strings.Contains(out, "\nKEPT [true,false,false,false]\n") {
		t.Errorf("%v:\n%s", err, out)
	}
}
