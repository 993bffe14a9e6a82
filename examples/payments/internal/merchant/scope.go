package merchant

import (
	"context"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
)

// The roles of this app.
const (
	RoleAdmin    = "admin"    // runs the place
	RoleMerchant = "merchant" // sells something, sees its own payments only
	RoleSupport  = "support"  // helps merchants, sees every merchant's
	RoleAuditor  = "auditor"  // reads everything that money touches, writes nothing
)

// Scope returns the id of the merchant that the caller of ctx is confined to,
// or "" for staff, who see every merchant. SQL takes it as it is:
//
//	WHERE id = $1 AND ($2 = '' OR merchant_id = $2)
//
// Whoever has neither a merchant nor a staff role is confined to no merchant
// at all: a role that was forgotten here sees nothing, not everything.
func Scope(ctx context.Context) string {
	me := access.From(ctx)
	switch {
	case me.Account != "":
		return me.Account
	case me.Role == RoleAdmin, me.Role == RoleSupport, me.Role == RoleAuditor:
		return ""
	}
	return "nobody"
}

// A Registry knows which merchants there are.
type Registry interface {
	Exists(ctx context.Context, id string) (bool, error)
}

// Subject returns the merchant that a request is about: the caller's own, or the
// one that a member of staff named, or "" if staff named none. What the request
// is for, "payments", is said to a merchant that names one.
func Subject(ctx context.Context, known Registry, named, what string) (string, error) {
	noMerchant := fault.ErrDenied.Because("Your account belongs to no merchant.")
	own := Scope(ctx)
	switch {
	case own != access.From(ctx).Account:
		return "", noMerchant
	case own != "" && named != "":
		return "", fault.At("/merchant_id", "not_allowed", "is for staff only: your "+what+" are your own merchant's")
	case own+named == "":
		return "", nil
	}
	found, err := known.Exists(ctx, own+named)
	switch {
	case err != nil:
		return "", err
	case !found && own != "":
		return "", noMerchant
	case !found:
		return "", fault.At("/merchant_id", "unknown", "is not the id of a merchant")
	}
	return own + named, nil
}
