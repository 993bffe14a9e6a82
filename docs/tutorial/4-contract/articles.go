package main

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"strings"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Articles lets people write and read.
type Articles struct{ db *db.DB }

// Operations are those on articles.
func (s Articles) Operations() []op.Operation {
	return []op.Operation{
		op.Command("articles.publish", "POST /api/articles", s.Publish, op.Allow(Write), op.Created("")),
		op.Query("articles.list", "GET /api/articles", s.List, op.Public(), op.Recognized()),
		op.Query("articles.get", "GET /api/articles/{slug}", s.Get, op.Public(), op.Fails(ErrArticleNotFound)),
		op.Command("articles.delete", "DELETE /api/articles/{slug}", s.Delete,
			op.Allow(Write), op.Fails(ErrArticleNotFound, ErrArticleForbidden)),
	}
}

// Publish makes an article.
func (s Articles) Publish(ctx context.Context, in Publish) (ArticleBody, error) {
	return db.InTx(ctx, s.db, func(tx *db.Tx) (ArticleBody, error) {
		key := id.New("art_")
		slug := slugOf(in.Article.Title, key)
		_, err := db.Exec(ctx, tx, `INSERT INTO articles (id, slug, title, body, author) VALUES ($1, $2, $3, $4, $5)`,
			key, slug, in.Article.Title, in.Article.Body, access.From(ctx).ID)
		if err != nil {
			return ArticleBody{}, err
		}
		return show(ctx, tx, slug)
	})
}

// List asks for articles, newest first.
type List struct {
	Author string `json:"author,omitzero"`
	Limit  int    `json:"limit,omitzero"`
}

// Rules bounds the page.
func (l *List) Rules(r *rule.Set) { rule.Number(r, &l.Limit).Between(1, 100) }

// Headline is an article in a list.
type Headline struct {
	Slug   string `json:"slug"`
	Title  string `json:"title"`
	Author string `json:"author"`
	Mine   bool   `json:"mine"`
}

// Headlines is what a list answers.
type Headlines struct {
	Articles []Headline `json:"articles"`
}

// List shows articles, newest first. It is one query, however many there are.
func (s Articles) List(ctx context.Context, in List) (Headlines, error) {
	list, err := db.All[Headline](ctx, s.db, `
		SELECT a.slug, a.title, u.username AS author, a.author = $1 AS mine
		FROM articles a JOIN users u ON u.id = a.author
		WHERE $2 = '' OR u.username = $2
		ORDER BY a.id DESC LIMIT $3`, access.From(ctx).ID, in.Author, cmp.Or(in.Limit, 20))
	return Headlines{list}, err
}

// Get shows an article.
func (s Articles) Get(ctx context.Context, in BySlug) (ArticleBody, error) {
	return show(ctx, s.db, in.Slug)
}

// show reads an article in or out of a transaction.
func show(ctx context.Context, q db.Querier, slug string) (ArticleBody, error) {
	a, err := db.One[Article](ctx, q, `
		SELECT a.slug, a.title, a.body, u.username AS author
		FROM articles a JOIN users u ON u.id = a.author WHERE a.slug = $1`, slug)
	if errors.Is(err, db.ErrNoRows) {
		return ArticleBody{}, ErrArticleNotFound
	}
	return ArticleBody{a}, err
}

// Delete takes an article of the one who asks away.
func (s Articles) Delete(ctx context.Context, in BySlug) (struct{}, error) {
	return db.InTx(ctx, s.db, func(tx *db.Tx) (struct{}, error) {
		author, err := db.One[string](ctx, tx, `SELECT author FROM articles WHERE slug = $1`, in.Slug)
		switch {
		case errors.Is(err, db.ErrNoRows):
			return struct{}{}, ErrArticleNotFound
		case err != nil:
			return struct{}{}, err
		case author != access.From(ctx).ID:
			return struct{}{}, ErrArticleForbidden
		}
		_, err = db.Exec(ctx, tx, `DELETE FROM articles WHERE slug = $1`, in.Slug)
		return struct{}{}, err
	})
}

// slugOf is the words of a title, and the end of the article's id, so that equal
// titles differ.
func slugOf(title, id string) string {
	return strings.Join(append(strings.Fields(strings.ToLower(title)), id[len(id)-8:]), "-")
}
