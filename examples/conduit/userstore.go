package main

import (
	"context"
	"errors"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/rule"
)

// users is the SQL of users and of who follows whom.
type users struct{}

func (users) insert(ctx context.Context, tx *db.Tx, id, username string) error {
	_, err := db.Exec(ctx, tx, `INSERT INTO users (id, username) VALUES ($1, $2)`, id, username)
	return taken(err)
}

// update changes what is given. An empty text takes away.
func (users) update(ctx context.Context, tx *db.Tx, id string, c UserChanges) error {
	text := func(o rule.Optional[string]) *string {
		if o.Value == "" {
			return nil
		}
		return &o.Value
	}
	_, err := db.Exec(ctx, tx, `
		UPDATE users SET username = CASE WHEN $2 = '' THEN username ELSE $2 END,
			bio = CASE WHEN $3 THEN $4 ELSE bio END, image = CASE WHEN $5 THEN $6 ELSE image END
		WHERE id = $1`, id, c.Username, c.Bio.Set, text(c.Bio), c.Image.Set, text(c.Image))
	return taken(err)
}

func taken(err error) error {
	if db.IsUnique(err, "users_username", "username") {
		return ErrUsernameTaken.Wrap(err)
	}
	return err
}

func (users) byID(ctx context.Context, q db.Querier, id string) (Profile, error) {
	return db.One[Profile](ctx, q, `SELECT username, bio, image FROM users WHERE id = $1`, id)
}

func (users) profile(ctx context.Context, q db.Querier, username string) (Profile, error) {
	p, err := db.One[Profile](ctx, q, `
		SELECT username, bio, image,
			EXISTS (SELECT 1 FROM follows WHERE follower = $2 AND followed = users.id) AS following
		FROM users WHERE username = $1`, username, access.From(ctx).ID)
	if errors.Is(err, db.ErrNoRows) {
		return p, ErrProfileNotFound
	}
	return p, err
}

func (users) follow(ctx context.Context, tx *db.Tx, username string) error {
	_, err := db.Exec(ctx, tx, `
		INSERT INTO follows (follower, followed) SELECT $1, id FROM users WHERE username = $2
		ON CONFLICT DO NOTHING`, access.From(ctx).ID, username)
	return err
}

func (users) unfollow(ctx context.Context, tx *db.Tx, username string) error {
	_, err := db.Exec(ctx, tx, `
		DELETE FROM follows WHERE follower = $1 AND followed = (SELECT id FROM users WHERE username = $2)`,
		access.From(ctx).ID, username)
	return err
}
