package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/bench/peers/shop"
)

// orderBody is what a client sends: 360 bytes, twelve fields.
const orderBody = `{"amount":125099,"currency":"EUR","card":{"number":"4242424242424242","exp_month":12,"exp_year":2030,"cvc":"123"},` +
	`"reference":"order-2026-000123456","description":"Two boxes of limestone setts, sawn on six sides",` +
	`"metadata":{"basket":"b_01JD8Z3K5Q","channel":"web","customer":"c_01JD8Z3K5QW8"},` +
	`"capture":true,"merchant_id":"mer_01JD8Z3K5QW8A7T2V9XN4M6P0R"}`

// check is one thing in which all peers must be alike.
type check struct {
	name     string
	fullOnly bool
	database bool
	graphql  bool // only of who serves it
	run      func(ctx context.Context, a *asker) error
}

func checks() []check {
	return []check{
		{name: "answers", run: answers},
		{name: "answers from the database", database: true, run: stored},
		{name: "invalid body", run: invalidBodies},
		{name: "no token", fullOnly: true, run: refuses(http.StatusUnauthorized, func(tokens) string { return "" })},
		{name: "forged token", fullOnly: true, run: refuses(http.StatusUnauthorized, func(t tokens) string { return t.otherKey })},
		{name: "token without signature", fullOnly: true, run: refuses(http.StatusUnauthorized, func(t tokens) string { return t.none })},
		{name: "expired token", fullOnly: true, run: refuses(http.StatusUnauthorized, func(t tokens) string { return t.expired })},
		{name: "role", fullOnly: true, run: refuses(http.StatusForbidden, func(t tokens) string { return t.auditor })},
		{name: "body limit", fullOnly: true, run: bodyLimit},
		{name: "security headers", fullOnly: true, run: securityHeaders},
		{name: "CORS", fullOnly: true, run: crossOrigin},
		{name: "request id", fullOnly: true, run: requestID},
		{name: "access log", fullOnly: true, run: accessLog},
		{name: "histogram", fullOnly: true, run: histogram},
		{name: workStreams, fullOnly: true, run: streams},
		{name: "GraphQL answers", graphql: true, run: graphqlAnswers},
		{name: "GraphQL answers from the database", graphql: true, database: true, run: graphqlStored},
		{name: "invalid document", graphql: true, run: invalidDocuments},
		{name: "document too deep", graphql: true, run: deepDocument},
		{name: "GraphQL without token", graphql: true, fullOnly: true, run: graphqlRefuses(func(tokens) string { return "" })},
		{name: "GraphQL with a forged token", graphql: true, fullOnly: true, run: graphqlRefuses(func(t tokens) string { return t.otherKey })},
		{name: "GraphQL with a token without signature", graphql: true, fullOnly: true, run: graphqlRefuses(func(t tokens) string { return t.none })},
		{name: "GraphQL of a role", graphql: true, fullOnly: true, run: graphqlRefuses(func(t tokens) string { return t.guest })},
		{name: "schema", graphql: true, run: schemaHidden},
		{name: "GraphQL body limit", graphql: true, fullOnly: true, run: graphqlBodyLimit},
	}
}

// checkAll puts a server through every check that applies to it.
func (s *server) checkAll(ctx context.Context) error {
	t, err := tokensFor(s)
	if err != nil {
		return err
	}
	a := &asker{server: s, tokens: t, client: &http.Client{Timeout: patience}}
	defer a.client.CloseIdleConnections()
	var errs []error
	for _, c := range checks() {
		if c.fullOnly && s.variant == bare || c.database && s.NoDatabase || c.graphql && !s.peer.graphql || !s.can(c.name) {
			continue
		}
		if err := c.run(ctx, a); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", s, c.name, err))
		}
	}
	return errors.Join(errs...)
}

// asker asks one server.
type asker struct {
	server *server
	tokens tokens
	client *http.Client
}

// answer is what a server answered.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *asker) ask(ctx context.Context, method, path, body string, header ...string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+a.server.Addr+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Accept", "application/json")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := a.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, text}, err
}

// signed asks with the merchant's token.
func (a *asker) signed(ctx context.Context, method, path, body string) (answer, error) {
	return a.ask(ctx, method, path, body, "Authorization", "Bearer "+a.tokens.merchant)
}

// read decodes an answer, in which nothing may be that is not expected.
func read[T any](got answer, err error, status int) (v T, _ error) {
	if err != nil {
		return v, err
	}
	if got.status != status {
		return v, fmt.Errorf("answered %d, not %d: %.300s", got.status, status, got.body)
	}
	d := json.NewDecoder(bytes.NewReader(got.body))
	d.DisallowUnknownFields()
	return v, d.Decode(&v)
}

func same[T any](got T, err error, want T) error {
	if err == nil && !reflect.DeepEqual(got, want) {
		return fmt.Errorf("answered %+v\nnot %+v", got, want)
	}
	return err
}

func order() (in shop.Order) {
	if err := json.Unmarshal([]byte(orderBody), &in); err != nil {
		panic(err) // a constant
	}
	return in
}

func answers(ctx context.Context, a *asker) error {
	in := order()
	got, err := a.ask(ctx, "GET", "/v1/state", "")
	state, err := read[shop.State](got, err, http.StatusOK)
	if err := same(state, err, shop.OK); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	got, err = a.ask(ctx, "GET", "/v1/burn?rounds=1000", "")
	sum, err := read[shop.Sum](got, err, http.StatusOK)
	if err := same(sum, err, shop.Burn(1000)); err != nil {
		return fmt.Errorf("burn: %w", err)
	}
	got, err = a.signed(ctx, "POST", "/v1/quotes", orderBody)
	quote, err := read[shop.Payment](got, err, http.StatusCreated)
	if err := same(quote, err, shop.Quote(&in)); err != nil {
		return fmt.Errorf("quote: %w", err)
	}
	if got, err = a.ask(ctx, "GET", "/v1/nothing", ""); err == nil && got.status != http.StatusNotFound {
		err = fmt.Errorf("an unknown path is answered %d", got.status)
	}
	return err
}

func stored(ctx context.Context, a *asker) error {
	for _, path := range []string{"/v1/payments/", "/v1/cached/", "/v1/cached/"} {
		got, err := a.signed(ctx, "GET", path+shop.SeededID(77), "")
		p, err := read[shop.Payment](got, err, http.StatusOK)
		if err := same(p, err, shop.Seeded(77)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if got, err = a.signed(ctx, "GET", path+"pay_nobody", ""); err != nil || got.status != http.StatusNotFound {
			return errors.Join(err, fmt.Errorf("%s of an unknown id is answered %d", path, got.status))
		}
	}
	after := ""
	for page := range 2 { // the second by the first one's cursor
		got, err := a.signed(ctx, "GET", "/v1/payments?limit=20"+after, "")
		list, err := read[shop.Page](got, err, http.StatusOK)
		if err == nil && (len(list.Data) != 20 || !list.HasMore || list.NextCursor == "") {
			err = fmt.Errorf("a page of %d, more %t, cursor %q", len(list.Data), list.HasMore, list.NextCursor)
		}
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		for i, p := range list.Data {
			if err := same(p, nil, shop.Seeded(20*page+i)); err != nil {
				return fmt.Errorf("list: %w", err)
			}
		}
		after = "&cursor=" + list.NextCursor
	}
	return inserted(ctx, a)
}

// inserted stores a payment and reads it again.
func inserted(ctx context.Context, a *asker) error {
	got, err := a.signed(ctx, "POST", "/v1/payments", orderBody)
	p, err := read[shop.Payment](got, err, http.StatusCreated)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	in := order()
	want := shop.Quote(&in)
	want.ID, want.CreatedAt, want.UpdatedAt = p.ID, p.CreatedAt, p.UpdatedAt
	if err := same(p, nil, want); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if time.Since(p.CreatedAt).Abs() > time.Minute || !strings.HasPrefix(p.ID, "pay_") || p.ID == shop.Quote(&in).ID {
		return fmt.Errorf("create: id %q at %s", p.ID, p.CreatedAt)
	}
	got, err = a.signed(ctx, "GET", "/v1/payments/"+p.ID, "")
	again, err := read[shop.Payment](got, err, http.StatusOK)
	if err := same(again, err, p); err != nil {
		return fmt.Errorf("read what was created: %w", err)
	}
	return nil
}

// invalidBodies are refused as 400 or 422: frameworks differ in which.
func invalidBodies(ctx context.Context, a *asker) error {
	paths := []string{"/v1/quotes"}
	if !a.server.NoDatabase {
		paths = append(paths, "/v1/payments")
	}
	for _, path := range paths {
		for _, swap := range [][2]string{
			{`"amount":125099`, `"amount":0`},
			{`"amount":125099`, `"amount":"12"`},
			{`"amount":125099`, `"amount":100000000000`},
			{`"EUR"`, `"XXX"`},
			{`"4242424242424242"`, `"4242-4242-4242"`},
			{`"cvc":"123"`, `"cvc":"12"`},
			{`"exp_month":12`, `"exp_month":13`},
			{`"order-2026-000123456"`, `"two words"`},
			{`"order-2026-000123456"`, `"` + strings.Repeat("a", 65) + `"`},
			{`"reference":"order-2026-000123456",`, ``},
			{`"Two boxes of limestone setts, sawn on six sides"`, `"` + strings.Repeat("a", 501) + `"`},
			{`{"amount"`, `{amount`},
			{orderBody, `{}`},
			{orderBody, `[]`},
		} {
			got, err := a.signed(ctx, "POST", path, strings.Replace(orderBody, swap[0], swap[1], 1))
			if err != nil {
				return err
			}
			if got.status != http.StatusUnprocessableEntity && got.status != http.StatusBadRequest {
				return fmt.Errorf("%s with %.60s is answered %d", path, swap[1], got.status)
			}
		}
	}
	return nil
}

func refuses(status int, token func(tokens) string) func(context.Context, *asker) error {
	return func(ctx context.Context, a *asker) error {
		calls := []struct{ method, path, body string }{
			{"POST", "/v1/quotes", orderBody}, {"POST", "/v1/payments", orderBody},
			{"GET", "/v1/payments", ""}, {"GET", "/v1/payments/" + shop.SeededID(1), ""}, {"GET", "/v1/cached/" + shop.SeededID(1), ""},
		}
		if status == http.StatusForbidden {
			calls = calls[:2] // the rest the role may
		}
		for _, c := range calls {
			if a.server.NoDatabase && c.path != "/v1/quotes" {
				continue
			}
			var header []string
			if t := token(a.tokens); t != "" {
				header = []string{"Authorization", "Bearer " + t}
			}
			got, err := a.ask(ctx, c.method, c.path, c.body, header...)
			if err != nil {
				return err
			}
			if got.status != status {
				return fmt.Errorf("%s %s is answered %d, not %d", c.method, c.path, got.status, status)
			}
		}
		return nil
	}
}

func bodyLimit(ctx context.Context, a *asker) error {
	big := strings.Replace(orderBody, `"description":"`, `"description":"`+strings.Repeat("a", shop.MaxBody), 1)
	got, err := a.signed(ctx, "POST", "/v1/quotes", big)
	if closed := new(net.OpError); errors.As(err, &closed) {
		return nil // the connection was closed while the body was sent
	}
	if err == nil && got.status != http.StatusRequestEntityTooLarge {
		err = fmt.Errorf("answered %d, not 413", got.status)
	}
	return err
}

func securityHeaders(ctx context.Context, a *asker) error {
	got, err := a.ask(ctx, "GET", "/v1/state", "")
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Content-Security-Policy": "default-src 'none'",
	} {
		if !strings.HasPrefix(got.header.Get(name), value) {
			return fmt.Errorf("%s: %q", name, got.header.Get(name))
		}
	}
	if got.header.Get("X-Frame-Options") == "" && !strings.Contains(got.header.Get("Content-Security-Policy"), "frame-ancestors") {
		return errors.New("it may be framed")
	}
	if by := got.header.Get("X-Powered-By"); by != "" {
		return fmt.Errorf("it names itself: %q", by)
	}
	return nil
}

func crossOrigin(ctx context.Context, a *asker) error {
	const allowed = "Access-Control-Allow-Origin"
	got, err := a.ask(ctx, "OPTIONS", "/v1/quotes", "", "Origin", shop.Origin,
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
	if err != nil {
		return err
	}
	if got.status >= 300 || got.header.Get(allowed) != shop.Origin || !strings.Contains(got.header.Get("Access-Control-Allow-Methods"), "POST") {
		return fmt.Errorf("a preflight is answered %d %v", got.status, got.header)
	}
	if got, err = a.ask(ctx, "GET", "/v1/state", "", "Origin", shop.Origin); err != nil || got.header.Get(allowed) != shop.Origin {
		return errors.Join(err, fmt.Errorf("a page that is let in gets %q", got.header.Get(allowed)))
	}
	if got, err = a.ask(ctx, "GET", "/v1/state", "", "Origin", "https://evil.example"); err != nil || got.header.Get(allowed) == "https://evil.example" || got.header.Get(allowed) == "*" {
		return errors.Join(err, fmt.Errorf("another page gets %q", got.header.Get(allowed)))
	}
	return nil
}

func requestID(ctx context.Context, a *asker) error {
	var ids []string
	for range 2 {
		got, err := a.ask(ctx, "GET", "/v1/state", "")
		if err != nil {
			return err
		}
		ids = append(ids, got.header.Get("X-Request-Id"))
	}
	if ids[0] == "" || ids[0] == ids[1] {
		return fmt.Errorf("ids %q", ids)
	}
	return nil
}

// accessLog looks for a line of JSON with the path, the status and the id of
// the request.
func accessLog(ctx context.Context, a *asker) error {
	got, err := a.ask(ctx, "GET", "/v1/state", "")
	if err != nil {
		return err
	}
	id := got.header.Get("X-Request-Id")
	for began := time.Now(); time.Since(began) < 5*time.Second; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(a.server.log())
		if err != nil {
			return err
		}
		for line := range bytes.Lines(text) {
			if !bytes.Contains(line, []byte(id)) {
				continue
			}
			if !json.Valid(line) || !bytes.Contains(line, []byte("/v1/state")) || !bytes.Contains(line, []byte("200")) {
				return fmt.Errorf("the line is %s", line)
			}
			return nil
		}
	}
	return errors.New("no line")
}

// histogram looks for the buckets of a route.
func histogram(ctx context.Context, a *asker) error {
	r, err := http.NewRequestWithContext(ctx, "GET", "http://"+a.server.Admin+"/metrics", nil)
	if err != nil {
		return err
	}
	res, err := a.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	ofState := func(line string) bool {
		return strings.Contains(line, "_bucket{") && (strings.Contains(line, "/v1/state") || strings.Contains(line, `"state"`))
	}
	if !slices.ContainsFunc(strings.Split(string(text), "\n"), ofState) {
		return fmt.Errorf("no bucket of the route among %d bytes", len(text))
	}
	return nil
}

// streams opens one event stream, and is refused another without a token.
func streams(ctx context.Context, a *asker) error {
	if got, err := a.ask(ctx, "GET", "/v1/events", ""); err != nil || got.status != http.StatusUnauthorized {
		return errors.Join(err, fmt.Errorf("without token answered %d", got.status))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", "http://"+a.server.Addr+"/v1/events", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+a.tokens.merchant)
	res, err := a.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	first, err := bufio.NewReader(res.Body).ReadString('\n')
	if err != nil || first != ": here\n" && !strings.HasPrefix(first, "retry: ") {
		return errors.Join(err, fmt.Errorf("it begins with %q", first))
	}
	return nil
}

// checkLimit starts a server of the peer with a low limit, and expects that a
// burst over it is refused.
func (b starter) checkLimit(ctx context.Context, p peer) (err error) {
	const limit, burst = 20, 100 // processes of one peer count for themselves
	s, err := b.start(ctx, p, full, limit)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	a := &asker{server: s, client: &http.Client{Timeout: patience}}
	defer a.client.CloseIdleConnections()
	answered := map[int]int{}
	for range burst {
		got, err := a.ask(ctx, "GET", "/v1/state", "")
		if err != nil {
			return err
		}
		answered[got.status]++
	}
	if answered[http.StatusOK] < limit || answered[http.StatusTooManyRequests] == 0 || len(answered) > 2 {
		return fmt.Errorf("%s: a burst of %d over a limit of %d is answered %v", s, burst, limit, answered)
	}
	return nil
}
