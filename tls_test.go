package ashlar_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/config"
)

// writeCertificate writes a certificate of that number for loopback, and its
// key, and returns who trusts it.
func writeCertificate(t *testing.T, number int64, certFile, keyFile string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(number), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{keyFile: {Type: "PRIVATE KEY", Bytes: secret}, certFile: {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(leaf)
	return pool
}

// TestHTTPS serves by certificate files that are renewed while the app runs.
func TestHTTPS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	first := writeCertificate(t, 1, certFile, keyFile)
	s := start(t, "ASHLAR_TLS_CERT="+certFile, "ASHLAR_TLS_KEY="+keyFile)
	get := func(roots *x509.CertPool) (*http.Response, error) {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
		defer client.CloseIdleConnections()
		res, err := client.Get(strings.Replace(s.public, "http:", "https:", 1) + "/greetings/ann")
		if err == nil {
			_ = res.Body.Close()
		}
		return res, err
	}
	res, err := get(first)
	if err != nil {
		t.Fatal(err)
	}
	if res.Proto != "HTTP/2.0" || res.TLS.Version < tls.VersionTLS12 {
		t.Errorf("speaks %s over %x", res.Proto, res.TLS.Version)
	}
	if hsts := res.Header.Get("Strict-Transport-Security"); hsts != "" {
		t.Errorf("Strict-Transport-Security: %q in development, which would hold for all of localhost", hsts)
	}
	if res, err := http.Get(s.public + "/greetings/ann"); err == nil { // plain HTTP at the same port
		_ = res.Body.Close()
		if res.StatusCode < 400 {
			t.Errorf("plain HTTP answers %d (P12.10)", res.StatusCode)
		}
	}
	if res, err := http.Get(s.admin + "/readyz"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("the private listener: %v", err)
	} else {
		_ = res.Body.Close()
	}

	second := writeCertificate(t, 2, certFile, keyFile)
	for until := time.Now().Add(lost); ; time.Sleep(100 * time.Millisecond) {
		if res, err = get(second); err == nil {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("the renewed certificate is not shown: %v", err)
		}
	}
	if number := res.TLS.PeerCertificates[0].SerialNumber.Int64(); number != 2 {
		t.Errorf("certificate %d", number)
	}
	if out := s.stop(t); !strings.Contains(out, "certificate reloaded") {
		t.Errorf("the log does not tell:\n%s", out)
	}
}

func TestTLSSettings(t *testing.T) {
	t.Parallel()
	for want, env := range map[string]map[string]string{
		"ASHLAR_TLS_KEY: not set":             {"ASHLAR_TLS_CERT": "a.pem"},
		"ASHLAR_TLS_CERT: not set":            {"ASHLAR_TLS_KEY": "a.pem"},
		"or by ACME, not both":                {"ASHLAR_TLS_CERT": "a.pem", "ASHLAR_TLS_KEY": "b.pem", "ASHLAR_ACME_HOSTS": "a.test"},
		"nothing else turns ACME on":          {"ASHLAR_ACME_EMAIL": "a@b.test"},
		`"*.a.test" is not a whole host name`: {"ASHLAR_ACME_HOSTS": "*.a.test"},
		`"127.0.0.1" is not a whole`:          {"ASHLAR_ACME_HOSTS": "127.0.0.1"},
		`"a.test:443" is not a whole`:         {"ASHLAR_ACME_HOSTS": "a.test:443"},
		`"localhost" is not a whole`:          {"ASHLAR_ACME_HOSTS": "localhost"},
		"must be an https URL":                {"ASHLAR_ACME_HOSTS": "a.test", "ASHLAR_ACME_DIRECTORY_URL": "http://a.test/"},
	} {
		if _, err := config.Load[ashlar.Config](config.Map(env)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", env, err, want)
		}
	}
	out, code := output(t, app(t, "good", []string{"ASHLAR_ADDR=127.0.0.1:0", "ASHLAR_TLS_CERT=/nowhere/a.pem", "ASHLAR_TLS_KEY=/nowhere/b.pem"}))
	if code != 1 || !strings.Contains(out, "ASHLAR_TLS_CERT") || !strings.Contains(out, "/nowhere/a.pem") {
		t.Errorf("exit code %d: %s", code, out)
	}
}
