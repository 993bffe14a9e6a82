package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// path is where the handlers are.
const path = "/v1/auth/oidc/"

// Mount registers the handlers: GET /v1/auth/oidc/{provider} begins a sign-in,
// POST to the same path begins to link an identity to the account that is
// signed in, GET /v1/auth/oidc/{provider}/callback ends both, and POST
// /v1/auth/oidc/token exchanges the code of a sign-in for a session. Give it
// App.Handle, or Handle of a [http.ServeMux].
func (s *SignIn) Mount(handle func(pattern string, h http.Handler)) {
	handle("GET "+path+"{provider}", s.handler(s.start))
	handle("POST "+path+"{provider}", s.handler(s.link))
	handle("GET "+path+"{provider}/callback", s.handler(s.callback))
	handle("POST "+path+"token", s.handler(s.exchange))
}

// start sends the browser to the provider.
func (s *SignIn) start(w http.ResponseWriter, r *http.Request) error {
	location, err := s.begin(w, r, nil)
	if err != nil {
		return err
	}
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// link is start for somebody signed in: it tells the page where to go, since a
// browser that follows a redirect shows no token. The page's own request sets
// the cookie, so nobody can have another person's browser finish what they
// began.
func (s *SignIn) link(w http.ResponseWriter, r *http.Request) error {
	if err := s.crossing.Check(r); err != nil {
		return fault.ErrDenied.Wrap(err)
	}
	who, err := s.identities.Linker(r)
	if err != nil {
		return err
	}
	location, err := s.begin(w, r, &who)
	if err != nil {
		return err
	}
	return answer(w, struct {
		Location string `json:"location"`
	}{location})
}

// begin gives the browser a flow and returns the URL at the provider.
func (s *SignIn) begin(w http.ResponseWriter, r *http.Request, link *auth.Linker) (location string, err error) {
	p, known := s.providers[r.PathValue("provider")]
	if !known {
		return "", fault.ErrNotFound
	}
	target, err := returnTo(r)
	if err != nil {
		return "", err
	}
	m, err := p.metadata(r.Context())
	if err != nil {
		return "", ErrProvider.Wrap(err)
	}
	f := flow{
		Provider: p.Name, State: auth.Secret(), Nonce: auth.Secret(), Verifier: oauth2.GenerateVerifier(),
		ReturnTo: target, Link: link, Until: s.now().Add(flowLife).Unix(),
	}
	value, err := s.seal(f)
	if err != nil {
		return "", err
	}
	cookie(w, flowCookie, value, flowLife, http.SameSiteLaxMode)
	return m.oauth.AuthCodeURL(f.State, gooidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), nil
}

// returnTo reads where on this origin the browser wants to be at the end.
func returnTo(r *http.Request) (string, error) {
	asked, err := parameters(r)
	if err != nil {
		return "", fault.ErrMalformed.Wrap(err)
	}
	target, given, err := asked.one("return_to")
	switch {
	case err != nil:
		return "", fault.ErrMalformed.Wrap(err)
	case !given:
		return "/", nil
	case !localTarget(target):
		return "", fault.ErrMalformed.Because("return_to must be a path of this site.")
	}
	return target, nil
}

// callback ends what begin began. Every reason not to is [ErrFailed], except
// what [auth.Identities] has to say about an identity that is genuine.
func (s *SignIn) callback(w http.ResponseWriter, r *http.Request) error {
	p, known := s.providers[r.PathValue("provider")]
	if !known {
		return fault.ErrNotFound
	}
	f, back, err := s.returned(r, p)
	if err != nil {
		return ErrFailed.Wrap(short(err))
	}
	// From here on this is the browser's own flow, and its end.
	cookie(w, flowCookie, "", -1, http.SameSiteLaxMode)
	ctx, cancel := context.WithTimeout(r.Context(), s.timeout)
	defer cancel()
	first, err := s.identities.Spend(ctx, f.State, time.Unix(f.Until, 0).UTC())
	if err != nil {
		return err
	}
	if !first {
		return ErrFailed.Wrap(failure("the flow has ended before"))
	}
	who, err := p.identify(ctx, f, back)
	if err != nil {
		return ErrFailed.Wrap(short(err))
	}
	told, err := s.settle(ctx, w, p, f, who)
	if err != nil {
		return err
	}
	w.Header().Set("Location", f.ReturnTo+told)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// settle does what the flow was begun for, and returns the fragment that tells
// the page about it: one with a code, unless a session cookie says it all.
func (s *SignIn) settle(ctx context.Context, w http.ResponseWriter, p *provider, f flow, who auth.Identity) (told string, err error) {
	if f.Link != nil {
		return "#linked=" + f.Provider, s.identities.LinkAs(ctx, *f.Link, who)
	}
	account, err := s.identities.Recognize(ctx, who)
	if err != nil {
		return "", err
	}
	if s.identities.Cookies() && !p.SecondFactor {
		_, cookies, err := s.identities.Open(ctx, account)
		setCookies(w, cookies)
		return "", err
	}
	browser := auth.Secret()
	code, err := s.identities.Code(ctx, account, browser, p.SecondFactor)
	if err != nil {
		return "", err
	}
	cookie(w, codeCookie, browser, codeCookieLife, http.SameSiteStrictMode)
	return "#code=" + code, nil
}

func setCookies(w http.ResponseWriter, cookies []*http.Cookie) {
	for _, c := range cookies {
		http.SetCookie(w, c)
	}
}

// codeCookieLife only bounds what a browser keeps; a code's own life is up to
// auth.
const codeCookieLife = 5 * time.Minute

// maxExchange is how many bytes an exchange may have.
const maxExchange = 4 << 10

// exchange answers a sign-in code with the session that it stands for.
func (s *SignIn) exchange(w http.ResponseWriter, r *http.Request) error {
	if err := s.crossing.Check(r); err != nil {
		return fault.ErrDenied.Wrap(err)
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return fault.ErrUnsupported.Because("The body must be JSON in UTF-8, with Content-Type: application/json.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxExchange))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return fault.ErrTooLarge.Because("The body may have at most %d bytes.", maxExchange)
	}
	if err != nil {
		return fault.ErrMalformed.Wrap(err)
	}
	var in auth.SignInCode
	if err := s.codes.Decode(body, &in); err != nil {
		if syntax, bad := errors.AsType[*codec.Syntax](err); bad {
			return fault.ErrMalformed.Wrap(syntax)
		}
		return err
	}
	browser, err := cookieOf(r, codeCookie)
	if err != nil {
		return auth.ErrSignInCode.Wrap(err)
	}
	account, err := s.identities.Redeem(r.Context(), in, browser)
	if err != nil {
		return err
	}
	session, cookies, err := s.identities.Open(r.Context(), account)
	if err != nil {
		return err
	}
	setCookies(w, cookies)
	cookie(w, codeCookie, "", -1, http.SameSiteStrictMode)
	return answer(w, session)
}

func answer(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
	return nil
}

// handler answers with h, or with the problem that its error is, and logs why.
func (s *SignIn) handler(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// In an app these are there already; in a bare server they must be.
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		err := s.identities.Enter(r.Context())
		if err == nil {
			err = h(w, r)
		}
		if err != nil {
			s.refuse(w, r, err)
		}
	})
}

func (s *SignIn) refuse(w http.ResponseWriter, r *http.Request, err error) {
	observed := scope.From(w)
	var trace string
	if observed != nil {
		trace = observed.TraceID
	}
	problem := fault.ProblemOf(err, trace)
	if observed != nil {
		observed.Code = problem.Code
	}
	if problem.Status >= http.StatusInternalServerError {
		s.log.ErrorContext(r.Context(), "sign-in failed", "provider", r.PathValue("provider"), "code", problem.Code, "error", err)
	} else {
		s.log.WarnContext(r.Context(), "sign-in refused", "provider", r.PathValue("provider"), "code", problem.Code, "error", err)
	}
	if challenge := auth.Challenge(err); challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	_ = fault.Write(w, problem) // the client has gone
}
