package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/rule"
)

var (
	user    = ashlartest.Call[UserBody]
	profile = ashlartest.Call[ProfileBody]
)

func TestAUserRegistersAndSignsIn(t *testing.T) {
	t.Parallel()
	app := open(t)
	made := user(app.Anonymous(), "users.register", newUser("ann"))
	u := made.OK().User
	if made.Status() != http.StatusCreated || u.Username != "ann" || u.Email != "ann@conduit.test" || u.Bio != nil || u.Image != nil {
		t.Errorf("%d %+v", made.Status(), u)
	}
	if !strings.Contains(made.Body(), `"bio":null,"image":null`) {
		t.Errorf("what is not there is null: %s", made.Body())
	}
	in := user(app.Anonymous(), "users.login", Login{Credentials{Email: "Ann@conduit.test", Password: "password1"}}).OK().User
	for _, token := range []string{u.Token, in.Token} {
		me := user(app.Anonymous().With("Authorization", "Token "+token), "users.current", nil).OK().User
		if me.Token == "" || me.Token == token || me.Username != "ann" {
			t.Errorf("%+v", me)
		}
		user(app.Anonymous().With("Authorization", "Token "+me.Token), "users.current", nil).OK()
	}
	user(app.Anonymous(), "users.register", newUser("ann")).Fails(auth.ErrEmailTaken)
	other := newUser("ann")
	other.User.Email = "another@conduit.test"
	user(app.Anonymous(), "users.register", other).Fails(ErrUsernameTaken)
	user(app.Anonymous(), "users.login", Login{Credentials{Email: other.User.Email, Password: "password1"}}).Fails(auth.ErrSignIn) // nothing of it was kept
}

func TestAUserChanges(t *testing.T) {
	t.Parallel()
	app := open(t)
	ann := person(app, "ann")
	person(app, "bob")
	update := func(c UserChanges) ashlartest.Result[UserBody] { return user(ann, "users.update", Update{c}) }

	u := update(UserChanges{Bio: rule.Some("writes"), Image: rule.Some("https://conduit.test/ann.png")}).OK().User
	if u.Bio == nil || *u.Bio != "writes" || u.Image == nil || u.Username != "ann" {
		t.Errorf("%+v", u)
	}
	if u = update(UserChanges{Username: "anna", Email: "anna@conduit.test"}).OK().User; u.Username != "anna" || u.Email != "anna@conduit.test" || u.Bio == nil {
		t.Errorf("what is absent stays: %+v", u)
	}
	if u = update(UserChanges{Bio: rule.Some(""), Image: rule.Null[string]()}).OK().User; u.Bio != nil || u.Image != nil {
		t.Errorf("an empty text and null take away: %+v", u)
	}
	update(UserChanges{Bio: rule.Some("lost"), Email: "bob@conduit.test"}).Fails(auth.ErrEmailTaken)
	update(UserChanges{Email: "new@conduit.test", Username: "bob"}).Fails(ErrUsernameTaken)
	if u = user(ann, "users.current", nil).OK().User; u.Bio != nil || u.Email != "anna@conduit.test" {
		t.Errorf("a change that failed left %+v", u)
	}

	for _, password := range []string{"12345678", strings.Repeat("a", 64)} {
		u = update(UserChanges{Password: password}).OK().User
		user(ann, "users.current", nil).Fails(auth.ErrToken) // another password ends all sessions
		ann = app.Anonymous().With("Authorization", "Token "+u.Token)
		user(ann, "users.current", nil).OK()
		user(app.Anonymous(), "users.login", Login{Credentials{Email: "anna@conduit.test", Password: password}}).OK()
	}
}

func TestPeopleFollow(t *testing.T) {
	t.Parallel()
	app := open(t)
	ann := person(app, "ann")
	person(app, "bob")
	bob := ByUsername{"bob"}
	following := func(want bool, p ProfileBody) {
		t.Helper()
		if p.Profile.Following != want || p.Profile.Username != "bob" {
			t.Errorf("%+v, want %t", p.Profile, want)
		}
	}
	following(false, profile(ann, "profiles.get", bob).OK())
	for range 2 { // the second time changes nothing
		following(true, profile(ann, "profiles.follow", bob).OK())
	}
	following(true, profile(ann, "profiles.get", bob).OK())
	following(false, profile(app.Anonymous(), "profiles.get", bob).OK())
	for range 2 {
		following(false, profile(ann, "profiles.unfollow", bob).OK())
	}
	following(false, profile(ann, "profiles.get", bob).OK())
	for _, name := range []string{"profiles.get", "profiles.follow", "profiles.unfollow"} {
		profile(ann, name, ByUsername{"eve"}).Fails(ErrProfileNotFound)
	}
}

// TestNobodyGuessesForEver holds that sign-ins are counted.
func TestNobodyGuessesForEver(t *testing.T) {
	t.Parallel()
	app := open(t)
	person(app, "ann")
	for range 100 {
		w := app.Anonymous().Do("POST", "/api/users/login", `{"user":{"email":"ann@conduit.test","password":"password2"}}`)
		if w.Code == http.StatusTooManyRequests {
			if !strings.Contains(w.Body.String(), auth.ErrThrottled.Code()) {
				t.Error(w.Body)
			}
			return
		}
	}
	t.Error("a hundred passwords were tried")
}

// TestTheAppIsTheSameOnServers runs it with what the environment can name.
func TestTheAppIsTheSameOnServers(t *testing.T) {
	t.Parallel()
	app := open(t, "DATABASE_URL", backing.Postgres(t), "REDIS_URL", backing.RedisServer(t).URL())
	ann := person(app, "ann")
	a := article(ann, "articles.publish", Publish{draft("On servers", "b", "a")}).OK().Article
	if got := article(ann, "articles.favorite", BySlug{a.Slug}).OK().Article; !got.Favorited || got.FavoritesCount != 1 || len(got.TagList) != 2 {
		t.Errorf("%+v", got)
	}
}

// TestAttacks tries every operation with everything that must fail.
func TestAttacks(t *testing.T) {
	t.Parallel()
	ashlartest.Attack{}.Run(t, open(t))
}
