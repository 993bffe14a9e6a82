package main

import (
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
)

var (
	user    = ashlartest.Call[UserBody]
	article = ashlartest.Call[ArticleBody]
)

func open(t *testing.T) *ashlartest.App {
	app := ashlartest.Open(t)
	build(app.App)
	return app
}

// person registers somebody and returns a client that sends the token.
func person(app *ashlartest.App, name string) *ashlartest.Client {
	in := Register{NewUser{name, name + "@conduit.test", "square-and-true"}}
	return app.Bearer(user(app.Anonymous(), "users.register", in).OK().User.Token)
}

func TestOnlyMembersWrite(t *testing.T) {
	t.Parallel()
	app := open(t)
	ann, bob := person(app, "ann"), person(app, "bob")

	made := article(ann, "articles.publish", Publish{NewArticle{"How to", "Very carefully."}}).OK()
	if made.Article.Author != "ann" {
		t.Errorf("%+v", made)
	}
	if w := app.Anonymous().Do("POST", "/api/articles", `{}`); w.Code != 401 {
		t.Errorf("nobody publishes with %d", w.Code)
	}
	remove := ashlartest.Call[struct{}]
	remove(bob, "articles.delete", BySlug{made.Article.Slug}).Fails(ErrArticleForbidden)
	remove(ann, "articles.delete", BySlug{made.Article.Slug}).OK()
	remove(ann, "articles.delete", BySlug{made.Article.Slug}).Fails(ErrArticleNotFound)
}

func TestANameIsTakenOnce(t *testing.T) {
	t.Parallel()
	app := open(t)
	person(app, "ann")
	in := Register{NewUser{"ann", "another@conduit.test", "square-and-true"}}
	user(app.Anonymous(), "users.register", in).Fails(ErrUsernameTaken)
	in.User.Username = "another" // the account of before was not kept
	user(app.Anonymous(), "users.register", in).OK()
	user(app.Anonymous(), "users.register", in).Fails(auth.ErrEmailTaken)
}

// TestAttacks tries every operation with everything that must fail.
func TestAttacks(t *testing.T) {
	t.Parallel()
	ashlartest.Attack{}.Run(t, open(t))
}
