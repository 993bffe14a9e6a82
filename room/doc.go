// Package room says who is in a room, over all processes, and passes on what is
// said there.
//
// A [Kind] of room has a type for what is known of its members, and one for
// what they say:
//
//	const Chat room.Kind[Person, Typing] = "chat"
//
//	hub, err := room.New(room.Config{Bus: bus})
//	go hub.Run(ctx)
//
//	for item, err := range Chat.Join(ctx, hub, "lobby", "usr_1", Person{Name: "Ann"}) {
//		…  // first who is here, then who joins, leaves, says something
//	}
//	err = Chat.Say(hub, "lobby", "usr_1", Typing{})
//
// A stream that returns what Join returns makes its caller a member for as long
// as it is open, so presence costs one line:
//
//	op.Stream("chat.presence", "GET /rooms/{room}/presence", s.Presence, op.Authenticated())
//
// # What is promised
//
//   - A member is in a room once, however many streams it has there. It is told
//     to have left when the last has ended and [Config.Linger] has passed, so
//     that nobody sees a page being reloaded.
//   - Each listener sees the changes of a room in one order. One that falls
//     behind gets who is here anew in place of the changes it missed.
//   - What happens in another process is told at once where there is a [Bus],
//     and at the latest some seconds after the bus is back. The members of a
//     process that dies leave within 30 s.
//   - What another version of the program says of a member and this one cannot
//     read is left zero, and what it says in a room is left out.
//   - Nothing is kept: what is said reaches those who listen then, at most once.
//     What has to be read later is an event; a chat has both.
//
// Without a Bus a room is that of one process.
//
// A Hub is safe for concurrent use.
package room
