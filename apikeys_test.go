package ashlar_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/auth/authtest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/op"
)

func TestAPIKeysTable(t *testing.T) {
	t.Parallel()
	authtest.RunAPIKeys(t, func(t *testing.T) auth.APIKeyStore {
		app := ashlartest.Open(t)
		app.Migrate()
		return ashlar.APIKeyStoreOf(app.App)
	})
}

// branch is one instance of an app, without anybody who can sign in.
func branch(t *testing.T, env ...string) *ashlartest.App {
	t.Helper()
	app := ashlartest.Open(t, env...)
	app.Grant("clerk", "greetings:read")
	app.Mount(ashlar.SignIn(app.App))
	app.Mount(greetings())
	return app
}

// annOf is the one account of an office, as its tests need it.
func annOf(t *testing.T, app *ashlartest.App) auth.Account {
	t.Helper()
	list, err := app.Accounts.List(t.Context(), "", 1)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return list[0]
}

// signed is ann, signed in.
func signed(t *testing.T, app *ashlartest.App) *ashlartest.Client {
	t.Helper()
	who := annOf(t, app)
	return app.AsRole(who.ID, who.Tenant, who.Role)
}

type newKey struct {
	Name        string   `json:"name"`
	Permissions []string `json:"permissions"`
	ExpiresAt   string   `json:"expires_at,omitempty"`
}

var (
	newAPIKey   = ashlartest.Call[auth.IssuedAPIKey]
	listAPIKeys = ashlartest.Call[op.Page[auth.APIKey]]
	endAPIKey   = ashlartest.Call[struct{}]
)

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	app := office(t)
	me := signed(t, app)
	made := newAPIKey(me, "api_keys.create", newKey{Name: "till", Permissions: []string{"greetings:read"}}).OK()
	if made.CreatedAt.IsZero() || made.ExpiresAt != nil || made.LastUsedAt != nil || made.Name != "till" || len(made.Permissions) != 1 {
		t.Errorf("made %+v", made)
	}
	machine := app.Bearer(made.Key)
	ashlartest.Call[greeting](machine, "greetings.private", name{"ann"}).OK()
	ashlartest.Call[greeting](machine, "greetings.locked", name{"ann"}).Denied()

	list := listAPIKeys(me, "api_keys.list", nil)
	if got := list.OK(); len(got.Data) != 1 || got.Data[0].ID != made.ID || got.HasMore || strings.Contains(list.Body(), made.Key[29:55]) {
		t.Errorf("listed %s", list.Body())
	}
	stranger := app.AsRole("usr_other", "", "clerk")
	if got := listAPIKeys(stranger, "api_keys.list", nil).OK(); len(got.Data) != 0 {
		t.Errorf("a stranger sees %+v", got.Data)
	}
	// Another's key answers as one that never was.
	foreign := endAPIKey(stranger, "api_keys.end", auth.ByAPIKey{ID: made.ID}).Fails(auth.ErrNoAPIKey)
	absent := endAPIKey(stranger, "api_keys.end", auth.ByAPIKey{ID: "key_none"}).Fails(auth.ErrNoAPIKey)
	if foreign.Title != absent.Title || foreign.Detail != absent.Detail {
		t.Errorf("%+v tells more than %+v", foreign, absent)
	}
	endAPIKey(me, "api_keys.end", auth.ByAPIKey{ID: made.ID}).OK()
	endAPIKey(me, "api_keys.end", auth.ByAPIKey{ID: made.ID}).Fails(auth.ErrNoAPIKey)
	ashlartest.Call[greeting](machine, "greetings.private", name{"ann"}).Fails(auth.ErrToken)
	if got := listAPIKeys(me, "api_keys.list", nil).OK(); len(got.Data) != 0 {
		t.Errorf("an ended key is listed: %+v", got.Data)
	}
	kinds, err := db.All[string](t.Context(), app.DB, `SELECT kind FROM ashlar_security_events WHERE credential = $1 AND subject = $2 ORDER BY id`, made.ID, annOf(t, app).ID)
	if err != nil || fmt.Sprint(kinds) != "[api_key_created api_key_ended]" {
		t.Errorf("recorded %v, %v", kinds, err)
	}
}

func TestAPIKeysRefuse(t *testing.T) {
	t.Parallel()
	app := office(t)
	me := signed(t, app)
	create := func(in newKey) ashlartest.Result[auth.IssuedAPIKey] { return newAPIKey(me, "api_keys.create", in) }

	denied := create(newKey{Name: "n", Permissions: []string{"greetings:read", "greetings:lock"}})
	if p := denied.Denied(); fmt.Sprint(p.Members["permissions"]) != "[greetings:lock]" {
		t.Errorf("got %s", denied.Body())
	}
	create(newKey{Name: "n", Permissions: []string{"greetings:read", "greetings:rite"}}).Invalid("/permissions/1")
	create(newKey{Name: "", Permissions: []string{}}).Invalid("/name", "/permissions")
	create(newKey{Name: "n", Permissions: []string{"greetings:read", "greetings:read"}}).Invalid("/permissions")
	create(newKey{Name: "n", Permissions: []string{"greetings:read"}, ExpiresAt: "2020-01-01T00:00:00Z"}).Invalid("/expires_at")
	for range auth.MaxAPIKeys {
		create(newKey{Name: "n", Permissions: []string{"greetings:read"}}).OK()
	}
	create(newKey{Name: "n", Permissions: []string{"greetings:read"}}).Fails(auth.ErrAPIKeys)

	seen, page := 0, op.Page[auth.APIKey]{HasMore: true}
	for in := (op.Paging{Limit: 30}); page.HasMore; in.Cursor = *page.NextCursor {
		page = listAPIKeys(me, "api_keys.list", in).OK()
		if seen += len(page.Data); !page.HasMore {
			break
		}
	}
	if seen != auth.MaxAPIKeys {
		t.Errorf("%d keys in all pages", seen)
	}
}

// P11.13: only the header counts.
func TestAPIKeyInTheQueryIsIgnored(t *testing.T) {
	t.Parallel()
	app := office(t)
	key := newAPIKey(signed(t, app), "api_keys.create", newKey{Name: "n", Permissions: []string{"greetings:read"}}).OK().Key
	for _, target := range []string{"/v1/api-keys?api_key=", "/v1/api-keys?access_token=", "/v1/api-keys?cursor="} {
		w := app.Anonymous().Do(http.MethodGet, target+key, "")
		if got := w.Header().Get("WWW-Authenticate"); w.Code != http.StatusUnauthorized || strings.Contains(got, "error") {
			t.Errorf("%s answers %d, %s", target, w.Code, got)
		}
	}
	for name, header := range map[string]string{
		"in another scheme": "ApiKey " + key,
		"as Basic":          "Basic " + key,
		"with a word more":  "Bearer " + key + " x",
		"twice":             "Bearer " + key + ", Bearer " + key,
		"cut short":         "Bearer " + key[:50],
		"a megabyte":        "Bearer ak_" + strings.Repeat("a", 1<<20),
	} {
		if w := app.Anonymous().With("Authorization", header).Do(http.MethodGet, "/v1/api-keys", ""); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

// The canaries: neither a key nor what is kept of it leaves the place where it
// belongs.
func TestAPIKeysLeaveNoTrace(t *testing.T) {
	t.Parallel()
	app := office(t)
	me := signed(t, app)
	made := newAPIKey(me, "api_keys.create", newKey{Name: "canary-name", Permissions: []string{"greetings:read"}}).OK()
	forged := made.Key[:60] + "~"
	ashlartest.Call[greeting](app.Bearer(made.Key), "greetings.private", name{"ann"}).OK()
	bad := ashlartest.Call[greeting](app.Bearer(forged), "greetings.private", name{"ann"})
	bad.Fails(auth.ErrToken)
	endAPIKey(me, "api_keys.end", auth.ByAPIKey{ID: made.ID}).OK()
	gone := ashlartest.Call[greeting](app.Bearer(made.Key), "greetings.private", name{"ann"})
	gone.Fails(auth.ErrToken)
	if !strings.Contains(app.Log(), "malformed") || !strings.Contains(app.Log(), "ended") {
		t.Errorf("the log does not say why: %s", app.Log())
	}
	events, err := db.All[string](t.Context(), app.DB, `SELECT subject || actor || credential || address || agent || detail FROM ashlar_security_events`)
	if err != nil || len(events) == 0 {
		t.Fatal(events, err)
	}
	keys, err := db.All[string](t.Context(), app.DB, `SELECT id || name || owner || parent FROM ashlar_api_keys`)
	if err != nil {
		t.Fatal(err)
	}
	digests, err := db.All[[]byte](t.Context(), app.DB, `SELECT digest FROM ashlar_api_keys`)
	if err != nil {
		t.Fatal(err)
	}
	for place, text := range map[string]string{
		"log": app.Log(), "events": strings.Join(events, " "), "problem": bad.Body() + gone.Body(), "database": strings.Join(keys, " ") + string(bytes.Join(digests, nil)),
	} {
		if strings.Contains(text, made.Key[29:55]) {
			t.Errorf("the %s has the secret: %s", place, text)
		}
		if place != "database" && strings.Contains(text, "canary-name") {
			t.Errorf("the %s has what somebody typed: %s", place, text)
		}
	}
}

// P11.10: a key that ended on one instance is refused by the others within a
// second.
func TestAPIKeyEndsOnEveryInstance(t *testing.T) {
	t.Parallel()
	file := ashlartest.Database(t)
	here, there := branch(t, "DATABASE_URL", file), branch(t, "DATABASE_URL", file)
	here.Migrate()
	if _, err := here.Accounts.Create(t.Context(), auth.NewAccount{Email: "ann@b.test", Password: "square-and-true", Role: "clerk", Tenant: "t1"}); err != nil {
		t.Fatal(err)
	}
	me := signed(t, here)
	made := newAPIKey(me, "api_keys.create", newKey{Name: "n", Permissions: []string{"greetings:read"}}).OK()
	child := newAPIKey(there.Bearer(made.Key), "api_keys.create", newKey{Name: "n", Permissions: []string{"greetings:read"}}).OK()
	if child.Parent != made.ID {
		t.Errorf("the key of a key is %+v", child)
	}
	greet := func(app *ashlartest.App, key string) int {
		return ashlartest.Call[greeting](app.Bearer(key), "greetings.private", name{"ann"}).Status()
	}
	for _, key := range []string{made.Key, child.Key} {
		if here, there := greet(here, key), greet(there, key); here != 200 || there != 200 {
			t.Fatal(here, there)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { _ = ashlar.FollowRevocations(ctx, there.App) }()
	endAPIKey(me, "api_keys.end", auth.ByAPIKey{ID: made.ID}).OK()
	ended := time.Now()
	for _, key := range []string{made.Key, child.Key} {
		if greet(here, key) != http.StatusUnauthorized {
			t.Error("the instance that ended the key still takes it")
		}
		for greet(there, key) != http.StatusUnauthorized {
			if time.Since(ended) > lost { // the promise is one; the machine may be busy
				t.Fatal("another instance still takes the key")
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	t.Logf("the other instance refused it after %v", time.Since(ended))
}

// The last use reaches the list without a request that waits for it.
func TestAPIKeyUseIsWritten(t *testing.T) {
	t.Parallel()
	app := office(t)
	made := newAPIKey(signed(t, app), "api_keys.create", newKey{Name: "n", Permissions: []string{"greetings:read"}}).OK()
	ashlartest.Call[greeting](app.Bearer(made.Key), "greetings.private", name{"ann"}).OK()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var got op.Page[auth.APIKey]
	eventually(t, "it is written", func() bool {
		_ = ashlar.NoteAPIKeys(ctx, app.App) // what its time was too short for is an error, and written the next time
		got = listAPIKeys(signed(t, app), "api_keys.list", nil).OK()
		return got.Data[0].LastUsedAt != nil
	})
	if time.Since(*got.Data[0].LastUsedAt) > time.Hour {
		t.Errorf("got %+v", got.Data)
	}
}

// P10.13: a key that was ended stays in the table for a while, so whoever makes
// and ends keys without a pause must not fill it. A key counts with its owner.
func TestAPIKeysAreMadeAtABoundedRate(t *testing.T) {
	t.Parallel()
	app := office(t)
	_, me := ann(t, app)
	key := newAPIKey(me, "api_keys.create", newKey{Name: "n", Permissions: []string{"greetings:read"}}).OK().Key
	for i := 1; i < 2*auth.MaxAPIKeys; i++ {
		if w := me.Do("POST", "/v1/api-keys", "{}"); w.Code != http.StatusUnprocessableEntity {
			t.Fatalf("attempt %d: %d %s", i, w.Code, w.Body)
		}
	}
	for who, client := range map[string]*ashlartest.Client{"the owner": me, "the key": app.Bearer(key)} {
		if w := client.Do("POST", "/v1/api-keys", "{}"); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s makes keys without an end: %d %s", who, w.Code, w.Body)
		}
	}
}
