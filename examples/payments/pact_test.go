package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/contract/pact"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/internal/nodejs"
)

const pacts = "testdata/pact/pacts"

// TestPacts holds the service to what its consumers expect. They recorded it
// with the official JavaScript library, in versions 2, 3 and 4.
func TestPacts(t *testing.T) {
	t.Parallel()
	c := provider(t, open(t))
	c.Sources = []pact.Source{pact.Folder(pacts)}
	pact.Test(t, c)
	results, err := pact.Verify(t.Context(), c)
	if err != nil || len(results) != 8 {
		t.Errorf("%d interactions were verified (%v)", len(results), err)
	}
}

// TestBrokenPacts breaks what each consumer expects in one place, and looks
// for the interaction, the place and the matcher in what is said of it.
func TestBrokenPacts(t *testing.T) {
	t.Parallel()
	c := provider(t, open(t))
	for _, b := range []struct{ file, from, to, want string }{
		{"web", `"reference": "order-3",
            "refunded_amount"`, `"reference": "order-3",
            "refunded_sum"`, "web: a request for the payment, given an authorised payment\n\tbody at $.refunded_sum: expected 0, got nothing"},
		{"web", `"regex": ".*/card-declined"`, `"regex": ".*/card-refused"`, "web: an order whose card is declined\n\tbody at $.type: expected a text that matches as a whole (matcher regex .*/card-refused), got "},
		{"web", `"status": 402`, `"status": 422`, "web: an order whose card is declined\n\tstatus: expected 422, got 402"},
		{"web", `"type": "payment.captured"`, `"type": "payment.taken"`, "web: an event of a captured payment, given a captured payment\n\tcontents at $.type: expected \"payment.taken\", got \"payment.captured\""},
		{"web", `"name": "an authorised payment"`, `"name": "a paid payment"`, "web: a request for the payment, given a paid payment\n\tcannot be verified: no setup is given for the state \"a paid payment\""},
		{"support", `"match": "datetime"`, `"match": "boolean"`, "support: a refund of a part, given a captured payment\n\tbody at $.created_at: expected true or false (matcher boolean), got \"20"},
		{"support", `"amount": 500,
          "created_at"`, `"amount": 501,
          "created_at"`, "support: a refund of a part, given a captured payment\n\tbody at $.amount: expected 501, got 500"},
		{"support-feed", `"refunded_amount": 2500`, `"refunded_amount": "2500"`, "support-feed: an event of a refunded payment, given a refunded payment\n\tcontents at $.data.refunded_amount: expected a value of the type of \"2500\" (matcher type), got 2500"},
		{"legacy", `"min": 1`, `"min": 2`, "legacy: a request for any payments, given a payment\n\tbody at $.data: expected at least 2 items (matcher type min 2), got [{"},
		{"legacy", `"regex": "[a-z_]+"`, `"regex": "(?!x)[a-z_]+"`, "legacy: a request for any payments, given a payment\n\tcannot be verified: response: the matcher of $.body.data[*].status: the regex"},
	} {
		text, err := os.ReadFile(filepath.Join(pacts, b.file+"-payments.json"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, []byte(b.from)) {
			t.Errorf("%s has no %s", b.file, b.from)
			continue
		}
		broken := filepath.Join(t.TempDir(), "broken.json")
		if err := os.WriteFile(broken, bytes.ReplaceAll(text, []byte(b.from), []byte(b.to)), 0o600); err != nil {
			t.Fatal(err)
		}
		c.Sources = []pact.Source{pact.Folder(broken)}
		results, err := pact.Verify(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		for _, r := range results {
			if !r.Passed() {
				fmt.Fprintln(&said, r)
			}
		}
		if !strings.Contains(said.String(), b.want) {
			t.Errorf("%s with %s:\n%s\nsays nothing of\n%s", b.file, b.to, &said, b.want)
		}
	}
}

// TestPactsAreAsRecorded records them again with the official library, which
// npm installs. Without it the test is skipped, unless ASHLAR_TEST_STRICT says
// that nothing may be.
func TestPactsAreAsRecorded(t *testing.T) {
	t.Parallel()
	missing := func(err error) {
		if os.Getenv("ASHLAR_TEST_STRICT") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing(fmt.Errorf("Node.js is missing, which runs the official library: %w", err))
	}
	folder, err := nodejs.Installed("pact", "testdata/pact", "record.mjs")
	if err != nil {
		missing(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	again := t.TempDir()
	cmd := exec.CommandContext(ctx, node, filepath.Join(folder, "record.mjs"), again)
	cmd.Dir, cmd.WaitDelay = again, 10*time.Second
	cmd.Env = append(os.Environ(), "PACT_DO_NOT_TRACK=true") // nobody is told of a test
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("record: %v\n%s", err, out)
	}
	for _, consumer := range []string{"web", "support", "support-feed", "legacy"} {
		var files [2]string
		for i, dir := range []string{pacts, again} {
			text, err := os.ReadFile(filepath.Join(dir, consumer+"-payments.json"))
			if err != nil {
				t.Fatal(err)
			}
			files[i] = string(text)
		}
		if files[0] != files[1] {
			t.Errorf("%s/%s-payments.json is not what record.mjs records: copy it from what it writes", pacts, consumer)
		}
	}
	c := provider(t, open(t))
	c.Sources = []pact.Source{pact.Folder(again)}
	pact.Test(t, c)
}

// provider is the service as a provider that is verified: a merchant's key
// signs the requests, and states are made through its own operations.
func provider(t *testing.T, s service) pact.Config {
	t.Helper()
	_, shop := s.person(t, merchant.RoleMerchant, demoShop)
	key := apiKeyOf(shop, payment.Read, payment.Write, payment.WriteRefunds, payment.ReadEvents).Key
	keyed := func(key string) *ashlartest.Client { return s.shop.Key(key) }
	made := func(params map[string]any, spoil ...func(*payment.Authorize)) payment.Payment {
		in := order(spoil...)
		if amount, ok := params["amount"].(float64); ok {
			in.Amount = int64(amount)
		}
		if reference, ok := params["reference"].(string); ok {
			in.Reference = reference
		}
		return pay(keyed(id.New("")), "payments.authorize", in).OK()
	}
	state := func(spoil ...func(*payment.Authorize)) pact.Setup {
		return func(_ context.Context, params map[string]any) (map[string]any, error) {
			return map[string]any{"id": made(params, spoil...).ID}, nil
		}
	}
	noted := func(in *payment.Authorize) { in.Metadata = map[string]payment.Note{"shelf": "9"} }
	last := func(kind payment.EventType) func(context.Context) (pact.Message, error) {
		return func(context.Context) (pact.Message, error) {
			var feed struct{ Data []json.RawMessage } // the events as they are sent
			answer := s.shop.Do(http.MethodGet, "/v1/events?limit=100", "")
			if err := json.Unmarshal(answer.Body.Bytes(), &feed); err != nil {
				return pact.Message{}, fmt.Errorf("%d: %w", answer.Code, err)
			}
			for _, text := range slices.Backward(feed.Data) {
				var e payment.Event
				if err := json.Unmarshal(text, &e); err != nil {
					return pact.Message{}, err
				}
				if e.Type == kind {
					return pact.Message{Contents: text, Metadata: map[string]any{"contentType": "application/json", "content-type": "application/json"}}, nil
				}
			}
			return pact.Message{}, errors.New("no such event")
		}
	}
	var sent int
	return pact.Config{
		Provider: "payments",
		Handler:  s.Handler(),
		Prepare: func(r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+key)
			if r.Header.Get("Idempotency-Key") != "" {
				sent++ // the same interaction is verified more than once
				r.Header.Set("Idempotency-Key", fmt.Sprint("pact-", sent))
			}
			return nil
		},
		States: map[string]pact.Setup{
			"a payment":             state(),
			"an authorised payment": state(noted),
			"a captured payment":    state(captured),
			"a refunded payment": func(context.Context, map[string]any) (map[string]any, error) {
				p := made(map[string]any{"amount": 2500.0}, captured)
				refund(keyed(id.New("")), "payments.refund", payment.Return{ID: p.ID}).OK()
				return map[string]any{"id": p.ID}, nil
			},
		},
		Messages: map[string]func(context.Context) (pact.Message, error){
			"an event of a captured payment": last(payment.EventType(payment.WasCaptured)),
			"an event of a refunded payment": last(payment.EventType(payment.WasRefunded)),
		},
	}
}
