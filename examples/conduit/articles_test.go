package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
)

var (
	article   = ashlartest.Call[ArticleBody]
	headlines = ashlartest.Call[Headlines]
	comment   = ashlartest.Call[CommentBody]
	nothing   = ashlartest.Call[struct{}]
)

// publish makes an article and returns its slug.
func publish(c *ashlartest.Client, title string, tags ...Tag) string {
	return article(c, "articles.publish", Publish{draft(title, tags...)}).OK().Article.Slug
}

func TestAnArticleIsWrittenAndRead(t *testing.T) {
	t.Parallel()
	app := open(t)
	ann := person(app, "ann")
	made := article(ann, "articles.publish", Publish{draft("How to train your dragon!", "training", "dragons", "training")})
	a := made.OK().Article
	if made.Status() != 201 || !regexp.MustCompile(`^how-to-train-your-dragon-[0-9a-z]{8}$`).MatchString(a.Slug) {
		t.Errorf("%d %s", made.Status(), a.Slug)
	}
	if !slices.Equal(a.TagList, []Tag{"dragons", "training"}) || a.Author.Username != "ann" || a.Favorited || a.FavoritesCount != 0 || a.Body == "" {
		t.Errorf("%+v", a)
	}
	if form := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`); !form.MatchString(string(a.CreatedAt)) || a.CreatedAt != a.UpdatedAt {
		t.Errorf("%s and %s", a.CreatedAt, a.UpdatedAt)
	}
	if got := article(app.Anonymous(), "articles.get", BySlug{a.Slug}).OK().Article; got.Slug != a.Slug || got.CreatedAt != a.CreatedAt {
		t.Errorf("%+v", got)
	}
	if twin := publish(ann, "How to train your dragon!"); twin == a.Slug {
		t.Error("equal titles have one slug")
	}
	if w := asked(ann, "GET", "/api/articles/"+publish(ann, "Plain"), ""); !strings.Contains(w.Body.String(), `"tagList":[]`) {
		t.Errorf("no tags are an empty list: %s", w.Body)
	}
	if slug := publish(ann, "!?"); len(slug) != 8 {
		t.Errorf("a title without a word has the slug %q", slug)
	}
	article(ann, "articles.get", BySlug{"none"}).Fails(ErrArticleNotFound)
}

func TestAnArticleIsEdited(t *testing.T) {
	t.Parallel()
	app := open(t)
	ann, bob := person(app, "ann"), person(app, "bob")
	slug := publish(ann, "First", "b", "a")
	edit := func(c ArticleChanges) Article { return article(ann, "articles.edit", Edit{slug, c}).OK().Article }

	if a := edit(ArticleChanges{Body: "With two hands"}); a.Slug != slug || a.Body != "With two hands" || len(a.TagList) != 2 || a.Description != "About First" {
		t.Errorf("what is absent stays: %+v", a)
	}
	if a := edit(ArticleChanges{TagList: []Tag{"c"}}); !slices.Equal(a.TagList, []Tag{"c"}) {
		t.Errorf("%+v", a.TagList)
	}
	tags := func() []Tag { return ashlartest.Call[TagsBody](app.Anonymous(), "tags.list", nil).OK().Tags }
	if got := tags(); !slices.Equal(got, []Tag{"c"}) {
		t.Errorf("tags %v", got)
	}
	if a := edit(ArticleChanges{TagList: []Tag{}}); len(a.TagList) != 0 {
		t.Errorf("an empty list removes them: %+v", a.TagList)
	}
	if got := tags(); len(got) != 0 {
		t.Errorf("tags %v", got)
	}
	a := edit(ArticleChanges{Title: "Second"})
	if a.Slug != strings.Replace(slug, "first", "second", 1) {
		t.Errorf("another title has the slug %s, and was %s", a.Slug, slug)
	}
	article(ann, "articles.get", BySlug{slug}).Fails(ErrArticleNotFound)

	article(bob, "articles.edit", Edit{a.Slug, ArticleChanges{Body: "x"}}).Fails(ErrArticleForbidden)
	nothing(bob, "articles.delete", BySlug{a.Slug}).Fails(ErrArticleForbidden)
	article(bob, "articles.favorite", BySlug{a.Slug}).OK()
	comment(bob, "comments.add", Say{a.Slug, NewComment{"Well"}}).OK()
	nothing(ann, "articles.delete", BySlug{a.Slug}).OK() // with what hangs on it
	nothing(ann, "articles.delete", BySlug{a.Slug}).Fails(ErrArticleNotFound)
}

func TestArticlesAreListed(t *testing.T) {
	t.Parallel()
	app := open(t)
	ann, bob := person(app, "ann"), person(app, "bob")
	var slugs []string
	for i := range 5 {
		slugs = append(slugs, publish(ann, fmt.Sprint("By Ann ", i), "common", Tag(fmt.Sprint("tag", i))))
	}
	slugs = append(slugs, publish(bob, "By Bob", "common"))
	slices.Reverse(slugs) // newest first
	article(bob, "articles.favorite", BySlug{slugs[1]}).OK()
	article(ann, "articles.favorite", BySlug{slugs[1]}).OK()
	profile(bob, "profiles.follow", ByUsername{"ann"}).OK()

	for name, c := range map[string]struct {
		in    List
		want  []string
		count int64
	}{
		"all":                        {List{}, slugs, 6},
		"a page":                     {List{Page: Page{Limit: 2}}, slugs[:2], 6},
		"the next page":              {List{Page: Page{Limit: 2, Offset: 2}}, slugs[2:4], 6},
		"behind the last":            {List{Page: Page{Offset: 6}}, nil, 6},
		"of a tag":                   {List{Tag: "tag4"}, slugs[1:2], 1},
		"of an author":               {List{Author: "ann"}, slugs[1:], 5},
		"of a page of an author":     {List{Author: "ann", Page: Page{Limit: 1, Offset: 1}}, slugs[2:3], 5},
		"of a fan":                   {List{Favorited: "bob"}, slugs[1:2], 1},
		"of a fan, an author, a tag": {List{Favorited: "bob", Author: "ann", Tag: "common"}, slugs[1:2], 1},
		"of a fan and another":       {List{Favorited: "bob", Author: "bob"}, nil, 0},
		"of an unknown author":       {List{Author: "eve"}, nil, 0},
		"of an unknown fan":          {List{Favorited: "eve"}, nil, 0},
		"of an unknown tag":          {List{Tag: "none"}, nil, 0},
	} {
		r := headlines(bob, "articles.list", c.in)
		got := r.OK()
		var found []string
		for _, h := range got.Articles {
			found = append(found, h.Slug)
		}
		if !slices.Equal(found, c.want) || got.ArticlesCount != c.count {
			t.Errorf("%s: %v of %d, want %v of %d", name, found, got.ArticlesCount, c.want, c.count)
		}
		if strings.Contains(r.Body(), `"body"`) {
			t.Errorf("%s: a list has bodies: %s", name, r.Body())
		}
	}

	seen := headlines(bob, "articles.list", List{Tag: "tag4"}).OK().Articles[0]
	if !seen.Favorited || seen.FavoritesCount != 2 || !seen.Author.Following {
		t.Errorf("as Bob sees it: %+v", seen)
	}
	seen = headlines(app.Anonymous(), "articles.list", List{Tag: "tag4"}).OK().Articles[0]
	if seen.Favorited || seen.FavoritesCount != 2 || seen.Author.Following {
		t.Errorf("as nobody sees it: %+v", seen)
	}
	feed := headlines(bob, "articles.feed", Page{Limit: 2}).OK()
	if len(feed.Articles) != 2 || feed.ArticlesCount != 5 || feed.Articles[0].Slug != slugs[1] {
		t.Errorf("the feed is %+v", feed)
	}
	if feed = headlines(ann, "articles.feed", Page{}).OK(); len(feed.Articles) != 0 || feed.ArticlesCount != 0 {
		t.Errorf("the feed of who follows nobody is %+v", feed)
	}
}

// TestListsTakeTwoQueries however many articles, authors and tags there are.
func TestListsTakeTwoQueries(t *testing.T) {
	t.Parallel()
	app := open(t)
	var queries atomic.Int64
	app.DB.Watch(func(_ context.Context, e db.Event) {
		if e.Step != db.Transaction && !strings.Contains(e.SQL, "ashlar_") { // what the framework does beside
			queries.Add(1)
		}
	})
	reader := person(app, "reader")
	counted := func(call func()) int64 {
		queries.Store(0)
		call()
		return queries.Load()
	}
	written := 0
	for _, more := range []int{1, 4, 15} {
		for range more {
			name := fmt.Sprint("author", written)
			slug := publish(person(app, name), "Title", "a", "b", Tag(name))
			profile(reader, "profiles.follow", ByUsername{name}).OK()
			article(reader, "articles.favorite", BySlug{slug}).OK()
			for range 3 {
				comment(reader, "comments.add", Say{slug, NewComment{"Well"}}).OK()
			}
			written++
		}
		for name, c := range map[string]struct {
			want int64
			call func()
		}{
			"list":     {2, func() { headlines(reader, "articles.list", List{}).OK() }},
			"filtered": {2, func() { headlines(reader, "articles.list", List{Tag: "a", Favorited: "reader"}).OK() }},
			"feed":     {2, func() { headlines(reader, "articles.feed", Page{}).OK() }},
			"get": {1, func() {
				article(reader, "articles.get", BySlug{headlines(reader, "articles.list", List{}).OK().Articles[0].Slug}).OK()
				queries.Add(-2) // of the list
			}},
			"comments": {2, func() {
				ashlartest.Call[CommentsBody](reader, "comments.list", BySlug{headlines(reader, "articles.list", List{}).OK().Articles[0].Slug}).OK()
				queries.Add(-2)
			}},
		} {
			if got := counted(c.call); got != c.want {
				t.Errorf("%s of %d articles takes %d queries, want %d", name, written, got, c.want)
			}
		}
	}
}

func TestFavouritesAreCounted(t *testing.T) {
	t.Parallel()
	app := open(t)
	ann, bob := person(app, "ann"), person(app, "bob")
	slug := BySlug{publish(ann, "Liked")}
	check := func(c *ashlartest.Client, operation string, favorited bool, count int64) {
		t.Helper()
		if a := article(c, operation, slug).OK().Article; a.Favorited != favorited || a.FavoritesCount != count {
			t.Errorf("%s: %t, %d, want %t, %d", operation, a.Favorited, a.FavoritesCount, favorited, count)
		}
	}
	check(ann, "articles.favorite", true, 1)
	check(ann, "articles.favorite", true, 1) // again
	check(bob, "articles.favorite", true, 2)
	check(ann, "articles.unfavorite", false, 1)
	check(ann, "articles.unfavorite", false, 1)
	check(bob, "articles.get", true, 1)
	check(app.Anonymous(), "articles.get", false, 1)
	for _, operation := range []string{"articles.favorite", "articles.unfavorite"} {
		article(ann, operation, BySlug{"none"}).Fails(ErrArticleNotFound)
	}
}

func TestPeopleComment(t *testing.T) {
	t.Parallel()
	app := open(t)
	ann, bob := person(app, "ann"), person(app, "bob")
	slug, other := publish(ann, "Discussed"), publish(ann, "Quiet")
	profile(bob, "profiles.follow", ByUsername{"ann"}).OK()
	first := comment(ann, "comments.add", Say{slug, NewComment{"First"}}).OK().Comment
	second := comment(bob, "comments.add", Say{slug, NewComment{"Second"}}).OK().Comment
	if second.ID <= first.ID || second.Body != "Second" || second.Author.Username != "bob" || second.CreatedAt != second.UpdatedAt {
		t.Errorf("%+v", second)
	}
	list := func(c *ashlartest.Client, slug string) []Comment {
		t.Helper()
		return ashlartest.Call[CommentsBody](c, "comments.list", BySlug{slug}).OK().Comments
	}
	if got := list(bob, slug); len(got) != 2 || got[0].ID != second.ID || !got[1].Author.Following || got[0].Author.Following {
		t.Errorf("newest first, as Bob sees them: %+v", got)
	}
	if got := list(app.Anonymous(), slug); len(got) != 2 || got[1].Author.Following {
		t.Errorf("as nobody sees them: %+v", got)
	}
	if got := list(ann, other); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	comment(ann, "comments.add", Say{"none", NewComment{"x"}}).Fails(ErrArticleNotFound)
	remove := func(c *ashlartest.Client, slug string, id int64) ashlartest.Result[struct{}] {
		return nothing(c, "comments.delete", CommentByID{slug, id})
	}
	remove(bob, slug, first.ID).Fails(ErrCommentForbidden)
	remove(ann, other, first.ID).Fails(ErrCommentNotFound)
	remove(ann, "none", first.ID).Fails(ErrArticleNotFound)
	if r := remove(ann, slug, first.ID); r.Status() != 204 {
		t.Errorf("%d %s", r.Status(), r.Body())
	}
	remove(ann, slug, first.ID).Fails(ErrCommentNotFound)
	if got := list(ann, slug); len(got) != 1 || got[0].ID != second.ID {
		t.Errorf("%+v", got)
	}
}
