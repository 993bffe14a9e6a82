package serve_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/serve"
)

// The frames of HTTP/2 (RFC 9113, section 6) that the tests below send and
// look for.
const (
	frameHeaders  = 0x1
	frameReset    = 0x3
	frameSettings = 0x4
	framePing     = 0x6
	frameGoAway   = 0x7

	endStream  = 0x1
	endHeaders = 0x4
	ack        = 0x1

	refusedStream = 0x7
)

// wire speaks HTTP/2 by hand, as no well-behaved client would.
type wire struct {
	*tls.Conn
}

func dialHTTP2(t *testing.T, addr string, pool *x509.CertPool) wire {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	w := wire{c}
	if _, err := io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(frame(frameSettings, 0, 0, nil)); err != nil {
		t.Fatal(err)
	}
	return w
}

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := make([]byte, 9, 9+len(payload))
	binary.BigEndian.PutUint32(b, uint32(len(payload))<<8)
	b[3], b[4] = kind, flags
	binary.BigEndian.PutUint32(b[5:], stream)
	return append(b, payload...)
}

// ask is a GET of / on a stream, complete in one frame.
func ask(stream uint32, authority string) []byte {
	fields := append([]byte{0x82, 0x87, 0x84, 0x01, byte(len(authority))}, authority...)
	return frame(frameHeaders, endStream|endHeaders, stream, fields)
}

// read returns the next frame.
func (w wire) read() (kind, flags byte, stream uint32, payload []byte, err error) {
	head := make([]byte, 9)
	if _, err = io.ReadFull(w, head); err != nil {
		return 0, 0, 0, nil, err
	}
	payload = make([]byte, binary.BigEndian.Uint32(head)>>8)
	_, err = io.ReadFull(w, payload)
	return head[3], head[4], binary.BigEndian.Uint32(head[5:]), payload, err
}

// besieged serves HTTP/2 with a handler that stays for a while, whoever leaves,
// and counts how many are there at once. /quick answers at once.
type besieged struct {
	*running
	pool              *x509.CertPool
	now, most, served atomic.Int64
	release           chan struct{}
}

func besiegeHTTP2(t *testing.T) *besieged {
	t.Helper()
	cert, pool := certificate(t)
	b := &besieged{pool: pool, release: make(chan struct{})}
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b.served.Add(1)
		if r.URL.Path == "/quick" {
			return
		}
		n := b.now.Add(1)
		defer b.now.Add(-1)
		for {
			most := b.most.Load()
			if n <= most || b.most.CompareAndSwap(most, n) {
				break
			}
		}
		select {
		case <-b.release:
		case <-time.After(2 * time.Minute):
		}
	})
	b.running = start(t, serve.Observe(h, serve.Observer{Hosts: []string{"127.0.0.1"}}), serve.Config{
		TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, HTTP2: true, DrainDelay: -1,
	})
	return b
}

// others holds that somebody else's requests are answered in time meanwhile.
func (b *besieged) others(t *testing.T) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: b.pool}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	var worst time.Duration
	for range 50 {
		began := time.Now()
		res, err := client.Get("https://" + b.addr + "/quick")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		worst = max(worst, time.Since(began))
	}
	if worst > 20*time.Second {
		t.Errorf("another's request took %v", worst)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

const streamCap = 100

// TestRapidReset holds P12.20 against 5000 streams that are reset as soon as
// they are opened (CVE-2023-44487): no more handlers run than the cap says, and
// the connection is ended long before all of them are queued.
func TestRapidReset(t *testing.T) { //nolint:paralleltest // it measures the process's memory
	b := besiegeHTTP2(t)
	before, goroutines := heap(), runtime.NumGoroutine()
	w := dialHTTP2(t, b.addr, b.pool)
	farewell := make(chan bool, 1)
	go func() {
		for {
			kind, _, _, _, err := w.read()
			if err != nil || kind == frameGoAway {
				farewell <- kind == frameGoAway
				return
			}
		}
	}()
	sent := 0
	for ; sent < 5000; sent++ {
		stream := uint32(2*sent + 1)
		if _, err := w.Write(append(ask(stream, "127.0.0.1"), frame(frameReset, 0, stream, []byte{0, 0, 0, 8})...)); err != nil {
			break
		}
	}
	select {
	case told := <-farewell:
		if !told {
			t.Log("the connection was cut before its farewell was read")
		}
	case <-time.After(time.Minute):
		t.Error("the connection lives on")
	}
	b.others(t)
	if most := b.most.Load(); most > streamCap {
		t.Errorf("%d handlers ran at once, the cap is %d", most, streamCap)
	}
	if grown := int64(heap()) - int64(before); grown > 16<<20 {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
	if n := runtime.NumGoroutine() - goroutines; n > 2*streamCap+50 {
		t.Errorf("%d goroutines more", n)
	}
	close(b.release)
	t.Logf("%d of 5000 sent, %d handlers at once", sent, b.most.Load())
}

// TestStreamCap holds P12.20 against 1000 streams at once: the cap's worth is
// served, the rest is refused, and the connection is as good as before.
func TestStreamCap(t *testing.T) { //nolint:paralleltest // as above
	b := besiegeHTTP2(t)
	before := heap()
	w := dialHTTP2(t, b.addr, b.pool)
	// Only who has heard of the cap can be held to it without suspicion.
	for acknowledged := false; !acknowledged; {
		kind, flags, _, _, err := w.read()
		if err != nil {
			t.Fatal(err)
		}
		if kind == frameSettings && flags&ack == 0 {
			if _, err := w.Write(frame(frameSettings, ack, 0, nil)); err != nil {
				t.Fatal(err)
			}
			acknowledged = true
		}
	}
	go func() {
		for i := range 1000 {
			if _, err := w.Write(ask(uint32(2*i+1), "127.0.0.1")); err != nil {
				return
			}
		}
		_, _ = w.Write(frame(framePing, 0, 0, []byte("all sent")))
	}()
	refused := map[uint32]bool{}
	for answered := false; !answered; {
		kind, flags, stream, payload, err := w.read()
		if err != nil {
			t.Fatalf("after %d refusals: %v", len(refused), err)
		}
		switch {
		case kind == frameReset:
			if code := binary.BigEndian.Uint32(payload); code != refusedStream && code != 1 {
				t.Fatalf("stream %d ends with %d", stream, code)
			}
			refused[stream] = true
		case kind == frameGoAway:
			t.Fatalf("the connection ends: %q", payload)
		case kind == framePing && flags&ack != 0:
			answered = true
		}
	}
	b.others(t)
	if most := b.most.Load(); most > streamCap || len(refused) != 1000-streamCap {
		t.Errorf("%d streams run, %d are refused", most, len(refused))
	}
	if grown := int64(heap()) - int64(before); grown > 16<<20 {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
	close(b.release)
	answers := 0
	for answers < streamCap {
		kind, flags, _, _, err := w.read()
		if err != nil {
			t.Fatalf("after %d answers: %v", answers, err)
		}
		if kind == frameHeaders && flags&endHeaders != 0 {
			answers++
		}
	}
}

// TestHostsOverHTTP2 holds P12.8 for :authority, whatever Host says beside it.
func TestHostsOverHTTP2(t *testing.T) {
	t.Parallel()
	b := besiegeHTTP2(t)
	close(b.release)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: b.pool}, ForceAttemptHTTP2: true}}
	t.Cleanup(client.CloseIdleConnections)
	for host, want := range map[string]int{"127.0.0.1": 200, "127.0.0.1:443": 200, "evil.test": 421, "127.0.0.1.evil.test": 421} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+b.addr+"/quick", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host // which becomes :authority
		r.Header.Set("X-Forwarded-Host", "127.0.0.1")
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.ProtoMajor != 2 || res.StatusCode != want || strings.Contains(string(body), "evil") {
			t.Errorf("%s: %s", host, fmt.Sprint(res.Status, res.Proto, string(body)))
		}
	}
}
