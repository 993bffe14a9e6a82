package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/examples/payments/internal/hook"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/examples/payments/internal/user"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/internal/input"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// TestEveryOperationAnswersAlikeEverywhere calls every operation as everybody
// over REST, over the socket and over GraphQL: with the least that it takes, of
// which much is refused, and with what ought to succeed. The codes and the broken
// rules are the same.
func TestEveryOperationAnswersAlikeEverywhere(t *testing.T) {
	t.Parallel()
	s := open(t, unlimited()...)
	a := &alike{service: s, t: t, makers: objects(t, s), url: httptest.NewServer(people(s))}
	t.Cleanup(a.url.Close)
	tried, fine := 0, map[string]int{}
	for _, o := range s.Operations() {
		spec := o.Spec()
		if spec.Returns == op.FileBytes || spec.SetsCookies {
			continue // of REST alone
		}
		for _, role := range roles {
			for name, input := range map[string]func(person) any{
				"the least": func(person) any { return inputFor(spec.In) },
				"all":       func(p person) any { return a.succeeding(o, p) },
			} {
				p := a.newcomer(role)
				want, others := a.overREST(p, spec, input(p)), map[string]string{"GraphQL": a.overGraphQL(p, spec, input(p))}
				if role != "nobody" { // to whom the socket does not open
					others["the socket"] = a.overSocket(p, spec, input(p))
				}
				for way, got := range others {
					if got != want {
						t.Errorf("%s as %s with %s: REST says %s, %s %s", spec.Name, role, name, want, way, got)
					}
				}
				tried++
				if want == "fine" {
					fine[spec.Name]++
				}
			}
		}
		if why := neverFine[spec.Name]; (why == "") != (fine[spec.Name] > 0) {
			t.Errorf("%s was fine %d times, although %q", spec.Name, fine[spec.Name], why)
		}
	}
	t.Logf("%d calls were compared, of %d operations that were fine %d times", tried, len(fine), sum(maps.Values(fine)))
}

func sum(all func(func(int) bool)) (n int) {
	for v := range all {
		n += v
	}
	return n
}

// neverFine are operations that nobody here can call with success, and why.
var neverFine = map[string]string{
	"auth.login":        needsAccount,
	"auth.refresh":      needsAccount,
	"auth.password":     needsAccount,
	"auth.totp.enrol":   needsAccount,
	"auth.totp.confirm": needsAccount,
	"auth.totp.remove":  needsAccount,
	"auth.sessions.end": needsAccount,
	"auth.me":           needsAccount,
	"api_keys.create":   needsAccount,
	"api_keys.end":      needsAccount,
}

const needsAccount = "the people of this test have no account and no session"

var roles = []string{"admin", "shop", "rival", "support", "auditor", "nobody"}

// A person calls operations.
type person struct {
	*ashlartest.Client

	tenant, role string
}

// alike calls operations.
type alike struct {
	service

	t      *testing.T
	makers map[string]ashlartest.Object
	url    *httptest.Server
}

// newcomer is somebody of a role, for merchants in whose name nothing was done.
func (a *alike) newcomer(role string) person {
	a.t.Helper()
	switch role {
	case "nobody":
		return person{Client: a.Anonymous()}
	case "admin":
		return person{Client: a.admin, role: merchant.RoleAdmin}
	case "support":
		return person{Client: a.support, role: merchant.RoleSupport}
	case "auditor":
		return person{Client: a.auditor, role: merchant.RoleAuditor}
	}
	tenant := id.New("mer_")
	a.knows(a.t, tenant)
	return person{Client: a.AsRole("usr_"+tenant, tenant, merchant.RoleMerchant), tenant: tenant, role: merchant.RoleMerchant}
}

// people lets requests say whom they are from.
func people(s service) http.Handler {
	h := s.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if role := r.Header.Get("Test-Role"); role != "" {
			tenant := r.Header.Get("Test-Tenant")
			r = r.WithContext(access.With(r.Context(), s.Policy.Principal("usr_"+tenant, tenant, role)))
		}
		h.ServeHTTP(w, r)
	})
}

func (p person) header() http.Header {
	h := http.Header{}
	if p.role != "" {
		h["Test-Role"], h["Test-Tenant"] = []string{p.role}, []string{p.tenant}
	}
	return h
}

// succeeding is an input that ought to be fine for whoever may call: each time
// another one, of which an object was made that it names.
func (a *alike) succeeding(o op.Operation, p person) any {
	a.t.Helper()
	owner := p.Client
	if p.role != merchant.RoleMerchant {
		owner = a.newcomer("shop").Client
	}
	confined := p.tenant != ""
	name := o.Spec().Name
	switch name {
	case "payments.authorize":
		return order(func(in *payment.Authorize) {
			if !confined {
				in.MerchantID = demoShop
			}
		})
	case "webhooks.create":
		in := hook.Subscription{URL: "https://93.184.215.14/", Events: []hook.Filter{"*"}}
		if !confined {
			in.MerchantID = a.newcomerID()
		}
		return in
	case "merchants.get":
		return merchant.ByID{ID: demoShop}
	}
	if m, ok := a.makers[name]; ok && !m.Personal {
		return m.Make(owner)
	}
	return ashlartest.ForOperation(a.t, o, func(in any) {
		sound(in)
		if f := reflect.ValueOf(in).Elem().FieldByName("After"); f.IsValid() {
			f.SetZero() // only the app makes one
		}
		if in, ok := in.(*user.Invite); ok {
			in.Email = id.New("") + "@b.test"
		}
	}).Make()
}

func (a *alike) newcomerID() string { return a.newcomer("shop").tenant }

// inputFor makes an input that has all required members, each of its type and
// not much else.
func inputFor(of *rule.Type) map[string]any {
	in := map[string]any{}
	for _, f := range of.Object.Fields {
		if f.Required {
			in[f.Name] = valueFor(f.Type)
		}
	}
	return in
}

func valueFor(of *rule.Type) any {
	switch {
	case len(of.Enum) > 0:
		return fmt.Sprint(of.Enum[0])
	case of.Kind == rule.Object:
		return inputFor(of)
	case of.Kind == rule.List:
		return []any{valueFor(of.Elem)}
	case of.Kind == rule.Bool:
		return true
	case of.Kind == rule.Int || of.Kind == rule.Uint || of.Kind == rule.Float:
		return 7
	case of.Kind == rule.Time:
		return "2026-01-02T03:04:05Z"
	}
	return "x"
}

// membersOf is an input as JSON has it.
func (a *alike) membersOf(spec *op.Spec, in any) map[string]json.RawMessage {
	a.t.Helper()
	text, err := json.Marshal(in)
	if v := reflect.ValueOf(in); v.Type() == spec.In.Go {
		var encoder *codec.Encoder
		if encoder, err = codec.CompileEncoder(spec.In); err == nil {
			p := reflect.New(v.Type())
			p.Elem().Set(v)
			text, err = encoder.Append(nil, p.Interface())
		}
	}
	members := map[string]json.RawMessage{}
	if err == nil {
		err = json.Unmarshal(text, &members)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return members
}

// answered is what was answered, wherever.
type answered struct {
	Code   string            `json:"code"`
	Errors []fault.Violation `json:"errors"`
}

// verdict is how a call ended: "fine", or the code and the broken rules.
func (got answered) verdict() string {
	if got.Code == "" {
		return "fine"
	}
	for _, v := range got.Errors {
		got.Code += " " + v.Pointer + ":" + v.Code
	}
	return got.Code
}

func (a *alike) overREST(p person, spec *op.Spec, in any) string {
	a.t.Helper()
	target, body, err := input.Place(spec.Path, spec.PathFields, spec.Kind == op.IsCommand, a.membersOf(spec, in))
	if err != nil {
		a.t.Fatal(err)
	}
	if spec.Idempotent > 0 {
		p.Client = p.Key(id.New("rest_"))
	}
	answer := p.Do(spec.Method, target, string(body))
	if answer.Code < 400 {
		return "fine"
	}
	var problem answered
	if err := json.Unmarshal(answer.Body.Bytes(), &problem); err != nil || problem.Code == "" {
		a.t.Fatalf("%s is answered %d %s (%v)", spec.Name, answer.Code, answer.Body, err)
	}
	return problem.verdict()
}

// overSocket calls an operation at /ws, or subscribes to a stream.
func (a *alike) overSocket(p person, spec *op.Spec, in any) string {
	a.t.Helper()
	c, _, err := websocket.Dial(a.t.Context(), a.url.URL+"/ws", &websocket.DialOptions{HTTPHeader: p.header()})
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	message := map[string]any{"type": "call", "id": "1", "op": spec.Name, "input": a.membersOf(spec, in)}
	if spec.Kind == op.IsStream {
		message["type"] = "subscribe"
	}
	if spec.Idempotent > 0 {
		message["key"] = id.New("socket_")
	}
	if err := c.Write(a.t.Context(), websocket.MessageText, encoded(a.t, message)); err != nil {
		a.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(a.t.Context(), ashlartest.Patience)
	defer cancel()
	_, text, err := c.Read(ctx)
	var m struct {
		Type   string          `json:"type"`
		Status int             `json:"status"`
		Data   json.RawMessage `json:"data"`
	}
	if err != nil || json.Unmarshal(text, &m) != nil || m.Type != "answer" && m.Type != "open" && m.Type != "error" {
		a.t.Fatalf("%s is answered %s, %v", spec.Name, text, err)
	}
	if m.Type == "open" || m.Type == "answer" && m.Status < 400 {
		return "fine"
	}
	var problem answered
	if err := json.Unmarshal(m.Data, &problem); err != nil || problem.Code == "" {
		a.t.Fatalf("%s is answered %s (%v)", spec.Name, text, err)
	}
	return problem.verdict()
}

func (a *alike) overGraphQL(p person, spec *op.Spec, in any) string {
	a.t.Helper()
	var arguments []string
	for name, v := range a.membersOf(spec, in) {
		typ := spec.In.Object.Field(name).Type
		if as := map[string]string{"limit": "first", "cursor": "after"}[name]; as != "" && op.ItemOf(spec.Out) != nil {
			name = as
		}
		arguments = append(arguments, name+": "+literal(a.t, typ, v))
	}
	if spec.Idempotent > 0 {
		arguments = append(arguments, `idempotencyKey: "`+id.New("graph_")+`"`)
	}
	query := map[op.Kind]string{op.IsQuery: "query", op.IsCommand: "mutation", op.IsStream: "subscription"}[spec.Kind]
	query += " { it: " + fieldOf(spec.Name)
	if len(arguments) > 0 {
		query += "(" + strings.Join(arguments, ", ") + ")"
	}
	if spec.Returns == op.JSON || spec.Kind == op.IsStream {
		query += " { __typename }"
	}
	body := encoded(a.t, map[string]string{"query": query + " }"})
	if spec.Kind == op.IsStream {
		return a.subscribed(p, string(body))
	}
	answer := p.Do(http.MethodPost, "/graphql", string(body))
	var said result
	if err := json.Unmarshal(answer.Body.Bytes(), &said); err != nil || answer.Code != http.StatusOK || said.Data == nil {
		a.t.Fatalf("%s } is answered %d %s (%v)", query, answer.Code, answer.Body, err)
	}
	return said.verdict()
}

// subscribed is whether a subscription is opened: what refuses it is the first
// event, and what opens it says first when to come back.
func (a *alike) subscribed(p person, body string) string {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.url.URL+"/graphql", strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header = p.header()
	r.Header["Content-Type"], r.Header["Accept"] = []string{"application/json"}, []string{"text/event-stream"}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	begin := make([]byte, len("retry:"))
	if _, err := io.ReadFull(res.Body, begin); err != nil {
		a.t.Fatal(err)
	}
	if string(begin) == "retry:" {
		return "fine"
	}
	rest, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	text := string(begin) + string(rest)
	_, data, _ := strings.Cut(text, "data: ")
	data, _, _ = strings.Cut(data, "\n")
	var said result
	if err := json.Unmarshal([]byte(data), &said); err != nil || len(said.Errors) == 0 {
		a.t.Fatalf("answered %s (%v)", text, err)
	}
	return said.verdict()
}

// result is what GraphQL answers.
type result struct {
	Data   map[string]any `json:"data"`
	Errors []struct {
		Extensions answered `json:"extensions"`
	} `json:"errors"`
}

func (r result) verdict() string {
	if len(r.Errors) == 0 {
		return "fine"
	}
	return r.Errors[0].Extensions.verdict()
}

// fieldOf is the name of an operation without its dots and underscores.
func fieldOf(operation string) string {
	words := strings.FieldsFunc(operation, func(r rune) bool { return r == '.' || r == '_' })
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

// literal writes a value as a document has it: names bare, enums too.
func literal(t *testing.T, of *rule.Type, v json.RawMessage) string {
	t.Helper()
	read := func(into any) bool { return json.Unmarshal(v, into) == nil }
	var (
		object map[string]json.RawMessage
		list   []json.RawMessage
		text   string
	)
	switch {
	case of.Kind == rule.Object && len(of.Object.Fields) > 0 && read(&object) && object != nil:
		var parts []string
		for name, member := range object {
			parts = append(parts, name+": "+literal(t, of.Object.Field(name).Type, member))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case of.Kind == rule.List && read(&list) && list != nil:
		var parts []string
		for _, item := range list {
			parts = append(parts, literal(t, of.Elem, item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case len(of.Enum) > 0 && read(&text) && !slices.ContainsFunc(of.Enum, func(v any) bool { return strings.ContainsAny(fmt.Sprint(v), ".:-*/ ") }):
		return text // all are names
	}
	return string(v)
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
