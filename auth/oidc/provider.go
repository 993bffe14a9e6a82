package oidc

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	fresh    = time.Hour       // how long metadata and keys are used unasked
	stale    = 24 * time.Hour  // how long they are used while the provider does not answer
	cooldown = 2 * time.Second // how long a provider that failed is left alone
)

// A provider is a configured one with what it says of itself, which is asked
// for when somebody first signs in.
type provider struct {
	Provider
	callback    string            // the redirect URI
	authorities map[string]string // provider by domain, of all providers
	client      *http.Client
	timeout     time.Duration
	now         func() time.Time

	known   atomic.Pointer[metadata]
	asking  chan struct{} // held by whoever asks the provider, and guards what follows
	rest    time.Time     // until when the provider is left alone
	because error         // why
}

// metadata is what a provider said of itself, made ready for use.
type metadata struct {
	oauth    oauth2.Config
	provider *gooidc.Provider
	verifier *gooidc.IDTokenVerifier
	sendsIss bool // RFC 9207
	asked    time.Time
}

func newProvider(p Provider, callback string, client *http.Client, timeout time.Duration, now func() time.Time, authorities map[string]string) *provider {
	if p.Scopes == nil {
		p.Scopes = []string{"email"}
	}
	if p.Algorithms == nil {
		p.Algorithms = []string{gooidc.EdDSA, gooidc.ES256, gooidc.PS256, gooidc.RS256}
	}
	return &provider{
		Provider: p, callback: callback, authorities: authorities, client: client, timeout: timeout, now: now,
		asking: make(chan struct{}, 1),
	}
}

// metadata returns what is known of the provider, and asks it if that is
// nothing or old. One request asks for all; after a failure nobody asks for a
// while.
func (p *provider) metadata(ctx context.Context) (*metadata, error) {
	old, now := p.known.Load(), p.now()
	if old != nil && now.Sub(old.asked) < fresh {
		return old, nil
	}
	select {
	case p.asking <- struct{}{}:
		defer func() { <-p.asking }()
	case <-ctx.Done():
		return p.orElse(old, ctx.Err())
	}
	old, now = p.known.Load(), p.now()
	if old != nil && now.Sub(old.asked) < fresh { // another request was quicker
		return old, nil
	}
	if now.Before(p.rest) {
		return p.orElse(old, p.because)
	}
	// The caller may leave; the next ones want the answer all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.timeout)
	defer cancel()
	m, err := p.discover(ctx)
	if err != nil {
		p.because, p.rest = err, p.now().Add(cooldown)
		return p.orElse(old, err)
	}
	p.known.Store(m)
	return m, nil
}

// orElse returns what was known before, while that may be used.
func (p *provider) orElse(old *metadata, err error) (*metadata, error) {
	if old != nil && p.now().Sub(old.asked) < stale {
		return old, nil
	}
	return nil, err
}

// discover asks the provider for its metadata (OpenID Connect Discovery 1.0)
// and refuses what would weaken the flow. The keys are fetched when the first
// token comes, and again with each new metadata: a key that the provider has
// dropped is believed for an hour at most.
func (p *provider) discover(ctx context.Context) (*metadata, error) {
	ctx = gooidc.ClientContext(ctx, p.client)
	found, err := gooidc.NewProvider(ctx, p.Issuer)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", short(err))
	}
	var says struct {
		AuthURL     string   `json:"authorization_endpoint"`
		TokenURL    string   `json:"token_endpoint"`
		UserInfoURL string   `json:"userinfo_endpoint"`
		KeysURL     string   `json:"jwks_uri"`
		Challenges  []string `json:"code_challenge_methods_supported"`
		TokenAuth   []string `json:"token_endpoint_auth_methods_supported"`
		SendsIss    bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err := found.Claims(&says); err != nil {
		return nil, fmt.Errorf("discovery: %w", short(err))
	}
	if says.Challenges != nil && !slices.Contains(says.Challenges, "S256") {
		return nil, failure("discovery: the provider does not take PKCE with S256")
	}
	endpoints := []string{says.AuthURL, says.TokenURL, says.KeysURL}
	if says.UserInfoURL != "" {
		endpoints = append(endpoints, says.UserInfoURL)
	}
	local := strings.HasPrefix(p.Issuer, "http:")
	for _, endpoint := range endpoints {
		if err := checkEndpoint(endpoint, local); err != nil {
			return nil, fmt.Errorf("discovery: the endpoint %w", short(err))
		}
	}
	endpoint := found.Endpoint()
	endpoint.AuthStyle = p.authStyle(says.TokenAuth)
	return &metadata{
		oauth: oauth2.Config{
			ClientID: p.ClientID, ClientSecret: p.ClientSecret.Reveal(), Endpoint: endpoint, RedirectURL: p.callback,
			Scopes: append([]string{gooidc.ScopeOpenID}, p.Scopes...),
		},
		provider: found,
		verifier: found.Verifier(&gooidc.Config{ClientID: p.ClientID, SupportedSigningAlgs: p.Algorithms, Now: p.now}),
		sendsIss: says.SendsIss,
		asked:    p.now(),
	}, nil
}

// authStyle says how the client shows its secret: by default in the header,
// as the standard's default is. To try one and then the other would use the
// code twice.
func (p *provider) authStyle(methods []string) oauth2.AuthStyle {
	posts := slices.Contains(methods, "client_secret_post") && !slices.Contains(methods, "client_secret_basic")
	if p.ClientSecret.IsZero() || posts {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}
