package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/id"
)

// What there is to read: articles of some authors, half of which the reader
// follows, and favourites.
const (
	articleAuthors = 50
	articleCount   = 1000
	articleTags    = 3
)

// conduit is the measure of reading articles: a list of 20 and one by its slug,
// from the Conduit example as it is, for somebody who is signed in, and from a
// bare program that runs the same SQL and looks at no token.
func conduit(o options, t *table) (err error) {
	binary, err := filepath.Abs(filepath.Join(o.dir, "conduit"))
	if err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", binary, "github.com/ashlar-go/ashlar/examples/conduit")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return err
	}
	dir := filepath.Join(o.dir, "conduit-data")
	p, err := startExample(binary, dir)
	if err != nil {
		return err
	}
	token, err := p.register("reader")
	if err := errors.Join(err, p.stop()); err != nil {
		return err
	}
	database := filepath.Join(dir, "data", "app.db")
	slug, err := seedArticles(database)
	if err != nil {
		return fmt.Errorf("seed articles: %w", err)
	}
	copied := filepath.Join(o.dir, "articles.db")
	text, err := os.ReadFile(database)
	if err == nil {
		err = os.WriteFile(copied, text, 0o600)
	}
	if err != nil {
		return err
	}
	if p, err = startExample(binary, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	bare, err := start("articles-bare", o.dir, o.profiles, envArticles+"="+copied)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	if err := bare.read(&bare.hello); err != nil {
		return err
	}
	sides := map[string]server{"bare": bare, "ashlar": p}
	header := []string{"Accept", "application/json", "Authorization", "Token " + token}
	for _, cell := range []struct {
		name string
		call call
	}{
		{"Articles", newCall("GET", "/api/articles?limit=20", http.StatusOK, "", header...)},
		{"Article", newCall("GET", "/api/articles/"+slug, http.StatusOK, "", header...)},
	} {
		if err := sameAnswer(bare.at(), p.at(), cell.call); err != nil {
			return fmt.Errorf("%s: %w", cell.name, err)
		}
		for round := -1; round < o.rounds; round++ { // the one before the first warms up
			for _, side := range turns(max(round, 0), "bare", "ashlar") {
				limit := o.cellTime
				if round < 0 {
					limit = o.warm()
				}
				row, _, err := o.cell(sides[side], o.load(limit), cell.call)
				if err != nil {
					return fmt.Errorf("%s of %s: %w", cell.name, side, err)
				}
				if round >= 0 {
					t.add(cell.name, side, row...)
				}
			}
		}
		t.note("%s: %.2f of bare (to reach: 0.90)", cell.name, t.ratio(cell.name, "ashlar", "bare", "req/s"))
	}
	return nil
}

// register makes a user of the Conduit example and returns the token.
func (p *program) register(name string) (token string, err error) {
	res, err := http.Post("http://"+p.addr+"/api/users", "application/json",
		strings.NewReader(`{"user":{"username":"`+name+`","email":"`+name+`@demo.test","password":"square-and-true"}}`))
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var made struct{ User struct{ Token string } }
	if err := json.NewDecoder(res.Body).Decode(&made); err != nil {
		return "", err
	}
	if made.User.Token == "" {
		return "", fmt.Errorf("registering answered %s", res.Status)
	}
	return made.User.Token, nil
}

// seedArticles writes what there is to read, and returns the slug of an article
// in the middle.
func seedArticles(path string) (slug string, err error) {
	ctx := context.Background()
	d, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return db.InTx(ctx, d, func(tx *db.Tx) (string, error) {
		reader, err := db.One[string](ctx, tx, `SELECT id FROM users WHERE username = 'reader'`)
		if err != nil {
			return "", err
		}
		var middle string
		send := func(sql string, args ...any) {
			if err == nil {
				err = tx.Send(ctx, sql, args...)
			}
		}
		for n := range articleAuthors {
			send(`INSERT INTO users (id, username, bio) VALUES ($1, $2, 'Writes about walls')`, authorID(n), fmt.Sprint("author", n))
			if n%2 == 0 {
				send(`INSERT INTO follows (follower, followed) VALUES ($1, $2)`, reader, authorID(n))
			}
		}
		at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		for n := range articleCount {
			key, slug := id.New("art_"), fmt.Sprint("how-to-build-a-wall-", n)
			tags := []string{"building", fmt.Sprint("tag", n%20), "walls"}
			at := at.Add(time.Duration(n) * time.Minute)
			send(`INSERT INTO articles (id, slug, title, description, body, tags, author, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)`,
				key, slug, fmt.Sprint("How to build a wall ", n), "Course by course, and true", strings.Repeat("Lay the stone square. ", 50), tags, authorID(n%articleAuthors), at)
			for _, tag := range tags[:articleTags] {
				send(`INSERT INTO article_tags (article, tag) VALUES ($1, $2)`, key, tag)
			}
			for fan := range n % 5 {
				send(`INSERT INTO favorites (fan, article) VALUES ($1, $2)`, authorID(fan), key)
			}
			if n == articleCount/2 {
				middle = slug
			}
		}
		return middle, err
	})
}

func authorID(n int) string { return fmt.Sprintf("usr_bench%03d", n) }

// sameAnswer holds that both sides answer the same document.
func sameAnswer(one, two string, c call) error {
	method, rest, _ := strings.Cut(string(c.raw), " ")
	path, head, _ := strings.Cut(rest, " ")
	_, token, _ := strings.Cut(head, "Authorization: ")
	token, _, _ = strings.Cut(token, "\r\n")
	var answers [2]any
	for i, addr := range []string{one, two} {
		r, err := http.NewRequest(method, "http://"+addr+path, http.NoBody)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", token)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			return err
		}
		if err := json.Unmarshal(text, &answers[i]); err != nil {
			return fmt.Errorf("%s answers %.200s: %w", addr, text, err)
		}
	}
	a, err := json.Marshal(answers[0])
	b, failed := json.Marshal(answers[1])
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	if string(a) != string(b) {
		return fmt.Errorf("the sides answer differently:\n%.600s\n%.600s", a, b)
	}
	return nil
}
