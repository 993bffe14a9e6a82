package codec

// skip reads over a value of any shape as strictly as one that is kept.
func (r *Reading) skip() bool {
	switch c := r.space(); {
	case c == '"':
		_, _, _, ok := r.text()
		return ok
	case c == '{':
		return r.skipObject()
	case c == '[':
		return r.skipList()
	case c == 't':
		return r.literal("true")
	case c == 'f':
		return r.literal("false")
	case c == 'n':
		return r.literal("null")
	case c == '-' || c-'0' <= 9:
		_, ok := r.number()
		return ok
	}
	return r.fail("a value is expected")
}

func (r *Reading) skipList() bool {
	if !r.enter() {
		return false
	}
	another := r.space() != ']'
	for another {
		if !r.skip() {
			return false
		}
		var ok bool
		if another, ok = r.more(']'); !ok {
			return false
		}
	}
	return r.leave()
}

func (r *Reading) skipObject() bool {
	if !r.enter() {
		return false
	}
	var met nameSet
	another := r.space() != '}'
	for another {
		r.space()
		start := r.i
		name, _, _, ok := r.name()
		if !ok {
			return false
		}
		if !met.add(name) {
			return r.failAt(start, twice)
		}
		if !r.skip() {
			return false
		}
		if another, ok = r.more('}'); !ok {
			return false
		}
	}
	return r.leave()
}

// name reads a name, as text does, and the colon after it.
func (r *Reading) name() (s string, plain, fresh, ok bool) {
	if r.space() != '"' {
		return "", false, false, r.fail("a name is expected")
	}
	s, plain, fresh, ok = r.text()
	return s, plain, fresh, ok && r.colon()
}

const twice = "a member is given twice"
