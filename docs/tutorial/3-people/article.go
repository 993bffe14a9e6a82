package main

import (
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// ErrArticleNotFound answers 404, and its text is the code that clients see.
const ErrArticleNotFound fault.NotFound = "article_not_found"

// ErrArticleForbidden answers 403.
const ErrArticleForbidden fault.Denied = "article_forbidden"

// Article is what somebody has written.
type Article struct {
	Slug   string `json:"slug"`
	Title  string `json:"title"`
	Body   string `json:"body"`
	Author string `json:"author"`
}

// ArticleBody wraps an article, as the contract wants it.
type ArticleBody struct {
	Article Article `json:"article"`
}

// Publish asks for a new article.
type Publish struct {
	Article NewArticle `json:"article"`
}

// NewArticle is an article to be.
type NewArticle struct {
	Title string `json:"title"`
	Body  string `json:"body"`
}

// Rules says what a valid NewArticle is.
func (a *NewArticle) Rules(r *rule.Set) {
	rule.Text(r, &a.Title).Len(1, 200)
	rule.Text(r, &a.Body).Len(1, 100_000).Multiline()
}

// BySlug names an article; {slug} in a route fills it.
type BySlug struct {
	Slug string `json:"slug"`
}
