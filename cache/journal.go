package cache

import (
	"context"
	"time"
)

// Tx is the transaction of a write, such as *db.Tx: see [Cache.Invalidate].
type Tx interface {
	// AfterCommit has fn called once the transaction is committed, before
	// whoever wrote is told so; never after a rollback.
	AfterCommit(fn func())
}

// A Journal keeps invalidations and tells every instance of them, in one order.
// It is what makes them safe among several: a note is written in the
// transaction of the write, so that a process that dies after the commit has
// lost nothing.
type Journal interface {
	// Append writes note in tx, where it commits with the write or not at all.
	// A nil tx stands for a transaction of its own. A Journal that cannot write
	// in the kind of transaction that it is given says so in its error.
	Append(ctx context.Context, tx Tx, note Note) error
	// Follow calls told with each note that is committed anywhere from now on,
	// this process included, in ascending order of their positions, and when
	// there is none too, again and again, so that the cache knows how much it
	// knows. It returns when ctx ends, or with an error; then it is called
	// again. The calls of told come one after another.
	Follow(ctx context.Context, told func(Batch)) error
}

// A Note tells that tags were invalidated. A [Journal] keeps it as it is.
type Note struct {
	// Position is the note's place in the order, greater than 0, which a Journal
	// gives it at or after the commit. A note that is committed after another
	// one was told of has a greater one. A Journal that knows no such order leaves
	// it 0; then what has tags is not kept in a [Remote].
	Position int64 `json:"-"`
	// Origin names the cache that invalidated, and Turn is its count.
	Origin string `json:"origin"`
	Turn   uint64 `json:"turn"`
	// Tags are at most [MaxTags], of [MaxTag] bytes each.
	Tags []string `json:"tags"`
	// Dropped says that this process has dropped the tags already, with
	// [Cache.Drop]. A Journal sets it that has notes from elsewhere.
	Dropped bool `json:"-"`
}

// A Batch is one look at a [Journal].
type Batch struct {
	// Notes are those since the last batch, or none.
	Notes []Note
	// Position is that of the last note told of so far, or greater: every note
	// with a position up to it was told of, and every later one will have a
	// greater position. 0 where the Journal has no order.
	Position int64
	// AsOf is when the look began: all that was committed before then is told
	// of. It is the local time with its monotonic reading.
	AsOf time.Time
	// Reset says that notes before Position may have been missed, as they may
	// have been in the first batch of each Follow: whatever the cache holds is
	// dropped.
	Reset bool
	// Since is, together with Reset, a position before Position after which no
	// note was missed after all, because Notes has them: values of a [Remote]
	// that were loaded since then can be used. 0 stands for Position.
	Since int64
}

// Bounds of an invalidation.
const (
	MaxTags = 256 // tags of one Invalidate, and of one entry
	MaxTag  = 256 // bytes of a tag; a longer one is known by its hash
)

// A Bus carries messages between instances, at most once: those that are
// listening hear them. See [OverBus].
type Bus interface {
	// Publish sends message to all that subscribe to channel now, this process
	// included. Channels are of the form [a-z_]{1,60}, messages of at most
	// 8000 bytes.
	Publish(ctx context.Context, channel string, message []byte) error
	// Subscribe calls receive with each message, one after another, until ctx
	// ends. It calls receive(nil) after each connection, the first included:
	// messages may have been missed.
	Subscribe(ctx context.Context, channel string, receive func(message []byte)) error
}
