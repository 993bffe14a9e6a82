package main

import (
	"context"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/op"
)

// Users lets people in. A user is an account of the framework, which has address
// and password, and a row of ours beside it.
type Users struct{ app *ashlar.App }

// Operations are those on users.
func (s Users) Operations() []op.Operation {
	return []op.Operation{
		op.Command("users.register", "POST /api/users", s.Register,
			op.Public(), op.Limit(60, time.Minute, op.PerAddress()), op.Created(""),
			op.Fails(auth.ErrEmailTaken, auth.ErrBusy, ErrUsernameTaken)),
	}
}

// Register makes a user and signs it in.
func (s Users) Register(ctx context.Context, in Register) (UserBody, error) {
	account, err := s.app.Accounts.Prepare(ctx, auth.NewAccount{Email: in.User.Email, Password: in.User.Password, Role: member})
	if err != nil {
		return UserBody{}, err
	}
	if _, err := db.InTx(ctx, s.app.DB, func(tx *db.Tx) (struct{}, error) {
		if err := s.app.Accounts.Add(ctx, s.app.AccountTx(tx), account); err != nil {
			return struct{}{}, err
		}
		_, err := db.Exec(ctx, tx, `INSERT INTO users (id, username) VALUES ($1, $2)`, account.ID, in.User.Username)
		if db.IsUnique(err, "users_username", "username") {
			err = ErrUsernameTaken
		}
		return struct{}{}, err
	}); err != nil {
		return UserBody{}, err
	}
	grant, err := s.app.Accounts.OpenSession(ctx, account)
	return UserBody{User{account.Email, in.User.Username, grant.AccessToken}}, err
}
