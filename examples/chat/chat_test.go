package main

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/room"
)

type seen = room.Item[Person, Typing]

var (
	post = ashlartest.Call[Message]
	page = ashlartest.Call[op.Page[Message]]
)

// open is the real application on a database of its own, or on a given one.
func open(t *testing.T, env ...string) *ashlartest.App {
	app := ashlartest.Open(t, env...)
	app.Mount(Service{app.DB, app.Events, app.Rooms}.Module())
	return app
}

// guests are two people who may talk.
func guests(app *ashlartest.App) (ann, bob *ashlartest.Client) {
	app.Grant("guest", Talk)
	return app.AsRole("ann", "", "guest"), app.AsRole("bob", "", "guest")
}

func TestWhatIsSaidIsKeptAndComesLive(t *testing.T) {
	t.Parallel()
	ann, bob := guests(open(t))
	live := ashlartest.Listen[Spoken](ann, "chat.follow", In{"lobby"})
	for _, text := range []string{"one", "two", "three"} {
		m := post(bob, "chat.post", Post{"lobby", text}).OK()
		if got := live.Next(); got.Message != m || m.From != "bob" {
			t.Fatalf("%+v comes live, and %+v was said", got, m)
		}
	}
	post(bob, "chat.post", Post{"elsewhere", "four"}).OK()
	place := live.ID()
	live.Leave()

	post(ann, "chat.post", Post{"lobby", "five"}).OK()
	again := ashlartest.Listen[Spoken](ann.With("Last-Event-ID", place), "chat.follow", In{"lobby"})
	if got := again.Next(); got.Text != "five" || got.From != "ann" {
		t.Errorf("%+v", got)
	}

	first := page(bob, "chat.history", History{Room: "lobby", Paging: op.Paging{Limit: 3}}).OK()
	rest := page(bob, "chat.history", History{Room: "lobby", Paging: op.Paging{Limit: 3, Cursor: *first.NextCursor}}).OK()
	var texts []string
	for _, m := range append(first.Data, rest.Data...) {
		texts = append(texts, m.Text)
	}
	if !slices.Equal(texts, []string{"five", "three", "two", "one"}) || rest.HasMore {
		t.Error(texts)
	}
}

func TestWhoIsThereIsSeen(t *testing.T) {
	t.Parallel()
	ann, bob := guests(open(t))
	at := ashlartest.Listen[seen](ann, "chat.join", Join{"lobby", "Ann"})
	if got := at.Next(); got.What != room.Here || len(got.Members) != 1 || got.Members[0].About.Name != "Ann" {
		t.Fatalf("%+v", got)
	}
	too := ashlartest.Listen[seen](bob, "chat.join", Join{"lobby", "Bob"})
	if got := too.Next(); len(got.Members) != 2 {
		t.Fatalf("%+v", got)
	}
	if got := at.Next(); got.What != room.Joined || got.Member.ID != "bob" || at.Type() != "joined" {
		t.Fatalf("%+v", got)
	}
	ashlartest.Call[struct{}](bob, "chat.type", Join{"lobby", "Bob"}).OK()
	if got := at.Next(); got.What != room.Said || got.From != "bob" || got.Said.Name != "Bob" {
		t.Fatalf("%+v", got)
	}
	too.Leave()
	if got := at.Next(); got.What != room.Left || got.Member.ID != "bob" {
		t.Fatalf("%+v", got)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	app := open(t)
	stranger := app.As("mallory")
	post(stranger, "chat.post", Post{"lobby", "hello"}).Denied()
	ashlartest.Listen[seen](stranger, "chat.join", Join{"lobby", "Mallory"}).Denied()
	ann, _ := guests(app)
	post(ann, "chat.post", Post{"Lobby!", ""}).Invalid("/room", "/text")
}

// TestRoomsAreThoseOfAllInstances has two instances on one PostgreSQL.
func TestRoomsAreThoseOfAllInstances(t *testing.T) {
	t.Parallel()
	env := []string{
		"DATABASE_URL", backing.Postgres(t), "ASHLAR_SIGNING_KEYS", auth.GenerateKey().Secret().Reveal(),
		"ASHLAR_ADDR", "127.0.0.1:0", "ASHLAR_ADMIN_ADDR", "127.0.0.1:0",
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 2)
	var people [2]*ashlartest.Client
	for n := range people {
		app := open(t, env...)
		ann, bob := guests(app)
		people[n] = []*ashlartest.Client{ann, bob}[n]
		app.Migrate()
		go func() { served <- app.Run(ctx) }()
	}
	t.Cleanup(func() {
		stop()
		for range people {
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
	})

	at := ashlartest.Listen[seen](people[0], "chat.join", Join{"lobby", "Ann"})
	live := ashlartest.Listen[Spoken](people[0], "chat.follow", In{"lobby"})
	at.Next()
	began := time.Now()
	ashlartest.Listen[seen](people[1], "chat.join", Join{"lobby", "Bob"}).Next()
	if got := at.Next(); got.What != room.Joined || got.Member.About.Name != "Bob" {
		t.Fatalf("%+v", got)
	}
	t.Logf("another instance's guest was seen after %s", time.Since(began))
	m := post(people[1], "chat.post", Post{"lobby", "hello"}).OK()
	if got := live.Next(); got.Message != m {
		t.Errorf("%+v, not %+v", got, m)
	}
}
