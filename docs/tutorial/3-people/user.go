package main

import (
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// Everybody who registers is a member, and may write.
const (
	member                   = "member"
	Write  access.Permission = "conduit:write"

	ErrUsernameTaken fault.Conflict = "username_taken"
)

// User is who is signed in, with the token of further requests.
type User struct {
	Email    string `json:"email"`
	Username string `json:"username"`
	Token    string `json:"token"`
}

// UserBody wraps a user.
type UserBody struct {
	User User `json:"user"`
}

// Register asks for an account.
type Register struct {
	User NewUser `json:"user"`
}

// NewUser is somebody who registers.
type NewUser struct {
	Username string `json:"username"`
	Email    string `json:"email"`
	Password string `json:"password"`
}

// Rules bounds the fields. That the password is no common one, the account's own
// rules say.
func (u *NewUser) Rules(r *rule.Set) {
	rule.Text(r, &u.Username).Len(1, 40)
	rule.Text(r, &u.Email).Len(1, 254).Format(rule.Email)
	rule.Text(r, &u.Password).Len(1, auth.MaxPassword).Secret()
}
