package codec

import "slices"

// names finds a member by its name: a hash table without collisions, whose
// seed was searched when the type was compiled.
type names struct {
	seed    uint32
	longest int
	slots   []int16 // a field's number plus one, or 0; the length is a power of two
}

func indexNames(fields []field) names {
	size := 4
	for size < 2*len(fields) {
		size *= 2
	}
	longest := 0
	for _, f := range fields {
		longest = max(longest, len(f.name))
	}
	for ; ; size *= 2 {
		for seed := range uint32(256) {
			n := names{seed: seed, longest: longest, slots: make([]int16, size)}
			if n.fill(fields) {
				return n
			}
		}
	}
}

func (n *names) fill(fields []field) bool {
	for i := range fields {
		slot := &n.slots[n.hash(fields[i].name)]
		if *slot != 0 {
			return false
		}
		*slot = int16(i + 1)
	}
	return true
}

// hash is FNV-1a.
func (n *names) hash(name string) int {
	h := 2166136261 ^ n.seed
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return int(h^h>>15) & (len(n.slots) - 1)
}

// find returns the number of the field with that name, or -1.
func (o *object) find(name string) int {
	if len(name) > o.names.longest {
		return -1
	}
	i := int(o.names.slots[o.names.hash(name)]) - 1
	if i < 0 || o.fields[i].name != name {
		return -1
	}
	return i
}

// A nameSet holds the names met in one object that has no plan.
type nameSet struct {
	few  []string
	many map[string]struct{}
}

// add reports whether the name is new to the set.
func (s *nameSet) add(name string) bool {
	if s.many != nil {
		_, known := s.many[name]
		s.many[name] = struct{}{}
		return !known
	}
	if slices.Contains(s.few, name) {
		return false
	}
	if s.few == nil {
		s.few = make([]string, 0, 8)
	}
	s.few = append(s.few, name)
	if len(s.few) == 32 { // beyond this, comparing each would cost too much
		s.many = make(map[string]struct{}, 64)
		for _, n := range s.few {
			s.many[n] = struct{}{}
		}
	}
	return true
}
