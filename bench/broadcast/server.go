package main

import (
	"context"
	"io"
	"iter"
	"os"
	"runtime/pprof"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/room"
)

// said is what is passed on: when it was sent, and something to read.
type said struct {
	At   string `json:"at"`
	Text string `json:"text"`
}

const lobby room.Kind[struct{}, said] = "lobby"

type service struct{ rooms *room.Hub }

func (s service) live(ctx context.Context, _ struct{}) iter.Seq2[room.Item[struct{}, said], error] {
	return lobby.Watch(ctx, s.rooms, "lobby")
}

func (s service) say(_ context.Context, in said) (struct{}, error) {
	return struct{}{}, lobby.Say(s.rooms, "lobby", "somebody", in)
}

// serveAshlar is the program that is measured: a whole app, of which every
// request and stream passes all that any other would.
func serveAshlar() (err error) {
	if dir := os.Getenv(envProfile); dir != "" {
		file, err := os.CreateTemp(dir, "ashlar-*.pprof")
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // the process ends
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	dir, err := os.MkdirTemp(os.Getenv(envDir), "ashlar-")
	if err != nil {
		return err
	}
	cfg, err := config.Load[ashlar.Config](config.Map(map[string]string{
		"ASHLAR_ADDR": "127.0.0.1:0", "ASHLAR_ADMIN_ADDR": "127.0.0.1:0", "ASHLAR_DATA_DIR": dir, "ASHLAR_LOG_FORMAT": "json",
		"ASHLAR_STREAMS": "40000", "ASHLAR_STREAMS_PRINCIPAL": "40000", "ASHLAR_LIMIT_ADDRESS": "100000/1s", // all come from one address
	}))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	app, err := ashlar.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer app.Close() //nolint:errcheck // the process ends
	s := service{app.Rooms}
	app.Mount(ashlar.Module{Name: "lobby", Operations: []op.Operation{
		op.Stream("live", "GET /live", s.live, op.Public()),
		op.Command("say", "POST /say", s.say, op.Public()),
	}})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with whoever started it
		stop()
	}()
	return app.Run(ctx)
}
