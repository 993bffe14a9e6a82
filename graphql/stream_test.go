package graphql_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/live"
)

func asClose(err error, e *websocket.CloseError) bool { return errors.As(err, e) }

// Each item is a result of its own, with the fields that were asked for, and the
// id where the client goes on.
func TestASubscriptionSendsItsItemsAsEvents(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{}, graphql.Config{})
	f := s.listen(`subscription { it: newsFollow(upto: 2) { t: text n __typename } }`)
	f.expect(
		`next news_1 {"data":{"it":{"t":"line\n\"two\" ☃","n":1,"__typename":"Headline"}},"extensions":{"id":"news_1"}}`,
		`next news_2 {"data":{"it":{"t":"line\n\"two\" ☃","n":2,"__typename":"Headline"}},"extensions":{"id":"news_2"}}`,
		`complete news_2`)
	f.closed()
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Accel-Buffering": "no"} {
		if got := f.res.Header.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	s.eventually("the end is logged", func() bool {
		return strings.Contains(s.log.String(), "op=news.follow transport=graphql-sse reason=completed")
	})
	if stats := s.handlers["news.follow"].Stats(); stats.Opened != 1 || stats.Messages != 2 || stats.Ended[live.Completed] != 1 {
		t.Errorf("%+v", stats)
	}
}

// P15.5: where a client goes on is said as EventSource says it, or by the
// request's extensions.
func TestASubscriptionGoesOnAfterAnID(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{}, graphql.Config{})
	const query = `subscription { newsFollow { n } }`
	want := []string{`next news_3 {"data":{"newsFollow":{"n":3}},"extensions":{"id":"news_3"}}`, `complete news_3`}
	s.listen(query, "Last-Event-ID", "news_2").expect(want...)
	s.feed(s.post(object{"query": query, "extensions": object{"after": "news_2"}})).expect(want...)
	s.listen(`subscription { newsFollow(after: "news_2") { n } }`).expect(want...)
	if res := s.post(object{"query": query, "extensions": object{"after": 2}}); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a number is answered %d", res.StatusCode)
	}

	w := s.greeted()
	w.send(`{"id":"1","type":"subscribe","payload":{"query":"subscription { newsFollow { n } }","extensions":{"after":"news_2"}}}`)
	w.expect(`{"type":"next","id":"1","payload":{"data":{"newsFollow":{"n":3}},"extensions":{"id":"news_3"}}}`, `{"type":"complete","id":"1"}`)
}

// A browser's EventSource sends a GET.
func TestASubscriptionByGet(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{}, graphql.Config{})
	for method, want := range map[string]string{http.MethodGet: `"n":1`, http.MethodHead: ""} {
		r, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/graphql?query="+`subscription%7BnewsOpen(upto:1)%7Bn%7D%7D`, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/event-stream")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" || !strings.Contains(string(body), want) {
			t.Errorf("%s is answered %d %v %s (%v)", method, res.StatusCode, res.Header, body, err)
		}
	}
}

// What is no subscription is answered in the same form, if that is what was
// asked for; a subscription is not answered in another.
func TestEventsAreAnsweredToWhoTakesThem(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{}, graphql.Config{})
	f := s.listen(`{ newsGet(id: "x") { n } }`)
	f.expect(`next  {"data":{"newsGet":{"n":7}}}`, `complete`)
	f.closed()
	s.listen(`{ newsGet(id: "none") { n } }`).events.Next()
	for query, code := range map[string]string{`{ nothing }`: "graphql_syntax", `subscription { newsFollow { none } }`: "graphql_invalid", `subscription { __typename }`: "graphql_invalid"} {
		if query == `{ nothing }` {
			query = `{ nothing`
		}
		f := s.listen(query)
		f.fails(code)
		f.expect("complete")
	}
	for accept, want := range map[string]int{"application/json": 406, "*/*": 406, "text/event-stream;q=0, application/json": 406, "application/json, text/event-stream": 200} {
		res := s.post(object{"query": `subscription { newsOpen { n } }`}, "Accept", accept)
		if res.StatusCode != want {
			t.Errorf("Accept %s is answered %d, want %d", accept, res.StatusCode, want)
		}
	}
	if res := s.post(object{"query": `{ newsGet(id: "x") { n } }`}, "Accept", "application/json, text/event-stream"); !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		t.Errorf("a query is answered as %s", res.Header.Get("Content-Type"))
	}
	if res := s.post([]string{"no", "object"}); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a request that is none is answered %d", res.StatusCode)
	}
}

// Section 5.2.4 of the specification, and that nothing decides whether the field
// of a subscription is there.
func TestWhatIsNoSubscription(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{}, graphql.Config{Introspection: true})
	for _, query := range []string{
		`subscription { a: newsFollow { n } b: newsFollow { n } }`,
		`subscription { __typename }`,
		`subscription { newsFollow @skip(if: false) { n } }`,
		`subscription { newsFollow @include(if: true) { n } }`,
		`subscription { ... @include(if: true) { newsFollow { n } } }`,
		`subscription { ...f } fragment f on Subscription { newsFollow @skip(if: false) { n } }`,
		`subscription { ...f @include(if: true) } fragment f on Subscription { newsFollow { n } }`,
	} {
		s.listen(query).fails("graphql_invalid")
	}
	s.listen(`subscription { ...f } fragment f on Subscription { newsFollow(upto: 1) { n @include(if: false) author_id } }`).
		expect(`next news_1 {"data":{"newsFollow":{"author_id":"a"}},"extensions":{"id":"news_1"}}`)
}

// P15.8: gates are those of the stream's own path.
func TestRefusedSubscriptionsKeepTheirCodes(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{Grace: patience}, graphql.Config{})
	for _, c := range []struct{ query, who, code string }{
		{`subscription { newsFollow { n } }`, "", "unauthenticated"},
		{`subscription { newsFollow { n } }`, "Bearer mallory", "token_invalid"},
		{`subscription { newsFollow { n } }`, "Bearer eve", "permission_denied"},
		{`subscription { newsFail { n } }`, "Bearer ann", "news_not_found"},
		{`subscription { newsFollow(upto: 2000) { n } }`, "Bearer ann", "invalid"},
	} {
		f := s.listen(c.query, "Authorization", c.who)
		if e := f.fails(c.code); e["status"] == nil || e["trace_id"] == "" {
			t.Errorf("%v", e)
		}
		f.expect("complete")
		f.closed()
		if c.code == "token_invalid" {
			continue // no socket is opened for it
		}
		w := s.dial("Authorization", c.who)
		w.send(`{"type":"connection_init"}`)
		w.expect(`{"type":"connection_ack"}`)
		w.subscribe("a", c.query)
		w.fails("a", c.code)
		w.subscribe("a", `subscription { newsOpen(upto: 1) { n } }`) // the id is free, and the socket goes on
		w.expect(`{"type":"next","id":"a","payload":{"data":{"newsOpen":{"n":1}},"extensions":{"id":"news_1"}}}`, `{"type":"complete","id":"a"}`)
	}
}

// A failure after the first item is told, and is the end.
func TestAFailureEndsASubscription(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{}, graphql.Config{})
	const query = `subscription { newsFail(upto: 1) { n } }`
	f := s.listen(query)
	f.expect(`next news_1 {"data":{"newsFail":{"n":1}},"extensions":{"id":"news_1"}}`)
	f.fails("news_not_found")
	f.expect("complete news_1")
	f.closed()
	w := s.greeted()
	w.subscribe("a", query)
	w.expect(`{"type":"next","id":"a","payload":{"data":{"newsFail":{"n":1}},"extensions":{"id":"news_1"}}}`)
	w.fails("a", "news_not_found")
	s.eventually("both are counted", func() bool { return s.handlers["news.fail"].Stats().Ended[live.Failed] == 2 })
}

// Relations are answered for each item, as whoever subscribed.
func TestRelationsOfItems(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{}, graphql.Config{})
	const query = `subscription { newsFollow(upto: 2) { n author { name } } }`
	item := func(n int) string {
		return `{"data":{"newsFollow":{"n":` + strconv.Itoa(n) + `,"author":{"name":"Ada, for ann"}}},"extensions":{"id":"news_` + strconv.Itoa(n) + `"}}`
	}
	s.listen(query).expect("next news_1 "+item(1), "next news_2 "+item(2), "complete news_2")
	w := s.greeted()
	w.subscribe("a", query)
	w.expect(`{"type":"next","id":"a","payload":`+item(1)+`}`, `{"type":"next","id":"a","payload":`+item(2)+`}`, `{"type":"complete","id":"a"}`)
	if n := s.relations(); n != 4 {
		t.Errorf("the relation was asked %d times, want once for each of 4 items", n)
	}
}

// P15.2: who may no more what it might is told so, and why.
func TestSubscriptionsEndWithTheirCredential(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{Recheck: time.Millisecond}, graphql.Config{})
	f := s.listen(`subscription { newsSilent(id: "1") { n } }`)
	<-s.begun
	w := s.greeted()
	w.subscribe("a", `subscription { newsSilent(id: "2") { n } }`)
	<-s.begun
	s.eventually("both are open", func() bool { return s.handlers["news.silent"].Stats().Open == 2 })
	s.revoke(fault.ErrToken.Because("The session has ended."))
	f.fails("token_invalid")
	f.expect("complete")
	w.closed(4403, "token_invalid")
	s.eventually("nothing is open", func() bool { return s.streams.Open() == 0 })
	if stats := s.handlers["news.silent"].Stats(); stats.Ended[live.Revoked] != 2 {
		t.Errorf("%+v", stats)
	}
}

// A stream that has a time of its own ends with a word that says so.
func TestTheTimeOfASubscriptionIsOver(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{Recheck: time.Millisecond}, graphql.Config{})
	f := s.listen(`subscription { newsBrief { n } }`)
	f.fails("expired")
	f.expect("complete")
	w := s.greeted()
	w.subscribe("a", `subscription { newsBrief { n } }`)
	w.fails("a", "expired")
	w.send(`{"type":"ping"}`)
	w.expect(`{"type":"pong"}`)
}

// At a shutdown all are told to come back, each after another pause, and nobody
// is told that this was all.
func TestSubscriptionsAreDrained(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{}, graphql.Config{})
	f := s.listen(`subscription { newsSilent(id: "1") { n } }`)
	<-s.begun
	w := s.greeted()
	w.subscribe("a", `subscription { newsSilent(id: "2") { n } }`)
	<-s.begun
	s.eventually("both are open", func() bool { return s.handlers["news.silent"].Stats().Open == 2 })
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		s.streams.Drain(context.Background())
	}()
	if pause, _ := f.fails("draining")["retry_ms"].(float64); pause < 2000 || pause > 4000 || f.events.Retry() != time.Duration(pause)*time.Millisecond {
		t.Errorf("told to come back after %v ms, and %v", pause, f.events.Retry())
	}
	f.closed()
	w.closed(websocket.StatusGoingAway, "draining; retry_ms=")
	<-drained
	s.busy(`subscription { newsOpen { n } }`, http.StatusServiceUnavailable, "unavailable")
}

// P15.3: a client that does not read is dropped, and those beside it are not.
func TestASlowSubscriberIsDropped(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{Patience: 50 * time.Millisecond}, graphql.Config{})
	f := s.listen(`subscription { newsFlood { text } }`)
	w := s.greeted()
	w.subscribe("a", `subscription { newsFlood { text } }`)
	s.eventually("both are dropped", func() bool { return s.handlers["news.flood"].Stats().Ended[live.Slow] == 2 })
	s.eventually("nothing is open", func() bool { return s.streams.Open() == 0 })
	_, _ = f, w
}

// Who leaves ends the stream.
func TestASubscriberLeaves(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{}, graphql.Config{})
	f := s.listen(`subscription { newsSilent(id: "1") { n } }`)
	<-s.begun
	w := s.greeted()
	w.subscribe("a", `subscription { newsSilent(id: "2") { n } }`)
	<-s.begun
	s.eventually("both are open", func() bool { return s.handlers["news.silent"].Stats().Open == 2 })
	_ = f.res.Body.Close()
	w.send(`{"type":"complete","id":"a"}`)
	s.eventually("the socket is left", func() bool { return s.streams.Open() == 1 })
	w.subscribe("a", `subscription { newsSilent(id: "3") { n } }`) // the id is free
	<-s.begun
	s.eventually("it is open", func() bool { return s.handlers["news.silent"].Stats().Opened == 3 })
	_ = w.CloseNow()
	s.eventually("nothing is open", func() bool { return s.streams.Open() == 0 && s.streams.SocketStats().Open == 0 })
	if stats := s.handlers["news.silent"].Stats(); stats.Ended[live.Left] != 3 {
		t.Errorf("%+v", stats)
	}
}

// P15.3: streams and sockets count for the principal, whatever protocol they
// speak.
func TestSubscriptionsAreBounded(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{MostEach: 2, Grace: patience}, graphql.Config{})
	w := s.greeted()
	w.subscribe("a", `subscription { newsSilent(id: "1") { n } }`)
	<-s.begun
	w.subscribe("b", `subscription { newsSilent(id: "2") { n } }`)
	w.fails("b", "too_many_streams")
	s.busy(`subscription { newsSilent(id: "3") { n } }`, http.StatusTooManyRequests, "too_many_streams")
	other := s.dial()
	other.send(`{"type":"connection_init","payload":{"authorization":"ann"}}`)
	other.closed(4429, "too_many_streams")
	if _, res, err := s.handshake("graphql-transport-ws", "Authorization", "Bearer ann"); err == nil || res == nil || res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a socket too many: %v %+v", err, res)
	}
	s.listen(`subscription { newsOpen(upto: 1) { n } }`, "Authorization", "").expect(`next news_1 {"data":{"newsOpen":{"n":1}},"extensions":{"id":"news_1"}}`)
}

// Over HTTP/2 a connection is everybody's: a subscription goes on inside its
// request.
func TestASubscriptionOverHTTP2(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{}, graphql.Config{})
	other := httptest.NewUnstartedServer(s.Config.Handler)
	other.EnableHTTP2 = true
	other.StartTLS()
	t.Cleanup(other.Close)
	subscribe := func(ctx context.Context, query string) *feed {
		body := `{"query":"` + query + `"}`
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, other.URL+"/graphql", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Authorization": {"Bearer ann"}, "Content-Type": {"application/json"}, "Accept": {"text/event-stream"}}
		res, err := other.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		if res.ProtoMajor != 2 {
			t.Fatalf("it came over %s", res.Proto)
		}
		return s.feed(res)
	}
	f := subscribe(t.Context(), `subscription { newsFollow(upto: 1) { n } }`)
	f.expect(`next news_1 {"data":{"newsFollow":{"n":1}},"extensions":{"id":"news_1"}}`, "complete news_1")
	f.closed()
	f = subscribe(t.Context(), `subscription { newsFail { n } }`)
	f.fails("news_not_found")
	f.expect("complete")

	ctx, leave := context.WithCancel(t.Context())
	subscribe(ctx, `subscription { newsSilent(id: 1) { n } }`).fails("graphql_invalid")
	subscribe(ctx, `subscription { newsSilent(id: \"1\") { n } }`)
	<-s.begun
	s.eventually("it is open", func() bool { return s.handlers["news.silent"].Stats().Open == 1 })
	leave()
	s.eventually("it has ended", func() bool { return s.streams.Open() == 0 })
	s.eventually("both requests are reported once", func() bool {
		return strings.Count(s.log.String(), "op=news.silent transport=graphql-sse reason=left") == 1
	})
}
