package swaggerui_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/chromium"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/openapi"
	"github.com/ashlar-go/ashlar/openapi/swaggerui"
	"github.com/ashlar-go/ashlar/rest"
	"github.com/ashlar-go/ashlar/rule"
	"github.com/ashlar-go/ashlar/serve"
)

const (
	read  access.Permission = "payments:read"
	write access.Permission = "payments:write"

	errPayment fault.NotFound = "payment_not_found"
)

type byID struct {
	ID string `json:"id"`
}

func (in *byID) Rules(r *rule.Set) { rule.Text(r, &in.ID).Len(1, 40) }

type order struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

func (in *order) Rules(r *rule.Set) {
	rule.Number(r, &in.Amount).Between(1, 100_00)
	rule.OneOf(r, &in.Currency, "EUR", "GBP")
}

type payment struct {
	ID     string `json:"id"`
	Amount int64  `json:"amount"`
}

func find(_ context.Context, in byID) (payment, error) {
	if in.ID != "pay_1" {
		return payment{}, errPayment
	}
	return payment{ID: in.ID, Amount: 20_00}, nil
}

func authorize(_ context.Context, in order) (payment, error) {
	return payment{ID: "pay_2", Amount: in.Amount}, nil
}

// site is a small app as it is served, with Swagger UI beside its document.
func site(t *testing.T) http.Handler {
	t.Helper()
	operations := []op.Operation{
		op.Query("payments.get", "GET /v1/payments/{id}", find, op.Allow(read), op.Fails(errPayment)),
		op.Command("payments.authorize", "POST /v1/payments", authorize, op.Allow(write)),
	}
	doc, err := openapi.Document(openapi.Info{Title: "Shop", Version: "1.0.0"}, operations)
	if err != nil {
		t.Fatal(err)
	}
	policy := &access.Policy{}
	policy.GrantAll("owner")
	cfg := rest.Config{Policy: policy, Authenticate: func(r *http.Request) (access.Principal, error) {
		if r.Header.Get("Authorization") != "Bearer good" {
			return access.Principal{}, fault.ErrUnauthenticated
		}
		return policy.Principal("usr_1", "acc_1", "owner"), nil
	}}
	mux := &serve.Mux{}
	handle := func(pattern string, h http.Handler) {
		if err := mux.Handle(pattern, h); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range operations {
		h, err := rest.New(o, cfg)
		if err != nil {
			t.Fatal(err)
		}
		handle(o.Spec().Pattern(), h)
	}
	ui := swaggerui.Handler("/swagger", "/openapi.json")
	handle("GET /swagger", ui)
	handle("GET /swagger/{asset}", ui)
	handle("GET /openapi.json", openapi.Serve(doc, "application/json"))
	return serve.Observe(mux, serve.Observer{})
}

// TestSwaggerUIWorksInABrowser draws a document in Chromium under the strict
// policy in both colour schemes and at two widths, and uses it. It fails on
// anything that a console would show in red, a violation of the policy first
// of all, and on a request to another host. With ASHLAR_TEST_SCREENSHOTS it
// leaves pictures in that folder.
func TestSwaggerUIWorksInABrowser(t *testing.T) {
	t.Parallel()
	b := chromium.Start(t)
	server := httptest.NewServer(site(t))
	t.Cleanup(server.Close)

	check := func(what string, expected ...string) {
		t.Helper()
		for _, text := range b.Complaints() {
			if len(expected) == 0 || !strings.Contains(text, expected[0]) {
				t.Errorf("%s: %s", what, text)
			}
		}
		asked := b.Requests()
		if len(asked) == 0 {
			t.Errorf("%s: the browser noted no request", what)
		}
		for _, url := range asked {
			if !strings.HasPrefix(url, server.URL+"/") && !strings.HasPrefix(url, "data:") && url != "about:blank" {
				t.Errorf("%s: the page asks %s", what, url)
			}
		}
	}
	const operations = `document.querySelectorAll('.opblock').length === 2`
	for _, width := range []int{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			what := fmt.Sprintf("%s-%d", scheme, width)
			b.Open(server.URL+"/swagger", width, 900, scheme)
			b.Until(operations)
			b.Run(`document.fonts.ready.then(() => true)`)
			if wide := b.Run(`document.documentElement.scrollWidth`); wide.(float64) > float64(width) {
				t.Errorf("%s: the page is %v wide", what, wide)
			}
			if errors := b.Run(`document.querySelectorAll('.errors-wrapper').length`); errors != 0.0 {
				t.Errorf("%s: Swagger UI finds fault with the document", what)
			}
			check(what)
			if folder := os.Getenv("ASHLAR_TEST_SCREENSHOTS"); folder != "" {
				b.Screenshot(filepath.Join(folder, "swagger-"+what+".png"))
			}
		}
	}

	b.Open(server.URL+"/swagger", 1280, 1600, "light")
	b.Until(operations)
	b.Run(`document.querySelector('.opblock-get .opblock-summary-control').click()`)
	b.Until(`document.querySelector('.opblock-get .execute')`)
	check("an operation is opened")
	// React sees what is typed only through its own setter, and this input
	// passes it on when it is left.
	fill := func(field, text string) {
		t.Helper()
		b.Until("document.querySelector('" + field + "')")
		b.Run(`(() => {
			const field = document.querySelector('` + field + `');
			field.focus();
			Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(field, '` + text + `');
			field.dispatchEvent(new Event('input', {bubbles: true}));
			field.blur();
		})()`)
	}
	send := func(status string) string {
		t.Helper()
		fill(".opblock-get .parameters input", "pay_1")
		b.Run(`document.querySelector('.opblock-get .execute').click()`)
		b.Until(`document.querySelector('.opblock-get .live-responses-table tbody')?.innerText.includes('` + status + `')`)
		return b.Run(`document.querySelector('.opblock-get .live-responses-table').innerText`).(string)
	}
	if got := send("401"); !strings.Contains(got, "unauthenticated") {
		t.Errorf("without a token: %q", got)
	}
	check("a refusal", "401 (Unauthorized)") // an answer that browsers report in red all the same

	b.Run(`document.querySelector('.btn.authorize').click()`)
	b.Until(`document.querySelector('.modal-ux input')`)
	fill(".modal-ux input", "good")
	b.Run(`document.querySelector('.modal-ux button[type=submit]').click()`)
	b.Until(`document.querySelector('.modal-ux .btn-done')`)
	b.Run(`document.querySelector('.modal-ux .btn-done').click()`)
	if got := send("200"); !strings.Contains(got, `"pay_1"`) {
		t.Errorf("with a token: %q", got)
	}
	check("a request that is tried out")
	if kept := b.Run(`localStorage.length + sessionStorage.length + document.cookie.length`); kept != 0.0 {
		t.Error("the token is kept beyond the page's memory")
	}
	if folder := os.Getenv("ASHLAR_TEST_SCREENSHOTS"); folder != "" {
		b.Screenshot(filepath.Join(folder, "swagger-tried.png"))
	}
}
