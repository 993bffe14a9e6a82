package serve_test

import (
	"bytes"
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
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/serve"
)

// pemPair makes a certificate of that number, as the files that hold it.
func pemPair(t testing.TB, number int64, notAfter time.Time, hosts ...net.IP) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(number), NotBefore: notAfter.Add(-2 * time.Hour), NotAfter: notAfter, IPAddresses: hosts,
	}, &x509.Certificate{}, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

var localhost = net.IPv4(127, 0, 0, 1)

func write(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestCertificateReloads renews a certificate under a server's feet: each step
// is seen a second later, and a broken one costs a line and nothing else.
func TestCertificateReloads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	synctest.Test(t, func(t *testing.T) {
		hour := time.Now().Add(time.Hour)
		cert1, key1 := pemPair(t, 1, hour, localhost)
		cert2, key2 := pemPair(t, 2, hour, localhost)
		stale, staleKey := pemPair(t, 3, time.Now().Add(-time.Minute), localhost)
		write(t, certFile, cert1)
		write(t, keyFile, key1)
		var log lines
		files, err := serve.LoadCertificate(certFile, keyFile, log.logger())
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			what      string
			cert, key []byte // nil removes
			number    int64
			errors    int // lines so far
		}{
			{"nothing changed", cert1, key1, 1, 0},
			{"the certificate comes first", cert2, key1, 1, 1},
			{"then its key", cert2, key2, 2, 1},
			{"half a certificate", cert2[:40], key2, 2, 2},
			{"still half of it", cert2[:40], key2, 2, 2},
			{"gone", nil, nil, 2, 3},
			{"still gone", nil, nil, 2, 3},
			{"an expired one", stale, staleKey, 2, 4},
			{"the first one again", cert1, key1, 1, 4},
		} {
			for name, content := range map[string][]byte{certFile: step.cert, keyFile: step.key} {
				if old, _ := os.ReadFile(name); bytes.Equal(old, content) && content != nil {
					continue
				}
				if content == nil {
					_ = os.Remove(name)
					continue
				}
				write(t, name, content)
			}
			time.Sleep(1100 * time.Millisecond)
			got, err := files.GetCertificate(nil)
			if err != nil {
				t.Fatal(err)
			}
			if number := got.Leaf.SerialNumber.Int64(); number != step.number {
				t.Errorf("%s: certificate %d is presented, want %d", step.what, number, step.number)
			}
			complaints := log.with(t, "a changed certificate cannot be used, the one at hand is kept")
			if len(complaints) != step.errors {
				t.Errorf("%s: %d lines, want %d: %v", step.what, len(complaints), step.errors, complaints)
			}
		}
	})
}

func TestCertificateThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hour := time.Now().Add(time.Hour)
	cert, key := pemPair(t, 1, hour, localhost)
	_, foreign := pemPair(t, 2, hour, localhost)
	expired, itsKey := pemPair(t, 3, time.Now().Add(-time.Minute), localhost)
	nameless, namelessKey := pemPair(t, 4, hour)
	for name, c := range map[string]struct {
		cert, key []byte
		why       string
	}{
		"no certificate": {nil, key, "no such file"},
		"no key":         {cert, nil, "no such file"},
		"no PEM":         {[]byte("hello"), key, "no certificate and its key"},
		"another's key":  {cert, foreign, "does not match"},
		"swapped":        {key, cert, "no certificate and its key"},
		"expired":        {expired, itsKey, "expired at"},
		"for no host":    {nameless, namelessKey, "no host"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			for suffix, content := range map[string][]byte{".crt": c.cert, ".key": c.key} {
				if content != nil {
					write(t, at+suffix, content)
				}
			}
			_, err := serve.LoadCertificate(at+".crt", at+".key", nil)
			if err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%v, want %q", err, c.why)
			}
		})
	}
}

// TestCertificateFilesServe holds P12.10: TLS 1.2 is the least, and plain HTTP
// at the same port is not led anywhere.
func TestCertificateFilesServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	cert, key := pemPair(t, 1, time.Now().Add(time.Hour), localhost)
	write(t, certFile, cert)
	write(t, keyFile, key)
	files, err := serve.LoadCertificate(certFile, keyFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), serve.Config{TLS: files.TLS(), HTTP2: true})
	dial := func(most uint16) (uint16, error) {
		c, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: most})
		if err != nil {
			return 0, err
		}
		defer c.Close()
		return c.ConnectionState().Version, nil
	}
	for most, want := range map[uint16]uint16{tls.VersionTLS13: tls.VersionTLS13, tls.VersionTLS12: tls.VersionTLS12, tls.VersionTLS11: 0, tls.VersionTLS10: 0} {
		if got, err := dial(most); got != want || (err == nil) != (want != 0) {
			t.Errorf("a client that knows up to %x speaks %x, want %x: %v", most, got, want, err)
		}
	}
	if res, err := http.Get("http://" + s.addr + "/"); err == nil {
		_ = res.Body.Close()
		if res.StatusCode/100 == 3 || res.StatusCode == 200 {
			t.Errorf("plain HTTP answers %d", res.StatusCode)
		}
	}
}
