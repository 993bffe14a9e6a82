package cache

import (
	"context"
	"fmt"
	"time"
)

// Invalidate makes everything with one of the tags unusable: from the commit
// of tx on in this process, and within [Config.Bound] everywhere. Call it in
// the transaction of the write, before or after that; the note for other
// processes commits with it. A nil tx says that the write is committed.
//
// What is being loaded at the time is given to those who asked before, and not
// kept. An error means that others could not be told; return it, so that the
// write is rolled back.
func (c *Cache) Invalidate(ctx context.Context, tx Tx, tags ...string) error {
	tags, err := canonical(tags)
	if err != nil {
		return err
	}
	c.writing.Lock()
	c.written++
	turn := c.written
	c.writing.Unlock()

	if c.journal != nil {
		if err = c.journal.Append(ctx, tx, Note{Origin: c.origin, Turn: turn, Tags: tags}); err != nil {
			err = fmt.Errorf("cache: tell others what was invalidated: %w", err)
		}
	}
	switch {
	case tx == nil:
		c.apply(tags, turn) // even if nobody else learns of it
	case err == nil:
		tx.AfterCommit(func() { c.apply(tags, turn) })
	}
	return err
}

// Drop makes everything with one of the tags unusable in this process, at once.
// It is for the write of a transaction that is committed and has left something
// from which the [Journal] makes a [Note] by itself, for this process too.
func (c *Cache) Drop(tags ...string) {
	c.invalidations.Add(1)
	c.tags.touch(tags, c.now())
	c.tags.invalidate(tags)
}

// apply invalidates here what this process has committed.
func (c *Cache) apply(tags []string, turn uint64) {
	c.invalidations.Add(1)
	if c.journal != nil {
		c.tags.touch(tags, c.now())
		c.writing.Lock()
		if len(c.own) < maxOwn {
			c.own[turn] = struct{}{}
		}
		c.writing.Unlock()
	}
	c.tags.invalidate(tags)
}

// maxOwn bounds the invalidations of this process that are waited for. One
// that is not remembered drops what was loaded since, when it comes back.
const maxOwn = 4096

// told is told of each batch of the journal.
func (c *Cache) told(b Batch) {
	for _, note := range b.Notes {
		c.tags.place(note.Tags, note.Position)
		if note.Dropped || note.Origin == c.origin && c.applied(note.Turn) {
			continue
		}
		c.invalidations.Add(1)
		c.tags.invalidate(note.Tags)
	}
	if b.Reset {
		c.resets.Add(1)
		if b.Position < c.tags.applied.Load() {
			c.tags.forgetPlaces() // a database that was put back counts anew
		}
		c.tags.since.Store(or(b.Since, b.Position))
		c.tags.drop()
		c.kept.InvalidateAll()
	}
	c.tags.applied.Store(b.Position)
	raise(&c.tags.asOf, int64(b.AsOf.Sub(c.start)))
}

// applied reports whether an invalidation of this process was applied when it
// committed. One whose commit ended in an error was not, and yet may have been
// committed.
func (c *Cache) applied(turn uint64) bool {
	c.writing.Lock()
	defer c.writing.Unlock()
	_, was := c.own[turn]
	delete(c.own, turn)
	return was
}

// sweepEvery is how often what has expired is let go, which nobody asks for
// any more.
const sweepEvery = time.Minute

// Run follows the journal and lets go of what has expired, until ctx ends. It
// returns early only with the journal's error; call it again then. A cache
// without a journal works without Run and then keeps what has expired until
// its room is needed.
func (c *Cache) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				c.sweep()
			}
		}
	}()
	defer func() { <-swept }()
	defer cancel()
	if c.journal == nil {
		<-ctx.Done()
		return nil
	}
	if err := c.journal.Follow(ctx, c.told); err != nil && ctx.Err() == nil {
		return fmt.Errorf("cache: follow the journal: %w", err)
	}
	return nil
}

func (c *Cache) sweep() {
	now := c.now()
	for hash, e := range c.kept.All() {
		if now >= e.end() || !c.tags.untouched(e.tags, e.born) {
			c.kept.Invalidate(hash)
		}
	}
}

// end is when an entry is of no use for certain.
func (e *entry) end() int64 { return max(e.fresh, e.stale, e.last) }
