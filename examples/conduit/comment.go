package main

import (
	"context"
	"errors"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// Comment is what somebody says about an article.
type Comment struct {
	ID        int64   `json:"id"`
	CreatedAt Stamp   `json:"createdAt"`
	UpdatedAt Stamp   `json:"updatedAt"`
	Body      string  `json:"body"`
	Author    Profile `json:"author"`
}

// CommentBody wraps a comment.
type CommentBody struct {
	Comment Comment `json:"comment"`
}

// CommentsBody wraps the comments of an article, newest first.
type CommentsBody struct {
	Comments []Comment `json:"comments"`
}

// Say asks for a comment on an article.
type Say struct {
	Slug    string     `json:"slug"`
	Comment NewComment `json:"comment"`
}

// NewComment is a comment to be.
type NewComment struct {
	Body string `json:"body"`
}

// Rules bounds the text.
func (c *NewComment) Rules(r *rule.Set) { rule.Text(r, &c.Body).Len(1, 10_000).Multiline() }

// CommentByID names a comment on an article.
type CommentByID struct {
	Slug string `json:"slug"`
	ID   int64  `json:"id"`
}

// Comments lets people talk about articles.
type Comments struct{ db *db.DB }

// Operations are those on comments.
func (s Comments) Operations() []op.Operation {
	return []op.Operation{
		op.Query("comments.list", "GET /api/articles/{slug}/comments", s.List,
			op.Public(), op.Recognized(), op.Fails(ErrArticleNotFound)),
		op.Command("comments.add", "POST /api/articles/{slug}/comments", s.Add,
			op.Allow(Write), op.Created(""), op.Fails(ErrArticleNotFound)),
		op.Command("comments.delete", "DELETE /api/articles/{slug}/comments/{id}", s.Delete,
			op.Allow(Write), op.Fails(ErrArticleNotFound, ErrCommentNotFound, ErrCommentForbidden)),
	}
}

// List shows the comments on an article, newest first.
func (s Comments) List(ctx context.Context, in BySlug) (CommentsBody, error) {
	article, err := articleOf(ctx, s.db, in.Slug)
	if err != nil {
		return CommentsBody{}, err
	}
	rows, err := db.All[remark](ctx, s.db, remarks+` WHERE c.article = $2 ORDER BY c.id DESC LIMIT 500`, access.From(ctx).ID, article)
	list := make([]Comment, len(rows))
	for i, r := range rows {
		list[i] = r.comment()
	}
	return CommentsBody{list}, err
}

// Add says something about an article.
func (s Comments) Add(ctx context.Context, in Say) (CommentBody, error) {
	return db.InTx(ctx, s.db, func(tx *db.Tx) (CommentBody, error) {
		article, err := articleOf(ctx, tx, in.Slug)
		if err != nil {
			return CommentBody{}, err
		}
		id, err := db.One[int64](ctx, tx, `
			INSERT INTO comments (article, author, body, created_at) VALUES ($1, $2, $3, $4) RETURNING id`,
			article, access.From(ctx).ID, in.Comment.Body, now())
		if err != nil {
			return CommentBody{}, err
		}
		r, err := db.One[remark](ctx, tx, remarks+` WHERE c.id = $2`, access.From(ctx).ID, id)
		return CommentBody{r.comment()}, err
	})
}

// Delete takes a comment of the one who asks away.
func (s Comments) Delete(ctx context.Context, in CommentByID) (struct{}, error) {
	return db.InTx(ctx, s.db, func(tx *db.Tx) (struct{}, error) {
		article, err := articleOf(ctx, tx, in.Slug)
		if err != nil {
			return struct{}{}, err
		}
		author, err := db.One[string](ctx, tx, `SELECT author FROM comments WHERE id = $1 AND article = $2`, in.ID, article)
		switch {
		case errors.Is(err, db.ErrNoRows):
			return struct{}{}, ErrCommentNotFound
		case err != nil:
			return struct{}{}, err
		case author != access.From(ctx).ID:
			return struct{}{}, ErrCommentForbidden
		}
		_, err = db.Exec(ctx, tx, `DELETE FROM comments WHERE id = $1`, in.ID)
		return struct{}{}, err
	})
}

// articleOf is the id of the article with a slug.
func articleOf(ctx context.Context, q db.Querier, slug string) (string, error) {
	id, err := db.One[string](ctx, q, `SELECT id FROM articles WHERE slug = $1`, slug)
	if errors.Is(err, db.ErrNoRows) {
		return "", ErrArticleNotFound
	}
	return id, err
}

// remark is a comment as somebody sees it, and remarks selects them as $1 does.
type remark struct {
	Profile

	ID        int64
	Body      string
	CreatedAt time.Time
}

const remarks = `
	SELECT c.id, c.body, c.created_at, u.username, u.bio, u.image,
		EXISTS (SELECT 1 FROM follows f WHERE f.follower = $1 AND f.followed = c.author) AS following
	FROM comments c JOIN users u ON u.id = c.author`

func (r remark) comment() Comment {
	at := stampOf(r.CreatedAt) // a comment never changes
	return Comment{r.ID, at, at, r.Body, r.Profile}
}
