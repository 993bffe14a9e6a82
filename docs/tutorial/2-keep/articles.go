package main

import (
	"context"
	"embed"
	"errors"
	"strings"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/op"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Articles lets people write and read.
type Articles struct{ db *db.DB }

// Module is what this package brings to an application.
func (s Articles) Module() ashlar.Module {
	return ashlar.Module{
		Name: "conduit",
		Operations: []op.Operation{
			op.Command("articles.publish", "POST /api/articles", s.Publish, op.Public(), op.Created("")),
			op.Query("articles.get", "GET /api/articles/{slug}", s.Get, op.Public(), op.Fails(ErrArticleNotFound)),
		},
		Migrations: migrations,
	}
}

// Publish makes an article.
func (s Articles) Publish(ctx context.Context, in Publish) (ArticleBody, error) {
	a := Article{slugOf(in.Article.Title), in.Article.Title, in.Article.Body}
	_, err := db.Exec(ctx, s.db, `INSERT INTO articles (slug, title, body) VALUES ($1, $2, $3)`, a.Slug, a.Title, a.Body)
	return ArticleBody{a}, err
}

// Get shows an article.
func (s Articles) Get(ctx context.Context, in BySlug) (ArticleBody, error) {
	a, err := db.One[Article](ctx, s.db, `SELECT slug, title, body FROM articles WHERE slug = $1`, in.Slug)
	if errors.Is(err, db.ErrNoRows) {
		return ArticleBody{}, ErrArticleNotFound
	}
	return ArticleBody{a}, err
}

// slugOf is the words of a title and something that no other has.
func slugOf(title string) string {
	return strings.Join(append(strings.Fields(strings.ToLower(title)), id.New("")), "-")
}
