// Code generated from the operations of client; DO NOT EDIT.

package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	rnd "math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Client calls the operations of a service. Make it with [New]. It is safe for
// concurrent use; one is enough for a program.
type Client struct {
	base     string
	http     *http.Client
	attempts int
	key      string // an API key, or ""

	mu     sync.Mutex
	tokens Tokens
	fresh  chan struct{} // is closed when the refresh that is under way has ended
}

// Tokens are those of a session.
type Tokens struct {
	Access, Refresh string
	// Expires is when the access token runs out by this machine's clock.
	Expires time.Time
}

// Option changes how a client works.
type Option func(*Client)

// WithHTTPClient has requests sent by h, whose Timeout must be 0 for streams.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithAPIKey has requests carry a key instead of the tokens of a session.
func WithAPIKey(key string) Option { return func(c *Client) { c.key = key } }

// WithTokens goes on with a session of before; see [Client.Tokens].
func WithTokens(t Tokens) Option { return func(c *Client) { c.tokens = t } }

// WithAttempts says how often a call that is safe to repeat is tried: 4 times
// if not told otherwise.
func WithAttempts(n int) Option { return func(c *Client) { c.attempts = n } }

// New returns a client of the service at a URL without a path.
func New(baseURL string, options ...Option) *Client {
	c := &Client{base: strings.TrimSuffix(baseURL, "/"), http: &http.Client{}, attempts: 4}
	for _, o := range options {
		o(c)
	}
	return c
}

// Tokens returns the tokens of the session, which are zero without one.
func (c *Client) Tokens() Tokens {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tokens
}

// Call is what a single call may ask for.
type Call func(*call)

type call struct {
	key, match string
	seen       func(http.Header)
}

// WithKey repeats a call of before, whose idempotency key it was. Otherwise one
// is made for each call that takes one, and kept over all its attempts.
func WithKey(key string) Call { return func(c *call) { c.key = key } }

// WithMatch changes only what has this ETag.
func WithMatch(etag string) Call { return func(c *call) { c.match = etag } }

// WithHeader shows the answer's header.
func WithHeader(see func(http.Header)) Call { return func(c *call) { c.seen = see } }

// Problem is what the service refuses with, as RFC 9457 says. Tell problems
// apart by [HasCode].
type Problem struct {
	Operation string      `json:"-"`
	Status    int         `json:"status"`
	Code      string      `json:"code"`
	Title     string      `json:"title"`
	Detail    string      `json:"detail"`
	TraceID   string      `json:"trace_id"`
	Errors    []Violation `json:"errors"`
	// Members are all members, those that only this code has among them.
	Members map[string]json.RawMessage `json:"-"`

	after time.Duration // what Retry-After says, or less than 0
}

// Violation is a rule that the input breaks.
type Violation struct {
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

func (p *Problem) Error() string {
	detail := p.Detail
	if detail == "" {
		detail = p.Title
	}
	return fmt.Sprintf("%s: %s: %s", p.Operation, p.Code, detail)
}

// Member returns a text that only problems of this code have.
func (p *Problem) Member(name string) string {
	var text string
	_ = json.Unmarshal(p.Members[name], &text) // there is none then
	return text
}

// HasCode reports whether the service has refused with one of the codes.
func HasCode(err error, codes ...string) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && slices.Contains(codes, p.Code)
}

// Page is one page of a list.
type Page[T any] struct {
	Data       []T     `json:"data"`
	NextCursor *string `json:"next_cursor"`
	HasMore    bool    `json:"has_more"`
}

// File is an answer of bytes.
type File struct {
	Name, Type string
	Data       []byte
}

// route is an operation as it travels.
type route struct {
	name, method, path string
	keyed              bool // takes an Idempotency-Key
	open               bool // nobody has to be signed in
}

// invoke calls an operation and decodes its answer.
func invoke[T any](ctx context.Context, c *Client, r route, in any, calls []Call) (T, error) {
	var out T
	body, _, err := c.send(ctx, r, in, calls)
	if err == nil && len(body) > 0 {
		if err = json.Unmarshal(body, &out); err != nil {
			err = fmt.Errorf("%s: the answer cannot be read: %w", r.name, err)
		}
	}
	return out, err
}

// download calls an operation that answers with a file.
func download(ctx context.Context, c *Client, r route, in any, calls []Call) (File, error) {
	body, header, err := c.send(ctx, r, in, calls)
	if err != nil {
		return File{}, err
	}
	f := File{Type: header.Get("Content-Type"), Data: body}
	if _, parameters, err := mime.ParseMediaType(header.Get("Content-Disposition")); err == nil {
		f.Name = parameters["filename"]
	}
	return f, nil
}

// all reads a list page after page.
func all[In, T any](in In, page func(In) (Page[T], error), next func(*In, string)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			p, err := page(in)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range p.Data {
				if !yield(item, nil) {
					return
				}
			}
			if !p.HasMore || p.NextCursor == nil {
				return
			}
			next(&in, *p.NextCursor)
		}
	}
}

// untouched are the refusals after which a request had no effect.
var untouched = []string{"rate_limited", "overloaded", "operation_busy", "idempotency_key_in_flight"}

// longestWait is how long a call waits because the service asks to.
const longestWait = 30 * time.Second

func (c *Client) send(ctx context.Context, r route, in any, calls []Call) ([]byte, http.Header, error) {
	var call call
	for _, o := range calls {
		o(&call)
	}
	if r.keyed && call.key == "" {
		call.key = rand.Text()
	}
	path, body, err := place(r, in)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r.name, err)
	}
	repeatable := call.key != "" || r.method != http.MethodPost && r.method != http.MethodPatch
	renewed := false
	for attempt := 1; ; attempt++ {
		bearer, err := c.bearer(ctx, r)
		if err != nil {
			return nil, nil, err
		}
		answer, header, err := c.once(ctx, r, path, body, bearer, call)
		if err == nil {
			c.take(answer)
			if call.seen != nil {
				call.seen(header)
			}
			return answer, header, nil
		}
		p, refused := errors.AsType[*Problem](err)
		if refused && p.Status == http.StatusUnauthorized && !renewed && c.renewable() && bearer != "" {
			renewed = true
			attempt--
			if err := c.refresh(ctx, bearer); err != nil {
				return nil, nil, err
			}
			continue
		}
		again := !refused && repeatable || refused &&
			(slices.Contains(untouched, p.Code) || repeatable && p.Status >= 502 && p.Status <= 504)
		pause := backoff(attempt)
		if refused && p.after >= 0 {
			again, pause = again && p.after <= longestWait, p.after+pause/5
		}
		if ctx.Err() != nil || !again || attempt >= c.attempts {
			return nil, nil, err
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, nil, err
		}
	}
}

func (c *Client) once(ctx context.Context, r route, path string, body []byte, bearer string, call call) ([]byte, http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, r.method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r.name, err)
	}
	set := func(name, value string) {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	if body != nil {
		set("Content-Type", "application/json")
	}
	set("Accept", "*/*, application/problem+json") // where the API has a form of its own for failures as well
	set("Idempotency-Key", call.key)
	set("If-Match", call.match)
	if bearer != "" {
		set("Authorization", scheme+" "+bearer)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r.name, err)
	}
	defer response.Body.Close()
	if response.StatusCode >= 400 {
		return nil, nil, problemOf(r, response)
	}
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r.name, err)
	}
	return answer, response.Header, nil
}

// problemOf reads a refusal. Whatever stands in between may answer with
// something else.
func problemOf(r route, response *http.Response) error {
	p := &Problem{Operation: r.name, after: -1}
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil || json.Unmarshal(text, p) != nil || p.Code == "" {
		*p = Problem{Operation: r.name, Title: response.Status, Code: "http_" + strconv.Itoa(response.StatusCode), after: -1}
	}
	p.Status = response.StatusCode
	_ = json.Unmarshal(text, &p.Members) // has none then
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		p.after = time.Duration(seconds) * time.Second
	}
	return p
}

// place puts the members of an input where its tags say: path, query or body.
func place(r route, in any) (path string, body []byte, err error) {
	path = r.path
	query := url.Values{}
	inBody := false
	v := reflect.ValueOf(in)
	for i := range v.NumField() {
		f, tag := v.Field(i), v.Type().Field(i).Tag
		switch {
		case tag.Get("path") != "":
			if f.IsZero() {
				return "", nil, fmt.Errorf("%s is missing", tag.Get("path"))
			}
			path = strings.ReplaceAll(path, "{"+tag.Get("path")+"}", url.PathEscape(plain(f)))
		case tag.Get("query") == "":
			inBody = true
		case f.Kind() == reflect.Slice:
			for j := range f.Len() {
				query.Add(tag.Get("query"), plain(f.Index(j)))
			}
		case f.Kind() == reflect.Pointer && !f.IsNil():
			query.Set(tag.Get("query"), plain(f.Elem()))
		case !f.IsZero():
			query.Set(tag.Get("query"), plain(f))
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	if inBody {
		body, err = json.Marshal(in)
	}
	return path, body, err
}

func plain(v reflect.Value) string {
	if t, ok := reflect.TypeAssert[time.Time](v); ok {
		return t.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v.Interface())
}

// backoff grows with each attempt to 20 s; the half that is random keeps clients
// from coming back all at once.
func backoff(attempt int) time.Duration {
	most := min(20*time.Second, 250*time.Millisecond<<min(attempt-1, 10))
	return most/2 + time.Duration(rnd.Int64N(int64(most/2))) // no secret
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// bearer is the token to send, if there is one. One that is known to have run
// out is renewed first.
func (c *Client) bearer(ctx context.Context, r route) (string, error) {
	if r.open {
		return "", nil
	}
	if c.key != "" {
		return c.key, nil
	}
	t := c.Tokens()
	if t.Refresh != "" && c.renewable() && !time.Now().Before(t.Expires) {
		if err := c.refresh(ctx, t.Access); err != nil {
			return "", err
		}
		t = c.Tokens()
	}
	return t.Access, nil
}

func (c *Client) renewable() bool {
	return c.key == "" && refreshing.path != "" && c.Tokens().Refresh != ""
}

// refresh replaces a token that was refused. However many calls ask, one request
// is made.
func (c *Client) refresh(ctx context.Context, refused string) error {
	for {
		c.mu.Lock()
		if c.tokens.Access != refused {
			c.mu.Unlock()
			return nil // somebody was quicker
		}
		if c.fresh == nil {
			done := make(chan struct{})
			c.fresh = done
			c.mu.Unlock()
			err := c.renew(ctx)
			c.mu.Lock()
			c.fresh = nil
			close(done)
			c.mu.Unlock()
			return err
		}
		wait := c.fresh
		c.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// renew exchanges the refresh token. The key lets the service answer a
// repetition alike, whose first answer was lost; so it goes on for a while
// although the caller has gone.
func (c *Client) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	body, err := json.Marshal(map[string]string{"refresh_token": c.Tokens().Refresh, "retry_key": rand.Text()})
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		answer, _, err := c.once(ctx, refreshing, refreshing.path, body, "", call{})
		if err == nil {
			c.take(answer)
			return nil
		}
		p, refused := errors.AsType[*Problem](err)
		if refused && p.Status == http.StatusUnauthorized {
			c.mu.Lock()
			c.tokens = Tokens{}
			c.mu.Unlock()
		}
		if refused && p.Status != http.StatusTooManyRequests && p.Status != http.StatusServiceUnavailable || attempt >= 4 {
			return err
		}
		if sleep(ctx, backoff(attempt)) != nil {
			return err
		}
	}
}

// take keeps the tokens that an answer brings.
func (c *Client) take(answer []byte) {
	var said struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Expires int64  `json:"expires_in"`
	}
	if !bytes.Contains(answer, []byte(`"refresh_token"`)) || json.Unmarshal(answer, &said) != nil || said.Access == "" || said.Refresh == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens = Tokens{said.Access, said.Refresh, time.Now().Add(time.Duration(said.Expires-1) * time.Second)}
}

// silence is after how long without a word a stream is taken for cut: three of
// the service's beats.
const silence = 45 * time.Second

// follow listens to a stream until ctx ends, the loop is left or there is nothing
// more. It goes on after each cut, behind the last item. A stream that has sent
// nothing yet begins anew then.
func follow[T any](ctx context.Context, c *Client, r route, in any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		last, failures, refusals := "", 0, 0
		for {
			err := listen(ctx, c, r, in, &last, func(data []byte) bool {
				failures, refusals = 0, 0
				var item T
				if err := json.Unmarshal(data, &item); err != nil {
					yield(none, fmt.Errorf("%s: an item cannot be read: %w", r.name, err))
					return false
				}
				return yield(item, nil)
			})
			p, refused := errors.AsType[*Problem](err)
			pause := backoff(failures + 1)
			switch {
			case errors.Is(err, errLeft), errors.Is(err, errCompleted), ctx.Err() != nil:
				return
			case errors.Is(err, errUnreadable):
				yield(none, err)
				return
			case !refused:
				failures++
			case p.Code == "draining" || p.Code == "expired":
				pause = p.after
			case p.Status == http.StatusUnauthorized && c.renewable() && refusals < 3:
				refusals++
				if err := c.refresh(ctx, c.Tokens().Access); err != nil {
					if _, final := errors.AsType[*Problem](err); final {
						yield(none, err)
						return
					}
				}
			case p.Status == http.StatusTooManyRequests, p.Status >= 502 && p.Status <= 504:
				pause = max(pause, p.after)
				failures++
			default:
				yield(none, err)
				return
			}
			if sleep(ctx, pause) != nil {
				return
			}
		}
	}
}

var (
	errLeft       = errors.New("the loop was left")
	errCompleted  = errors.New("there is nothing more")
	errUnreadable = errors.New("the request cannot be written")
)

// listen reads one connection. errCompleted is the end of what there is to send.
func listen(ctx context.Context, c *Client, r route, in any, last *string, item func([]byte) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	bearer, err := c.bearer(ctx, r)
	if err != nil {
		return err
	}
	path, _, err := place(r, in)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", r.name, errUnreadable, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, http.NoBody)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", r.name, errUnreadable, err)
	}
	request.Header.Set("Accept", "text/event-stream, application/problem+json")
	if bearer != "" {
		request.Header.Set("Authorization", scheme+" "+bearer)
	}
	if *last != "" {
		request.Header.Set("Last-Event-ID", *last)
	}
	watch := time.AfterFunc(silence, cancel)
	defer watch.Stop()
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 400 {
		return problemOf(r, response)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, math.MaxInt32)
	var kind, id string
	var data []byte
	for lines.Scan() {
		watch.Reset(silence)
		line := lines.Bytes()
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "data":
			if data != nil {
				data = append(data, '\n')
			}
			data = append(data, value...)
		case "event":
			kind = string(value)
		case "id":
			id = string(value)
		}
		if len(line) > 0 {
			continue
		}
		if data != nil {
			if kind == "end" || kind == "error" {
				return ending(r, data)
			}
			if id != "" {
				*last = id
			}
			if !item(data) {
				return errLeft
			}
		}
		kind, data = "", nil
	}
	return errors.Join(lines.Err(), io.ErrUnexpectedEOF)
}

// ending is what the last event of a stream says.
func ending(r route, data []byte) error {
	p := &Problem{Operation: r.name}
	var more struct {
		Retry int64 `json:"retry_ms"`
	}
	if err := errors.Join(json.Unmarshal(data, p), json.Unmarshal(data, &more), json.Unmarshal(data, &p.Members)); err != nil {
		return err
	}
	if p.Code == "completed" {
		return errCompleted
	}
	p.after = time.Duration(more.Retry) * time.Millisecond
	return p
}

// scheme is the word before a token.
const scheme = "Bearer"

var refreshing = route{name: "auth.refresh", method: "POST", path: "/v1/auth/refresh", open: true}

// PaymentsAuthorizeInput is what payments.authorize takes.
type PaymentsAuthorizeInput struct {
	Amount   int64    `json:"amount"`
	Currency Currency `json:"currency"`
	Card     Card     `json:"card"`
	// the merchant's own order number
	Reference   string            `json:"reference"`
	Description string            `json:"description,omitzero"`
	Metadata    map[string]string `json:"metadata,omitzero"`
	// Capture takes the money at once.
	Capture bool `json:"capture,omitzero"`
	// MerchantID says for whom the payment is. Staff must give it; merchants must not, since their payments are their own.
	MerchantID string `json:"merchant_id,omitzero"`
}

// PaymentsAuthorize calls payments.authorize.
//
// Holds money on a card, and takes it at once if asked to.
// A card that is declined leaves a payment with the status declined.
func (c *Client) PaymentsAuthorize(ctx context.Context, in PaymentsAuthorizeInput, calls ...Call) (Payment, error) {
	return invoke[Payment](ctx, c, route{name: "payments.authorize", method: "POST", path: "/v1/payments", keyed: true, open: false}, in, calls)
}

// PaymentsGetInput is what payments.get takes.
type PaymentsGetInput struct {
	ID string `path:"id" json:"-"`
}

// PaymentsGet calls payments.get.
//
// Shows one payment.
// Its answer is kept, for those of one merchant and for staff of one role, until an event tells of a change.
func (c *Client) PaymentsGet(ctx context.Context, in PaymentsGetInput, calls ...Call) (Payment, error) {
	return invoke[Payment](ctx, c, route{name: "payments.get", method: "GET", path: "/v1/payments/{id}", keyed: false, open: false}, in, calls)
}

// PaymentsListInput is what payments.list takes.
type PaymentsListInput struct {
	Status   PaymentStatus `query:"status"`
	Currency Currency      `query:"currency"`
	// CreatedAfter and CreatedBefore bound the time; neither is included.
	CreatedAfter  time.Time `query:"created_after"`
	CreatedBefore time.Time `query:"created_before"`
	Limit         int       `query:"limit"`
	Cursor        string    `query:"cursor"`
}

// PaymentsList calls payments.list.
//
// Shows payments, newest first.
func (c *Client) PaymentsList(ctx context.Context, in PaymentsListInput, calls ...Call) (Page[Payment], error) {
	return invoke[Page[Payment]](ctx, c, route{name: "payments.list", method: "GET", path: "/v1/payments", keyed: false, open: false}, in, calls)
}

// PaymentsListAll calls payments.list for page after page, as they are needed.
func (c *Client) PaymentsListAll(ctx context.Context, in PaymentsListInput, calls ...Call) iter.Seq2[Payment, error] {
	return all(in, func(in PaymentsListInput) (Page[Payment], error) { return c.PaymentsList(ctx, in, calls...) }, func(in *PaymentsListInput, next string) { in.Cursor = next })
}

// PaymentsCaptureInput is what payments.capture takes.
type PaymentsCaptureInput struct {
	ID     string `path:"id" json:"-"`
	Amount int64  `json:"amount,omitzero"`
}

// PaymentsCapture calls payments.capture.
//
// Takes the money that an authorisation holds, or a part of it once; the rest is released.
func (c *Client) PaymentsCapture(ctx context.Context, in PaymentsCaptureInput, calls ...Call) (Payment, error) {
	return invoke[Payment](ctx, c, route{name: "payments.capture", method: "POST", path: "/v1/payments/{id}/capture", keyed: true, open: false}, in, calls)
}

// PaymentsVoidInput is what payments.void takes.
type PaymentsVoidInput struct {
	ID string `path:"id" json:"-"`
}

// PaymentsVoid calls payments.void.
//
// Gives up an authorisation and releases the hold.
func (c *Client) PaymentsVoid(ctx context.Context, in PaymentsVoidInput, calls ...Call) (Payment, error) {
	return invoke[Payment](ctx, c, route{name: "payments.void", method: "POST", path: "/v1/payments/{id}/void", keyed: true, open: false}, in, calls)
}

// PaymentsRefundInput is what payments.refund takes.
type PaymentsRefundInput struct {
	ID     string `path:"id" json:"-"`
	Amount int64  `json:"amount,omitzero"`
	Reason string `json:"reason,omitzero"`
}

// PaymentsRefund calls payments.refund.
//
// Gives captured money back, in parts if need be, up to all of it.
func (c *Client) PaymentsRefund(ctx context.Context, in PaymentsRefundInput, calls ...Call) (Refund, error) {
	return invoke[Refund](ctx, c, route{name: "payments.refund", method: "POST", path: "/v1/payments/{id}/refunds", keyed: true, open: false}, in, calls)
}

// PaymentsRefundsInput is what payments.refunds takes.
type PaymentsRefundsInput struct {
	ID     string `path:"id" json:"-"`
	Limit  int    `query:"limit"`
	Cursor string `query:"cursor"`
}

// PaymentsRefunds calls payments.refunds.
//
// Lists what was given back of a payment, newest first.
func (c *Client) PaymentsRefunds(ctx context.Context, in PaymentsRefundsInput, calls ...Call) (Page[Refund], error) {
	return invoke[Page[Refund]](ctx, c, route{name: "payments.refunds", method: "GET", path: "/v1/payments/{id}/refunds", keyed: false, open: false}, in, calls)
}

// PaymentsRefundsAll calls payments.refunds for page after page, as they are needed.
func (c *Client) PaymentsRefundsAll(ctx context.Context, in PaymentsRefundsInput, calls ...Call) iter.Seq2[Refund, error] {
	return all(in, func(in PaymentsRefundsInput) (Page[Refund], error) { return c.PaymentsRefunds(ctx, in, calls...) }, func(in *PaymentsRefundsInput, next string) { in.Cursor = next })
}

// EventsListInput is what events.list takes.
type EventsListInput struct {
	// After is the id of the last event seen; without it the list starts with the first event.
	After string `query:"after"`
	// 20 if not given
	Limit int `query:"limit"`
}

// EventsList calls events.list.
//
// Lists what happened since an event, oldest first.
func (c *Client) EventsList(ctx context.Context, in EventsListInput, calls ...Call) (Feed, error) {
	return invoke[Feed](ctx, c, route{name: "events.list", method: "GET", path: "/v1/events", keyed: false, open: false}, in, calls)
}

// EventsStreamInput is what events.stream takes.
type EventsStreamInput struct {
	// After is the id of the last event seen; without it the stream starts with what happens next.
	After string `query:"after"`
}

// EventsStream calls events.stream.
//
// Sends what happens as it happens, and first what has happened since an event: without a gap and nothing twice, whichever instance was listened to before.
// It fails if that is not kept any more. Load the present state then and begin anew.
func (c *Client) EventsStream(ctx context.Context, in EventsStreamInput) iter.Seq2[Event, error] {
	return follow[Event](ctx, c, route{name: "events.stream", method: "GET", path: "/v1/events/stream", keyed: false, open: false}, in)
}

// EventsWsInput is what events.ws takes.
type EventsWsInput struct {
	// After is the id of the last event seen; without it the stream starts with what happens next.
	After string `query:"after"`
}

// EventsWs calls events.ws.
//
// Sends what happens as it happens, and first what has happened since an event: without a gap and nothing twice, whichever instance was listened to before.
// It fails if that is not kept any more. Load the present state then and begin anew.
func (c *Client) EventsWs(ctx context.Context, in EventsWsInput) iter.Seq2[Event, error] {
	return follow[Event](ctx, c, route{name: "events.ws", method: "GET", path: "/v1/events/ws", keyed: false, open: false}, in)
}

// LedgerBalancesInput is what ledger.balances takes.
type LedgerBalancesInput struct {
	MerchantID string `query:"merchant_id"`
}

// LedgerBalances calls ledger.balances.
//
// Shows what is on each account, of all merchants together or of one.
func (c *Client) LedgerBalances(ctx context.Context, in LedgerBalancesInput, calls ...Call) (Sheet, error) {
	return invoke[Sheet](ctx, c, route{name: "ledger.balances", method: "GET", path: "/v1/ledger/balances", keyed: false, open: false}, in, calls)
}

// LedgerEntriesInput is what ledger.entries takes.
type LedgerEntriesInput struct {
	PaymentID string `query:"payment_id"`
	Limit     int    `query:"limit"`
	Cursor    string `query:"cursor"`
}

// LedgerEntries calls ledger.entries.
//
// Shows the entries, of all payments or of one, newest first.
func (c *Client) LedgerEntries(ctx context.Context, in LedgerEntriesInput, calls ...Call) (Page[Entry], error) {
	return invoke[Page[Entry]](ctx, c, route{name: "ledger.entries", method: "GET", path: "/v1/ledger/entries", keyed: false, open: false}, in, calls)
}

// LedgerEntriesAll calls ledger.entries for page after page, as they are needed.
func (c *Client) LedgerEntriesAll(ctx context.Context, in LedgerEntriesInput, calls ...Call) iter.Seq2[Entry, error] {
	return all(in, func(in LedgerEntriesInput) (Page[Entry], error) { return c.LedgerEntries(ctx, in, calls...) }, func(in *LedgerEntriesInput, next string) { in.Cursor = next })
}

// ReportsCreateInput is what reports.create takes.
type ReportsCreateInput struct {
	Kind Kind `json:"kind"`
	// From is where the period begins.
	From string `json:"from"`
	// To is where the period ends: with that day, or before that instant. What has not happened yet when the report is asked for is not in it.
	To string `json:"to"`
	// Currency narrows the report to one; without it, it has all.
	Currency Currency `json:"currency,omitzero"`
	// MerchantID is for staff: without it the report is of all merchants.
	MerchantID string `json:"merchant_id,omitzero"`
}

// ReportsCreate calls reports.create.
//
// Asks for a report.
// It is made in the background: read it again to see how far it is.
func (c *Client) ReportsCreate(ctx context.Context, in ReportsCreateInput, calls ...Call) (Report, error) {
	return invoke[Report](ctx, c, route{name: "reports.create", method: "POST", path: "/v1/reports", keyed: true, open: false}, in, calls)
}

// ReportsGetInput is what reports.get takes.
type ReportsGetInput struct {
	ID string `path:"id" json:"-"`
}

// ReportsGet calls reports.get.
//
// Shows a report, and how far it is.
func (c *Client) ReportsGet(ctx context.Context, in ReportsGetInput, calls ...Call) (Report, error) {
	return invoke[Report](ctx, c, route{name: "reports.get", method: "GET", path: "/v1/reports/{id}", keyed: false, open: false}, in, calls)
}

// ReportsFileInput is what reports.file takes.
type ReportsFileInput struct {
	ID string `path:"id" json:"-"`
	// csv if not given
	Format Format `query:"format"`
}

// ReportsFile calls reports.file.
//
// Downloads a report that is done: the entries as CSV, or with format=svg a chart by day.
// In the CSV a text that a spreadsheet would take for a formula has an apostrophe in front.
func (c *Client) ReportsFile(ctx context.Context, in ReportsFileInput, calls ...Call) (File, error) {
	return download(ctx, c, route{name: "reports.file", method: "GET", path: "/v1/reports/{id}/file", keyed: false, open: false}, in, calls)
}

// ReportsDeleteInput is what reports.delete takes.
type ReportsDeleteInput struct {
	ID string `path:"id" json:"-"`
}

// ReportsDelete calls reports.delete.
//
// Removes a report with its files, and ends the job that makes it.
// It is for those who asked for the report and for its merchant.
func (c *Client) ReportsDelete(ctx context.Context, in ReportsDeleteInput, calls ...Call) error {
	_, _, err := c.send(ctx, route{name: "reports.delete", method: "DELETE", path: "/v1/reports/{id}", keyed: false, open: false}, in, calls)
	return err
}

// MerchantsCreateInput is what merchants.create takes.
type MerchantsCreateInput struct {
	Name    string `json:"name"`
	Country string `json:"country"`
	// Currency is the one that the merchant is paid out in.
	Currency Currency `json:"currency"`
}

// MerchantsCreate calls merchants.create.
//
// Takes a merchant on.
func (c *Client) MerchantsCreate(ctx context.Context, in MerchantsCreateInput, calls ...Call) (Merchant, error) {
	return invoke[Merchant](ctx, c, route{name: "merchants.create", method: "POST", path: "/v1/merchants", keyed: false, open: false}, in, calls)
}

// MerchantsListInput is what merchants.list takes.
type MerchantsListInput struct {
	Limit  int    `query:"limit"`
	Cursor string `query:"cursor"`
}

// MerchantsList calls merchants.list.
//
// Shows the merchants, newest first.
func (c *Client) MerchantsList(ctx context.Context, in MerchantsListInput, calls ...Call) (Page[Merchant], error) {
	return invoke[Page[Merchant]](ctx, c, route{name: "merchants.list", method: "GET", path: "/v1/merchants", keyed: false, open: false}, in, calls)
}

// MerchantsListAll calls merchants.list for page after page, as they are needed.
func (c *Client) MerchantsListAll(ctx context.Context, in MerchantsListInput, calls ...Call) iter.Seq2[Merchant, error] {
	return all(in, func(in MerchantsListInput) (Page[Merchant], error) { return c.MerchantsList(ctx, in, calls...) }, func(in *MerchantsListInput, next string) { in.Cursor = next })
}

// MerchantsGetInput is what merchants.get takes.
type MerchantsGetInput struct {
	ID string `path:"id" json:"-"`
}

// MerchantsGet calls merchants.get.
//
// Shows one merchant.
func (c *Client) MerchantsGet(ctx context.Context, in MerchantsGetInput, calls ...Call) (Merchant, error) {
	return invoke[Merchant](ctx, c, route{name: "merchants.get", method: "GET", path: "/v1/merchants/{id}", keyed: false, open: false}, in, calls)
}

// WebhooksCreateInput is what webhooks.create takes.
type WebhooksCreateInput struct {
	// URL is where events are sent: https, on a public host.
	URL string `json:"url"`
	// Events are types of events such as payment.captured, a group such as payment.*, or * for all.
	Events      []string `json:"events"`
	Description string   `json:"description,omitzero"`
	// MerchantID says whose events are sent. Staff must give it; merchants must not, since they get their own.
	MerchantID string `json:"merchant_id,omitzero"`
}

// WebhooksCreate calls webhooks.create.
//
// Makes an endpoint.
// Its secret is shown this once.
func (c *Client) WebhooksCreate(ctx context.Context, in WebhooksCreateInput, calls ...Call) (Created, error) {
	return invoke[Created](ctx, c, route{name: "webhooks.create", method: "POST", path: "/v1/webhooks", keyed: false, open: false}, in, calls)
}

// WebhooksListInput is what webhooks.list takes.
type WebhooksListInput struct {
	Limit  int    `query:"limit"`
	Cursor string `query:"cursor"`
}

// WebhooksList calls webhooks.list.
//
// Shows endpoints, newest first.
func (c *Client) WebhooksList(ctx context.Context, in WebhooksListInput, calls ...Call) (Page[Endpoint], error) {
	return invoke[Page[Endpoint]](ctx, c, route{name: "webhooks.list", method: "GET", path: "/v1/webhooks", keyed: false, open: false}, in, calls)
}

// WebhooksListAll calls webhooks.list for page after page, as they are needed.
func (c *Client) WebhooksListAll(ctx context.Context, in WebhooksListInput, calls ...Call) iter.Seq2[Endpoint, error] {
	return all(in, func(in WebhooksListInput) (Page[Endpoint], error) { return c.WebhooksList(ctx, in, calls...) }, func(in *WebhooksListInput, next string) { in.Cursor = next })
}

// WebhooksDeleteInput is what webhooks.delete takes.
type WebhooksDeleteInput struct {
	ID string `path:"id" json:"-"`
}

// WebhooksDelete calls webhooks.delete.
//
// Ends an endpoint.
// What waits for it is never sent.
func (c *Client) WebhooksDelete(ctx context.Context, in WebhooksDeleteInput, calls ...Call) error {
	_, _, err := c.send(ctx, route{name: "webhooks.delete", method: "DELETE", path: "/v1/webhooks/{id}", keyed: false, open: false}, in, calls)
	return err
}

// WebhooksEnableInput is what webhooks.enable takes.
type WebhooksEnableInput struct {
	ID string `path:"id" json:"-"`
}

// WebhooksEnable calls webhooks.enable.
//
// Turns an endpoint on that was disabled, and sends what has waited.
func (c *Client) WebhooksEnable(ctx context.Context, in WebhooksEnableInput, calls ...Call) (Endpoint, error) {
	return invoke[Endpoint](ctx, c, route{name: "webhooks.enable", method: "POST", path: "/v1/webhooks/{id}/enable", keyed: false, open: false}, in, calls)
}

// WebhooksDeliveriesInput is what webhooks.deliveries takes.
type WebhooksDeliveriesInput struct {
	Limit  int    `query:"limit"`
	Cursor string `query:"cursor"`
	ID     string `path:"id" json:"-"`
}

// WebhooksDeliveries calls webhooks.deliveries.
//
// Shows what was and is to be sent to an endpoint, newest first.
func (c *Client) WebhooksDeliveries(ctx context.Context, in WebhooksDeliveriesInput, calls ...Call) (Page[Delivery], error) {
	return invoke[Page[Delivery]](ctx, c, route{name: "webhooks.deliveries", method: "GET", path: "/v1/webhooks/{id}/deliveries", keyed: false, open: false}, in, calls)
}

// WebhooksDeliveriesAll calls webhooks.deliveries for page after page, as they are needed.
func (c *Client) WebhooksDeliveriesAll(ctx context.Context, in WebhooksDeliveriesInput, calls ...Call) iter.Seq2[Delivery, error] {
	return all(in, func(in WebhooksDeliveriesInput) (Page[Delivery], error) {
		return c.WebhooksDeliveries(ctx, in, calls...)
	}, func(in *WebhooksDeliveriesInput, next string) { in.Cursor = next })
}

// WebhooksRedeliverInput is what webhooks.redeliver takes.
type WebhooksRedeliverInput struct {
	ID         string `path:"id" json:"-"`
	DeliveryID string `path:"delivery_id" json:"-"`
}

// WebhooksRedeliver calls webhooks.redeliver.
//
// Sends an event to an endpoint again, under the same id.
func (c *Client) WebhooksRedeliver(ctx context.Context, in WebhooksRedeliverInput, calls ...Call) (Delivery, error) {
	return invoke[Delivery](ctx, c, route{name: "webhooks.redeliver", method: "POST", path: "/v1/webhooks/{id}/deliveries/{delivery_id}/redeliver", keyed: false, open: false}, in, calls)
}

// AuthMe calls auth.me.
//
// Shows who is signed in.
// A token that outlived its account is refused.
func (c *Client) AuthMe(ctx context.Context, calls ...Call) (Me, error) {
	return invoke[Me](ctx, c, route{name: "auth.me", method: "GET", path: "/v1/auth/me", keyed: false, open: false}, struct{}{}, calls)
}

// UsersCreateInput is what users.create takes.
type UsersCreateInput struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	Role     string `json:"role"`
	// MerchantID is required for the role merchant, and for no other.
	MerchantID string `json:"merchant_id,omitzero"`
}

// UsersCreate calls users.create.
//
// Makes a user who can sign in from now on.
func (c *Client) UsersCreate(ctx context.Context, in UsersCreateInput, calls ...Call) (User, error) {
	return invoke[User](ctx, c, route{name: "users.create", method: "POST", path: "/v1/users", keyed: false, open: false}, in, calls)
}

// UsersListInput is what users.list takes.
type UsersListInput struct {
	Limit  int    `query:"limit"`
	Cursor string `query:"cursor"`
}

// UsersList calls users.list.
//
// Shows the users, oldest first.
func (c *Client) UsersList(ctx context.Context, in UsersListInput, calls ...Call) (Page[User], error) {
	return invoke[Page[User]](ctx, c, route{name: "users.list", method: "GET", path: "/v1/users", keyed: false, open: false}, in, calls)
}

// UsersListAll calls users.list for page after page, as they are needed.
func (c *Client) UsersListAll(ctx context.Context, in UsersListInput, calls ...Call) iter.Seq2[User, error] {
	return all(in, func(in UsersListInput) (Page[User], error) { return c.UsersList(ctx, in, calls...) }, func(in *UsersListInput, next string) { in.Cursor = next })
}

// AuthLoginInput is what auth.login takes.
type AuthLoginInput struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	// For accounts with a second factor: what the authenticator shows, or a recovery code.
	Code string `json:"code,omitzero"`
}

// AuthLogin calls auth.login.
//
// Exchanges an address and a password for an access token and a refresh token.
// An unknown address, a wrong password and a disabled account are answered alike.
func (c *Client) AuthLogin(ctx context.Context, in AuthLoginInput, calls ...Call) (Grant, error) {
	return invoke[Grant](ctx, c, route{name: "auth.login", method: "POST", path: "/v1/auth/login", keyed: false, open: true}, in, calls)
}

// AuthRefreshInput is what auth.refresh takes.
type AuthRefreshInput struct {
	// The newest refresh token of the session.
	RefreshToken string `json:"refresh_token"`
	// Random text of the client's making. A repeated request with the same one gets the same refresh token.
	RetryKey string `json:"retry_key,omitzero"`
}

// AuthRefresh calls auth.refresh.
//
// Exchanges a refresh token for a new one and a new access token.
// A refresh token is good once. If one comes again its whole session ends, because somebody has copied it. A client whose answer was lost may repeat the request within ten seconds with the same retry_key.
func (c *Client) AuthRefresh(ctx context.Context, in AuthRefreshInput, calls ...Call) (Grant, error) {
	return invoke[Grant](ctx, c, route{name: "auth.refresh", method: "POST", path: "/v1/auth/refresh", keyed: false, open: true}, in, calls)
}

// AuthLogoutInput is what auth.logout takes.
type AuthLogoutInput struct {
	RefreshToken string `json:"refresh_token"`
}

// AuthLogout calls auth.logout.
//
// Ends the session of a refresh token, with its access tokens.
// A token that is unknown, or of somebody else, ends nothing and is answered alike.
func (c *Client) AuthLogout(ctx context.Context, in AuthLogoutInput, calls ...Call) error {
	_, _, err := c.send(ctx, route{name: "auth.logout", method: "POST", path: "/v1/auth/logout", keyed: false, open: false}, in, calls)
	return err
}

// AuthSessionsListInput is what auth.sessions.list takes.
type AuthSessionsListInput struct {
	Limit  int    `query:"limit"`
	Cursor string `query:"cursor"`
}

// AuthSessionsList calls auth.sessions.list.
//
// Shows the caller's open sessions, newest first.
func (c *Client) AuthSessionsList(ctx context.Context, in AuthSessionsListInput, calls ...Call) (Page[SignedIn], error) {
	return invoke[Page[SignedIn]](ctx, c, route{name: "auth.sessions.list", method: "GET", path: "/v1/auth/sessions", keyed: false, open: false}, in, calls)
}

// AuthSessionsListAll calls auth.sessions.list for page after page, as they are needed.
func (c *Client) AuthSessionsListAll(ctx context.Context, in AuthSessionsListInput, calls ...Call) iter.Seq2[SignedIn, error] {
	return all(in, func(in AuthSessionsListInput) (Page[SignedIn], error) { return c.AuthSessionsList(ctx, in, calls...) }, func(in *AuthSessionsListInput, next string) { in.Cursor = next })
}

// AuthSessionsEndInput is what auth.sessions.end takes.
type AuthSessionsEndInput struct {
	ID string `path:"id" json:"-"`
}

// AuthSessionsEnd calls auth.sessions.end.
//
// Ends one of the caller's sessions, with its tokens.
func (c *Client) AuthSessionsEnd(ctx context.Context, in AuthSessionsEndInput, calls ...Call) error {
	_, _, err := c.send(ctx, route{name: "auth.sessions.end", method: "DELETE", path: "/v1/auth/sessions/{id}", keyed: false, open: false}, in, calls)
	return err
}

// AuthSessionsEndOthers calls auth.sessions.end_others.
//
// Ends all of the caller's sessions but the one that asks.
func (c *Client) AuthSessionsEndOthers(ctx context.Context, calls ...Call) error {
	_, _, err := c.send(ctx, route{name: "auth.sessions.end_others", method: "DELETE", path: "/v1/auth/sessions", keyed: false, open: false}, struct{}{}, calls)
	return err
}

// AuthPasswordInput is what auth.password takes.
type AuthPasswordInput struct {
	// The password until now.
	Current string `json:"current"`
	// The password from now on.
	New string `json:"new"`
}

// AuthPassword calls auth.password.
//
// Changes the caller's password and ends all other sessions.
// Access tokens from before are refused from then on; refresh to get a new one.
func (c *Client) AuthPassword(ctx context.Context, in AuthPasswordInput, calls ...Call) error {
	_, _, err := c.send(ctx, route{name: "auth.password", method: "POST", path: "/v1/auth/password", keyed: false, open: false}, in, calls)
	return err
}

// AuthTOTPEnrolInput is what auth.totp.enrol takes.
type AuthTOTPEnrolInput struct {
	Password string `json:"password"`
}

// AuthTOTPEnrol calls auth.totp.enrol.
//
// Returns a secret for the caller's authenticator.
// It is asked for at sign-in once a code of it was confirmed, within ten minutes. The password is needed, so that a stolen access token is not enough.
func (c *Client) AuthTOTPEnrol(ctx context.Context, in AuthTOTPEnrolInput, calls ...Call) (TOTPEnrolment, error) {
	return invoke[TOTPEnrolment](ctx, c, route{name: "auth.totp.enrol", method: "POST", path: "/v1/auth/totp", keyed: false, open: false}, in, calls)
}

// AuthTOTPConfirmInput is what auth.totp.confirm takes.
type AuthTOTPConfirmInput struct {
	// What the authenticator shows.
	Code string `json:"code"`
}

// AuthTOTPConfirm calls auth.totp.confirm.
//
// Turns the second factor on, and answers with recovery codes.
// The codes are shown this once. Each signs in once in place of the authenticator.
func (c *Client) AuthTOTPConfirm(ctx context.Context, in AuthTOTPConfirmInput, calls ...Call) (RecoveryCodes, error) {
	return invoke[RecoveryCodes](ctx, c, route{name: "auth.totp.confirm", method: "POST", path: "/v1/auth/totp/confirm", keyed: false, open: false}, in, calls)
}

// AuthTOTPRemoveInput is what auth.totp.remove takes.
type AuthTOTPRemoveInput struct {
	// The password; not needed with a code.
	Password string `json:"password,omitzero"`
	// What the authenticator shows, or a recovery code; not needed with the password.
	Code string `json:"code,omitzero"`
}

// AuthTOTPRemove calls auth.totp.remove.
//
// Turns the second factor off and deletes the recovery codes.
// The password or a code is needed, so that a stolen access token is not enough.
func (c *Client) AuthTOTPRemove(ctx context.Context, in AuthTOTPRemoveInput, calls ...Call) error {
	_, _, err := c.send(ctx, route{name: "auth.totp.remove", method: "DELETE", path: "/v1/auth/totp", keyed: false, open: false}, in, calls)
	return err
}

// APIKeysCreateInput is what api_keys.create takes.
type APIKeysCreateInput struct {
	// What the key is for, for whoever reads the list.
	Name        string   `json:"name"`
	Permissions []string `json:"permissions"`
	// From when on the key is refused; null for never.
	ExpiresAt *time.Time `json:"expires_at,omitzero"`
}

// APIKeysCreate calls api_keys.create.
//
// Makes an API key for the caller.
// The key is shown this once. It may do what is asked for here and its owner's role allows at the time of use; permissions that the caller does not have are refused. A key that was made by a key ends and expires with it.
func (c *Client) APIKeysCreate(ctx context.Context, in APIKeysCreateInput, calls ...Call) (IssuedAPIKey, error) {
	return invoke[IssuedAPIKey](ctx, c, route{name: "api_keys.create", method: "POST", path: "/v1/api-keys", keyed: false, open: false}, in, calls)
}

// APIKeysListInput is what api_keys.list takes.
type APIKeysListInput struct {
	Limit  int    `query:"limit"`
	Cursor string `query:"cursor"`
}

// APIKeysList calls api_keys.list.
//
// Lists the caller's API keys, oldest first, without those that were ended.
// A caller that is itself an API key sees itself and the keys it made.
func (c *Client) APIKeysList(ctx context.Context, in APIKeysListInput, calls ...Call) (Page[APIKey], error) {
	return invoke[Page[APIKey]](ctx, c, route{name: "api_keys.list", method: "GET", path: "/v1/api-keys", keyed: false, open: false}, in, calls)
}

// APIKeysListAll calls api_keys.list for page after page, as they are needed.
func (c *Client) APIKeysListAll(ctx context.Context, in APIKeysListInput, calls ...Call) iter.Seq2[APIKey, error] {
	return all(in, func(in APIKeysListInput) (Page[APIKey], error) { return c.APIKeysList(ctx, in, calls...) }, func(in *APIKeysListInput, next string) { in.Cursor = next })
}

// APIKeysEndInput is what api_keys.end takes.
type APIKeysEndInput struct {
	ID string `path:"id" json:"-"`
}

// APIKeysEnd calls api_keys.end.
//
// Ends an API key, and the keys that it made.
// It is refused on every instance within a second.
func (c *Client) APIKeysEnd(ctx context.Context, in APIKeysEndInput, calls ...Call) error {
	_, _, err := c.send(ctx, route{name: "api_keys.end", method: "DELETE", path: "/v1/api-keys/{id}", keyed: false, open: false}, in, calls)
	return err
}

// AuthKeys calls auth.keys.
//
// PublicKeys returns the keys that access tokens are verified with (RFC 7517), for services that verify them themselves.
func (c *Client) AuthKeys(ctx context.Context, calls ...Call) (JWKS, error) {
	return invoke[JWKS](ctx, c, route{name: "auth.keys", method: "GET", path: "/.well-known/jwks.json", keyed: false, open: true}, struct{}{}, calls)
}

// A Payment is one card payment. Amounts are minor units: 50_00 is fifty euros.
type Payment struct {
	ID             string            `json:"id"`
	MerchantID     string            `json:"merchant_id"`
	Status         PaymentStatus     `json:"status"`
	Amount         int64             `json:"amount"`
	CapturedAmount int64             `json:"captured_amount"`
	RefundedAmount int64             `json:"refunded_amount"`
	Currency       Currency          `json:"currency"`
	Card           Details           `json:"card"`
	Reference      string            `json:"reference"`
	Description    string            `json:"description"`
	Metadata       map[string]string `json:"metadata"`
	DeclineCode    string            `json:"decline_code,omitzero"`
	CreatedAt      time.Time         `json:"created_at"`
	UpdatedAt      time.Time         `json:"updated_at"`
	Version        int64             `json:"version"`
}

// A Status is where a payment stands.
type PaymentStatus string

// The values of PaymentStatus.
const (
	PaymentStatusAuthorized        PaymentStatus = "authorized"
	PaymentStatusCaptured          PaymentStatus = "captured"
	PaymentStatusPartiallyRefunded PaymentStatus = "partially_refunded"
	PaymentStatusRefunded          PaymentStatus = "refunded"
	PaymentStatusVoided            PaymentStatus = "voided"
	PaymentStatusDeclined          PaymentStatus = "declined"
	PaymentStatusExpired           PaymentStatus = "expired"
)

// Currency is a type of the service.
type Currency string

// The values of Currency.
const (
	CurrencyAED Currency = "AED"
	CurrencyAFN Currency = "AFN"
	CurrencyALL Currency = "ALL"
	CurrencyAMD Currency = "AMD"
	CurrencyAOA Currency = "AOA"
	CurrencyARS Currency = "ARS"
	CurrencyAUD Currency = "AUD"
	CurrencyAWG Currency = "AWG"
	CurrencyAZN Currency = "AZN"
	CurrencyBAM Currency = "BAM"
	CurrencyBBD Currency = "BBD"
	CurrencyBDT Currency = "BDT"
	CurrencyBHD Currency = "BHD"
	CurrencyBIF Currency = "BIF"
	CurrencyBMD Currency = "BMD"
	CurrencyBND Currency = "BND"
	CurrencyBOB Currency = "BOB"
	CurrencyBRL Currency = "BRL"
	CurrencyBSD Currency = "BSD"
	CurrencyBTN Currency = "BTN"
	CurrencyBWP Currency = "BWP"
	CurrencyBYN Currency = "BYN"
	CurrencyBZD Currency = "BZD"
	CurrencyCAD Currency = "CAD"
	CurrencyCDF Currency = "CDF"
	CurrencyCHF Currency = "CHF"
	CurrencyCLP Currency = "CLP"
	CurrencyCNY Currency = "CNY"
	CurrencyCOP Currency = "COP"
	CurrencyCRC Currency = "CRC"
	CurrencyCUP Currency = "CUP"
	CurrencyCVE Currency = "CVE"
	CurrencyCZK Currency = "CZK"
	CurrencyDJF Currency = "DJF"
	CurrencyDKK Currency = "DKK"
	CurrencyDOP Currency = "DOP"
	CurrencyDZD Currency = "DZD"
	CurrencyEGP Currency = "EGP"
	CurrencyERN Currency = "ERN"
	CurrencyETB Currency = "ETB"
	CurrencyEUR Currency = "EUR"
	CurrencyFJD Currency = "FJD"
	CurrencyFKP Currency = "FKP"
	CurrencyGBP Currency = "GBP"
	CurrencyGEL Currency = "GEL"
	CurrencyGHS Currency = "GHS"
	CurrencyGIP Currency = "GIP"
	CurrencyGMD Currency = "GMD"
	CurrencyGNF Currency = "GNF"
	CurrencyGTQ Currency = "GTQ"
	CurrencyGYD Currency = "GYD"
	CurrencyHKD Currency = "HKD"
	CurrencyHNL Currency = "HNL"
	CurrencyHTG Currency = "HTG"
	CurrencyHUF Currency = "HUF"
	CurrencyIDR Currency = "IDR"
	CurrencyILS Currency = "ILS"
	CurrencyINR Currency = "INR"
	CurrencyIQD Currency = "IQD"
	CurrencyIRR Currency = "IRR"
	CurrencyISK Currency = "ISK"
	CurrencyJMD Currency = "JMD"
	CurrencyJOD Currency = "JOD"
	CurrencyJPY Currency = "JPY"
	CurrencyKES Currency = "KES"
	CurrencyKGS Currency = "KGS"
	CurrencyKHR Currency = "KHR"
	CurrencyKMF Currency = "KMF"
	CurrencyKPW Currency = "KPW"
	CurrencyKRW Currency = "KRW"
	CurrencyKWD Currency = "KWD"
	CurrencyKYD Currency = "KYD"
	CurrencyKZT Currency = "KZT"
	CurrencyLAK Currency = "LAK"
	CurrencyLBP Currency = "LBP"
	CurrencyLKR Currency = "LKR"
	CurrencyLRD Currency = "LRD"
	CurrencyLSL Currency = "LSL"
	CurrencyLYD Currency = "LYD"
	CurrencyMAD Currency = "MAD"
	CurrencyMDL Currency = "MDL"
	CurrencyMGA Currency = "MGA"
	CurrencyMKD Currency = "MKD"
	CurrencyMMK Currency = "MMK"
	CurrencyMNT Currency = "MNT"
	CurrencyMOP Currency = "MOP"
	CurrencyMRU Currency = "MRU"
	CurrencyMUR Currency = "MUR"
	CurrencyMVR Currency = "MVR"
	CurrencyMWK Currency = "MWK"
	CurrencyMXN Currency = "MXN"
	CurrencyMYR Currency = "MYR"
	CurrencyMZN Currency = "MZN"
	CurrencyNAD Currency = "NAD"
	CurrencyNGN Currency = "NGN"
	CurrencyNIO Currency = "NIO"
	CurrencyNOK Currency = "NOK"
	CurrencyNPR Currency = "NPR"
	CurrencyNZD Currency = "NZD"
	CurrencyOMR Currency = "OMR"
	CurrencyPAB Currency = "PAB"
	CurrencyPEN Currency = "PEN"
	CurrencyPGK Currency = "PGK"
	CurrencyPHP Currency = "PHP"
	CurrencyPKR Currency = "PKR"
	CurrencyPLN Currency = "PLN"
	CurrencyPYG Currency = "PYG"
	CurrencyQAR Currency = "QAR"
	CurrencyRON Currency = "RON"
	CurrencyRSD Currency = "RSD"
	CurrencyRUB Currency = "RUB"
	CurrencyRWF Currency = "RWF"
	CurrencySAR Currency = "SAR"
	CurrencySBD Currency = "SBD"
	CurrencySCR Currency = "SCR"
	CurrencySDG Currency = "SDG"
	CurrencySEK Currency = "SEK"
	CurrencySGD Currency = "SGD"
	CurrencySHP Currency = "SHP"
	CurrencySLE Currency = "SLE"
	CurrencySOS Currency = "SOS"
	CurrencySRD Currency = "SRD"
	CurrencySSP Currency = "SSP"
	CurrencySTN Currency = "STN"
	CurrencySVC Currency = "SVC"
	CurrencySYP Currency = "SYP"
	CurrencySZL Currency = "SZL"
	CurrencyTHB Currency = "THB"
	CurrencyTJS Currency = "TJS"
	CurrencyTMT Currency = "TMT"
	CurrencyTND Currency = "TND"
	CurrencyTOP Currency = "TOP"
	CurrencyTRY Currency = "TRY"
	CurrencyTTD Currency = "TTD"
	CurrencyTWD Currency = "TWD"
	CurrencyTZS Currency = "TZS"
	CurrencyUAH Currency = "UAH"
	CurrencyUGX Currency = "UGX"
	CurrencyUSD Currency = "USD"
	CurrencyUYU Currency = "UYU"
	CurrencyUZS Currency = "UZS"
	CurrencyVED Currency = "VED"
	CurrencyVES Currency = "VES"
	CurrencyVND Currency = "VND"
	CurrencyVUV Currency = "VUV"
	CurrencyWST Currency = "WST"
	CurrencyXAF Currency = "XAF"
	CurrencyXCD Currency = "XCD"
	CurrencyXCG Currency = "XCG"
	CurrencyXOF Currency = "XOF"
	CurrencyXPF Currency = "XPF"
	CurrencyYER Currency = "YER"
	CurrencyZAR Currency = "ZAR"
	CurrencyZMW Currency = "ZMW"
	CurrencyZWG Currency = "ZWG"
)

// Details is a type of the service.
type Details struct {
	Brand    string `json:"brand"`
	Last4    string `json:"last4"`
	ExpMonth int    `json:"exp_month"`
	ExpYear  int    `json:"exp_year"`
}

// A Refund is money given back.
type Refund struct {
	ID        string    `json:"id"`
	PaymentID string    `json:"payment_id"`
	Amount    int64     `json:"amount"`
	Currency  Currency  `json:"currency"`
	Reason    string    `json:"reason"`
	CreatedAt time.Time `json:"created_at"`
}

// A Feed is a part of the events, oldest first. It is continued after its last event.
type Feed struct {
	Data    []Event `json:"data"`
	HasMore bool    `json:"has_more"`
}

// An Event tells that a payment changed. It is written in the transaction of the change, so there is exactly one for each.
type Event struct {
	ID         string `json:"id"`
	Type       string `json:"type"`
	MerchantID string `json:"merchant_id"`
	PaymentID  string `json:"payment_id"`
	// Data is the payment as it was after the change.
	Data      Payment   `json:"data"`
	CreatedAt time.Time `json:"created_at"`
}

// Sheet is the trial balance. The balances of one currency sum to zero.
type Sheet struct {
	Data []Balance `json:"data"`
}

// A Balance is the sum of an account's entries in one currency.
type Balance struct {
	Account  string   `json:"account"`
	Currency Currency `json:"currency"`
	Balance  int64    `json:"balance"`
}

// An Entry is one side of a movement of money. A positive amount is a debit, a negative one a credit.
type Entry struct {
	ID         string   `json:"id"`
	PaymentID  string   `json:"payment_id"`
	MerchantID string   `json:"merchant_id"`
	Account    string   `json:"account"`
	Currency   Currency `json:"currency"`
	Amount     int64    `json:"amount"`
	// Reason is the event that moved the money, "payment.captured".
	Reason    string    `json:"reason"`
	CreatedAt time.Time `json:"created_at"`
}

// A Report is one that was asked for.
type Report struct {
	ID     string       `json:"id"`
	Kind   Kind         `json:"kind"`
	Status ReportStatus `json:"status"`
	// MerchantID is missing from a report of all merchants.
	MerchantID string `json:"merchant_id,omitzero"`
	// From and To bound the period: an entry of the instant From is in it, one of the instant To is not.
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Currency Currency  `json:"currency,omitzero"`
	Progress Progress  `json:"progress"`
	// FailureCode says why a report failed.
	FailureCode Failure   `json:"failure_code,omitzero"`
	CreatedAt   time.Time `json:"created_at"`
	// ExpiresAt is when the report and its files are removed.
	ExpiresAt time.Time `json:"expires_at"`
}

// A Kind is what a report is about.
type Kind string

// The values of Kind.
const (
	KindSettlement Kind = "settlement"
)

// A Status is where a report stands.
type ReportStatus string

// The values of ReportStatus.
const (
	ReportStatusQueued  ReportStatus = "queued"
	ReportStatusRunning ReportStatus = "running"
	ReportStatusDone    ReportStatus = "done"
	ReportStatusFailed  ReportStatus = "failed"
)

// Progress is how many entries of the ledger are in the report, of those that will be.
type Progress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// A Failure is why a report failed.
type Failure string

// The values of Failure.
const (
	FailureTooLarge Failure = "too_large"
	FailureTimedOut Failure = "timed_out"
	FailureInternal Failure = "internal"
)

// A Merchant is a business whose customers pay.
type Merchant struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Country   string    `json:"country"`
	Currency  Currency  `json:"currency"`
	CreatedAt time.Time `json:"created_at"`
}

// A Created endpoint shows its secret, this once.
type Created struct {
	ID          string   `json:"id"`
	MerchantID  string   `json:"merchant_id"`
	URL         string   `json:"url"`
	Events      []string `json:"events"`
	Description string   `json:"description"`
	Status      string   `json:"status"`
	// DisabledReason is by_owner, gone (it answered 410) or failing.
	DisabledReason string    `json:"disabled_reason,omitzero"`
	CreatedAt      time.Time `json:"created_at"`
	// Secret verifies the signatures of what is sent.
	Secret string `json:"secret"`
}

// An Endpoint is where a merchant's events are sent.
type Endpoint struct {
	ID          string   `json:"id"`
	MerchantID  string   `json:"merchant_id"`
	URL         string   `json:"url"`
	Events      []string `json:"events"`
	Description string   `json:"description"`
	Status      string   `json:"status"`
	// DisabledReason is by_owner, gone (it answered 410) or failing.
	DisabledReason string    `json:"disabled_reason,omitzero"`
	CreatedAt      time.Time `json:"created_at"`
}

// A Delivery is one event at one endpoint.
type Delivery struct {
	ID        string `json:"id"`
	EventID   string `json:"event_id"`
	EventType string `json:"event_type"`
	Status    string `json:"status"`
	// AttemptCount counts all attempts; Attempts are the last ten of them.
	AttemptCount int       `json:"attempt_count"`
	Attempts     []Attempt `json:"attempts"`
	// NextAttemptAt is missing if there will be none, or another event of the same payment is to be delivered before.
	NextAttemptAt *time.Time `json:"next_attempt_at,omitzero"`
	CreatedAt     time.Time  `json:"created_at"`
}

// An Attempt is one try at a delivery.
type Attempt struct {
	At      time.Time `json:"at"`
	Outcome string    `json:"outcome"`
	// of the answer; 0 without one
	Status     int   `json:"status"`
	DurationMs int64 `json:"duration_ms"`
	// Response is how the answer's body begins.
	Response string `json:"response"`
}

// Me is who asks, and what they may do.
type Me struct {
	ID          string   `json:"id"`
	Email       string   `json:"email"`
	Role        string   `json:"role"`
	MerchantID  string   `json:"merchant_id,omitzero"`
	Permissions []string `json:"permissions"`
}

// A User is an account as the API shows it.
type User struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Role  string `json:"role"`
	// MerchantID is the merchant that the user is confined to; staff have none.
	MerchantID string    `json:"merchant_id,omitzero"`
	CreatedAt  time.Time `json:"created_at"`
}

// Grant is a type of the service.
type Grant struct {
	// Send it as Authorization: Bearer.
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	// Life of the access token in seconds.
	ExpiresIn int64 `json:"expires_in"`
	// Exchange it for the next pair of tokens. It is good once.
	RefreshToken string `json:"refresh_token"`
}

// SignedIn is an open session.
type SignedIn struct {
	ID string `json:"id"`
	// When the sign-in was.
	CreatedAt time.Time `json:"created_at"`
	// When the session was last refreshed; for a cookie, last used.
	UsedAt time.Time `json:"used_at"`
	// IP address that it was last refreshed from.
	Address string `json:"address"`
	// User-Agent that it was last refreshed by.
	Agent string `json:"agent"`
	// Whether it is the session that asks.
	Current bool `json:"current"`
}

// TOTPEnrolment is a type of the service.
type TOTPEnrolment struct {
	// The secret in base32, to be typed into an authenticator.
	Secret string `json:"secret"`
	// The same as an otpauth URI, to be shown as a QR code.
	Uri string `json:"uri"`
}

// RecoveryCodes is a type of the service.
type RecoveryCodes struct {
	// Ten codes. Case, spaces and hyphens do not matter.
	RecoveryCodes []string `json:"recovery_codes"`
}

// IssuedAPIKey is a type of the service.
type IssuedAPIKey struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// What bounds the key, beside the role of its owner.
	Permissions []string `json:"permissions"`
	// How the key starts, to tell which one lies somewhere.
	Hint string `json:"hint"`
	// The key that made this one, if a key did.
	Parent    string    `json:"parent,omitzero"`
	CreatedAt time.Time `json:"created_at"`
	// From when on the key is refused; null for never.
	ExpiresAt *time.Time `json:"expires_at"`
	// Up to a minute late; null if it was never used.
	LastUsedAt *time.Time `json:"last_used_at"`
	// Send it as Authorization: Bearer. It is shown this once and kept nowhere.
	Key string `json:"key"`
}

// APIKey is a type of the service.
type APIKey struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// What bounds the key, beside the role of its owner.
	Permissions []string `json:"permissions"`
	// How the key starts, to tell which one lies somewhere.
	Hint string `json:"hint"`
	// The key that made this one, if a key did.
	Parent    string    `json:"parent,omitzero"`
	CreatedAt time.Time `json:"created_at"`
	// From when on the key is refused; null for never.
	ExpiresAt *time.Time `json:"expires_at"`
	// Up to a minute late; null if it was never used.
	LastUsedAt *time.Time `json:"last_used_at"`
}

// JWKS is a type of the service.
type JWKS struct {
	// The key that signs, the one that will, and those whose tokens are still good.
	Keys []JWK `json:"keys"`
}

// JWK is a type of the service.
type JWK struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y,omitzero"`
	// The kid of the tokens that the key signs.
	Kid string `json:"kid"`
	Use string `json:"use"`
	Alg string `json:"alg"`
}

// Card is a type of the service.
type Card struct {
	Number   string `json:"number"`
	ExpMonth int    `json:"exp_month"`
	ExpYear  int    `json:"exp_year"`
	CVC      string `json:"cvc"`
}

// A Format is what a file of a report is.
type Format string

// The values of Format.
const (
	FormatCsv Format = "csv"
	FormatSvg Format = "svg"
)

// The codes of problems, for [HasCode].
const (
	CodeAccountNotFound          = "account_not_found"
	CodeAPIKeyNotFound           = "api_key_not_found"
	CodeAPIKeysTooMany           = "api_keys_too_many"
	CodeBodyTooLarge             = "body_too_large"
	CodeCardDeclined             = "card_declined"
	CodeCardNetworkUnavailable   = "card_network_unavailable"
	CodeCredentialsWrong         = "credentials_wrong"
	CodeCursorInvalid            = "cursor_invalid"
	CodeDeadlineExceeded         = "deadline_exceeded"
	CodeEmailTaken               = "email_taken"
	CodeEventsReset              = "events_reset"
	CodeIdempotencyKeyInFlight   = "idempotency_key_in_flight"
	CodeIdempotencyKeyMalformed  = "idempotency_key_malformed"
	CodeIdempotencyKeyMissing    = "idempotency_key_missing"
	CodeIdempotencyKeyReused     = "idempotency_key_reused"
	CodeInternal                 = "internal"
	CodeInvalid                  = "invalid"
	CodeMalformed                = "malformed"
	CodeMediaTypeUnsupported     = "media_type_unsupported"
	CodeMerchantNotFound         = "merchant_not_found"
	CodeNotAcceptable            = "not_acceptable"
	CodeOverloaded               = "overloaded"
	CodePaymentNotFound          = "payment_not_found"
	CodePaymentWrongState        = "payment_wrong_state"
	CodePermissionDenied         = "permission_denied"
	CodePermissionsChanged       = "permissions_changed"
	CodeRateLimited              = "rate_limited"
	CodeRefreshTokenInvalid      = "refresh_token_invalid"
	CodeReportLimitReached       = "report_limit_reached"
	CodeReportNotFound           = "report_not_found"
	CodeReportNotReady           = "report_not_ready"
	CodeRequestTimeout           = "request_timeout"
	CodeSecondFactorExists       = "second_factor_exists"
	CodeSecondFactorNotFound     = "second_factor_not_found"
	CodeSecondFactorRequired     = "second_factor_required"
	CodeSecondFactorThrottled    = "second_factor_throttled"
	CodeSecondFactorWrong        = "second_factor_wrong"
	CodeSessionNotFound          = "session_not_found"
	CodeSignInBusy               = "sign_in_busy"
	CodeSignInThrottled          = "sign_in_throttled"
	CodeStale                    = "stale"
	CodeStreamsFull              = "streams_full"
	CodeTokenInvalid             = "token_invalid"
	CodeTooManyStreams           = "too_many_streams"
	CodeUnauthenticated          = "unauthenticated"
	CodeUnavailable              = "unavailable"
	CodeWebhookDeliveryExhausted = "webhook_delivery_exhausted"
	CodeWebhookDeliveryNotFound  = "webhook_delivery_not_found"
	CodeWebhookDisabled          = "webhook_disabled"
	CodeWebhookLimitReached      = "webhook_limit_reached"
	CodeWebhookNotFound          = "webhook_not_found"
)
