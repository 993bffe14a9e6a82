package event_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/event"
)

// Parcel is what the example's events are about.
type Parcel struct {
	ID   string `json:"id"`
	Room string `json:"room"`
}

// EventKey keeps the events of a parcel in order.
func (p Parcel) EventKey() string { return p.ID }

const Moved event.Topic[Parcel] = "parcel.moved"

func Example() {
	ctx := context.Background()
	d, err := sqlite.Open(ctx, sqlite.Config{Path: ":memory:"})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	if _, err := db.Up(ctx, d, db.Migrations{Name: "ashlar_event", FS: event.Migrations()}); err != nil {
		log.Fatal(err)
	}
	events, err := event.Open(event.Config{DB: d})
	if err != nil {
		log.Fatal(err)
	}
	defer events.Close()

	// The event is there if the change is.
	move := func(p Parcel, fail error) {
		_, err := db.InTx(ctx, d, func(tx *db.Tx) (Parcel, error) {
			// … change the parcel …
			return p, errors.Join(Moved.Publish(ctx, tx, p), fail)
		})
		if err != nil {
			fmt.Println(p.ID, "stays where it is:", err)
		}
	}
	move(Parcel{"a", "hall"}, nil)
	move(Parcel{"b", "hall"}, errors.New("it is too heavy"))
	move(Parcel{"a", "cellar"}, nil)

	// A consumer's handler writes in the transaction that notes how far it has
	// come, so what it does in the database happens once for each event.
	follow := event.On(Moved, "inventory", func(_ context.Context, _ *db.Tx, e event.Of[Parcel]) error {
		fmt.Printf("%d: %s is in the %s\n", e.Position, e.Data.ID, e.Data.Room)
		return nil
	}, event.FromOldest())

	// A program calls events.Run(ctx) and events.Consume(ctx, follow), which work
	// until ctx ends.
	fmt.Println(events.Drain(ctx, follow))
	// Output:
	// b stays where it is: it is too heavy
	// 1: a is in the hall
	// 2: a is in the cellar
	// <nil>
}

func ExampleLog_Read() {
	ctx := context.Background()
	d, err := sqlite.Open(ctx, sqlite.Config{Path: ":memory:"})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	if _, err := db.Up(ctx, d, db.Migrations{Name: "ashlar_event", FS: event.Migrations()}); err != nil {
		log.Fatal(err)
	}
	events, err := event.Open(event.Config{DB: d})
	if err != nil {
		log.Fatal(err)
	}
	defer events.Close()
	for _, room := range []string{"hall", "cellar", "attic"} {
		if _, err := db.InTx(ctx, d, func(tx *db.Tx) (struct{}, error) {
			return struct{}{}, Moved.Publish(ctx, tx, Parcel{"a", room})
		}); err != nil {
			log.Fatal(err)
		}
	}

	// Who reads goes on after the last event that they have seen.
	for after, more := int64(0), true; more; {
		page, err := events.Read(ctx, event.Query{Filter: event.Filter{Topics: []string{string(Moved)}}, After: after, Limit: 2})
		if err != nil {
			log.Fatal(err) // event.ErrReset: start anew with the present state
		}
		for _, r := range page.Records {
			fmt.Println(r.Topic, string(r.Payload))
		}
		fmt.Println("up to", page.Next)
		after, more = page.Next, page.More
	}
	// Output:
	// parcel.moved {"id":"a","room":"hall"}
	// parcel.moved {"id":"a","room":"cellar"}
	// up to 2
	// parcel.moved {"id":"a","room":"attic"}
	// up to 3
}
