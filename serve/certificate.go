package serve

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// CertificateFiles is a certificate that follows its files: whoever renews it
// writes them anew, and the next handshakes use what they hold, while open
// connections live on. Make one with [LoadCertificate]. It is safe for
// concurrent use.
type CertificateFiles struct {
	cert, key string
	log       *slog.Logger
	current   atomic.Pointer[tls.Certificate]

	mu      sync.Mutex // held by the one handshake that looks at the files
	looked  time.Time
	seen    [2]stamp
	refused bool // what was seen could not be used
}

// lookEvery is how long a change of the files may go unnoticed.
const lookEvery = time.Second

// stamp tells one state of a file from another.
type stamp struct {
	size int64
	at   time.Time
	file fs.FileInfo // which file it was: a swapped link leads to another of the same size and age
}

// LoadCertificate reads a PEM certificate chain and its private key. It
// returns an error if they cannot be used now. Later changes that cannot be
// used are logged, once each, and the certificate at hand is kept. Nil logs
// nothing.
func LoadCertificate(cert, key string, log *slog.Logger) (*CertificateFiles, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &CertificateFiles{cert: cert, key: key, log: log}
	loaded, err := c.load()
	if err != nil {
		return nil, err
	}
	c.current.Store(loaded)
	c.seen, _ = c.stamps() // a file that is gone since is noticed at the next look
	c.looked = time.Now()
	return c, nil
}

// TLS returns a configuration that presents the certificate.
func (c *CertificateFiles) TLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.GetCertificate}
}

// GetCertificate is [tls.Config]'s. About once in a second it looks whether
// the files have changed.
func (c *CertificateFiles) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.mu.TryLock() { // nobody waits for a look that is under way
		defer c.mu.Unlock()
		c.look(time.Now())
	}
	return c.current.Load(), nil
}

func (c *CertificateFiles) look(now time.Time) {
	if now.Sub(c.looked) < lookEvery {
		return
	}
	c.looked = now
	seen, err := c.stamps()
	changed := err != nil || !same(seen, c.seen)
	if !changed && !c.refused {
		return
	}
	var loaded *tls.Certificate
	if err == nil {
		// Of two files one is always written first, so a pair that does not
		// fit is tried again until it does, changed or not.
		loaded, err = c.load()
	}
	switch {
	case err == nil:
		c.current.Store(loaded)
		c.log.Info("certificate reloaded", "file", c.cert, "not_after", loaded.Leaf.NotAfter)
	case !c.refused || !same(seen, c.seen):
		c.log.Error("a changed certificate cannot be used, the one at hand is kept", "error", err,
			"not_after", c.current.Load().Leaf.NotAfter)
	}
	c.seen, c.refused = seen, err != nil
}

func (c *CertificateFiles) stamps() (list [2]stamp, err error) {
	for i, name := range []string{c.cert, c.key} {
		info, err := os.Stat(name)
		if err != nil {
			return [2]stamp{}, err
		}
		list[i] = stamp{info.Size(), info.ModTime(), info}
	}
	return list, nil
}

func same(a, b [2]stamp) bool {
	for i := range a {
		if a[i].size != b[i].size || !a[i].at.Equal(b[i].at) || (a[i].file == nil) != (b[i].file == nil) ||
			a[i].file != nil && !os.SameFile(a[i].file, b[i].file) {
			return false
		}
	}
	return true
}

// load reads the pair. The key's own text never becomes part of an error.
func (c *CertificateFiles) load() (*tls.Certificate, error) {
	for _, name := range []string{c.cert, c.key} {
		if info, err := os.Stat(name); err != nil {
			return nil, err
		} else if info.IsDir() {
			return nil, fmt.Errorf("%s is a directory", name)
		}
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s are no certificate and its key: %w", c.cert, c.key, err)
	}
	if pair.Leaf == nil { // as GODEBUG may ask
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return nil, err
		}
	}
	if now := time.Now(); now.After(pair.Leaf.NotAfter) {
		return nil, fmt.Errorf("the certificate in %s expired at %s", c.cert, pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	if len(pair.Leaf.DNSNames) == 0 && len(pair.Leaf.IPAddresses) == 0 {
		return nil, errors.New("the certificate in " + c.cert + " names no host in its subjectAltName, so no client would take it")
	}
	return &pair, nil
}
