package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/id"
)

// OverBus returns a Journal for instances that share no database which could
// keep one, but a Bus. A note is sent when its transaction is committed, so it
// is lost with a process that dies in between: then others keep what has its
// tags for as long as the view's TTL. Everything else that goes wrong is
// noticed. A note that could not be sent is followed by the order to drop
// everything, once the Bus works again. An instance that cannot hear itself
// knows that it knows nothing, and [Config.Bound] holds for it.
//
// It has no order of notes, so what has tags stays out of a [Remote].
func OverBus(bus Bus) Journal {
	return &busJournal{bus: bus, every: beatEvery}
}

// The form of what is sent over a Bus.
const (
	busChannel = "ashlar_cache"
	maxMessage = 8000
	beatEvery  = time.Second
)

type busJournal struct {
	bus    Bus
	every  time.Duration
	unsent atomic.Bool // a note was lost, and everybody is still to be told
}

// message is what is sent: a note, a beat, or the order to drop everything.
type message struct {
	Note *Note  `json:"note,omitzero"`
	Beat string `json:"beat,omitzero"` // of the Follow that sent it
	N    uint64 `json:"n,omitzero"`
	Drop bool   `json:"drop,omitzero"`
}

// Append implements [Journal].
func (j *busJournal) Append(ctx context.Context, tx Tx, note Note) error {
	messages, err := split(note)
	if err != nil {
		return err
	}
	if tx == nil {
		return j.publish(ctx, messages)
	}
	tx.AfterCommit(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), j.every)
		defer cancel()
		_ = j.publish(ctx, messages) // what is not sent is made good for by a beat
	})
	return nil
}

func (j *busJournal) publish(ctx context.Context, messages [][]byte) error {
	for _, m := range messages {
		if err := j.bus.Publish(ctx, busChannel, m); err != nil {
			j.unsent.Store(true)
			return fmt.Errorf("cache: send an invalidation: %w", err)
		}
	}
	return nil
}

// split returns the messages of a note: several if its tags are many.
func split(note Note) ([][]byte, error) {
	whole, err := json.Marshal(message{Note: &note})
	switch {
	case err != nil:
		return nil, fmt.Errorf("cache: write an invalidation: %w", err)
	case len(whole) <= maxMessage:
		return [][]byte{whole}, nil
	case len(note.Tags) < 2:
		return nil, errors.New("cache: a tag is too long to be sent")
	}
	half := len(note.Tags) / 2
	// Each half would be taken for the whole by who sent it, were it his turn.
	first, second := note, note
	first.Tags, second.Tags = note.Tags[:half], note.Tags[half:]
	second.Turn = 0
	one, err := split(first)
	if err != nil {
		return nil, err
	}
	two, err := split(second)
	return append(one, two...), err
}

// Follow implements [Journal].
func (j *busJournal) Follow(ctx context.Context, told func(Batch)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &listening{journal: j, told: told, name: id.New("cau_")}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.beat(ctx)
	}()
	err := j.bus.Subscribe(ctx, busChannel, f.receive)
	cancel()
	<-done
	return err
}

// listening is one Follow.
type listening struct {
	journal *busJournal
	told    func(Batch)
	name    string

	mu   sync.Mutex
	n    uint64
	sent time.Time // of beat n
}

// beat sends what must come back, again and again.
func (f *listening) beat(ctx context.Context) {
	tick := time.NewTicker(f.journal.every)
	defer tick.Stop()
	for {
		f.mu.Lock()
		f.n++
		n := f.n
		f.sent = time.Now()
		f.mu.Unlock()
		drop := f.journal.unsent.Swap(false)
		if err := f.send(ctx, message{Beat: f.name, N: n, Drop: drop}); err != nil && drop {
			f.journal.unsent.Store(true)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (f *listening) send(ctx context.Context, m message) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.journal.every)
	defer cancel()
	return f.journal.bus.Publish(ctx, busChannel, data)
}

// receive is called with each message, one after another.
func (f *listening) receive(data []byte) {
	var m message
	if data == nil || json.Unmarshal(data, &m) != nil {
		f.told(Batch{Reset: true}) // whatever it was
		return
	}
	b := Batch{Reset: m.Drop}
	if m.Note != nil {
		b.Notes = []Note{*m.Note}
	}
	if m.Beat == f.name {
		f.mu.Lock()
		if m.N == f.n {
			b.AsOf = f.sent
		}
		f.mu.Unlock()
	}
	f.told(b)
}
