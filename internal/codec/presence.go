package codec

// presence is a set of field numbers. Objects of up to 64 fields need no
// allocation for it.
type presence struct {
	low  uint64
	rest []uint64
}

func newPresence(fields int) presence {
	if fields <= 64 {
		return presence{}
	}
	return presence{rest: make([]uint64, (fields-1)/64)}
}

func (p *presence) has(i int) bool {
	if i < 64 {
		return p.low&(1<<i) != 0
	}
	return p.rest[i/64-1]&(1<<(i%64)) != 0
}

func (p *presence) add(i int) {
	if i < 64 {
		p.low |= 1 << i
		return
	}
	p.rest[i/64-1] |= 1 << (i % 64)
}

// holds reports whether p has all of q, which is of the same object.
func (p *presence) holds(q *presence) bool {
	if q.low&^p.low != 0 {
		return false
	}
	for i, word := range q.rest {
		if word&^p.rest[i] != 0 {
			return false
		}
	}
	return true
}
