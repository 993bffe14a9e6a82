package main

import (
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/room"
	"github.com/ashlar-go/ashlar/rule"
)

// The vocabulary: who may talk, what is kept, and what is only seen by those who
// are there.
const (
	Talk access.Permission = "chat:talk"

	Posted event.Topic[Message]      = "chat.posted"
	People room.Kind[Person, Typing] = "chat"
)

// Message is something that was said.
type Message struct {
	ID   string    `json:"id"`
	Room string    `json:"room"`
	From string    `json:"from"`
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

// EventKey puts the messages of a room in one order.
func (m Message) EventKey() string { return m.Room }

// EventScope has a room followed without a look at others.
func (m Message) EventScope() string { return m.Room }

// Person is what others see of somebody in a room.
type Person struct {
	Name string `json:"name"`
}

// Typing says that somebody is about to say something.
type Typing struct {
	Name string `json:"name"`
}

// Name is what a room is called.
type Name string

// Rules bounds a name.
func (n *Name) Rules(r *rule.Set) { rule.Text(r, n).Len(1, 40).Match(`^[a-z0-9-]+$`) }

// Post asks for a message.
type Post struct {
	Room Name   `json:"room"`
	Text string `json:"text"`
}

// Rules bounds the text.
func (p *Post) Rules(r *rule.Set) { rule.Text(r, &p.Text).Len(1, 2000) }

// In names a room.
type In struct {
	Room Name `json:"room"`
}

// History asks for what was said, newest first.
type History struct {
	Room Name `json:"room"`
	op.Paging
}

// Join names a room, and how others are to see whoever joins.
type Join struct {
	Room Name   `json:"room"`
	Name string `json:"name"`
}

// Rules bounds the name.
func (j *Join) Rules(r *rule.Set) { rule.Text(r, &j.Name).Len(1, 40) }
