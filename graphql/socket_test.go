package graphql_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/live"
)

// Queries and mutations go over the socket too, beside subscriptions.
func TestOperationsOnASocket(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{}, graphql.Config{})
	w := s.greeted()
	w.subscribe("quiet", `subscription { newsSilent(id: "1") { n } }`)
	<-s.begun
	w.subscribe("q", `{ newsGet(id: "x") { text } a: newsGet(id: "none") { n } }`)
	text, err := w.read()
	if err != nil || !strings.HasPrefix(text, `{"type":"next","id":"q","payload":{"errors":[{"message":"There is no such news."`) || !strings.HasSuffix(text, `"data":{"newsGet":{"text":"x"},"a":null}}}`) {
		t.Errorf("%s (%v)", text, err)
	}
	w.expect(`{"type":"complete","id":"q"}`)
	w.send(`{"id":"m","type":"subscribe","payload":{"query":"mutation($n: Int64!) { newsWrite(n: $n, author_id: \"\") { n author_id } }","variables":{"n":5},"operationName":null,"extensions":null}}`)
	w.expect(`{"type":"next","id":"m","payload":{"data":{"newsWrite":{"n":5,"author_id":"ann"}}}}`, `{"type":"complete","id":"m"}`)
	w.subscribe("f", `subscription { newsFollow(upto: 1) { n } }`)
	w.expect(`{"type":"next","id":"f","payload":{"data":{"newsFollow":{"n":1}},"extensions":{"id":"news_1"}}}`, `{"type":"complete","id":"f"}`)
	w.subscribe("e", `{ nothing }`)
	w.fails("e", "graphql_invalid")
	w.subscribe("e", `{ `)
	w.fails("e", "graphql_syntax")
	w.send(`{"type":"complete","id":"unheard-of"}`) // it may have crossed with ours
	w.send(`{"type":"ping"}`)
	w.expect(`{"type":"pong"}`)
	w.send(`{"type":"ping","payload":{"a":[1, "b"]}}`)
	w.expect(`{"type":"pong","payload":{"a":[1, "b"]}}`)
	w.send(`{"type":"pong"}`)
	w.send(`{"type":"complete","id":"quiet"}`)
	s.eventually("only the socket is open", func() bool { return s.streams.Open() == 1 })
	if stats := s.streams.SocketStats(); stats.Open != 1 {
		t.Errorf("%+v", stats)
	}
	for _, line := range []string{`op=news.get`, `op=news.write`, `op=news.silent transport=graphql-ws reason=left`} {
		s.eventually(line+" is logged", func() bool { return strings.Contains(s.log.String(), line) })
	}
}

// A socket that breaks the protocol is closed with the code that it has for that.
func TestViolationsOfTheProtocol(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{}, graphql.Config{})
	const begin = `{"type":"connection_init","payload":{"authorization":"Bearer ann"}}`
	silent := `{"id":"1","type":"subscribe","payload":{"query":"subscription { newsSilent(id: \"1\") { n } }"}}`
	for name, c := range map[string]struct {
		messages []string
		code     websocket.StatusCode
		reason   string
	}{
		"no JSON":                 {[]string{`hello`}, 4400, "Invalid message"},
		"no object":               {[]string{`[]`}, 4400, "Invalid message"},
		"no type":                 {[]string{`{}`}, 4400, "Invalid message"},
		"an unknown type":         {[]string{`{"type":"start","id":"1"}`}, 4400, "Invalid message"},
		"an unknown member":       {[]string{`{"type":"ping","more":1}`}, 4400, "Invalid message"},
		"no id":                   {[]string{begin, `{"type":"subscribe","payload":{"query":"{ a }"}}`}, 4400, "Invalid message"},
		"an empty id":             {[]string{begin, `{"type":"subscribe","id":"","payload":{"query":"{ a }"}}`}, 4400, "Invalid message"},
		"a long id":               {[]string{begin, `{"type":"subscribe","id":"` + strings.Repeat("x", 129) + `","payload":{"query":"{ a }"}}`}, 4400, "Invalid message"},
		"no payload":              {[]string{begin, `{"type":"subscribe","id":"1"}`}, 4400, "Invalid message"},
		"a payload of a text":     {[]string{begin, `{"type":"subscribe","id":"1","payload":"{ a }"}`}, 4400, "Invalid message"},
		"a query of a number":     {[]string{begin, `{"type":"subscribe","id":"1","payload":{"query":1}}`}, 4400, "Invalid message"},
		"more than a request has": {[]string{begin, `{"type":"subscribe","id":"1","payload":{"query":"{ a }","more":1}}`}, 4400, "Invalid message"},
		"a token of a number":     {[]string{`{"type":"connection_init","payload":{"authorization":1}}`}, 4400, "Invalid message"},
		"two tokens":              {[]string{`{"type":"connection_init","payload":{"authorization":"ann","Authorization":"eve"}}`}, 4400, "Invalid message"},
		"before the ack":          {[]string{silent}, 4401, "Unauthorized"},
		"a bad token":             {[]string{`{"type":"connection_init","payload":{"authorization":"Bearer mallory"}}`}, 4403, "token_invalid"},
		"an id twice":             {[]string{begin, silent, silent}, 4409, "Subscriber for this id already exists"},
		"two inits":               {[]string{begin, begin}, 4429, "Too many initialisation requests"},
		"too much":                {[]string{begin, `{"type":"ping","payload":{"a":"` + strings.Repeat("x", 70<<10) + `"}}`}, websocket.StatusMessageTooBig, ""},
	} {
		w := s.dial()
		for _, m := range c.messages {
			w.send(m)
		}
		func() {
			defer func() {
				if t.Failed() {
					t.Log(name)
				}
			}()
			w.closed(c.code, c.reason)
		}()
	}
	w := s.greeted()
	if err := w.Write(t.Context(), websocket.MessageBinary, []byte(`{"type":"ping"}`)); err != nil {
		t.Fatal(err)
	}
	w.closed(websocket.StatusUnsupportedData, "")
	s.eventually("nothing is open", func() bool { return s.streams.Open() == 0 })
}

func TestASocketThatIsNotBegunIsClosed(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{}, graphql.Config{InitWait: time.Millisecond})
	w := s.dial()
	w.closed(4408, "Connection initialisation timeout")
	s.eventually("nothing is open", func() bool { return s.streams.Open() == 0 })
}

func TestHandshakesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{}, graphql.Config{})
	for name, c := range map[string]struct {
		protocol string
		headers  []string
		status   int
	}{
		"another protocol": {"graphql-ws", nil, http.StatusBadRequest},
		"another origin":   {"graphql-transport-ws", []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		"a bad token":      {"graphql-transport-ws", []string{"Authorization", "Bearer mallory"}, http.StatusUnauthorized},
	} {
		_, res, err := s.handshake(c.protocol, c.headers...)
		if err == nil || res == nil || res.StatusCode != c.status {
			t.Errorf("%s: %v %+v", name, err, res)
		}
	}
	c, _, err := s.handshake("graphql-transport-ws", "Authorization", "Bearer ann")
	if err != nil || c.Subprotocol() != "graphql-transport-ws" {
		t.Errorf("%v, %q", err, c.Subprotocol())
	}
}

// P15.3: a socket bounds what goes on on it. It says so for each operation beyond, and
// goes on.
func TestASocketBoundsItsOperations(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{MessageRate: 1000}, graphql.Config{})
	w := s.greeted()
	for i := range 16 {
		w.subscribe(fmt.Sprint("slow", i), `{ newsSlow { n } }`)
	}
	for range 16 {
		<-s.begun
	}
	w.subscribe("more", `{ newsGet(id: "x") { n } }`)
	w.fails("more", "rate_limited")
	for i := range 48 {
		w.subscribe(fmt.Sprint("quiet", i), fmt.Sprintf(`subscription { newsSilent(id: "%d") { n } }`, i))
	}
	for range 48 {
		<-s.begun
	}
	w.subscribe("more", `subscription { newsSilent(id: "x") { n } }`)
	w.fails("more", "too_many_streams")
	w.send(`{"type":"complete","id":"slow0"}`) // what is not wanted any more is not answered
	w.send(`{"type":"ping"}`)
	w.expect(`{"type":"pong"}`) // it was heard
	close(s.release)
	for range 15 * 2 {
		if text, err := w.read(); err != nil || strings.Contains(text, `"slow0"`) {
			t.Fatalf("%s (%v)", text, err)
		}
	}
	w.send(`{"type":"ping"}`)
	w.expect(`{"type":"pong"}`)
}

// A page whose cookies or header say who it is need not say it again.
func TestTheHandshakeSaysWhoItIs(t *testing.T) {
	t.Parallel()
	s := openNews(t, live.Config{}, graphql.Config{})
	w := s.dial("Authorization", "Bearer ann")
	w.send(`{"type":"connection_init","payload":{}}`)
	w.expect(`{"type":"connection_ack"}`)
	w.subscribe("1", `{ newsGet(id: "x") { n } }`)
	w.expect(`{"type":"next","id":"1","payload":{"data":{"newsGet":{"n":7}}}}`, `{"type":"complete","id":"1"}`)

	other := s.dial("Authorization", "Bearer ann")
	other.send(`{"type":"connection_init","payload":{"authorization":"Bearer eve"}}`)
	other.closed(4403, "token_invalid")
}
