package access

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// A Policy says which role has which permissions. Build it at start with
// Grant, GrantAll and Register; after the first request it must not change.
// The zero Policy is ready to use and grants nothing.
type Policy struct {
	bits  map[Permission]int
	names []Permission
	roles map[string]Set
	all   map[string]bool
}

// Grant gives a role permissions, beside those it has.
func (p *Policy) Grant(role string, permissions ...Permission) error {
	set, err := p.Register(permissions...)
	if err != nil {
		return err
	}
	if p.roles == nil {
		p.roles = map[string]Set{}
	}
	p.roles[role] = p.roles[role].Or(set)
	return nil
}

// GrantAll gives a role every permission that the policy knows or will know.
func (p *Policy) GrantAll(role string) {
	if p.all == nil {
		p.all = map[string]bool{}
	}
	p.all[role] = true
}

// Register makes permissions known and returns their set. It fails for an
// empty name and when there are more than 256 permissions.
func (p *Policy) Register(permissions ...Permission) (Set, error) {
	var set Set
	if p.bits == nil {
		p.bits = map[Permission]int{}
	}
	for _, name := range permissions {
		if name == "" {
			return Set{}, errors.New("access: a permission has no name")
		}
		bit, known := p.bits[name]
		if !known {
			bit = len(p.names)
			if bit == maxPermissions {
				return Set{}, fmt.Errorf("access: permission %q is one more than the %d that an app may have", name, maxPermissions)
			}
			p.bits[name] = bit
			p.names = append(p.names, name)
		}
		set.add(bit)
	}
	return set, nil
}

// Role returns what a role may do. An unknown role may do nothing.
func (p *Policy) Role(role string) Set {
	if p.all[role] {
		return p.every()
	}
	return p.roles[role]
}

// Roles returns the names of the roles, sorted.
func (p *Policy) Roles() []string {
	names := slices.Collect(maps.Keys(p.roles))
	for role := range p.all {
		if _, both := p.roles[role]; !both {
			names = append(names, role)
		}
	}
	slices.Sort(names)
	return names
}

// Knows reports whether the role was ever granted anything.
func (p *Policy) Knows(role string) bool {
	_, ok := p.roles[role]
	return ok || p.all[role]
}

// Set returns the known ones of the permissions as a set; unknown ones, such
// as a permission that a later release dropped, are left out.
func (p *Policy) Set(permissions ...Permission) Set {
	var set Set
	for _, name := range permissions {
		if bit, ok := p.bits[name]; ok {
			set.add(bit)
		}
	}
	return set
}

// Permissions lists a set by name, sorted. It is never nil.
func (p *Policy) Permissions(set Set) []Permission {
	list := make([]Permission, 0, len(p.names))
	for bit, name := range p.names {
		if set.bit(bit) {
			list = append(list, name)
		}
	}
	return sorted(list)
}

func (p *Policy) every() Set {
	var set Set
	for bit := range p.names {
		set.add(bit)
	}
	return set
}
