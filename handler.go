package ashlar

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/openapi"
	"github.com/ashlar-go/ashlar/rest"
	"github.com/ashlar-go/ashlar/serve"
)

// Handler derives the public handler from everything that was mounted, or
// reports every mistake at once. [App.Run] serves it; call it yourself to put
// the app behind another server, after [App.Migrate]. A principal that an
// outer handler has put into the request's context ([access.With]) is
// believed instead of the request's own credential.
func (a *App) Handler() (http.Handler, error) {
	_, err := a.jobs()
	errs := append(append([]error(nil), a.mistakes...), err, a.openConsumers())
	if err := op.CheckRelations(a.relations, a.operations); err != nil {
		// The derivations below would only repeat these.
		return nil, errors.Join(append(errs, err)...)
	}
	mux := &serve.Mux{}
	cfg := rest.Config{
		Policy: a.Policy, Authenticate: a.authenticate, Challenge: a.scheme.Challenge,
		Gate: a.gateOf, Limits: answerLimits{a.limits}, Places: a.placesOf,
		Cache: a.caching, Stale: db.Stale, Idempotency: a.keys, FingerprintKey: a.fingerprintKey, Log: a.Log,
	}
	for _, o := range a.operations {
		s := o.Spec()
		h, err := a.derive(o, cfg)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if s.SetsCookies && s.Kind == op.IsCommand {
			h = a.sameOrigin(s.Name, h)
		}
		if s.Idempotent > 0 {
			a.meters.replays.Declare(s.Name)
		}
		if err := mux.Handle(s.Pattern(), a.meters.meter(s.Name, h, s.Method)); err != nil {
			errs = append(errs, o.Mistakef("%w", err))
		}
	}
	var public http.Handler
	errs = append(errs, a.mountBuiltin(mux), a.mountSocket(mux, &public), a.mountGraphQL(mux, &public, cfg))
	for _, raw := range a.raw {
		if err := mux.Handle(raw.pattern, a.meters.meter(raw.pattern, serve.WithScope(raw.handler))); err != nil {
			errs = append(errs, fmt.Errorf("handler %s: %w", raw.pattern, err))
		}
	}
	observer, err := a.observer(mux)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	public = serve.Observe(mux, observer)
	return public, nil
}

// derive returns the handler of an operation, of whatever kind.
func (a *App) derive(o op.Operation, cfg rest.Config) (http.Handler, error) {
	if o.Spec().Kind == op.IsStream {
		return a.stream(o)
	}
	return rest.New(o, cfg)
}

// document is the API document of everything that is mounted.
func (a *App) document() ([]byte, error) {
	if err := op.Check(a.operations); err != nil {
		return nil, err
	}
	return openapi.Document(openapi.Info{Title: a.title(), Version: version(), Scheme: string(a.scheme), Form: a.form}, a.operations)
}

// title names the app in documents: after the first module that brings
// operations.
func (a *App) title() string {
	for _, m := range a.modules {
		if len(m.Operations) > 0 {
			return m.Name
		}
	}
	return "API"
}

// mountBuiltin adds what explains the app: the document and its page in
// development or where asked for, and the meaning of each problem type.
func (a *App) mountBuiltin(mux *serve.Mux) error {
	doc, err := a.document()
	if err != nil {
		return err
	}
	handle := func(pattern string, h http.Handler) error { return mux.Handle(pattern, a.meters.meter(pattern, h)) }
	errs := []error{handle("GET "+fault.TypePrefix+"{slug}", openapi.Problems(a.operations))}
	if !a.cfg.Production() || a.cfg.PublicDocs {
		yaml, err := openapi.YAML(doc)
		if err != nil {
			return err
		}
		errs = append(errs,
			handle("GET /openapi.json", openapi.Serve(doc, "application/json")),
			handle("GET /openapi.yaml", openapi.Serve(yaml, "application/yaml")),
			handle("GET /docs", openapi.Docs()),
			handle("GET /docs/{asset}", openapi.Docs()),
		)
	}
	return errors.Join(errs...)
}

// authenticate finds the principal of a request: the one that an outer handler
// put into its context, or the holder of its access token or API key, with
// the permissions that the holder's role has now. What is wrong with a
// credential is in the error's cause, for the log: the caller gets one answer
// for all.
func (a *App) authenticate(r *http.Request) (access.Principal, error) {
	if who := access.From(r.Context()); !who.Anonymous() {
		return who, nil
	}
	if claims, known := a.tokens.RecallBy(a.scheme, r); known {
		return a.holder(&claims), nil
	}
	token, present, err := a.scheme.Token(r)
	if !present && a.scheme != auth.BearerScheme {
		token, present, err = auth.Bearer(r)
	}
	if err != nil {
		return access.Principal{}, err
	}
	if !present {
		return a.byCookie(r)
	}
	if auth.IsAPIKey(token) {
		return a.apiKey(r.Context(), token)
	}
	claims, err := a.tokens.Verify(r.Context(), token)
	if err != nil {
		return access.Principal{}, err
	}
	return a.holder(&claims), nil
}

// holder is whom an access token or a session stands for.
func (a *App) holder(claims *auth.Claims) access.Principal {
	who := a.Policy.Principal(claims.Subject, claims.Account, claims.Role)
	who.Credential = claims.Session
	return who
}
