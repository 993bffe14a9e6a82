package ashlartest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// An Attack calls every operation of an app in every way that must fail: as
// nobody, with forged, ended and stolen credentials, as every role that may
// not, and on objects of somebody else. It is worked out from the
// declarations, so an operation is attacked from the day it is mounted:
//
//	func TestAttacks(t *testing.T) {
//		ashlartest.Attack{
//			Confined: []string{"merchant"},
//			Tenants:  [2]string{"mer_a", "mer_b"},
//			Objects: map[string]ashlartest.Object{
//				"payments.get": {Make: func(c *ashlartest.Client) any { … }},
//			},
//		}.Run(t, open(t))
//	}
type Attack struct {
	// Confined names the roles that may touch objects of their own tenant only.
	Confined []string
	// Tenants are two tenants that exist, who must know nothing of each other.
	Tenants [2]string
	// Objects says for each operation whose input names an object, by a member
	// "id" or "ids" or one that ends in "_id" or "_ids", at whatever depth, how
	// to make such an object. An operation
	// that a confined role may call and that is missing here fails the test:
	// its author has to show that it looks at whose object it is.
	Objects map[string]Object
	// Shared names operations whose input names what belongs to no tenant, each
	// with the reason.
	Shared map[string]string
}

// Object makes what an operation is tried on.
type Object struct {
	// Make makes an object as its owner and returns an input for the operation
	// that names it, and with which the owner would succeed.
	Make func(owner *Client) (in any)
	// Personal says that the object belongs to a person, so that every other
	// principal is a stranger, those of the same tenant and staff included.
	Personal bool
}

// person is somebody who signed in, with a real token.
type person struct {
	role, tenant string
	account      auth.Account
	token        string
	client       *Client
}

// Run attacks the app. Its roles must be granted and its modules mounted.
func (a Attack) Run(t *testing.T, app *App) {
	app.Handler()
	if !slices.ContainsFunc(app.Operations(), func(o op.Operation) bool { return o.Spec().Access != op.ByEveryone }) {
		t.Fatal("the app has no operation that is not public: there is nothing to attack")
	}
	people := a.people(t, app)
	t.Run("a good token passes", func(t *testing.T) { a.control(t, app, people) })
	t.Run("credentials", func(t *testing.T) { a.credentials(t, app, people) })
	t.Run("roles", func(t *testing.T) { a.roles(t, app, people) })
	if makesKeys(app) {
		t.Run("API keys", func(t *testing.T) { a.keys(t, app, people) })
	}
	t.Run("objects", func(t *testing.T) { a.objects(t, app, people) })
}

// people makes one person of each role, and of a confined role one of each
// tenant.
func (a Attack) people(t *testing.T, app *App) (all []*person) {
	t.Helper()
	for _, role := range app.Policy.Roles() {
		if !slices.Contains(a.Confined, role) {
			all = append(all, signIn(t, app, role, ""))
			continue
		}
		for _, tenant := range a.Tenants {
			all = append(all, signIn(t, app, role, tenant))
		}
	}
	if len(all) == 0 {
		t.Fatal("the app grants no role anything: there is nobody to attack as")
	}
	return all
}

// noPassword is a hash that no password has: these people never type one, and
// to hash one for each of them would take longer than all the attacks.
//
//nolint:gosec // the hash of no password
const noPassword = "$argon2id$v=19$m=19456,t=2,p=1$bm8tcGFzc3dvcmQtaA$bm8gcGFzc3dvcmQgaGFzIHRoaXMgZGlnZXN0LCBldmU"

// signIn makes a person and signs them in.
func signIn(t *testing.T, app *App, role, tenant string) *person {
	t.Helper()
	account := auth.Account{
		ID: id.New("usr_"), Email: id.New("attack_") + "@attack.test",
		PasswordHash: noPassword, Role: role, Tenant: tenant,
	}
	if err := app.Accounts.Import(t.Context(), account); err != nil {
		t.Fatalf("make a person of role %s: %v", role, err)
	}
	p := &person{role: role, tenant: tenant, account: account}
	p.token = p.grant(t, app).AccessToken
	p.client = app.Bearer(p.token)
	return p
}

// grant signs the person in once more.
func (p *person) grant(t *testing.T, app *App) auth.Grant {
	t.Helper()
	g, err := app.Accounts.OpenSession(t.Context(), p.account)
	if err != nil {
		t.Fatalf("sign in: %v", err)
	}
	return g
}

// control shows that the tokens which the forgeries are made from are good,
// and that the forger signs as the app does: else everything would be refused
// for a reason of the test's own.
func (a Attack) control(t *testing.T, app *App, people []*person) {
	for _, p := range people {
		f := newForger(t, p.token, app.key)
		for name, token := range map[string]string{"as issued": p.token, "signed again": f.signed(nil, nil)} {
			for _, s := range guarded(app) {
				if w := send(app.Bearer(token), s); w.Code == http.StatusUnauthorized {
					t.Errorf("%s refuses a good token of role %s, %s: %s", s.Name, p.role, name, w.Body)
				}
			}
		}
	}
}

// guarded are the operations that need somebody.
func guarded(app *App) (list []*op.Spec) {
	for _, o := range app.Operations() {
		if s := o.Spec(); s.Access != op.ByEveryone {
			list = append(list, s)
		}
	}
	return list
}

// credentials tries each operation with everything that is no credential.
func (a Attack) credentials(t *testing.T, app *App, people []*person) {
	tries, said := 0, map[string]string{} // the answer by code: another one would tell which check had failed
	try := func(t *testing.T, attack string, c *Client, code fault.Coded) {
		t.Helper()
		for _, o := range app.Operations() {
			s := o.Spec()
			if !s.Asks() || s.Recognizes && code != fault.ErrToken { // who says nothing is welcome there
				continue
			}
			tries++
			w := send(c, s)
			p := problemOf(t, w)
			if w.Code != http.StatusUnauthorized || p.Code != code.Code() {
				t.Errorf("%s: %s answers %d %s, want 401 %s", attack, s.Name, w.Code, p.Code, code.Code())
			}
			if w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s: %s answers 401 without a challenge", attack, s.Name)
			}
			switch first, known := said[p.Code]; {
			case !known:
				said[p.Code] = anonymised(w)
			case first != anonymised(w):
				t.Errorf("%s: %s answers\n%s\nand to another attack\n%s", attack, s.Name, anonymised(w), first)
			}
		}
	}
	try(t, "no token", app.Anonymous(), fault.ErrUnauthenticated)
	try(t, "another scheme", app.Anonymous().With("Authorization", "Basic YTpi"), fault.ErrUnauthenticated)
	try(t, "an empty token", app.Bearer(""), fault.ErrToken)
	try(t, "garbage", app.Bearer("garbage"), fault.ErrToken)
	for _, p := range people {
		f := newForger(t, p.token, app.key)
		for _, forgery := range forgeries {
			try(t, "a token of "+p.role+" "+forgery.name, app.Bearer(forgery.make(f)), fault.ErrToken)
		}
		for _, ended := range endings {
			try(t, "a token of "+p.role+" "+ended.name, app.Bearer(ended.end(t, app, p)), fault.ErrToken)
		}
		for _, s := range guarded(app) { // RFC 9700, section 4.3.2: never in a URL (P11.13)
			w := sendTo(app.Anonymous(), s, "?access_token="+p.token)
			if w.Code != http.StatusUnauthorized {
				t.Errorf("%s answers %d to a token in its query", s.Name, w.Code)
			}
		}
	}
	t.Logf("%d requests with a credential that is none", tries)
}

// endings are the ways in which a good token comes to its end early. Each
// happens to somebody of its own, and counts from the next request on.
var endings = []struct {
	name string
	end  func(t *testing.T, app *App, p *person) (token string)
}{
	{"who logged out", func(t *testing.T, app *App, p *person) string {
		g := p.grant(t, app)
		ended(t, app.Accounts.Logout(app.as(t, p), auth.LogoutInput{RefreshToken: g.RefreshToken}))
		return g.AccessToken
	}},
	{"whose session was ended from another one", func(t *testing.T, app *App, p *person) string {
		q := signIn(t, app, p.role, p.tenant)
		ended(t, app.Accounts.EndOtherSessions(app.as(t, q)))
		return q.token
	}},
	{"whose account was disabled", func(t *testing.T, app *App, p *person) string {
		q := signIn(t, app, p.role, p.tenant)
		ended(t, app.Accounts.Disable(t.Context(), q.account.ID))
		return q.token
	}},
	{"whose password was changed", func(t *testing.T, app *App, p *person) string {
		q := signIn(t, app, p.role, p.tenant)
		ended(t, app.Accounts.SetPassword(t.Context(), q.account.ID, "another horse battery staple"))
		return q.token
	}},
	{"that is a refresh token", func(t *testing.T, app *App, p *person) string {
		return p.grant(t, app).RefreshToken
	}},
}

// as is the context of somebody's request, under no session in particular.
func (a *App) as(t *testing.T, p *person) context.Context {
	return access.With(t.Context(), a.Policy.Principal(p.account.ID, p.tenant, p.role))
}

func ended(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// roles calls each operation as each role: who may not gets 403, who may does
// not.
func (a Attack) roles(t *testing.T, app *App, people []*person) {
	for _, s := range guarded(app) {
		needs := app.Policy.Set(s.Permissions...)
		for _, p := range people {
			w := send(p.client, s)
			may := app.Policy.Role(p.role).Has(needs)
			switch {
			case !may && (w.Code != http.StatusForbidden || problemOf(t, w).Code != fault.ErrDenied.Code()):
				t.Errorf("%s answers %d to role %s, which has not %v: %s", s.Name, w.Code, p.role, s.Permissions, w.Body)
			case may && (w.Code == http.StatusForbidden && problemOf(t, w).Code == fault.ErrDenied.Code() || w.Code == http.StatusUnauthorized):
				t.Errorf("%s answers %d to role %s, which may: %s", s.Name, w.Code, p.role, w.Body)
			}
			// A method of another's choosing changes nothing (P10.6).
			override := send(p.client.With("X-HTTP-Method-Override", "GET"), s)
			if !may && override.Code != http.StatusForbidden {
				t.Errorf("%s answers %d to role %s with a method override", s.Name, override.Code, p.role)
			}
		}
	}
}

// makesKeys reports whether the app mounts ashlar.SignIn, and so makes API keys.
func makesKeys(app *App) bool {
	return slices.ContainsFunc(app.Operations(), func(o op.Operation) bool { return o.Spec().Name == "api_keys.create" })
}

// keys calls each operation with an API key of each role: one that may do a
// single thing of what its maker may, and then as one that has ended, and as
// one whose owner was disabled.
func (a Attack) keys(t *testing.T, app *App, people []*person) {
	for _, p := range people {
		may := app.Policy.Permissions(app.Policy.Role(p.role))
		if len(may) == 0 {
			continue
		}
		p = signIn(t, app, p.role, p.tenant) // it will be disabled
		scope := app.Policy.Set(may[0])
		key, id := p.newKey(t, may[0])
		for _, s := range guarded(app) {
			w := send(app.Bearer(key), s)
			needs := app.Policy.Set(s.Permissions...)
			if denied := w.Code == http.StatusForbidden; !denied && !scope.Has(needs) || w.Code == http.StatusUnauthorized {
				t.Errorf("%s answers %d to a key of role %s for %s alone: %s", s.Name, w.Code, p.role, may[0], w.Body)
			}
		}
		if w := p.client.Do("DELETE", "/v1/api-keys/"+id, ""); w.Code != http.StatusNoContent {
			t.Fatalf("end an API key: %d %s", w.Code, w.Body)
		}
		orphan, _ := p.newKey(t, may[0])
		ended(t, app.Accounts.Disable(t.Context(), p.account.ID))
		for why, key := range map[string]string{"that ended": key, "whose owner was disabled": orphan, "cut short": orphan[:len(orphan)-1]} {
			for _, s := range guarded(app) {
				if w := send(app.Bearer(key), s); w.Code != http.StatusUnauthorized || problemOf(t, w).Code != fault.ErrToken.Code() {
					t.Errorf("%s answers %d to a key of role %s %s: %s", s.Name, w.Code, p.role, why, w.Body)
				}
			}
		}
	}
}

// newKey makes an API key over HTTP, as its owner.
func (p *person) newKey(t *testing.T, permission access.Permission) (key, id string) {
	t.Helper()
	w := p.client.Do("POST", "/v1/api-keys", `{"name":"attack","permissions":[`+strconv.Quote(string(permission))+`]}`)
	var made struct {
		Key string `json:"key"`
		ID  string `json:"id"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || made.Key == "" {
		t.Fatalf("make an API key: %d %s", w.Code, w.Body)
	}
	return made.Key, made.ID
}

// objects has strangers touch what is not theirs. They must be answered as if
// it was not there (P10.2, P10.3), and the owner must find it as it was.
func (a Attack) objects(t *testing.T, app *App, people []*person) {
	for name := range a.Objects {
		if !slices.ContainsFunc(app.Operations(), func(o op.Operation) bool { return o.Spec().Name == name }) {
			t.Errorf("Objects names %q, which is no operation", name)
		}
	}
	for _, s := range guarded(app) {
		needs := app.Policy.Set(s.Permissions...)
		may := slices.DeleteFunc(slices.Clone(people), func(p *person) bool { return !app.Policy.Role(p.role).Has(needs) })
		confined := slices.ContainsFunc(may, func(p *person) bool { return slices.Contains(a.Confined, p.role) })
		object, tried := a.Objects[s.Name]
		_, shared := a.Shared[s.Name]
		switch members := naming(s); {
		case tried:
			a.object(t, s, object, may)
		case shared || !confined || len(members) == 0:
		default:
			t.Errorf("%s takes %s from %s, who must not touch another tenant's: say in Objects how to make what it names, or in Shared why it belongs to no tenant\n\t%s",
				s.Name, strings.Join(members, ", "), strings.Join(a.Confined, ", "), s.Source)
		}
	}
}

// naming lists the members of an input that name an object, those of a member
// with the path to them.
func naming(s *op.Spec) (members []string) {
	var look func(t *rule.Type, path string, above []*rule.Struct)
	look = func(t *rule.Type, path string, above []*rule.Struct) {
		for t.Elem != nil {
			t = t.Elem
		}
		if t.Object == nil || slices.Contains(above, t.Object) { // types may contain themselves
			return
		}
		for _, f := range t.Object.Fields {
			if names(f.Name) || path == "" && slices.Contains(s.PathFields, f.Name) {
				members = append(members, path+f.Name)
				continue
			}
			look(f.Type, path+f.Name+".", append(above, t.Object))
		}
	}
	look(s.In, "", nil)
	return members
}

// names reports whether a member of this name holds the id of an object, or
// several.
func names(member string) bool {
	last := member[strings.LastIndexByte(member, '_')+1:]
	return last == "id" || last == "ids"
}

func (a Attack) object(t *testing.T, s *op.Spec, object Object, may []*person) {
	if len(may) == 0 {
		t.Errorf("%s may be called by nobody", s.Name)
		return
	}
	owner := may[0]
	for _, p := range may { // a confined owner has strangers of the same role
		if slices.Contains(a.Confined, p.role) {
			owner = p
			break
		}
	}
	strangers := 0
	for _, p := range may {
		confined := slices.Contains(a.Confined, p.role)
		if p == owner || !object.Personal && (!confined || p.tenant == owner.tenant) {
			continue
		}
		strangers++
		in := object.Make(owner.client)
		foreign, absent := p.client.call(s, in), p.client.call(s, renamed(t, s, in))
		if foreign.Code != absent.Code || anonymised(foreign) != anonymised(absent) {
			t.Errorf("%s tells a %s of %q that an object of somebody else is there: it answers\n%d %s\nand for one that is not there\n%d %s",
				s.Name, p.role, p.tenant, foreign.Code, foreign.Body, absent.Code, absent.Body)
		}
		if hidden := s.Kind == op.IsQuery && len(s.PathFields) == 0; !hidden && foreign.Code != http.StatusNotFound {
			t.Errorf("%s answers %d to a %s of %q for an object of somebody else, want 404: %s", s.Name, foreign.Code, p.role, p.tenant, foreign.Body)
		}
		if w := owner.client.call(s, in); w.Code != s.Status {
			t.Errorf("%s answers its owner %d after a stranger tried: %s", s.Name, w.Code, w.Body)
		}
	}
	if strangers == 0 {
		t.Errorf("%s: nobody is a stranger to its objects; is it in Objects by mistake?", s.Name)
	}
}

// renamed returns the input with the id of an object that never was, in the
// form of the one it names.
func renamed(t *testing.T, s *op.Spec, in any) map[string]json.RawMessage {
	t.Helper()
	members, err := membersOf(s, in)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range naming(s) {
		var value any
		if members[name] == nil || json.Unmarshal(members[name], &value) != nil {
			continue
		}
		switch absent := value.(type) {
		case float64:
			members[name] = json.RawMessage("2147483647")
		case string:
			prefix, _, _ := strings.Cut(absent, "_")
			members[name] = json.RawMessage(strconv.Quote(id.New(prefix + "_")))
		}
	}
	return members
}

// anonymised is an answer without what is different each time.
func anonymised(w *httptest.ResponseRecorder) string {
	var members map[string]any
	if json.Unmarshal(w.Body.Bytes(), &members) != nil {
		return w.Body.String()
	}
	delete(members, "trace_id")
	text, err := json.Marshal(members)
	return cmp.Or(string(text), fmt.Sprint(err))
}

// send sends a request without an input that makes sense: access is decided
// before the input is read.
func send(c *Client, s *op.Spec) *httptest.ResponseRecorder { return sendTo(c, s, "") }

func sendTo(c *Client, s *op.Spec, query string) *httptest.ResponseRecorder {
	path := s.Path
	for _, name := range s.PathFields {
		path = strings.Replace(path, "{"+name+"}", "x", 1)
	}
	w := c.Do(s.Method, path+query, "")
	// The attack sends so many bad credentials that the app's own limit on them
	// may stop it. What it wants to know comes after that limit, so it waits.
	for range 10 {
		if w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), `"violated-policies":["credential"]`) {
			break
		}
		time.Sleep(time.Second)
		w = c.Do(s.Method, path+query, "")
	}
	return w
}

// Bearer returns a client that sends this credential as its Authorization.
func (a *App) Bearer(token string) *Client {
	return a.Anonymous().With("Authorization", "Bearer "+token)
}
