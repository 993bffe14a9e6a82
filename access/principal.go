package access

import "context"

// A Principal is whoever makes a request. The zero Principal is anonymous and
// may do nothing.
type Principal struct {
	// ID names the person or machine: the subject of its credential.
	ID string
	// Account is the tenant that the principal belongs to, or empty for those
	// who belong to none, such as the operator's own staff.
	Account string
	// Role is the role that the permissions came from.
	Role string
	// Credential names the session or API key that the principal came by, and
	// is empty where neither is behind it. Ending a credential ends it for
	// every request at once.
	Credential string
	// Granted is what the principal may do.
	Granted Set

	policy *Policy
}

// Principal returns a principal with the permissions of its role.
func (p *Policy) Principal(id, account, role string) Principal {
	return Principal{ID: id, Account: account, Role: role, Granted: p.Role(role), policy: p}
}

// Holder returns a principal with just the listed permissions, as a machine
// or a test has them.
func (p *Policy) Holder(id, account string, permissions ...Permission) Principal {
	return Principal{ID: id, Account: account, Granted: p.Set(permissions...), policy: p}
}

// Scoped returns a copy of who that may do at most what is listed: the
// principal of an API key or of a test. It never has more than who had.
func (p *Policy) Scoped(who Principal, permissions ...Permission) Principal {
	who.Granted = who.Granted.And(p.Set(permissions...))
	who.policy = p
	return who
}

// Anonymous reports whether nobody is signed in.
func (p Principal) Anonymous() bool { return p.ID == "" }

// Can reports whether the principal has a permission. Operations are guarded
// by their declaration; Can is for what depends on the object at hand.
func (p Principal) Can(permission Permission) bool {
	if p.policy == nil {
		return false
	}
	bit, ok := p.policy.bits[permission]
	return ok && p.Granted.bit(bit)
}

// Permissions lists by name what the principal may do, sorted.
func (p Principal) Permissions() []Permission {
	if p.policy == nil {
		return []Permission{}
	}
	return p.policy.Permissions(p.Granted)
}

// Key is the context key of the principal. A context that answers it with a
// *Principal, as a request's own context does, saves the allocation of
// [With].
type Key struct{}

// From returns the principal of ctx, or the anonymous one.
func From(ctx context.Context) Principal {
	if p, ok := ctx.Value(Key{}).(*Principal); ok && p != nil {
		return *p
	}
	return Principal{}
}

// With returns a context whose principal is p.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, Key{}, &p)
}
