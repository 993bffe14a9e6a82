package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/db"
)

// articles is the SQL of articles, favourites and tags.
type articles struct{}

// written is an article as it is kept.
type written struct {
	ID          string
	Slug        string
	Title       string
	Description string
	Body        string
	Tags        []Tag // in order; table article_tags finds articles by them
	Author      string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// row is an article as somebody sees it.
type row struct {
	written
	Profile

	Favorited      bool
	FavoritesCount int64
}

func (r row) headline() Headline {
	return Headline{
		r.Slug, r.Title, r.Description, r.Tags, stampOf(r.CreatedAt), stampOf(r.UpdatedAt), r.Favorited, r.FavoritesCount, r.Profile,
	}
}

// seen selects articles as $1 sees them, with everything in one query.
const seen = `
	SELECT a.slug, a.title, a.description, %s a.tags, a.created_at, a.updated_at, u.username, u.bio, u.image,
		EXISTS (SELECT 1 FROM follows f WHERE f.follower = $1 AND f.followed = a.author) AS following,
		EXISTS (SELECT 1 FROM favorites f WHERE f.fan = $1 AND f.article = a.id) AS favorited,
		(SELECT COUNT(*) FROM favorites f WHERE f.article = a.id) AS favorites_count
	FROM articles a JOIN users u ON u.id = a.author`

var (
	whole  = fmt.Sprintf(seen, "a.body,") + ` WHERE a.slug = $2`
	listed = fmt.Sprintf(seen, "")
)

func (articles) show(ctx context.Context, q db.Querier, slug string) (ArticleBody, error) {
	r, err := db.One[row](ctx, q, whole, access.From(ctx).ID, slug)
	if errors.Is(err, db.ErrNoRows) {
		return ArticleBody{}, ErrArticleNotFound
	}
	return ArticleBody{Article{r.headline(), r.Body}}, err
}

// filter is which articles a list has: conditions, and what they ask for.
type filter struct {
	conditions []string
	args       []any
}

// where adds a condition about the value $?.
func (f filter) where(condition string, value any) filter {
	f.args = append(f.args, value)
	f.conditions = append(f.conditions, condition)
	return f
}

func filterOf(in List) (f filter) {
	if in.Tag != "" {
		f = f.where(`a.id IN (SELECT article FROM article_tags WHERE tag = $?)`, in.Tag)
	}
	if in.Author != "" {
		f = f.where(`a.author = (SELECT id FROM users WHERE username = $?)`, in.Author)
	}
	if in.Favorited != "" {
		f = f.where(`a.id IN (SELECT article FROM favorites WHERE fan = (SELECT id FROM users WHERE username = $?))`, in.Favorited)
	}
	return f
}

func (f filter) followedBy(reader string) filter {
	return f.where(`a.author IN (SELECT followed FROM follows WHERE follower = $?)`, reader)
}

// sql is the WHERE of the filter, whose first value is number first.
func (f filter) sql(first int) string {
	if len(f.conditions) == 0 {
		return ""
	}
	numbered := make([]string, len(f.conditions))
	for i, c := range f.conditions {
		numbered[i] = strings.Replace(c, "?", strconv.Itoa(first+i), 1)
	}
	return " WHERE " + strings.Join(numbered, " AND ")
}

// list takes two queries, however many articles there are.
func (articles) list(ctx context.Context, q db.Querier, p Page, f filter) (Headlines, error) {
	count, err := db.One[int64](ctx, q, `SELECT COUNT(*) FROM articles a`+f.sql(1), f.args...)
	if err != nil {
		return Headlines{}, err
	}
	const own = 3 // the first values are not the filter's
	rows, err := db.All[row](ctx, q, listed+f.sql(own+1)+` ORDER BY a.id DESC LIMIT $2 OFFSET $3`,
		append([]any{access.From(ctx).ID, p.size(), p.Offset}, f.args...)...)
	page := make([]Headline, len(rows))
	for i, r := range rows {
		page[i] = r.headline()
	}
	return Headlines{page, count}, err
}

func (articles) tags(ctx context.Context, q db.Querier) ([]Tag, error) {
	return db.All[Tag](ctx, q, `SELECT DISTINCT tag FROM article_tags ORDER BY tag LIMIT 1000`)
}

// own finds an article to change, if it is of the one who asks.
func (articles) own(ctx context.Context, tx *db.Tx, slug string) (written, error) {
	w, err := db.One[written](ctx, tx, `
		SELECT id, slug, title, description, body, tags, author, created_at, updated_at FROM articles WHERE slug = $1`, slug)
	switch {
	case errors.Is(err, db.ErrNoRows):
		return written{}, ErrArticleNotFound
	case err == nil && w.Author != access.From(ctx).ID:
		return written{}, ErrArticleForbidden
	}
	return w, err
}

func (articles) insert(ctx context.Context, tx *db.Tx, w written) error {
	if err := tx.Send(ctx, `
		INSERT INTO articles (id, slug, title, description, body, tags, author, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		w.ID, w.Slug, w.Title, w.Description, w.Body, w.Tags, w.Author, w.CreatedAt, w.UpdatedAt); err != nil {
		return err
	}
	return articles{}.tag(ctx, tx, w)
}

func (articles) save(ctx context.Context, tx *db.Tx, w written) error {
	if err := tx.Send(ctx, `
		UPDATE articles SET slug = $2, title = $3, description = $4, body = $5, tags = $6, updated_at = $7 WHERE id = $1`,
		w.ID, w.Slug, w.Title, w.Description, w.Body, w.Tags, w.UpdatedAt); err != nil {
		return err
	}
	if err := tx.Send(ctx, `DELETE FROM article_tags WHERE article = $1`, w.ID); err != nil {
		return err
	}
	return articles{}.tag(ctx, tx, w)
}

func (articles) tag(ctx context.Context, tx *db.Tx, w written) error {
	for _, tag := range w.Tags { // they travel together: see db.Tx.Send
		if err := tx.Send(ctx, `INSERT INTO article_tags (article, tag) VALUES ($1, $2)`, w.ID, tag); err != nil {
			return err
		}
	}
	return nil
}

func (articles) delete(ctx context.Context, tx *db.Tx, id string) error {
	_, err := db.Exec(ctx, tx, `DELETE FROM articles WHERE id = $1`, id)
	return err
}

func (articles) favorite(ctx context.Context, tx *db.Tx, slug string) error {
	return tx.Send(ctx, `
		INSERT INTO favorites (fan, article) SELECT $1, id FROM articles WHERE slug = $2 ON CONFLICT DO NOTHING`,
		access.From(ctx).ID, slug)
}

func (articles) unfavorite(ctx context.Context, tx *db.Tx, slug string) error {
	return tx.Send(ctx, `DELETE FROM favorites WHERE fan = $1 AND article = (SELECT id FROM articles WHERE slug = $2)`,
		access.From(ctx).ID, slug)
}
