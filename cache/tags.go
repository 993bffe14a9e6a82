package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"unicode/utf8"
)

// generations say what was invalidated when, for any number of tags in a fixed
// room. There is a slot for all tags that share a hash; tags of one slot are
// invalidated together, which costs a load and is never wrong.
//
// Invalidations take turns. A load begins in a turn, and its value may be used
// as long as no slot of its tags has a later one. Nothing has to be found or
// deleted for that, the tags need not be known before the load has ended, and
// it does not matter when what was loaded is kept.
type generations struct {
	turn  atomic.Uint64
	slots [slots]atomic.Uint64 // the turn of the last invalidation
	all   atomic.Uint64        // the turn in which everything was dropped

	// What the journal told.
	asOf    atomic.Int64        // what was committed until then is known; 0 before the first batch
	since   atomic.Int64        // what was committed after this position is known; 0 for nothing
	applied atomic.Int64        // the last position that is known
	placed  [slots]atomic.Int64 // the position of the last invalidation
	touched [slots]atomic.Int64 // when this process invalidated last, plus 1
}

// slots are as many as keep invalidations apart well: with a hundred a second,
// one in eleven values is dropped for another's sake in a minute. Those that
// are never used take no memory.
const slots = 1 << 16

// hashOf is FNV-1a, which is the same in every process: the hashes travel with
// values in the remote tier.
func hashOf(tag string) uint32 {
	h := uint32(2166136261)
	for i := range len(tag) {
		h = (h ^ uint32(tag[i])) * 16777619
	}
	return h ^ h>>16
}

func slotOf(hash uint32) uint32 { return hash % slots }

// slotFor is the slot of a tag as somebody said it, or as it was written down.
func slotFor(tag string) uint32 { return slotOf(hashOf(written(tag))) }

// untouched reports whether nothing with the tags was invalidated since turn
// born, that turn itself aside.
func (g *generations) untouched(tags []uint32, born uint64) bool {
	if g.all.Load() > born {
		return false
	}
	for _, tag := range tags {
		if g.slots[slotOf(tag)].Load() > born {
			return false
		}
	}
	return true
}

// invalidate takes a turn.
func (g *generations) invalidate(tags []string) {
	turn := g.turn.Add(1)
	for _, tag := range tags {
		raise(&g.slots[slotFor(tag)], turn)
	}
}

// drop takes a turn for everything.
func (g *generations) drop() { raise(&g.all, g.turn.Add(1)) }

// touch remembers that this process has invalidated tags at a time: until the
// journal has told of it, the remote tier may have values from before.
func (g *generations) touch(tags []string, now int64) {
	for _, tag := range tags {
		raise(&g.touched[slotFor(tag)], now+1)
	}
}

// place remembers the position of an invalidation.
func (g *generations) place(tags []string, position int64) {
	for _, tag := range tags {
		raise(&g.placed[slotFor(tag)], position)
	}
}

// forgetPlaces forgets the positions of all invalidations.
func (g *generations) forgetPlaces() {
	for i := range g.placed {
		g.placed[i].Store(0)
	}
}

// current reports whether a value that was loaded when position was known has
// not been invalidated since, as far as the journal told until asOf.
func (g *generations) current(tags []uint32, position, asOf int64) bool {
	if since := g.since.Load(); since == 0 || position < since {
		return false
	}
	for _, tag := range tags {
		slot := slotOf(tag)
		if g.placed[slot].Load() > position || g.touched[slot].Load() > asOf {
			return false
		}
	}
	return true
}

// raise sets at to v if it is less. Two invalidations may arrive in another
// order than they took their turns.
func raise[T interface{ int64 | uint64 }, A interface {
	Load() T
	CompareAndSwap(old, replacement T) bool
}](at A, v T) {
	for now := at.Load(); now < v; now = at.Load() {
		if at.CompareAndSwap(now, v) {
			return
		}
	}
}

// canonical returns tags as they are told to others, in a slice of its own.
func canonical(tags []string) ([]string, error) {
	switch {
	case len(tags) == 0:
		return nil, errors.New("cache: there is no tag to invalidate")
	case len(tags) > MaxTags:
		return nil, fmt.Errorf("cache: %d tags at once; %d are the most: give what changes together one tag", len(tags), MaxTags)
	}
	all := make([]string, len(tags))
	for i, tag := range tags {
		if tag == "" {
			return nil, errors.New("cache: a tag is empty")
		}
		all[i] = written(tag)
	}
	return all, nil
}

// written is a tag as it can be written down: one that is too long, or no text,
// is replaced by its hash.
func written(tag string) string {
	if len(tag) <= MaxTag && utf8.ValidString(tag) {
		return tag
	}
	sum := sha256.Sum256([]byte(tag))
	return "sha256:" + hex.EncodeToString(sum[:])
}
