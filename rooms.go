package ashlar

import (
	"log/slog"

	"github.com/ashlar-go/ashlar/metric"
	"github.com/ashlar-go/ashlar/room"
)

// openRooms makes the hub of the app's rooms.
func (a *App) openRooms() (err error) {
	cfg := room.Config{Log: slog.New(latest{a})}
	if a.bus != nil {
		cfg.Bus = a.bus
	}
	a.Rooms, err = room.New(cfg)
	return err
}

// roomTasks tell other instances who is in a room here, and hear from them.
func (a *App) roomTasks() []Task {
	if a.bus == nil {
		return nil
	}
	return []Task{{"ashlar.rooms", a.Rooms.Run}}
}

// readRooms has the metrics show the rooms.
func readRooms(d *declaring, h *room.Hub) {
	stat := func(read func(room.Stats) int64) func() float64 {
		return func() float64 { return float64(read(h.Stats())) }
	}
	d.read("ashlar_rooms", "Rooms that have members, or listeners here.", stat(func(s room.Stats) int64 { return int64(s.Rooms) }))
	d.read("ashlar_room_members", "Members of all rooms, in all instances that are known here.", stat(func(s room.Stats) int64 { return int64(s.Members) }))
	d.read("ashlar_room_listeners", "Streams of this process that follow a room.", stat(func(s room.Stats) int64 { return int64(s.Listeners) }))
	d.read("ashlar_room_peers", "Other instances that are heard.", stat(func(s room.Stats) int64 { return int64(s.Peers) }))
	d.read("ashlar_room_said_total", "Messages that were said in a room and heard in this process.", stat(func(s room.Stats) int64 { return s.Said }))
	d.read("ashlar_room_refusals_total", "Members for whom a room had no place.", stat(func(s room.Stats) int64 { return s.Refusals }))
	for what, read := range map[string]func(room.Stats) int64{
		"listener": func(s room.Stats) int64 { return s.Behind },
		"instance": func(s room.Stats) int64 { return s.Gaps },
	} {
		d.read("ashlar_room_anew_total", "Times that who is in a room was told anew, because a listener was behind or an instance had missed something.",
			stat(read), metric.Label{Name: "of", Value: what})
	}
	d.read("ashlar_room_unsent_total", "Messages of rooms that other instances were not told.", stat(func(s room.Stats) int64 { return s.Unsent }))
}
