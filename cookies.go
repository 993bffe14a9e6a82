package ashlar

import (
	"fmt"
	"net/http"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// byCookie finds the principal of a request that has no token. A browser sends
// its cookies along whoever made it ask, so what changes something must come
// from a page of this origin (P11.21).
func (a *App) byCookie(r *http.Request) (access.Principal, error) {
	if a.cfg.SignInCookie != switchOn {
		return access.Principal{}, fault.ErrUnauthenticated
	}
	claims, present, err := a.Accounts.ByCookie(r)
	switch {
	case err != nil:
		return access.Principal{}, err
	case !present:
		return access.Principal{}, fault.ErrUnauthenticated
	}
	if err := a.checkOrigin(r); err != nil {
		return access.Principal{}, err
	}
	return a.holder(&claims), nil
}

// crossOrigin knows which pages may use the cookie: those of this origin, and
// those that CORS lets send cookies.
func crossOrigin(cfg Config) (*http.CrossOriginProtection, error) {
	p := http.NewCrossOriginProtection()
	if !cfg.Cookies {
		return p, nil
	}
	for _, origin := range cfg.Origins {
		if err := p.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("ASHLAR_CORS_ORIGINS: %w", err)
		}
	}
	return p, nil
}

// checkOrigin refuses a request that changes something and was made by a page
// of another origin.
func (a *App) checkOrigin(r *http.Request) error {
	if err := a.crossOrigin.Check(r); err != nil {
		return fault.ErrDenied.Because("A page of another origin may not do this with a session cookie.").Wrap(err)
	}
	return nil
}

// sameOrigin guards an operation that sets cookies and needs none: otherwise
// another page could sign its visitors in as somebody else.
func (a *App) sameOrigin(operation string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := a.checkOrigin(r)
		if err == nil {
			next.ServeHTTP(w, r)
			return
		}
		if s := scope.From(w); s != nil {
			s.Operation = operation
		}
		scope.Refuse(w, err)
	})
}
