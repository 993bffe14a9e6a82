package main

import (
	"context"
	"slices"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/op"
)

// Articles lets people write and read.
type Articles struct{ db *db.DB }

// Operations are those on articles, favourites and tags.
func (s Articles) Operations() []op.Operation {
	read := op.Options(op.Public(), op.Recognized())
	return []op.Operation{
		op.Query("articles.list", "GET /api/articles", s.List, read),
		op.Query("articles.feed", "GET /api/articles/feed", s.Feed, op.Authenticated()),
		op.Query("articles.get", "GET /api/articles/{slug}", s.Get, read, op.Fails(ErrArticleNotFound)),
		op.Command("articles.publish", "POST /api/articles", s.Publish, op.Allow(Write), op.Created("")),
		op.Command("articles.edit", "PUT /api/articles/{slug}", s.Edit,
			op.Allow(Write), op.Fails(ErrArticleNotFound, ErrArticleForbidden)),
		op.Command("articles.delete", "DELETE /api/articles/{slug}", s.Delete,
			op.Allow(Write), op.Fails(ErrArticleNotFound, ErrArticleForbidden)),
		op.Command("articles.favorite", "POST /api/articles/{slug}/favorite", s.Favorite,
			op.Allow(Write), op.IgnoreBody(), op.Fails(ErrArticleNotFound)),
		op.Command("articles.unfavorite", "DELETE /api/articles/{slug}/favorite", s.Unfavorite,
			op.Allow(Write), op.IgnoreBody(), op.Fails(ErrArticleNotFound)),
		op.Query("tags.list", "GET /api/tags", s.Tags, op.Public()),
	}
}

// List shows articles, newest first.
func (s Articles) List(ctx context.Context, in List) (Headlines, error) {
	return articles{}.list(ctx, s.db, in.Page, filterOf(in))
}

// Feed shows articles of those whom the one who asks follows, newest first.
func (s Articles) Feed(ctx context.Context, in Page) (Headlines, error) {
	return articles{}.list(ctx, s.db, in, filter{}.followedBy(access.From(ctx).ID))
}

// Get shows an article.
func (s Articles) Get(ctx context.Context, in BySlug) (ArticleBody, error) {
	return articles{}.show(ctx, s.db, in.Slug)
}

// Publish makes an article.
func (s Articles) Publish(ctx context.Context, in Publish) (ArticleBody, error) {
	return db.InTx(ctx, s.db, func(tx *db.Tx) (ArticleBody, error) {
		a, at := in.Article, now()
		key := id.New("art_")
		w := written{
			ID: key, Slug: slugOf(a.Title, key), Title: a.Title, Description: a.Description, Body: a.Body,
			Tags: sorted(a.TagList), Author: access.From(ctx).ID, CreatedAt: at, UpdatedAt: at,
		}
		if err := (articles{}).insert(ctx, tx, w); err != nil {
			return ArticleBody{}, err
		}
		return articles{}.show(ctx, tx, w.Slug)
	})
}

// Edit changes an article of the one who asks. Another title makes another slug.
func (s Articles) Edit(ctx context.Context, in Edit) (ArticleBody, error) {
	return db.InTx(ctx, s.db, func(tx *db.Tx) (ArticleBody, error) {
		w, err := articles{}.own(ctx, tx, in.Slug)
		if err != nil {
			return ArticleBody{}, err
		}
		c := in.Article
		replace(&w.Title, c.Title)
		replace(&w.Description, c.Description)
		replace(&w.Body, c.Body)
		if c.TagList != nil {
			w.Tags = sorted(c.TagList)
		}
		w.Slug, w.UpdatedAt = slugOf(w.Title, w.ID), now()
		if err := (articles{}).save(ctx, tx, w); err != nil {
			return ArticleBody{}, err
		}
		return articles{}.show(ctx, tx, w.Slug)
	})
}

func replace(text *string, by string) {
	if by != "" {
		*text = by
	}
}

// sorted returns the tags as they are shown.
func sorted(tags []Tag) []Tag {
	out := append([]Tag{}, tags...) // never nil, which would be null
	slices.Sort(out)
	return slices.Compact(out)
}

// Delete takes an article of the one who asks away, with all that hangs on it.
func (s Articles) Delete(ctx context.Context, in BySlug) (struct{}, error) {
	return db.InTx(ctx, s.db, func(tx *db.Tx) (struct{}, error) {
		w, err := articles{}.own(ctx, tx, in.Slug)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, articles{}.delete(ctx, tx, w.ID)
	})
}

// Favorite marks an article. To do so twice changes nothing.
func (s Articles) Favorite(ctx context.Context, in BySlug) (ArticleBody, error) {
	return s.mark(ctx, in.Slug, articles{}.favorite)
}

// Unfavorite ends that.
func (s Articles) Unfavorite(ctx context.Context, in BySlug) (ArticleBody, error) {
	return s.mark(ctx, in.Slug, articles{}.unfavorite)
}

func (s Articles) mark(ctx context.Context, slug string, change func(context.Context, *db.Tx, string) error) (ArticleBody, error) {
	return db.InTx(ctx, s.db, func(tx *db.Tx) (ArticleBody, error) {
		if err := change(ctx, tx, slug); err != nil {
			return ArticleBody{}, err
		}
		return articles{}.show(ctx, tx, slug)
	})
}

// Tags lists the tags of all articles.
func (s Articles) Tags(ctx context.Context, _ struct{}) (TagsBody, error) {
	tags, err := articles{}.tags(ctx, s.db)
	return TagsBody{tags}, err
}
