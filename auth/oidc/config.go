package oidc

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/rule"
)

// Provider is one that may say who somebody is.
type Provider struct {
	// Name stands in paths: small letters, digits and dashes. "token" is taken.
	Name string
	// Issuer is the provider's URL exactly as its tokens have it: https, or
	// http on the loopback address for development.
	Issuer string
	// ClientID and ClientSecret were given by the provider. Without a secret the
	// app is a public client, which PKCE makes safe.
	ClientID     string
	ClientSecret config.Secret
	// Scopes are asked for besides openid. Nil asks for email.
	Scopes []string
	// Algorithms that may sign id tokens. Nil means EdDSA, ES256, PS256 and
	// RS256. None that is symmetric can be named.
	Algorithms []string
	// Domains are those of the mail addresses that this provider is the
	// authority for: who signs in with a verified address of one of them gets
	// the account that has the address, and no other provider's word about
	// such an address counts. Name a domain only if the provider belongs to it,
	// and if all accounts with its addresses were made by whoever runs the app;
	// where anyone can sign up with any address, an attacker may have made the
	// account before. Empty links nothing by address.
	Domains []string
	// SecondFactor asks accounts that have a second factor in this app for it
	// after the provider's sign-in too. The page sends it with the code.
	SecondFactor bool
}

// Config is what New works with.
type Config struct {
	// Origin is where browsers find this app, as "https://pay.example.com".
	// The redirect URI of a provider is Origin, /v1/auth/oidc/, its name and
	// /callback: register exactly that with the provider. Plain http only for
	// the loopback address.
	Origin string
	// Providers are those that people can choose from, at least one.
	Providers []Provider
	// Identities decides whose account an identity is. Required.
	Identities *auth.Identities
	// Client speaks with the providers. Whatever it allows, redirects are not
	// followed, answers have at most a MiB and ten seconds. Nil is one with
	// net/http's transport.
	Client *http.Client
	// Timeout for all that one request needs of a provider. Zero means 10 s, at
	// most a minute.
	Timeout time.Duration
	// Log gets the reason of every refusal. Nil means slog.Default.
	Log *slog.Logger
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// SignIn is the handlers of a sign-in. Make it with [New].
type SignIn struct {
	identities *auth.Identities
	providers  map[string]*provider
	key        []byte // of which each flow's is made
	codes      *codec.Decoder
	crossing   http.CrossOriginProtection
	timeout    time.Duration
	log        *slog.Logger
	now        func() time.Time
}

// asymmetric are the algorithms that can be chosen from.
var asymmetric = []string{
	gooidc.EdDSA, gooidc.ES256, gooidc.ES384, gooidc.ES512,
	gooidc.PS256, gooidc.PS384, gooidc.PS512, gooidc.RS256, gooidc.RS384, gooidc.RS512,
}

var providerName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// New returns the handlers, or says everything that is wrong with c. It talks
// to no provider: one that is down must not keep the app from starting.
func New(c Config) (*SignIn, error) {
	if c.Identities == nil {
		return nil, failure("oidc: there are no Identities")
	}
	origin, err := ParseOrigin(c.Origin)
	errs := []error{err}
	if c.Timeout < 0 || c.Timeout > time.Minute {
		errs = append(errs, fmt.Errorf("oidc: a timeout of %v is out of range: 1m at most", c.Timeout))
	}
	s := &SignIn{identities: c.Identities, providers: map[string]*provider{}, key: c.Identities.Key(), timeout: c.Timeout, log: c.Log, now: c.Now}
	if s.timeout == 0 {
		s.timeout = 10 * time.Second
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.codes, err = decoderOf[auth.SignInCode](); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, s.addProviders(origin, bounded(c.Client, s.timeout), c.Providers))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *SignIn) addProviders(origin string, client *http.Client, all []Provider) error {
	var errs []error
	if len(all) == 0 {
		errs = append(errs, failure("oidc: there are no Providers"))
	}
	authorities := map[string]string{} // by domain
	for _, p := range all {
		if _, taken := s.providers[p.Name]; taken {
			errs = append(errs, fmt.Errorf("oidc: two providers are named %q", p.Name))
		}
		if err := p.check(); err != nil {
			errs = append(errs, fmt.Errorf("oidc: provider %q: %w", p.Name, err))
			continue
		}
		if p.SecondFactor && !s.identities.AsksFactor() {
			errs = append(errs, fmt.Errorf("oidc: provider %q wants a second factor, and the app has none", p.Name))
		}
		for _, domain := range p.Domains {
			domain = strings.ToLower(domain)
			if other, taken := authorities[domain]; taken {
				errs = append(errs, fmt.Errorf("oidc: providers %q and %q are both the authority for %s", other, p.Name, domain))
			}
			authorities[domain] = p.Name
		}
		s.providers[p.Name] = newProvider(p, origin+path+p.Name+"/callback", client, s.timeout, s.now, authorities)
	}
	return errors.Join(errs...)
}

func (p *Provider) check() error {
	var errs []error
	if !providerName.MatchString(p.Name) || p.Name == "token" {
		errs = append(errs, errors.New("the name must be 1 to 32 small letters, digits and dashes, and not \"token\""))
	}
	if err := checkEndpoint(p.Issuer, true); err != nil {
		errs = append(errs, fmt.Errorf("the issuer %w", err))
	}
	if p.ClientID == "" {
		errs = append(errs, errors.New("there is no client id"))
	}
	for _, a := range p.Algorithms {
		if !slices.Contains(asymmetric, a) {
			errs = append(errs, fmt.Errorf("the algorithm %q is none of %s", a, strings.Join(asymmetric, ", ")))
		}
	}
	for _, d := range p.Domains {
		if strings.ContainsAny(d, "@*/: ") || !strings.Contains(d, ".") {
			errs = append(errs, fmt.Errorf("the domain %q must be like corp.example", d))
		}
	}
	return errors.Join(errs...)
}

// ParseOrigin checks an origin as [Config] wants it, and returns it without a
// slash at its end.
func ParseOrigin(origin string) (string, error) {
	if err := checkEndpoint(origin, true); err != nil {
		return "", fmt.Errorf("oidc: the origin %w", err)
	}
	u, err := url.Parse(origin)
	if err != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return "", fmt.Errorf("oidc: the origin %q must end after host and port", origin)
	}
	return u.Scheme + "://" + u.Host, nil
}

// checkEndpoint refuses what secrets must not be sent to: anything but https,
// except to this machine and if local allows it.
func checkEndpoint(endpoint string, local bool) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return fmt.Errorf("%q is no URL", endpoint)
	case u.Scheme == "https", u.Scheme == "http" && local && loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%q must be https", endpoint)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// decoderOf returns the strict decoder of a type with rules.
func decoderOf[T any]() (*codec.Decoder, error) {
	t, err := rule.Describe(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	return codec.CompileDecoder(t)
}
