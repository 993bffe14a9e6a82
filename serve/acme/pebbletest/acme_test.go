package pebbletest_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"

	"github.com/ashlar-go/ashlar/serve"
	"github.com/ashlar-go/ashlar/serve/acme"
)

const host = "api.shop.test"

// names is a name server over TCP, as Pebble asks, that answers every question
// with loopback. It returns its address.
func names(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if buf := make([]byte, 512); readQuestion(conn, buf) {
					_, _ = conn.Write(loopbackAnswer(buf))
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// readQuestion reads a message with its length in front, which must fit.
func readQuestion(from io.Reader, buf []byte) bool {
	if _, err := io.ReadFull(from, buf[:2]); err != nil {
		return false
	}
	n := int(binary.BigEndian.Uint16(buf))
	_, err := io.ReadFull(from, buf[:min(n, len(buf))])
	return err == nil && n <= len(buf)
}

func loopbackAnswer(question []byte) []byte {
	end := 12 + bytes.IndexByte(question[12:], 0) + 5
	reply := append(make([]byte, 2), question[:end]...)
	message := reply[2:]
	binary.BigEndian.PutUint16(message[2:], 0x8180) // an answer
	binary.BigEndian.PutUint16(message[6:], 0)
	binary.BigEndian.PutUint16(message[10:], 0)
	if binary.BigEndian.Uint16(question[end-4:]) == 1 { // of IPv4
		binary.BigEndian.PutUint16(message[6:], 1)
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1)
	}
	binary.BigEndian.PutUint16(reply, uint16(len(reply)-2))
	return reply
}

// authority runs Pebble, which calls back on the port. It returns its
// directory, a client that knows it, and what it signs with.
func authority(t *testing.T, port int) (directory string, client *http.Client, roots *x509.CertPool) {
	t.Helper()
	silent := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	signer := ca.New(silent, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "default"}})
	checker := va.New(silent, 1, port, true, names(t), store)
	front := wfe.New(silent, store, checker, signer, []string{"pebble.test"}, true, false, 1, 1)
	server := httptest.NewTLSServer(front.Handler())
	t.Cleanup(server.Close)
	roots = x509.NewCertPool()
	if !roots.AppendCertsFromPEM(signer.GetRootCert(0).PEM()) {
		t.Fatal("the authority has no root")
	}
	return server.URL + wfe.DirectoryPath, server.Client(), roots
}

func TestMain(m *testing.M) {
	// Pebble waits and fails at random unless told not to.
	_ = os.Setenv("PEBBLE_VA_NOSLEEP", "1")
	_ = os.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	_ = os.Setenv("PEBBLE_AUTHZREUSE", "0")
	os.Exit(m.Run())
}

func TestCertificateByACME(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	directory, client, roots := authority(t, listener.Addr().(*net.TCPAddr).Port)
	var text bytes.Buffer
	cfg := acme.Config{
		Hosts: []string{host}, Email: "ops@shop.test", DirectoryURL: directory, Client: client,
		CacheDir: t.TempDir(), Log: slog.New(slog.NewTextHandler(&text, nil)),
	}
	manager, err := acme.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	server := serve.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}), serve.Config{Listener: listener, TLS: manager.TLS(), HTTP2: true, DrainDelay: -1})
	served, ran := make(chan error, 1), make(chan error, 1)
	go func() { served <- server.Run(ctx) }()
	go func() { ran <- manager.Run(ctx) }()

	dial := func(name string, protocols ...string) (*tls.Conn, error) {
		return tls.Dial("tcp", addr, &tls.Config{ServerName: name, RootCAs: roots, NextProtos: protocols})
	}
	conn, err := dial(host, "h2", "http/1.1") // waits for the certificate
	for attempt := 0; err != nil && attempt < 50; attempt++ {
		time.Sleep(100 * time.Millisecond)
		conn, err = dial(host, "h2", "http/1.1")
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	state := conn.ConnectionState()
	if state.NegotiatedProtocol != "h2" || state.PeerCertificates[0].VerifyHostname(host) != nil {
		t.Errorf("speaks %q for %v", state.NegotiatedProtocol, state.PeerCertificates[0].DNSNames)
	}
	first := state.PeerCertificates[0].SerialNumber
	_ = conn.Close()

	for _, name := range []string{"evil.test", "a." + host, "", "127.0.0.1"} {
		if conn, err := dial(name); err == nil {
			_ = conn.Close()
			t.Errorf("a certificate for %q", name)
		}
	}
	// Whoever asks for the challenge outside of one gets nothing, and no HTTP.
	if conn, err := tls.Dial("tcp", addr, &tls.Config{ServerName: host, NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true}); err == nil {
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		if got, _ := io.ReadAll(conn); strings.Contains(string(got), "HTTP/1.1") {
			t.Errorf("answers %q", got)
		}
		_ = conn.Close()
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if err := <-ran; err != nil {
		t.Error(err)
	}

	// A restart finds the certificate where it was kept and asks nobody.
	cfg.DirectoryURL = "https://127.0.0.1:1/nobody"
	again, err := acme.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := again.TLS().GetCertificate(&tls.ClientHelloInfo{
		ServerName: host, SupportedVersions: []uint16{tls.VersionTLS13}, CipherSuites: []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		SupportedCurves: []tls.CurveID{tls.CurveP256}, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
	})
	if err != nil || kept.Leaf.SerialNumber.Cmp(first) != 0 {
		t.Errorf("after a restart: %v", err)
	}
	entries, err := os.ReadDir(cfg.CacheDir)
	if err != nil || len(entries) < 2 {
		t.Fatalf("%d files are kept: %v", len(entries), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", e.Name(), info.Mode())
		}
	}
}

// TestAuthorityThatRefuses holds that a host which the authority cannot reach
// costs a line and a pause, and that the end is not waited for.
func TestAuthorityThatRefuses(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	directory, client, _ := authority(t, closed.Addr().(*net.TCPAddr).Port)
	lines := make(chan string, 10)
	manager, err := acme.New(acme.Config{
		Hosts: []string{host}, DirectoryURL: directory, Client: client, CacheDir: t.TempDir(),
		Log: slog.New(slog.NewTextHandler(written(lines), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- manager.Run(ctx) }()
	select {
	case line := <-lines:
		if !strings.Contains(line, "no certificate") || !strings.Contains(line, host) {
			t.Errorf("the log says %s", line)
		}
	case <-time.After(time.Minute):
		t.Error("nothing was logged")
	}
	stop()
	select {
	case err := <-ran:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("Run does not end")
	}
}

type written chan string

func (w written) Write(b []byte) (int, error) {
	w <- string(b)
	return len(b), nil
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, cfg := range []acme.Config{{}, {Hosts: []string{host}}, {CacheDir: "x"}} {
		if _, err := acme.New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}
