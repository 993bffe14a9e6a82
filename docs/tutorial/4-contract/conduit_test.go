package main

import (
	"context"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
)

var (
	user      = ashlartest.Call[UserBody]
	article   = ashlartest.Call[ArticleBody]
	headlines = ashlartest.Call[Headlines]
)

func open(t *testing.T) *ashlartest.App {
	app := ashlartest.Open(t)
	build(app.App)
	return app
}

func person(app *ashlartest.App, name string) *ashlartest.Client {
	in := Register{NewUser{name, name + "@conduit.test", "square-and-true"}}
	token := user(app.Anonymous(), "users.register", in).OK().User.Token
	return app.Anonymous().With("Authorization", "Token "+token)
}

// TestFailuresAreInTheWordsOfTheContract asks as its clients do, who know no
// problem documents.
func TestFailuresAreInTheWordsOfTheContract(t *testing.T) {
	t.Parallel()
	app := open(t)
	ann := person(app, "ann").With("Accept", "application/json")
	for _, c := range []struct {
		client      *ashlartest.Client
		route, body string
		status      int
		want        string
	}{
		{app.Anonymous().With("Accept", "*/*"), "POST /api/articles", `{}`, 401, `{"errors":{"token":["is missing"]}}`},
		{ann, "GET /api/articles/none", "", 404, `{"errors":{"article":["not found"]}}`},
		{ann, "POST /api/articles", `{"article":{"title":"","body":"x"}}`, 422, `{"errors":{"title":["must not be empty"]}}`},
		{ann, "GET /api/articles?limit=0", "", 422, `{"errors":{"limit":["must be between 1 and 100"]}}`},
	} {
		method, target, _ := strings.Cut(c.route, " ")
		if w := c.client.Do(method, target, c.body); w.Code != c.status || w.Body.String() != c.want {
			t.Errorf("%s: %d %s, want %d %s", c.route, w.Code, w.Body, c.status, c.want)
		}
	}
}

func TestAListKnowsWhoAsks(t *testing.T) {
	t.Parallel()
	app := open(t)
	ann := person(app, "ann")
	article(ann, "articles.publish", Publish{NewArticle{"One", "x"}}).OK()
	article(person(app, "bob"), "articles.publish", Publish{NewArticle{"Two", "x"}}).OK()

	if got := headlines(ann, "articles.list", List{}).OK().Articles; len(got) != 2 || got[0].Title != "Two" || got[0].Mine || !got[1].Mine {
		t.Errorf("%+v", got)
	}
	if got := headlines(app.Anonymous(), "articles.list", List{Author: "ann"}).OK().Articles; len(got) != 1 || got[0].Mine {
		t.Errorf("%+v", got)
	}
}

// TestAListIsOneQuery however many articles it has.
func TestAListIsOneQuery(t *testing.T) {
	t.Parallel()
	app := open(t)
	queries := 0
	app.DB.Watch(func(_ context.Context, e db.Event) {
		if strings.Contains(e.SQL, "articles") {
			queries++
		}
	})
	ann := person(app, "ann")
	for range 10 {
		article(ann, "articles.publish", Publish{NewArticle{"One", "x"}}).OK()
		queries = 0
		if headlines(app.Anonymous(), "articles.list", List{}).OK(); queries != 1 {
			t.Fatalf("a list takes %d queries", queries)
		}
	}
}
