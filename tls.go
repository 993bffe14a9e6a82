package ashlar

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/ashlar-go/ashlar/serve"
	"github.com/ashlar-go/ashlar/serve/acme"
)

// terminatesTLS reports whether the public listener speaks HTTPS itself.
func (c Config) terminatesTLS() bool { return c.TLSCert != "" || len(c.ACMEHosts) > 0 }

// checkTLS finds what is wrong with the settings of HTTPS, without looking at
// a file.
func (c Config) checkTLS() (errs []error) {
	refuse := func(when bool, format string, args ...any) {
		if when {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(c.TLSCert != "" && c.TLSKey == "", "ASHLAR_TLS_KEY: not set, and the certificate of ASHLAR_TLS_CERT is of no use without its key")
	refuse(c.TLSCert == "" && c.TLSKey != "", "ASHLAR_TLS_CERT: not set, and ASHLAR_TLS_KEY is the key of nothing")
	refuse(c.TLSCert != "" && len(c.ACMEHosts) > 0, "ASHLAR_ACME_HOSTS: a certificate comes from ASHLAR_TLS_CERT or by ACME, not both")
	refuse(len(c.ACMEHosts) == 0 && (c.ACMEEmail != "" || c.ACMEURL != ""), "ASHLAR_ACME_HOSTS: not set, and nothing else turns ACME on")
	for _, host := range c.ACMEHosts {
		_, err := netip.ParseAddr(host)
		refuse(err == nil || !strings.Contains(strings.Trim(host, "."), ".") || strings.ContainsAny(host, "*:/ "),
			"ASHLAR_ACME_HOSTS: %q is not a whole host name, as api.example.com", host)
	}
	if c.ACMEURL != "" {
		u, err := url.Parse(c.ACMEURL)
		refuse(err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil, "ASHLAR_ACME_DIRECTORY_URL: must be an https URL")
	}
	return errs
}

// openTLS returns how the public listener speaks HTTPS, or nil if it does not.
// Where certificates are got by ACME there is a task that gets them.
func (a *App) openTLS() (*tls.Config, []Task, error) {
	switch {
	case a.cfg.TLSCert != "":
		files, err := serve.LoadCertificate(a.cfg.TLSCert, a.cfg.TLSKey, a.Log)
		if err != nil {
			return nil, nil, fmt.Errorf("ASHLAR_TLS_CERT, ASHLAR_TLS_KEY: %w", err)
		}
		return files.TLS(), nil, nil
	case len(a.cfg.ACMEHosts) > 0:
		manager, err := acme.New(acme.Config{
			Hosts: a.cfg.ACMEHosts, Email: a.cfg.ACMEEmail, DirectoryURL: a.cfg.ACMEURL,
			CacheDir: filepath.Join(a.cfg.DataDir, "acme"), Log: a.Log,
		})
		if err != nil {
			return nil, nil, errors.Join(errors.New("ASHLAR_ACME_HOSTS"), err)
		}
		run := func(ctx context.Context) error { return manager.Run(ctx) }
		return manager.TLS(), []Task{{"ashlar.certificates", run}}, nil
	}
	return nil, nil, nil
}
