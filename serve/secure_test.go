package serve_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/serve"
)

// certificate is good for the loopback and for an hour.
func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t)
	var log lines
	protocol := make(chan string, 2)
	s := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || !r.TLS.HandshakeComplete {
			t.Error("the handler does not see TLS")
		}
		protocol <- r.Proto
	}), serve.Config{
		TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, HTTP2: true,
		Log: log.logger(), DrainDelay: 100 * time.Millisecond,
	})

	for _, want := range []string{"HTTP/1.1", "HTTP/2.0"} {
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: pool},
			ForceAttemptHTTP2: want == "HTTP/2.0",
		}}
		res, err := client.Get("https://" + s.addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if got := <-protocol; got != want {
			t.Errorf("spoke %s, want %s", got, want)
		}
	}

	// The guard reads the decrypted side, HTTP/2 on offer or not.
	c, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: pool, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	send(t, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+request)
	wantProblem(t, receive(t, bufio.NewReader(c)), 400, "malformed")

	if _, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is accepted")
	}
	// A client that never shakes hands keeps nobody waiting and ends with the drain.
	silent := s.dial(t)
	s.stop()
	if err := <-s.done; err != nil {
		t.Errorf("Run = %v", err)
	}
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("the silent connection is still open")
	}
	if n := len(log.with(t, "TLS handshake failed")); n != 1 {
		t.Errorf("%d lines about failed handshakes", n)
	}
}
