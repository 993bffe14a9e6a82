package merchant

import (
	"context"

	"github.com/ashlar-go/ashlar/access"
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
