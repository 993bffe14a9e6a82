package auth

import (
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// Account is someone who can sign in. The json names are those of the wire and
// of a database's columns; the password hash never goes on the wire.
type Account struct {
	ID           string     `json:"id"`
	Email        string     `json:"email"` // normalised: see NormalizeEmail
	PasswordHash string     `json:"-" db:"password_hash"`
	Role         string     `json:"role"`
	Tenant       string     `json:"tenant,omitzero"` // access.Principal's Account; empty for the operator's own staff
	CreatedAt    time.Time  `json:"created_at"`
	DisabledAt   *time.Time `json:"disabled_at,omitzero"` // nil while the account may sign in
	// Epoch counts the changes after which nothing that was given out before
	// holds: of the password, and to disabled. Tokens and sessions name theirs.
	Epoch int64 `json:"-" db:"epoch"`
}

// Credentials are what a person signs in with.
type Credentials struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	// Code is for accounts with a second factor: what the authenticator shows,
	// or a recovery code.
	Code string `json:"code,omitzero"`
}

// Rules says what can be credentials at all.
func (in *Credentials) Rules(r *rule.Set) {
	rule.Text(r, &in.Email).Len(3, maxEmail).Format(rule.Email)
	rule.Text(r, &in.Password).Len(1, MaxPassword).Secret()
	rule.Text(r, &in.Code).Len(1, 64).Secret()
}

// PasswordChange is what someone signed in changes the password with.
type PasswordChange struct {
	Current string `json:"current"`
	New     string `json:"new"`
}

// Rules says what can be a change of password at all.
func (in *PasswordChange) Rules(r *rule.Set) {
	rule.Text(r, &in.Current).Len(1, MaxPassword).Secret()
	rule.Text(r, &in.New).Len(MinPassword, MaxPassword).Secret()
}

// NewAccount is an account to be made.
type NewAccount struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	Role     string `json:"role"`
	Tenant   string `json:"tenant,omitzero"`
}

// Rules says what a valid NewAccount is. That its password is no common one
// and its role is known, [Accounts.Create] says.
func (in *NewAccount) Rules(r *rule.Set) {
	rule.Text(r, &in.Email).Len(3, maxEmail).Format(rule.Email)
	rule.Text(r, &in.Password).Len(MinPassword, MaxPassword).Secret()
	rule.Text(r, &in.Role).Len(1, 64)
	rule.Text(r, &in.Tenant).Len(0, 64)
}

// Grant is the answer to a successful sign-in (RFC 6749, section 5.1).
type Grant struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"` // Bearer
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token"`
}

const maxEmail = 254 // RFC 5321, section 4.5.3.1.3

// NormalizeEmail returns the form in which addresses are kept and compared:
// without surrounding space, in lower case. Servers that tell apart A@b.test
// and a@b.test are rarer than people who type either for the same account.
func NormalizeEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// checkEmail is the rule of the wire for callers who come another way.
func checkEmail(email string) fault.Violations {
	if len(email) > maxEmail || !rule.Email.Valid(email) {
		return fault.At("/email", "format", "must be an e-mail address")
	}
	return nil
}
