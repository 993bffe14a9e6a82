//go:build !race

package ashlar_test

import (
	"bytes"
	"context"
	"io"
	"iter"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/room"
)

const hall room.Kind[struct{}, greeting] = "hall"

// socketed is a handshake.
const socketed = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// said is a text of a client, masked with zeros.
func said(text string) string {
	return string([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}) + text
}

// A connection on which nothing happens holds less than the 20 000 bytes that
// docs/live.md promises, so that garbage has its place beside it: two goroutines
// with 6 KiB of stack, and less heap than net/http needs for buffers alone. What
// is measured is both sides, of what nobody has to collect.
func TestIdleConnectionsAreCheap(t *testing.T) { //nolint:paralleltest // it measures the process's memory
	const connections = 400
	for name, c := range map[string]struct { //nolint:paralleltest // see above
		ask   string
		hears []string // one after another
		most  int      // bytes
	}{
		"server-sent events": {"GET /hall HTTP/1.1\r\nHost: a\r\n\r\n", []string{"event: here"}, 11_000},
		"WebSocket":          {"GET /hall HTTP/1.1\r\nHost: a\r\n" + socketed + "\r\n", []string{`"here"`}, 12_500},
		"a subscription on the socket of all operations": {"GET /ws HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer TOKEN\r\n" + socketed + "\r\n" +
			said(`{"type":"subscribe","id":"1","op":"hall.watch"}`), []string{`"here"`}, 16_500},
		"graphql-transport-ws": {"GET /graphql HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n" + socketed + "\r\n" +
			said(`{"type":"connection_init"}`), []string{`connection_ack`, `"next"`}, 19_500},
	} {
		t.Run(name, func(t *testing.T) {
			app := ashlartest.Open(t, "ASHLAR_STREAMS_PRINCIPAL", "10000", "ASHLAR_LIMIT_ADDRESS", "off", "ASHLAR_LOG_LEVEL", "error")
			app.Mount(ashlar.Module{Name: "hall", Operations: []op.Operation{
				op.Stream("hall.watch", "GET /hall", func(ctx context.Context, _ struct{}) iter.Seq2[room.Item[struct{}, greeting], error] {
					return hall.Watch(ctx, app.Rooms, "hall")
				}, op.Public()),
				op.Query("hall.see", "GET /see", func(context.Context, struct{}) (greeting, error) { return greeting{}, nil }, op.Public()),
			}})
			app.GraphQL(graphql.Limits{})
			furnish(t, app)
			session, _ := ann(t, app)
			ask := strings.Replace(c.ask, "TOKEN", session.AccessToken, 1)
			server := httptest.NewServer(app.Handler())
			defer server.Close()
			open := func() net.Conn {
				conn, err := net.Dial("tcp", server.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
				_, _ = io.WriteString(conn, ask)
				for n, text := range c.hears {
					if n == 1 {
						_, _ = io.WriteString(conn, said(`{"id":"1","type":"subscribe","payload":{"query":"subscription { hallWatch { what } }"}}`))
					}
					hear(t, conn, text)
				}
				return conn
			}
			var all []net.Conn
			fill := func(n int) {
				for len(all) < n {
					all = append(all, open())
				}
			}
			fill(connections) // what an app has once is there then
			before := inMemory()
			fill(3 * connections)
			each := (inMemory() - before) / (2 * connections)
			t.Logf("%d bytes", each)
			if each > c.most {
				t.Errorf("a connection holds %d bytes, at most %d are allowed", each, c.most)
			}
			for _, conn := range all {
				_ = conn.Close()
			}
		})
	}
}

// hear reads until a text has come.
func hear(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	var all []byte
	for part := make([]byte, 512); !bytes.Contains(all, []byte(text)); {
		n, err := conn.Read(part)
		if all = append(all, part[:n]...); err != nil {
			t.Fatalf("%q is not in %q: %v", text, all, err)
		}
	}
}

// inMemory is what the process holds in its heap and stacks, when all that nobody
// holds is gone.
func inMemory() int {
	var m runtime.MemStats
	for range 3 { // what finalizers hold, and stacks that can be smaller
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
