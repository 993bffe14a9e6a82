// Package user lets admins make accounts, and everybody see their own. What an
// account is, and how people sign in, is the framework's: see [auth.Accounts].
package user

import (
	"context"
	"errors"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/page"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// What this package knows: its permissions.
const (
	Read  access.Permission = "users:read"
	Write access.Permission = "users:write"
)

// A User is an account as the API shows it.
type User struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Role  string `json:"role"`
	// MerchantID is the merchant that the user is confined to; staff have
	// none.
	MerchantID string    `json:"merchant_id,omitzero"`
	CreatedAt  time.Time `json:"created_at"`
}

// Me is who asks, and what they may do.
type Me struct {
	ID          string              `json:"id"`
	Email       string              `json:"email"`
	Role        string              `json:"role"`
	MerchantID  string              `json:"merchant_id,omitzero"`
	Permissions []access.Permission `json:"permissions"`
}

// Invite is a user to be.
type Invite struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	Role     string `json:"role"`
	// MerchantID is required for the role merchant, and for no other.
	MerchantID string `json:"merchant_id,omitzero"`
}

// Rules bounds the fields. That the password is no common one, the account's
// own rules say.
func (in *Invite) Rules(r *rule.Set) {
	rule.Text(r, &in.Email).Len(3, 254).Format(rule.Email)
	rule.Text(r, &in.Password).Len(auth.MinPassword, auth.MaxPassword).Secret()
	rule.OneOf(r, &in.Role, merchant.RoleAdmin, merchant.RoleMerchant, merchant.RoleSupport, merchant.RoleAuditor)
}

// Validate holds role and merchant together: a user of a merchant without one
// would see nothing, and staff with one too little.
func (in *Invite) Validate() error {
	switch {
	case in.Role == merchant.RoleMerchant && in.MerchantID == "":
		return fault.At("/merchant_id", "required", "is required for the role merchant")
	case in.Role != merchant.RoleMerchant && in.MerchantID != "":
		return fault.At("/merchant_id", "not_allowed", "is for the role merchant only")
	}
	return nil
}

// List asks for a page of users, oldest first.
type List struct{ op.Paging }

// Merchants knows whom a user can belong to.
type Merchants interface {
	Exists(ctx context.Context, id string) (bool, error)
}

// Service makes and shows users.
type Service struct {
	accounts  *auth.Accounts
	merchants Merchants
}

// New returns a service; mount its Module.
func New(accounts *auth.Accounts, merchants Merchants) *Service {
	return &Service{accounts, merchants}
}

// Module brings the users' operations.
func (s *Service) Module() ashlar.Module {
	return ashlar.Module{
		Name: "users",
		Operations: []op.Operation{
			op.Query("auth.me", "GET /v1/auth/me", s.Me,
				op.Authenticated(), op.Fails(auth.ErrToken)),
			op.Command("users.create", "POST /v1/users", s.Create,
				op.Allow(Write), op.Created(""), op.Fails(auth.ErrEmailTaken, auth.ErrBusy)),
			op.Query("users.list", "GET /v1/users", s.List,
				op.Allow(Read)),
		},
		Docs: docs(),
	}
}

// Me shows who is signed in. A token that outlived its account is refused.
func (s *Service) Me(ctx context.Context, _ struct{}) (Me, error) {
	me := access.From(ctx)
	account, err := s.accounts.ByID(ctx, me.ID)
	if errors.Is(err, auth.ErrNoAccount) {
		err = auth.ErrToken.Wrap(err)
	}
	return Me{me.ID, account.Email, me.Role, me.Account, me.Permissions()}, err
}

// Create makes a user who can sign in from now on.
func (s *Service) Create(ctx context.Context, in Invite) (User, error) {
	if in.MerchantID != "" {
		known, err := s.merchants.Exists(ctx, in.MerchantID)
		if err != nil {
			return User{}, err
		}
		if !known {
			return User{}, fault.At("/merchant_id", "unknown", "is not the id of a merchant")
		}
	}
	account, err := s.accounts.Create(ctx, auth.NewAccount{
		Email: in.Email, Password: in.Password, Role: in.Role, Tenant: in.MerchantID,
	})
	return show(account), err
}

// List shows the users, oldest first.
func (s *Service) List(ctx context.Context, in List) (op.Page[User], error) {
	after, err := page.After(in.Cursor, "usr_")
	if err != nil {
		return op.Page[User]{}, err
	}
	accounts, err := s.accounts.List(ctx, after, in.Size()+1)
	users := make([]User, len(accounts))
	for i, a := range accounts {
		users[i] = show(a)
	}
	return op.PageOf(users, in.Size(), func(u User) string { return u.ID }), err
}

func show(a auth.Account) User { return User{a.ID, a.Email, a.Role, a.Tenant, a.CreatedAt} }
