package main

import (
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
)

var article = ashlartest.Call[ArticleBody]

// open is the real application on a database of its own.
func open(t *testing.T) *ashlartest.App {
	app := ashlartest.Open(t)
	app.Mount(Articles{app.DB}.Module())
	return app
}

func TestAnArticleIsKept(t *testing.T) {
	t.Parallel()
	c := open(t).Anonymous()
	made := article(c, "articles.publish", Publish{NewArticle{"How to", "Very carefully."}}).OK()
	if got := article(c, "articles.get", BySlug{made.Article.Slug}).OK(); got != made {
		t.Errorf("%+v, not %+v", got, made)
	}
	article(c, "articles.get", BySlug{"none"}).Fails(ErrArticleNotFound)
}

func TestAnArticleNeedsItsFields(t *testing.T) {
	t.Parallel()
	c := open(t).Anonymous()
	article(c, "articles.publish", Publish{NewArticle{"", "Very carefully."}}).Invalid("/article/title")
	article(c, "articles.publish", map[string]any{}).Invalid("/article")
}
