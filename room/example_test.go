package room_test

import (
	"context"
	"fmt"

	"github.com/ashlar-go/ashlar/room"
)

type Guest struct {
	Name string `json:"name"`
}

type Wave struct{}

const Lobby room.Kind[Guest, Wave] = "lobby"

// Whoever listens to a room is in it.
func Example() {
	hub, err := room.New(room.Config{})
	if err != nil {
		panic(err)
	}
	for item, err := range Lobby.Join(context.Background(), hub, "north wing", "usr_1", Guest{"Ann"}) {
		if err != nil {
			panic(err)
		}
		if item.What == room.Here {
			fmt.Println(item.Members[0].About.Name, "is here")
			if err := Lobby.Say(hub, "north wing", "usr_1", Wave{}); err != nil {
				panic(err)
			}
			continue
		}
		fmt.Println(item.From, "waves")
		break
	}
	// Output:
	// Ann is here
	// usr_1 waves
}
