package access

import "slices"

// A Permission names one thing that may be allowed: a noun and a verb, as in
// "payments:read".
type Permission string

// maxPermissions bounds the permissions of one app, so that a set is a plain
// value that copies without an allocation.
const maxPermissions = 256

// A Set is a set of permissions of one [Policy], as bits. The zero Set is
// empty. Sets of different policies must not be mixed.
type Set [maxPermissions / 64]uint64

// Has reports whether s contains all of want.
func (s Set) Has(want Set) bool {
	for i, w := range want {
		if s[i]&w != w {
			return false
		}
	}
	return true
}

// And returns what is in both sets.
func (s Set) And(o Set) Set {
	for i := range s {
		s[i] &= o[i]
	}
	return s
}

// Or returns what is in either set.
func (s Set) Or(o Set) Set {
	for i := range s {
		s[i] |= o[i]
	}
	return s
}

// Empty reports whether the set contains nothing.
func (s Set) Empty() bool { return s == Set{} }

func (s *Set) add(bit int) { s[bit/64] |= 1 << (bit % 64) }

func (s Set) bit(bit int) bool { return s[bit/64]&(1<<(bit%64)) != 0 }

func sorted(ps []Permission) []Permission {
	ps = slices.Clone(ps)
	slices.Sort(ps)
	return slices.Compact(ps)
}
