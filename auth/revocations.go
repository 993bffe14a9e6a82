package auth

import (
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// A Revocation is one thing that stopped being true before the tokens that
// say it expire.
type Revocation struct {
	// Seq is its place among all revocations of the application: of two roles
	// of one subject the later counts.
	Seq int64
	// Subject is the account that it concerns. Required for Epoch and Role.
	Subject string
	// Credential, if set, is the session or API key that ended.
	Credential string
	// Epoch, if above 0, is the subject's epoch from now on: its tokens of a
	// lower one are refused.
	Epoch int64
	// Role, if set, is the subject's role from now on. Tokens that say another
	// one stay valid and count as saying this one.
	Role string
	// Until is when nothing is left that it could concern: no token that was
	// issued before it, nothing else that still remembers its credential.
	Until time.Time
}

// RevokedFor is how long a revocation can concern a token: the longest life
// that one may have, and not the life that tokens have here and now. Those of a
// process with another setting, or from before it was changed, must not come
// to life again. Clocks differ by a minute at most, and a token may be signed a
// little later than what it says was read.
const RevokedFor = maxLife + 2*time.Minute

// Revocations are those that still matter, in memory, so that each request can
// be judged by them. Whoever keeps them gives them to Apply in every process;
// [Tokens.Verify] asks Judge each time, for a token it remembers too. Make it
// with [NewRevocations].
//
// Readers never wait: what they read is replaced, not changed.
type Revocations struct {
	now         func() time.Time
	credentials byName[time.Time] // until when each is known to have ended
	subjects    byName[standing]
}

// standing is what became of a subject.
type standing struct {
	epoch   int64
	role    string
	roleSeq int64
	until   time.Time
}

// NewRevocations returns an empty Revocations. A nil clock means time.Now.
func NewRevocations(now func() time.Time) *Revocations {
	if now == nil {
		now = time.Now
	}
	return &Revocations{now: now, credentials: byName[time.Time]{seed: maphash.MakeSeed()}, subjects: byName[standing]{seed: maphash.MakeSeed()}}
}

// Apply makes revocations count. They may come twice and in any order.
func (r *Revocations) Apply(list ...Revocation) {
	now := r.now()
	credentials, subjects := map[string]time.Time{}, map[string]standing{}
	for _, one := range list {
		if !now.Before(one.Until) {
			continue
		}
		if one.Credential != "" {
			credentials[one.Credential] = later(credentials[one.Credential], one.Until)
		}
		if one.Epoch > 0 || one.Role != "" {
			subjects[one.Subject] = subjects[one.Subject].and(standing{one.Epoch, one.Role, one.Seq, one.Until})
		}
	}
	r.credentials.merge(credentials, later)
	r.subjects.merge(subjects, standing.and)
}

// Sweep forgets those that no longer matter. Call it now and then; until then
// they only take room, some 100 bytes each.
func (r *Revocations) Sweep() {
	now := r.now()
	r.credentials.drop(func(until time.Time) bool { return !now.Before(until) })
	r.subjects.drop(func(s standing) bool { return !now.Before(s.until) })
}

// Judge returns why c is refused, for the log, or nil. It brings c.Role up to
// date.
func (r *Revocations) Judge(c *Claims) error {
	if r.Ended(c.Session) {
		return failure("the session has ended")
	}
	s, ok := r.subjects.get(c.Subject)
	switch {
	case !ok:
	case c.Epoch < s.epoch:
		return failure("the subject's tokens of this epoch were revoked")
	case s.role != "":
		c.Role = s.role
	}
	return nil
}

// Ended reports whether a session or API key has ended.
func (r *Revocations) Ended(credential string) bool {
	if r == nil || credential == "" {
		return false
	}
	_, ended := r.credentials.get(credential)
	return ended
}

// Len counts what is remembered.
func (r *Revocations) Len() int { return r.credentials.len() + r.subjects.len() }

// and is what is known by both.
func (s standing) and(o standing) standing {
	if o.role != "" && (s.role == "" || o.roleSeq > s.roleSeq) {
		s.role, s.roleSeq = o.role, o.roleSeq
	}
	s.epoch = max(s.epoch, o.epoch)
	s.until = later(s.until, o.until)
	return s
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// byName is a map for many readers and few writers. It is cut into parts, each
// replaced as a whole, so that a writer copies little.
type byName[V any] struct {
	seed    maphash.Seed
	writing sync.Mutex
	parts   [64]atomic.Pointer[map[string]V]
	size    atomic.Int64
}

func (b *byName[V]) get(name string) (v V, ok bool) {
	if b.size.Load() == 0 { // nearly always
		return v, false
	}
	part := b.parts[b.part(name)].Load()
	if part == nil {
		return v, false
	}
	v, ok = (*part)[name]
	return v, ok
}

func (b *byName[V]) part(name string) uint64 {
	return maphash.String(b.seed, name) % uint64(len(b.parts))
}

func (b *byName[V]) len() int { return int(b.size.Load()) }

// merge adds news, and joins what is there already by both.
func (b *byName[V]) merge(news map[string]V, both func(V, V) V) {
	if len(news) == 0 {
		return
	}
	b.writing.Lock()
	defer b.writing.Unlock()
	changed := map[uint64]map[string]V{}
	for name, v := range news {
		i := b.part(name)
		part := changed[i]
		if part == nil {
			part = map[string]V{}
			if old := b.parts[i].Load(); old != nil {
				part = maps.Clone(*old)
			}
			changed[i] = part
		}
		if old, ok := part[name]; ok {
			v = both(old, v)
		}
		part[name] = v
	}
	for i, part := range changed {
		b.put(i, part)
	}
}

// drop takes out what is over.
func (b *byName[V]) drop(over func(V) bool) {
	b.writing.Lock()
	defer b.writing.Unlock()
	for i := range b.parts {
		old := b.parts[i].Load()
		if old == nil {
			continue
		}
		part := maps.Clone(*old)
		maps.DeleteFunc(part, func(_ string, v V) bool { return over(v) })
		if len(part) < len(*old) {
			b.put(uint64(i), part)
		}
	}
}

// put replaces a part. A reader that finds the old size was there before the
// writer was done.
func (b *byName[V]) put(i uint64, part map[string]V) {
	before := 0
	if old := b.parts[i].Load(); old != nil {
		before = len(*old)
	}
	b.parts[i].Store(&part)
	b.size.Add(int64(len(part) - before))
}
