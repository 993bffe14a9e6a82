package main

import (
	"strings"
	"time"
	"unicode"

	"github.com/ashlar-go/ashlar/rule"
)

// Article is what somebody has written.
type Article struct {
	Headline

	Body string `json:"body"`
}

// Headline is an article in a list, without its body.
type Headline struct {
	Slug           string  `json:"slug"`
	Title          string  `json:"title"`
	Description    string  `json:"description"`
	TagList        []Tag   `json:"tagList"`
	CreatedAt      Stamp   `json:"createdAt"`
	UpdatedAt      Stamp   `json:"updatedAt"`
	Favorited      bool    `json:"favorited"`
	FavoritesCount int64   `json:"favoritesCount"`
	Author         Profile `json:"author"`
}

// ArticleBody wraps an article.
type ArticleBody struct {
	Article Article `json:"article"`
}

// Headlines is a page of a list, and how many there are on all pages.
type Headlines struct {
	Articles      []Headline `json:"articles"`
	ArticlesCount int64      `json:"articlesCount"`
}

// Tag is a word that articles are found by.
type Tag string

// Rules bounds it.
func (t *Tag) Rules(r *rule.Set) { rule.Text(r, t).Len(1, 50) }

// Stamp is a time as the contract has it: with milliseconds, even if there are
// none.
type Stamp string

// Rules says so to readers.
func (s *Stamp) Rules(r *rule.Set) { rule.Text(r, s).Format(rule.DateTime) }

func stampOf(t time.Time) Stamp { return Stamp(t.UTC().Format("2006-01-02T15:04:05.000Z")) }

// now is the time in the precision that is kept and shown.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// Publish asks for a new article.
type Publish struct {
	Article NewArticle `json:"article"`
}

// NewArticle is an article to be.
type NewArticle struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	Body        string `json:"body"`
	TagList     []Tag  `json:"tagList,omitzero"`
}

// Rules bounds the fields.
func (a *NewArticle) Rules(r *rule.Set) {
	rule.Text(r, &a.Title).Len(1, 200)
	rule.Text(r, &a.Description).Len(1, 1000).Multiline()
	rule.Text(r, &a.Body).Len(1, 100_000).Multiline()
	rule.Items(r, &a.TagList).Len(0, 20)
}

// Edit asks for changes of an article.
type Edit struct {
	Slug    string         `json:"slug"`
	Article ArticleChanges `json:"article"`
}

// ArticleChanges are what becomes another; what is absent stays. An empty list
// takes the tags away.
type ArticleChanges struct {
	Title       string `json:"title,omitzero"`
	Description string `json:"description,omitzero"`
	Body        string `json:"body,omitzero"`
	TagList     []Tag  `json:"tagList,omitzero"`
}

// Rules bounds the fields as [NewArticle] does.
func (a *ArticleChanges) Rules(r *rule.Set) {
	rule.Text(r, &a.Title).Len(1, 200)
	rule.Text(r, &a.Description).Len(1, 1000).Multiline()
	rule.Text(r, &a.Body).Len(1, 100_000).Multiline()
	rule.Items(r, &a.TagList).Len(0, 20)
}

// BySlug names an article.
type BySlug struct {
	Slug string `json:"slug"`
}

// Page is a part of a list.
type Page struct {
	Limit  int `json:"limit,omitzero"` // 20 if not given
	Offset int `json:"offset,omitzero"`
}

// Rules bounds the page: what is skipped is counted nevertheless.
func (p *Page) Rules(r *rule.Set) {
	rule.Number(r, &p.Limit).Between(1, 100)
	rule.Number(r, &p.Offset).Between(0, 1_000_000)
}

func (p Page) size() int {
	if p.Limit == 0 {
		return 20
	}
	return p.Limit
}

// List asks for articles, of all those that every filter lets pass.
type List struct {
	Tag       string `json:"tag,omitzero"`
	Author    string `json:"author,omitzero"`
	Favorited string `json:"favorited,omitzero"` // by the user of this name
	Page
}

// TagsBody lists all tags.
type TagsBody struct {
	Tags []Tag `json:"tags"`
}

// slugOf is what an article is named in paths: the words of its title, and the
// end of its id, so that equal titles differ.
func slugOf(title, id string) string {
	words := strings.FieldsFunc(strings.ToLower(title), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	const own = 8
	return strings.Join(append(words, id[len(id)-own:]), "-")
}
