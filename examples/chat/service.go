package main

import (
	"context"
	"embed"
	"iter"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/room"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Service lets people talk.
type Service struct {
	db     *db.DB
	events *event.Log
	rooms  *room.Hub
}

// Module is the whole of what this package brings to an application.
func (s Service) Module() ashlar.Module {
	return ashlar.Module{
		Name: "chat",
		Operations: []op.Operation{
			op.Command("chat.post", "POST /rooms/{room}/messages", s.Post,
				op.Allow(Talk), op.Idempotent(24*time.Hour), op.OptionalKey(), op.Created("")),
			op.Query("chat.history", "GET /rooms/{room}/messages", s.History, op.Allow(Talk), op.Fails(op.ErrCursor)),
			op.Stream("chat.follow", "GET /rooms/{room}/live", s.Follow, op.Allow(Talk), op.Fails(event.ErrReset)),
			op.Stream("chat.join", "GET /rooms/{room}/people", s.Join, op.Allow(Talk), op.Fails(room.ErrFull)),
			op.Command("chat.type", "POST /rooms/{room}/typing", s.Type, op.Allow(Talk)),
		},
		Migrations: migrations,
	}
}

// Post says something. The message and the event that tells of it commit
// together.
func (s Service) Post(ctx context.Context, in Post) (Message, error) {
	m := Message{id.New("msg_"), string(in.Room), access.From(ctx).ID, in.Text, time.Now().UTC().Truncate(time.Millisecond)}
	return db.InTx(ctx, s.db, func(tx *db.Tx) (Message, error) {
		_, err := db.Exec(ctx, tx, `INSERT INTO messages (id, room, author, body, at) VALUES ($1, $2, $3, $4, $5)`,
			m.ID, m.Room, m.From, m.Text, m.At)
		if err != nil {
			return Message{}, err
		}
		return m, Posted.Publish(ctx, tx, m)
	})
}

// History lists what was said in a room, newest first.
func (s Service) History(ctx context.Context, in History) (op.Page[Message], error) {
	before, err := in.Cursor.Key()
	if err != nil {
		return op.Page[Message]{}, err
	}
	if before == "" {
		before = "msg_~" // behind every id
	}
	list, err := db.All[Message](ctx, s.db, `
		SELECT id, room, author AS "from", body AS text, at FROM messages
		WHERE room = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, in.Room, before, in.Size()+1)
	return op.PageOf(list, in.Size(), func(m Message) string { return m.ID }), err
}

// Spoken is a message as it comes live.
type Spoken struct {
	Message

	id string
}

// EventID is where a reader goes on that was interrupted.
func (s Spoken) EventID() string { return s.id }

// Follow sends what is said in a room from now on, or since a place that the
// caller has seen: nothing is left out or comes twice, on whichever instance.
func (s Service) Follow(ctx context.Context, in In) iter.Seq2[Spoken, error] {
	return func(yield func(Spoken, error) bool) {
		f := event.Filter{Topics: []string{string(Posted)}, Scope: string(in.Room)}
		for r, err := range s.events.Records(ctx, f, event.AfterID(op.LastEventID(ctx))) {
			var said Spoken
			if err == nil {
				said.id = r.ID
				said.Message, err = event.Decode[Message](r)
			}
			if !yield(said, err) || err != nil {
				return
			}
		}
	}
}

// Join makes the caller one of those who are in a room for as long as it
// listens, and tells who else is there.
func (s Service) Join(ctx context.Context, in Join) iter.Seq2[room.Item[Person, Typing], error] {
	return People.Join(ctx, s.rooms, string(in.Room), access.From(ctx).ID, Person{in.Name})
}

// Type tells those who are in a room that the caller is about to say something.
func (s Service) Type(ctx context.Context, in Join) (struct{}, error) {
	return struct{}{}, People.Say(s.rooms, string(in.Room), access.From(ctx).ID, Typing{in.Name})
}
