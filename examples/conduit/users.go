package main

import (
	"context"
	"errors"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/op"
)

// Users lets people in, and follow each other. A user is an account of the
// framework, which has address and password, and a row of ours beside it.
type Users struct{ app *ashlar.App }

// Operations are those on users and profiles.
func (s Users) Operations() []op.Operation {
	// To hash a password takes long: who tries many at once waits.
	guesses := op.Options(op.Public(), op.Limit(60, time.Minute, op.PerAddress(), op.Shared("sign_in")), op.Fails(auth.ErrBusy))
	return []op.Operation{
		op.Command("users.login", "POST /api/users/login", s.Login,
			guesses, op.Fails(auth.ErrSignIn, auth.ErrThrottled, ErrProfileNotFound)),
		op.Command("users.register", "POST /api/users", s.Register,
			guesses, op.Created(""), op.Fails(auth.ErrEmailTaken, ErrUsernameTaken)),
		op.Query("users.current", "GET /api/user", s.Current,
			op.Authenticated(), op.Fails(auth.ErrToken, ErrProfileNotFound)),
		op.Command("users.update", "PUT /api/user", s.Update,
			op.Authenticated(), op.Fails(auth.ErrEmailTaken, ErrUsernameTaken, auth.ErrBusy, ErrProfileNotFound)),
		op.Query("profiles.get", "GET /api/profiles/{username}", s.Profile,
			op.Public(), op.Recognized(), op.Fails(ErrProfileNotFound)),
		op.Command("profiles.follow", "POST /api/profiles/{username}/follow", s.Follow,
			op.Allow(Write), op.IgnoreBody(), op.Fails(ErrProfileNotFound)), // clients send the address of who asks
		op.Command("profiles.unfollow", "DELETE /api/profiles/{username}/follow", s.Unfollow,
			op.Allow(Write), op.IgnoreBody(), op.Fails(ErrProfileNotFound)),
	}
}

// Login exchanges an address and a password for a token.
func (s Users) Login(ctx context.Context, in Login) (UserBody, error) {
	grant, err := s.app.Accounts.SignIn(ctx, auth.Credentials{Email: in.User.Email, Password: in.User.Password})
	if err != nil {
		return UserBody{}, err
	}
	account, err := s.app.Accounts.ByEmail(ctx, in.User.Email)
	if err != nil {
		return UserBody{}, err
	}
	return s.show(ctx, account, grant)
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
		return struct{}{}, users{}.insert(ctx, tx, account.ID, in.User.Username)
	}); err != nil {
		return UserBody{}, err
	}
	return s.signIn(ctx, account)
}

// Current shows the user who asks, with a new token.
func (s Users) Current(ctx context.Context, _ struct{}) (UserBody, error) {
	grant, err := s.app.Accounts.Renew(ctx)
	if err != nil {
		return UserBody{}, err
	}
	account, err := s.app.Accounts.ByID(ctx, access.From(ctx).ID)
	if err != nil {
		return UserBody{}, err
	}
	return s.show(ctx, account, grant)
}

// Update changes the user who asks: all of it or nothing. Another password ends
// all sessions, and the answer has the token of a new one.
func (s Users) Update(ctx context.Context, in Update) (UserBody, error) {
	me, changes := access.From(ctx).ID, auth.Changes{Email: in.User.Email}
	if in.User.Password != "" {
		var err error
		if changes.PasswordHash, err = s.app.Accounts.HashPassword(ctx, in.User.Password); err != nil {
			return UserBody{}, err
		}
	}
	account, err := db.InTx(ctx, s.app.DB, func(tx *db.Tx) (auth.Account, error) {
		if err := (users{}).update(ctx, tx, me, in.User); err != nil {
			return auth.Account{}, err
		}
		return s.app.Accounts.Change(ctx, s.app.AccountTx(tx), me, changes)
	})
	switch {
	case err != nil:
		return UserBody{}, err
	case changes.PasswordHash != "":
		return s.signIn(ctx, account)
	}
	grant, err := s.app.Accounts.Renew(ctx)
	if err != nil {
		return UserBody{}, err
	}
	return s.show(ctx, account, grant)
}

func (s Users) signIn(ctx context.Context, account auth.Account) (UserBody, error) {
	grant, err := s.app.Accounts.OpenSession(ctx, account)
	if err != nil {
		return UserBody{}, err
	}
	return s.show(ctx, account, grant)
}

func (s Users) show(ctx context.Context, account auth.Account, grant auth.Grant) (UserBody, error) {
	p, err := users{}.byID(ctx, s.app.DB, account.ID)
	if errors.Is(err, db.ErrNoRows) {
		return UserBody{}, ErrProfileNotFound // an account that was not made by registering
	}
	return UserBody{User{account.Email, grant.AccessToken, p.Username, p.Bio, p.Image}}, err
}

// Profile shows a user to others.
func (s Users) Profile(ctx context.Context, in ByUsername) (ProfileBody, error) {
	p, err := users{}.profile(ctx, s.app.DB, in.Username)
	return ProfileBody{p}, err
}

// Follow has the one who asks follow a user. To do so twice changes nothing.
func (s Users) Follow(ctx context.Context, in ByUsername) (ProfileBody, error) {
	return s.follow(ctx, in.Username, users{}.follow)
}

// Unfollow ends that.
func (s Users) Unfollow(ctx context.Context, in ByUsername) (ProfileBody, error) {
	return s.follow(ctx, in.Username, users{}.unfollow)
}

func (s Users) follow(ctx context.Context, username string, change func(context.Context, *db.Tx, string) error) (ProfileBody, error) {
	return db.InTx(ctx, s.app.DB, func(tx *db.Tx) (ProfileBody, error) {
		if err := change(ctx, tx, username); err != nil {
			return ProfileBody{}, err
		}
		p, err := users{}.profile(ctx, tx, username)
		return ProfileBody{p}, err
	})
}
