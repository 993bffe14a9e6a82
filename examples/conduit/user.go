package main

import (
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// User is who is signed in, with the token of further requests.
type User struct {
	Email    string  `json:"email"`
	Token    string  `json:"token"`
	Username string  `json:"username"`
	Bio      *string `json:"bio"`
	Image    *string `json:"image"`
}

// UserBody wraps a user.
type UserBody struct {
	User User `json:"user"`
}

// Login asks for a token.
type Login struct {
	User Credentials `json:"user"`
}

// Credentials are what somebody signs in with.
type Credentials struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

// Rules asks for both. Whether they are good is for the sign-in to say.
func (c *Credentials) Rules(r *rule.Set) {
	rule.Text(r, &c.Email).Len(1, 254)
	rule.Text(r, &c.Password).Len(1, auth.MaxPassword).Secret()
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

// Rules bounds the fields. How long a password has to be, the account's own
// rules say.
func (u *NewUser) Rules(r *rule.Set) {
	rule.Text(r, &u.Username).Len(1, 40).Match(usernameForm)
	rule.Text(r, &u.Email).Len(1, 254).Format(rule.Email)
	rule.Text(r, &u.Password).Len(1, auth.MaxPassword).Secret()
}

// usernameForm has a username stand in a path.
const usernameForm = `^[^/?#%\s]*$`

// Update asks for changes of the user who asks.
type Update struct {
	User UserChanges `json:"user"`
}

// UserChanges are what becomes another; what is absent stays. Bio and image are
// taken away by null or an empty text.
type UserChanges struct {
	Username string                `json:"username,omitzero"`
	Email    string                `json:"email,omitzero"`
	Password string                `json:"password,omitzero"`
	Bio      rule.Optional[string] `json:"bio"`
	Image    rule.Optional[string] `json:"image"`
}

// Rules bounds the fields as [NewUser] does.
func (u *UserChanges) Rules(r *rule.Set) {
	rule.Text(r, &u.Username).Len(1, 40).Match(usernameForm)
	rule.Text(r, &u.Email).Len(1, 254).Format(rule.Email)
	rule.Text(r, &u.Password).Len(1, auth.MaxPassword).Secret()
	rule.Text(r, &u.Bio.Value).Len(0, 4096).Multiline()
	rule.Text(r, &u.Image.Value).Len(0, 2048)
}

// Validate wants something to do.
func (u *UserChanges) Validate() error {
	if *u == (UserChanges{}) {
		return fault.At("", "required", "must have a member")
	}
	return nil
}

// Profile is what others see of a user, and whether the one who asks follows it.
type Profile struct {
	Username  string  `json:"username"`
	Bio       *string `json:"bio"`
	Image     *string `json:"image"`
	Following bool    `json:"following"`
}

// ProfileBody wraps a profile.
type ProfileBody struct {
	Profile Profile `json:"profile"`
}

// ByUsername names a user.
type ByUsername struct {
	Username string `json:"username"`
}
