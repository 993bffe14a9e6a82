package room

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/rule"
)

// A Kind is a kind of room: what is known of its members is a P, what they say
// an M. Both travel as JSON. Declare it as a constant; its name is what
// processes know it by.
type Kind[P, M any] string

// Bounds of what is in a room.
const (
	// MaxName is the greatest length of the name of a room and of the id of a
	// member, in bytes.
	MaxName = 200
	// MaxAbout is the greatest size of what is known of a member, in bytes of
	// JSON.
	MaxAbout = 1 << 10
	// MaxSaid is the greatest size of what is said, in bytes of JSON.
	MaxSaid = 4 << 10
)

// A Member is who is in a room.
type Member[P any] struct {
	ID    string    `json:"id"`
	Since time.Time `json:"since"`
	About P         `json:"about"`
}

// What is the kind of an [Item].
type What string

// What there is to tell of a room.
const (
	Here   What = "here"   // the members, all of them
	Joined What = "joined" // a member that is new, or of which other things are known now
	Left   What = "left"
	Said   What = "said"
)

// Rules lists what there is.
func (w *What) Rules(r *rule.Set) { rule.OneOf(r, w, Here, Joined, Left, Said) }

// An Item tells of a room. The first is [Here]; another one takes the place of
// everything that was told before.
type Item[P, M any] struct {
	What    What        `json:"what"`
	Members []Member[P] `json:"members,omitempty"` // of Here
	Member  *Member[P]  `json:"member,omitempty"`  // of Joined and Left
	From    string      `json:"from,omitempty"`    // of Said: the id of who said it
	Said    *M          `json:"said,omitempty"`

	origin any
}

// EventType is the kind of the item in a stream.
func (i Item[P, M]) EventType() string { return string(i.What) }

// Same is what the item has in common with its copies for others who listen.
func (i Item[P, M]) Same() any { return i.origin }

// Join makes somebody a member of a room and tells of the room, until ctx ends
// or the loop is left. An id that is in the room already stays one member, known
// as it was joined last. It fails with [ErrFull], or because a name or about is
// not within its bounds, before there is an item.
func (k Kind[P, M]) Join(ctx context.Context, h *Hub, room, id string, about P) iter.Seq2[Item[P, M], error] {
	return func(yield func(Item[P, M], error) bool) {
		text, err := encode(about, MaxAbout, "what is known of a member")
		if err != nil {
			yield(Item[P, M]{}, err)
			return
		}
		at := place{string(k), room}
		if err := h.enter(at, id, text); err != nil {
			yield(Item[P, M]{}, err)
			return
		}
		defer h.exit(at, id)
		k.follow(ctx, h, at, yield)
	}
}

// Watch tells of a room without joining it.
func (k Kind[P, M]) Watch(ctx context.Context, h *Hub, room string) iter.Seq2[Item[P, M], error] {
	return func(yield func(Item[P, M], error) bool) {
		if err := checkName("name of a room", room); err != nil {
			yield(Item[P, M]{}, err)
			return
		}
		k.follow(ctx, h, place{string(k), room}, yield)
	}
}

func (k Kind[P, M]) follow(ctx context.Context, h *Hub, at place, yield func(Item[P, M], error) bool) {
	l := h.listen(at)
	defer h.leave(at, l)
	scope.Opened(ctx)
	done := ctx.Done()
	for {
		changes := l.next(done)
		if changes == nil || !give(changes, yield) {
			return // that ctx has ended is no failure
		}
	}
}

// give yields items, on a stack of which nothing is left while nothing happens.
func give[P, M any](changes []*change, yield func(Item[P, M], error) bool) bool {
	for _, c := range changes {
		if item := itemOf[P, M](c); item != nil && !yield(*item, nil) {
			return false
		}
	}
	return true
}

// Say tells everybody who listens to a room, whoever says it.
func (k Kind[P, M]) Say(h *Hub, room, from string, said M) error {
	text, err := encode(said, MaxSaid, "what is said")
	if err != nil {
		return err
	}
	return h.say(place{string(k), room}, from, text)
}

// Members returns who is in a room, those who came first in front.
func (k Kind[P, M]) Members(h *Hub, room string) []Member[P] {
	return membersOf[P](h.snapshot(place{string(k), room}))
}

func encode(v any, most int, what string) (json.RawMessage, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("room: %s: %w", what, err)
	}
	if len(text) > most {
		return nil, fmt.Errorf("room: %s has %d bytes of JSON, at most %d are passed on", what, len(text), most)
	}
	return text, nil
}

// itemOf is a change for a listener, or nil where it cannot be read. Those after
// the first have what the first made of it.
func itemOf[P, M any](c *change) *Item[P, M] {
	c.once.Do(func() {
		aside(func() { c.item = decode[P, M](c) })
	})
	if i, ok := c.item.(*Item[P, M]); ok {
		return i
	}
	return decode[P, M](c) // two kinds of one name and other types
}

// decode leaves out what another version of the program says and this one
// cannot read.
func decode[P, M any](c *change) *Item[P, M] {
	i := &Item[P, M]{What: c.what, From: c.from, origin: c}
	switch c.what {
	case Here:
		i.Members = membersOf[P](c.members)
	case Joined, Left:
		i.Member = &membersOf[P](c.members)[0]
	case Said:
		if i.Said = new(M); json.Unmarshal(c.said, i.Said) != nil {
			return nil
		}
	}
	return i
}

func membersOf[P any](known []known) []Member[P] {
	list := make([]Member[P], len(known))
	for n, k := range known {
		list[n] = Member[P]{ID: k.id, Since: k.since.UTC()}
		if json.Unmarshal(k.about, &list[n].About) != nil {
			list[n].About = *new(P)
		}
	}
	return list
}
