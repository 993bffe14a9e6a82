// Package acme gets certificates from a certificate authority and renews them,
// so that a service can speak HTTPS without anybody writing files.
//
// The authority calls back on the very port that serves HTTPS (TLS-ALPN-01,
// RFC 8737): port 443 must reach this process under each host's name. Nothing
// is listened on beside it, and plain HTTP is not needed.
//
//	manager, err := acme.New(acme.Config{Hosts: []string{"api.example.com"}, CacheDir: "/var/lib/shop/acme"})
//	if err != nil {
//		return err
//	}
//	go manager.Run(ctx)
//	return serve.New(handler, serve.Config{Addr: ":443", TLS: manager.TLS(), HTTP2: true}).Run(ctx)
//
// To use it is to agree to the authority's terms of service.
package acme

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// LetsEncrypt is the directory of the authority that is asked unless another
// is named.
const LetsEncrypt = autocert.DefaultACMEDirectory

// Config says which certificates are got, and from whom.
type Config struct {
	// Hosts are the names that certificates are got for, and no others: a
	// handshake for another name fails before anybody is asked.
	Hosts []string
	// Email is where the authority writes to when something is wrong with a
	// certificate. It may be empty.
	Email string
	// DirectoryURL is the authority's directory. Empty means [LetsEncrypt].
	DirectoryURL string
	// CacheDir keeps the account's key and the certificates over restarts. It
	// is made for its owner alone. Instances may share one, on a file system
	// that they share; else each gets certificates of its own.
	CacheDir string
	// Client calls the authority. Nil means one with a time limit of 30s.
	Client *http.Client
	// Log receives what was got and what failed. Nil logs nothing.
	Log *slog.Logger
}

// Manager gets and keeps certificates. It is safe for concurrent use.
type Manager struct {
	hosts []string
	log   *slog.Logger
	auto  autocert.Manager
}

// New returns a manager. It calls nobody yet.
func New(cfg Config) (*Manager, error) {
	if len(cfg.Hosts) == 0 {
		return nil, errors.New("acme: no host to get a certificate for")
	}
	if cfg.CacheDir == "" {
		return nil, errors.New("acme: no directory to keep certificates in; without it each start would ask for new ones, which authorities limit")
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: 30 * time.Second}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Manager{
		hosts: cfg.Hosts, log: cfg.Log,
		auto: autocert.Manager{
			Prompt:     autocert.AcceptTOS,
			Cache:      autocert.DirCache(cfg.CacheDir),
			HostPolicy: autocert.HostWhitelist(cfg.Hosts...),
			Email:      cfg.Email,
			Client: &acme.Client{
				DirectoryURL: cmp.Or(cfg.DirectoryURL, LetsEncrypt),
				HTTPClient:   cfg.Client, UserAgent: "ashlar",
			},
		},
	}, nil
}

// TLS returns the configuration to serve HTTPS with. The first handshake for a
// host waits until its certificate is there, so let [Manager.Run] get it first.
func (m *Manager) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: m.auto.GetCertificate,
		NextProtos:     []string{"h2", "http/1.1", acme.ALPNProto},
	}
}

// The pauses between attempts at a host whose certificate cannot be had.
// Authorities count failures and refuse who fails too often.
const (
	firstPause = time.Minute
	longPause  = 6 * time.Hour
)

// Run gets the certificate of each host that has none yet, and goes on until
// all are there; renewing takes care of itself from then on. It returns when
// ctx ends, which is no error. The hosts must lead to the server that presents
// [Manager.TLS], and that must be listening.
func (m *Manager) Run(ctx context.Context) error {
	missing := m.hosts
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		var failed []string
		for _, host := range missing {
			if err := m.obtain(ctx, host); err != nil && ctx.Err() == nil {
				failed = append(failed, host)
				m.log.ErrorContext(ctx, "no certificate", "host", host, "error", err, "retry_in", pause)
			}
		}
		if missing = failed; len(missing) == 0 {
			<-ctx.Done()
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// obtain gets a host's certificate, or gives up waiting when ctx ends; what is
// under way then ends by its own time limit.
func (m *Manager) obtain(ctx context.Context, host string) error {
	done := make(chan error, 1)
	go func() { done <- m.ask(host) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask asks as a client of today's making would, so that what is got is the
// certificate that such clients will be shown.
func (m *Manager) ask(host string) error {
	cert, err := m.auto.GetCertificate(&tls.ClientHelloInfo{
		ServerName:        host,
		SupportedVersions: []uint16{tls.VersionTLS13, tls.VersionTLS12},
		CipherSuites:      []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		SupportedCurves:   []tls.CurveID{tls.X25519, tls.CurveP256},
		SignatureSchemes:  []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
	})
	if err != nil {
		return fmt.Errorf("acme: %w", err)
	}
	m.log.Info("certificate", "host", host, "not_after", cert.Leaf.NotAfter)
	return nil
}
