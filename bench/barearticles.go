package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"time"
)

// envArticles names the database of the side articles-bare.
const envArticles = "ASHLAR_BENCH_ARTICLES"

type bareAuthor struct {
	Username  string  `json:"username"`
	Bio       *string `json:"bio"`
	Image     *string `json:"image"`
	Following bool    `json:"following"`
}

type bareArticle struct {
	Slug           string          `json:"slug"`
	Title          string          `json:"title"`
	Description    string          `json:"description"`
	Body           string          `json:"body,omitempty"`
	TagList        json.RawMessage `json:"tagList"`
	CreatedAt      string          `json:"createdAt"`
	UpdatedAt      string          `json:"updatedAt"`
	Favorited      bool            `json:"favorited"`
	FavoritesCount int64           `json:"favoritesCount"`
	Author         bareAuthor      `json:"author"`
}

// bareArticles reads articles as a plain program does, which takes everybody for
// the reader: the SQL of the example through database/sql.
func bareArticles(ctx context.Context) (http.Handler, error) {
	articles, err := sql.Open("sqlite", "file:"+os.Getenv(envArticles)+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	const readers = 4
	articles.SetMaxOpenConns(readers)
	articles.SetMaxIdleConns(readers)
	var viewer string
	if err := articles.QueryRowContext(ctx, `SELECT id FROM users WHERE username = 'reader'`).Scan(&viewer); err != nil {
		return nil, err
	}
	const seen = ` a.tags, a.created_at, a.updated_at, u.username, u.bio, u.image,
		EXISTS (SELECT 1 FROM follows f WHERE f.follower = ?1 AND f.followed = a.author),
		EXISTS (SELECT 1 FROM favorites f WHERE f.fan = ?1 AND f.article = a.id),
		(SELECT COUNT(*) FROM favorites f WHERE f.article = a.id)
		FROM articles a JOIN users u ON u.id = a.author `
	list, err := articles.PrepareContext(ctx, `SELECT a.slug, a.title, a.description, '',`+seen+`ORDER BY a.id DESC LIMIT ?2 OFFSET ?3`)
	if err != nil {
		return nil, err
	}
	count, err := articles.PrepareContext(ctx, `SELECT COUNT(*) FROM articles a`)
	if err != nil {
		return nil, err
	}
	one, err := articles.PrepareContext(ctx, `SELECT a.slug, a.title, a.description, a.body,`+seen+`WHERE a.slug = ?2`)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/articles", func(w http.ResponseWriter, r *http.Request) {
		limit, err := strconv.Atoi(r.FormValue("limit"))
		if err != nil || limit < 1 || limit > 100 {
			http.Error(w, "limit", http.StatusUnprocessableEntity)
			return
		}
		var page struct {
			Articles      []bareArticle `json:"articles"`
			ArticlesCount int64         `json:"articlesCount"`
		}
		page.Articles, err = articlesOf(list.QueryContext(r.Context(), viewer, limit, 0))
		if err == nil {
			err = count.QueryRowContext(r.Context()).Scan(&page.ArticlesCount)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		replyWhole(w, page)
	})
	mux.HandleFunc("GET /api/articles/{slug}", func(w http.ResponseWriter, r *http.Request) {
		found, err := articlesOf(one.QueryContext(r.Context(), viewer, r.PathValue("slug")))
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		case len(found) == 0:
			http.NotFound(w, r)
		default:
			replyWhole(w, map[string]any{"article": found[0]})
		}
	})
	return mux, nil
}

func articlesOf(rows *sql.Rows, err error) ([]bareArticle, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []bareArticle{}
	for rows.Next() {
		var (
			a            bareArticle
			tags         []byte
			made, change string
		)
		if err := rows.Scan(&a.Slug, &a.Title, &a.Description, &a.Body, &tags, &made, &change,
			&a.Author.Username, &a.Author.Bio, &a.Author.Image, &a.Author.Following, &a.Favorited, &a.FavoritesCount); err != nil {
			return nil, err
		}
		a.TagList = tags
		if a.CreatedAt, err = stamped(made); err == nil {
			a.UpdatedAt, err = stamped(change)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

// replyWhole says the length, which the client of the load asks for: net/http
// sends a long answer in chunks otherwise.
func replyWhole(w http.ResponseWriter, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // a client that is gone reads no error either
}

// stamped is a time as the contract has it.
func stamped(kept string) (string, error) {
	at, err := time.Parse(time.RFC3339Nano, kept)
	return at.UTC().Format("2006-01-02T15:04:05.000Z"), err
}
